"""Several networks of one spec in one command: each from its own seed, on the same images; their mean is the run.

`training.members: 5` makes runs/NAME, the ensemble, and in it members/seed0, seed1 …, which are runs as any other: the
spec of each trains it again, alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from improve.engine.data.prepare import PreparedData, prepare
from improve.engine.model import devices
from improve.engine.training import resume, train
from improve.engine.training.resources import OutOfMemoryError
from improve.engine.training.watcher import NOBODY, Watcher
from improve.errors import ImproveError, UsageError
from improve.interrupt import BrokenOff, interruptible
from improve.runs import begin, ensemble, run
from improve.runs.begin import remove_husk
from improve.runs.lock import folder_lock
from improve.spec.reading.load import load_spec
from improve.spec.spec import Spec

FOLDER = "members"  # in the ensemble's
SAME_UPDATES = ("training.batch_size", "optimizer.gradient_accumulation_steps")  # what too little memory may change


def train_run(spec: Spec, name: str, runs: Path, watcher: Watcher = NOBODY, weights: Path | None = None) -> Path:
    """Train `spec`: one network as `train.train` does, or all its members, into a new folder under `runs`."""
    if spec.training.members == 1:
        return train.train(spec, name, runs, watcher, weights)
    name, runs = begin.checked_name(name), begin.writable(runs)
    data = prepare(spec, watcher.reading)
    devices.check(spec.training.devices, spec.training.batch_size, len(data.parts["train"]))
    folder = begin.create(runs, name, spec, weights)
    with folder_lock(folder), recording_failures(folder):
        train_members(spec, folder, data, watcher, weights, [])
    return folder


def go_on(folder: Path, overrides: list[str], watcher: Watcher = NOBODY, reason: str = "", code: bool = True) -> Path:
    """Go on with a run as `resume.resume` does, or with the members of an ensemble that are not done.

    Raises UsageError where the members are done, or where their settings should change on the way.
    """
    ensemble = run.load_run(folder)
    if ensemble.summary.members is not None:
        origin = ensemble.summary.snapshots_of
        fix = f"improve resume {folder.parent / origin}" if origin else "improve resume a member, then improve ensemble"
        raise UsageError(f"{folder} is an ensemble, and its members are done", fix=fix)
    if ensemble.spec["training"]["members"] == 1:
        return resume.resume(folder, overrides, watcher, reason, code)
    spec = load_spec(folder / "spec.yaml", code=code)
    if any(not text.strip().startswith(SAME_UPDATES) for text in overrides):
        raise UsageError("members cannot change on the way: they would not be alike", fix="train a new ensemble")
    if overrides and not under_way(folder):
        raise UsageError(f"no member of {folder} is under way", fix=f"improve resume {folder} begins the next one")
    weights = ensemble.summary.origin
    with folder_lock(folder), recording_failures(folder):
        data = prepare(spec, watcher.reading)
        train_members(spec, folder, data, watcher, Path(weights) if weights else None, overrides)
    return folder


@contextmanager
def recording_failures(folder: Path) -> Iterator[None]:
    """What goes wrong with a member stands in the ensemble's summary as well. Where its memory ran out, the error names
    the ensemble: that goes on, with what the member needs."""
    try:
        with interruptible():
            yield
    except BaseException as error:
        run.write_failure(folder, error)
        if isinstance(error, BrokenOff):
            error.__notes__ = [f"go on   improve resume {folder}"]  # not the member alone
        if isinstance(error, OutOfMemoryError):
            error.folder = folder
        raise


def under_way(folder: Path) -> bool:
    return not all(run.load_run(file.parent).is_done for file in folder.glob(f"{FOLDER}/*/summary.json"))


def train_members(
    spec: Spec, folder: Path, data: PreparedData, watcher: Watcher, weights: Path | None, overrides: list[str]
) -> None:
    """Each member that is not done, one after the other, then their ensemble; ends earlier where one is stopped."""
    begun = {"status": "running", "name": folder.name}
    run.write_summary(folder, begun | ({"from": str(weights.absolute())} if weights else {}))
    (folder / FOLDER).mkdir(exist_ok=True)
    made, total = [], spec.training.members
    for number in range(total):
        one = trained_member(member_spec(spec, number), folder / FOLDER, data, watcher, weights, overrides)
        watcher.trained(number + 1, total, one)
        if one.status == "stopped":
            told = {"status": "stopped", "signal": one.summary.signal, "done": number}
            run.update_summary(folder, told)
            return
        made.append(one)
    combine(folder, made)


def member_spec(spec: Spec, number: int) -> Spec:
    """The spec of one member: everything random is its own, but for what divides the images."""
    data = spec.data.model_copy(update={"split_seed": spec.split_seed})
    training = spec.training.model_copy(update={"members": 1})
    return spec.model_copy(update={"seed": (spec.seed + number) % 2**31, "data": data, "training": training})


def trained_member(
    spec: Spec, runs: Path, data: PreparedData, watcher: Watcher, weights: Path | None, overrides: list[str]
) -> run.Run:
    """The member, from where it stands; `overrides` are for one that is under way."""
    folder = runs / f"seed{spec.seed}"
    remove_husk(folder, spec)
    if not folder.exists():
        train.start(spec, data, begin.create(runs, folder.name, spec, weights), watcher, weights)
    elif not run.load_run(folder).is_done:
        resume.resume(folder, overrides, watcher, "out of memory" if overrides else "")
    return run.load_run(folder)


def combine(folder: Path, made: list[run.Run]) -> None:
    """Write the ensemble of the members that have a result. Raises ImproveError where they are fewer than two."""
    have = [one for one in made if one.summary.validation is not None]
    if len(have) < 2:
        raise ImproveError(
            f"{len(made) - len(have)} of {len(made)} members diverged in their first epoch",
            fix=f"improve diagnose {made[0].folder}",
        )
    more: dict[str, Any] = {"diverged": [one.name for one in made if one.status == "diverged"]}
    told = {key: value for key, value in more.items() if value}
    ensemble.write(folder, have, ensemble.gather(have), [1 / len(have)] * len(have), **told)
