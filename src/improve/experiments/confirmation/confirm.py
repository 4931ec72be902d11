"""The trials of a diagnosis, trained and judged; the run itself is the control."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from improve.diagnosis.confirmed import FOLDER, file_of, trials_of
from improve.diagnosis.diagnose import Diagnosis
from improve.engine.training.resume import check_same_data, resume
from improve.engine.training.train import not_stopped
from improve.engine.training.watcher import Watcher
from improve.errors import ImproveError, UsageError
from improve.experiments.confirmation.judgement import Judged, Seen, judged
from improve.experiments.confirmation.measurement import measured
from improve.experiments.confirmation.plan import EPOCHS, Trial, plan
from improve.experiments.paused_run import PausingWatcher, far_enough, trained_run
from improve.interrupt import goes_on
from improve.runs import begin, files, run
from improve.runs.run import Run
from improve.spec.reading import yaml
from improve.spec.reading.load import load_spec
from improve.spec.spec import Spec
from improve.spec.user_code import digest, located_target


class ConfirmWatcher(Watcher):
    """Told of the trials as well."""

    def planned(self, trials: Sequence[Trial], diagnosis: Diagnosis) -> None:
        """Before anything is trained: what will be, beside the run of this diagnosis."""

    def begun(self, trial: Trial) -> None:
        """This one is trained now."""

    def judged(self, trials: Sequence[Judged]) -> None:
        """What came of all of them."""


NOBODY = ConfirmWatcher()  # watches


def confirm(
    diagnosis: Diagnosis, budget: int | None = None, watcher: ConfirmWatcher = NOBODY, code: bool = True
) -> list[Judged]:
    """Train what `plan` gives, in the run's folder, judge it, and write confirm/confirm.json. What is trained already
    is not trained again. Raises UsageError where the run cannot be a control."""
    made = control(diagnosis)
    spec, pausing = load_spec(made.folder / "spec.yaml", code=code), PausingWatcher(watcher)
    check_same_code(made, spec)
    check_same_data(made, pausing.last.of(spec, watcher.reading))
    trials, began, found = plan(diagnosis, budget), time.monotonic(), list[Judged]()
    folder, seen = begin.writable(made.folder / FOLDER), list[Seen]()
    watcher.planned(trials, diagnosis)
    for number, trial in enumerate(trials):
        watcher.begun(trial)
        with goes_on(f"{number} of {len(trials)} changes are tried; the same command goes on"):
            seen.append(measured(trial, made, trained(trial, made, folder, pausing)))
        found = judged(seen, diagnosis.errors.tau if diagnosis.errors else 0.0)
        write(made, found, time.monotonic() - began)
    watcher.judged(found)
    return found


def write(made: Run, found: Sequence[Judged], seconds: float) -> None:
    """confirm.json: these outcomes, and those of other findings from before, of the same state of the run."""
    new = {one.code: one.as_json() for one in found}
    before = {one.code: one.model_dump() for one in trials_of(made)[0]}
    told = {"state_sha256": made.summary.state_sha256, "seconds": round(seconds, 1)}
    files.write_json(file_of(made), told | {"trials": [*new.values(), *(before[code] for code in before.keys() - new)]})


def check_same_code(made: Run, spec: Spec) -> None:
    """Runs from before that was recorded are believed."""
    if spec.model.code and made.environment.code not in (None, digest(spec.model.code)):
        raise UsageError(f"{spec.model.code} is not what the run was trained with", fix="bring that back")


def control(diagnosis: Diagnosis) -> Run:
    """The run, where changes can be held against it."""
    made = diagnosis.run
    if made is None:
        raise UsageError("bare numbers cannot be trained", fix="improve diagnose RUN --confirm")
    if made.summary.members:
        raise UsageError(f"{made.folder} is an ensemble", fix="give one of its members")
    if made.status == "running":
        raise UsageError(f"{made.folder} is still training, or was killed", fix=f"improve resume {made.folder}")
    if file_of(made).is_dir():
        raise UsageError(f"{file_of(made)} is a folder", fix="remove it")
    if not made.history:
        raise UsageError(f"{made.folder} has no epoch to hold a change against", fix="train it for an epoch at least")
    return made


def trained(trial: Trial, made: Run, folder: Path, watcher: PausingWatcher) -> Run:
    """The changed run, as far as it has to be trained. What cannot be read of an earlier try is trained anew."""
    place = folder / trial.name
    if place.exists() and not readable(place):
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    if trial.longer:
        return longer(trial, made, folder, watcher)
    return trained_run(folder, trial.name, spec_of(trial, made, folder), watcher, trial.epochs)


def readable(place: Path) -> bool:
    try:
        run.load_run(place)
    except ImproveError:
        return not (place / "summary.json").exists() and place.is_dir()  # it had only begun
    return True


def spec_of(trial: Trial, made: Run, folder: Path) -> Spec:
    """Written beside the trials: it can be trained by hand."""
    plain = trial.spec
    if plain["model"]["name"] == "python":
        target = located_target(plain["model"]["target"], made.folder)
        shutil.copy2(target.rpartition(":")[0], folder)
    file = folder / f"{trial.name}.yaml"
    files.write_text(file, yaml.write(plain))
    return load_spec(file)


def longer(trial: Trial, made: Run, folder: Path, watcher: PausingWatcher) -> Run:
    """A copy of the run that goes on to its new end."""
    copy = folder / trial.name
    if not copy.exists():
        part = copy.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(made.folder, part, ignore=shutil.ignore_patterns(FOLDER, "*.keras", "diagnosis.json"))
        part.rename(copy)
    begun, watcher.pause = run.load_run(copy), 0
    if int(begun.spec["training"]["epochs"]) < trial.of:
        resume(copy, [f"{EPOCHS}={trial.of}"], watcher)
    elif not far_enough(begun, 0):
        resume(copy, [], watcher)
    return not_stopped(run.load_run(copy))
