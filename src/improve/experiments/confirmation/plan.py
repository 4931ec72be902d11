"""Which changes are tried, how far each has to be trained to tell, and what that costs."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from improve.diagnosis.diagnose import Diagnosis
from improve.diagnosis.findings.rule import Change, Finding
from improve.diagnosis.precedence import symptom
from improve.experiments.auto.proposals import edited_spec, left_to_people
from improve.runs.run import Run
from improve.spec.reading.flatten import setting

MOST = 4  # changes
EARLY = 4  # what keeps a training set from being fitted shows in a quarter of the epochs
EPOCHS, RATE = "training.epochs", "optimizer.learning_rate"
OF_IMAGES = ("T13", "T14", "V4")  # they name no fault of the fit: new images decide
FIT = ("readable", "training")  # links
HELPS_ANYHOW = ("T1", "T17")  # longer, or larger
BLUNTER = ("training.loss", "training.mixup", "training.cutmix")

Part = Literal["train", "validation"]


@dataclass(frozen=True)
class Trial:
    """A change to be trained for `epochs` of the `of` that its spec has, of which `cost` are new; `part`: whose error
    decides. `harm`: what the finding costs at most, a share of the images. `slow`: it slows learning by nature, so that
    an early look cannot refute it. `masked`: another finding may hide what it does, so that nothing can refute it.
    `longer`: it goes on from where the run ended."""

    code: str
    title: str
    edits: tuple[tuple[str, Any], ...]
    spec: dict[str, Any]
    part: Part
    epochs: int
    of: int
    cost: int
    harm: float
    slow: bool = False
    longer: bool = False
    masked: bool = False

    @property
    def name(self) -> str:
        """The same for the same change of the same run, so that a trial that was broken off goes on."""
        digest = hashlib.sha256(json.dumps([self.spec, self.longer], sort_keys=True).encode()).hexdigest()
        return f"{self.code}-{digest[:6]}"


def plan(diagnosis: Diagnosis, budget: int | None = None) -> list[Trial]:
    """The likeliest changes that fit into `budget` epochs, else into as many as the run took. What is left of a budget
    that was given lets them train further, as far as the run did."""
    run = diagnosis.run
    assert run is not None
    left, trials = budget if budget is not None else max(1, len(run.history)), list[Trial]()
    for finding in likeliest(diagnosis.findings):
        trial = trial_of(finding, finding.changes[0], run, left)
        known = any(one.edits == trial.edits for one in trials) if trial else True
        if trial and not known and trial.cost <= left and len(trials) < MOST:
            trials.append(trial)
            left -= trial.cost
    return trials if budget is None else [further(one, left // len(trials), len(run.history)) for one in trials]


def fewest_epochs(diagnosis: Diagnosis) -> int | None:
    """What the cheapest trial takes; None where there is none."""
    run = diagnosis.run
    assert run is not None
    tried = (trial_of(one, one.changes[0], run, 1) for one in likeliest(diagnosis.findings))
    return min((trial.cost for trial in tried if trial), default=None)


def further(trial: Trial, more: int, most: int) -> Trial:
    """The trial with `more` epochs, `most` at most: then the run ends, beside which it is judged."""
    more = 0 if trial.longer else max(0, min(more, min(most, trial.of) - trial.epochs))
    return replace(trial, epochs=trial.epochs + more, cost=trial.cost + more)


def likeliest(findings: Iterable[Finding]) -> list[Finding]:
    """What can be tried: first what stands, then guesses and what waits, by probability, at last what is refuted. What
    helps whatever the cause is, is tried where it comes first: beside another cause it would only hide that one."""
    able = [one for one in findings if names_a_cause(one) and one.changes and not left_to_people(one.changes[0])]
    able.sort(key=lambda one: (one.status == "refuted", not one.stands, -(one.probability or 0.0)))
    first = next((one.code for one in able if one.link in FIT), None)
    return [one for one in able if one.code not in HELPS_ANYHOW or one.code == first]


def names_a_cause(finding: Finding) -> bool:
    """Whether an experiment could refute it: no fact, nothing that its own rule doubts, no finding that promises
    nothing, and none that says no more than that the training set is not fitted."""
    doubted = finding.status == "not_enough_evidence" and not finding.is_guess
    return not (finding.fact or doubted or (symptom(finding) and finding.link in FIT)) and finding.harm > 0


def trial_of(finding: Finding, change: Change, run: Run, left: int) -> Trial | None:
    """None where the change makes no spec that could be trained."""
    done, old = len(run.history), int(setting(run.spec, EPOCHS))
    edits, longer = change.edits, goes_on(change, run)
    if longer:
        edits = ((EPOCHS, min(int(change.value), done + max(1, left))),)
    spec = edited_spec(run.spec, edits, run.folder)
    if spec is None or spec == run.spec:
        return None
    length, fits = int(setting(spec, EPOCHS)), finding.link in FIT and finding.code not in OF_IMAGES
    part: Part = "train" if fits and not longer else "validation"
    early = min(done, math.ceil(old / EARLY)) if run.status != "diverged" else math.ceil(old / EARLY)
    epochs = length if longer else early if part == "train" else run.summary.best_epoch or early
    cost = epochs - done if longer else min(epochs, length)
    return Trial(
        finding.code, finding.title, edits, spec, part, min(epochs, length), length, cost, finding.harm,
        slows(edits, run), longer, finding.status == "cannot_tell_yet",
    )  # fmt: skip


def goes_on(change: Change, run: Run) -> bool:
    """Whether it asks for no more than more epochs, of a run that is at its end: then that one goes on."""
    paths = [path for path, _ in change.edits]
    return paths == [EPOCHS] and run.status == "finished" and int(change.value) > len(run.history)


def slows(edits: Iterable[tuple[str, Any]], run: Run) -> bool:
    """Whether an edit slows learning by nature: a lower rate, more restraint, more augmentation, a blunter loss."""
    return any(slower(path, value, setting(run.spec, path)) for path, value in edits)


def slower(path: str, new: Any, old: Any) -> bool:
    if path == RATE:
        return float(new) < float(old)
    if path == "regularization.max_norm":
        return new is not None and (old is None or float(new) < float(old))
    if path.startswith("regularization."):
        return float(new or 0.0) > float(old or 0.0)
    if path == "augmentation":
        return any(one not in old for one in new)
    return path in BLUNTER
