"""A run goes on: after a crash or a stop as if nothing had happened, or with other settings from there on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from improve.engine.data.prepare import PreparedData, prepare
from improve.engine.model import devices
from improve.engine.model.timeline import Timeline
from improve.engine.model.weights import restore_state
from improve.engine.training import checkpoint
from improve.engine.training.batches import steps_per_epoch
from improve.engine.training.checkpoint import Saved
from improve.engine.training.failures import recording_failures
from improve.engine.training.train import Work, begin_work, build_work, train_to_end
from improve.engine.training.watcher import NOBODY, Watcher
from improve.errors import ImproveError, UsageError
from improve.lazy import keras
from improve.runs import files, run
from improve.runs.lock import folder_lock
from improve.spec.reading import yaml
from improve.spec.reading.flatten import Difference, differences
from improve.spec.reading.load import load_spec
from improve.spec.spec import Spec

MORE_EPOCHS = re.compile(r"\s*training\.epochs\s*=\s*\+\s*(\d+)\s*")
ANEW = "improve train SPEC --from {} starts a new run from these weights"
#: what cannot change while a run goes on, and why
FIXED = {
    "seed": "everything random would be drawn anew",
    "data": "images that have judged the network could train it",
    "model": "its weights have no place in another network",
    "optimizer.name": "what one optimizer remembers of the gradients means nothing to another",
    "diagnosis.cost": "the best epoch so far was chosen by another number",
    "evidence": "the tables of the run have one form",
    "training.members": "each member is a run of its own",
}


def resume(
    folder: Path,
    overrides: list[str],
    watcher: Watcher = NOBODY,
    reason: str = "",
    code: bool = True,
    data: PreparedData | None = None,
) -> Path:
    """Go on with the run in `folder`, with `overrides` from here on; `reason` is kept with what they change. Without
    `code` a model of the user's own is refused. `data`: what `prepare` gives for the spec, where it is at hand.

    Raises UsageError, with nothing changed, where another process is at it, nothing is left to do, or what should
    change cannot.
    """
    begun = run.load_run(folder)
    if begun.summary.snapshot_of:
        raise UsageError(f"{folder} is a snapshot", fix=f"improve resume {folder.absolute().parents[1]}, its run")
    load_spec(begun.folder / "spec.yaml", code=code)
    with folder_lock(folder) as owner:
        try:
            saved, damaged = checkpoint.read(folder)
        except FileNotFoundError:
            return start_over(begun, overrides, watcher, owner, data)
        spec, edits = changed_spec(begun, saved, overrides)
        check_work_left(begun, saved, spec, edits)
        data = data or prepare(spec, watcher.reading)
        check_same_data(begun, data)
        devices.check(spec.training.devices, spec.training.batch_size, len(data.parts["train"]))
        line = moved_timeline(saved, spec, edits, data)
        work: Work | None = None
        with recording_failures(folder, spec, lambda: work is not None) as interrupt:
            work = resume_work(spec, data, folder, line, owner, saved)
            work.checkpoints.summary |= {"from": begun.summary.origin} if begun.summary.origin else {}
            notes = (*damaged, *other_versions(saved, spec), *what_goes_on(saved, edits, len(begun.history)))
            work.announcement = replace(work.announcement, notes=notes)
            note_down(work, saved, edits, reason)
            train_to_end(work, interrupt, watcher)
    return folder


def start_over(
    begun: run.Run, overrides: list[str], watcher: Watcher, owner: dict[str, Any], data: PreparedData | None
) -> Path:
    """Begin a run once more that died before anything was saved. Raises UsageError where a setting was to change."""
    if begun.status == "finished":
        raise ImproveError(f"{begun.folder} has no saved state", fix="train it anew from its spec.yaml")
    if overrides:
        raise UsageError(f"{begun.folder} had not begun, so nothing can change on the way", fix="train a new run")
    spec, weights = load_spec(begun.folder / "spec.yaml"), begun.summary.origin
    data = data or prepare(spec, watcher.reading)
    with recording_failures(begun.folder, spec) as interrupt:
        work = begin_work(spec, data, begun.folder, owner, Path(weights) if weights else None)
        train_to_end(work, interrupt, watcher)
    return begun.folder


def changed_spec(begun: run.Run, saved: Saved, overrides: list[str]) -> tuple[Spec, list[Difference]]:
    """The spec from here on, and what is other than before. Raises UsageError where something cannot change."""
    done = len(saved.meta["history"]["rows"])
    written = [MORE_EPOCHS.sub(lambda more: f"training.epochs={done + int(more[1])}", text) for text in overrides]
    spec = load_spec(begun.folder / "spec.yaml", written)
    before = Spec.model_validate(saved.meta["spec"])  # with the defaults of what came after it was saved
    edits = list(edits_between(before.complete(), spec.complete()))
    for edit in edits:
        key = next((key for key in FIXED if edit.path == key or edit.path.startswith(f"{key}.")), None)
        if key:
            raise UsageError(f"{edit.path} cannot change on the way: {FIXED[key]}", fix=ANEW.format(begun.folder))
        if edit.path == "training.batch_size" and saved.meta["passes"]:
            raise UsageError(
                "training.batch_size can change between epochs only, and the run stopped within one",
                fix=f"improve resume {begun.folder} first, and stop it between two",
            )
    return spec, edits


def edits_between(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
    """What differs in two complete specs, leaf by leaf; lists, and components with another name, as wholes."""
    for edit in differences(old, new, whole=lambda one, other: one.get("name") != other.get("name")):
        if edit.path == "optimizer":
            yield Difference("optimizer.name", edit.old["name"], edit.new["name"])
        else:
            yield edit


def check_work_left(found: run.Run, saved: Saved, spec: Spec, edits: list[Difference]) -> None:
    done, more = len(saved.meta["history"]["rows"]), f"improve resume {found.folder} training.epochs=+20"
    if spec.training.epochs < done or (found.status == "finished" and spec.training.epochs == done):
        raise UsageError(f"{found.folder} is done with {done} epochs, {spec.training.epochs} are asked for", fix=more)
    if found.status == "finished" and not edits:
        raise UsageError(f"{found.folder} is finished: it stopped early after {done} epochs", fix=more)
    if found.status == "diverged" and not edits:
        fix = f"improve resume {found.folder} optimizer.learning_rate={spec.optimizer.learning_rate / 10:g}"
        raise UsageError(f"{found.folder} diverged, and would do so again", fix=fix)


def check_same_data(found: run.Run, data: PreparedData) -> None:
    before = found.fingerprint
    other = [name for name, part in data.statistics.items() if before.get(name) not in (None, part.digest)]
    if other:
        raise UsageError(f"the {other[0]} images are not those that the run began with", fix="bring them back")


def moved_timeline(saved: Saved, spec: Spec, edits: list[Difference], data: PreparedData) -> Timeline:
    """The run's timeline with what the changes move."""
    line, history = Timeline(**saved.meta["timeline"]), saved.meta["history"]
    epoch, done = len(history["rows"]), sum(len(part.loss) for part in saved.passes)
    if any(edit.path.partition(".")[0] == "schedule" for edit in edits):
        line = line.with_schedule_from(line.first_step(epoch) + done, epoch + done / line.steps_per_epoch)
    steps = steps_per_epoch(len(data.parts["train"]), spec.training.batch_size)
    return line if steps == line.steps_per_epoch else line.with_steps_per_epoch(steps, epoch)


def resume_work(
    spec: Spec, data: PreparedData, folder: Path, line: Timeline, owner: dict[str, Any], saved: Saved
) -> Work:
    """The run as it was when `saved` was."""
    work = build_work(spec, data, folder, line, owner, saved.meta["tables"])
    work.history.take_up(saved.meta["history"], saved.passes)
    work.checkpoints.take_up(saved)
    restore_state(
        work.model, {name: saved.arrays[name] for name in saved.arrays if not name.startswith(checkpoint.STEPS)}
    )
    work.model.optimizer.rate_scale.assign(work.history.rate_scale())
    return work


def note_down(work: Work, saved: Saved, edits: list[Difference], reason: str) -> None:
    """What changed, in the run's summary and its spec, before a step is taken with it."""
    if not edits:
        return
    at: dict[str, Any] = {
        "epoch": work.history.epoch + round(work.history.done / work.history.timeline.steps_per_epoch, 3)
    }
    at |= {"step": work.history.step} | ({"reason": reason} if reason else {})
    work.checkpoints.changes += [{**at, "path": edit.path, "from": edit.old, "to": edit.new} for edit in edits]
    work.history.changed = work.history.epoch
    lines = [
        f"# changed after {change['epoch']:g} epochs: {change['path']} {yaml.inline(change['from'])} → "
        f"{yaml.inline(change['to'])}\n"
        for change in work.checkpoints.changes
    ]
    # first: who is killed between the two finds a spec that is ahead of the state, and makes the change then
    files.write_text(work.folder / "spec.yaml", "".join(lines) + yaml.write(work.spec.complete()))
    work.checkpoints.save()


def other_versions(saved: Saved, spec: Spec) -> Iterator[str]:
    now = {"backend": keras.backend.backend(), "keras": keras.__version__}
    for what, version in now.items():
        if saved.meta[what] != version:
            yield f"the run began with {what} {saved.meta[what]}, this is {version}: its end will be another"
    before, used = saved.meta.get("devices", 1), devices.count(spec.training.devices)
    if before != used:
        yield f"{before} devices so far, {used} from here on: the same updates but for rounding and what dropout draws"


def what_goes_on(saved: Saved, edits: list[Difference], shown: int) -> Iterator[str]:
    """`shown`: the epochs whose rows were written."""
    done, within = len(saved.meta["history"]["rows"]), sum(len(part.loss) for part in saved.passes)
    yield f"goes on in epoch {done + 1}, after step {within}" if within else f"goes on after epoch {done}"
    if shown > done:
        yield f"what came after it, to epoch {shown}, was not saved yet and is trained again: its end is the same"
    for edit in edits:
        yield f"from here on {edit.path}: {yaml.inline(edit.new)} (before: {yaml.inline(edit.old)})"
