"""A change of the loop is given up early where it shows that its cause is not there."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from improve.diagnosis.diagnose import diagnose
from improve.errors import ImproveError
from improve.experiments.auto.budget import BudgetWatcher
from improve.experiments.auto.journal import DROPPED, AutoStep, Journal
from improve.experiments.confirmation.judgement import judged
from improve.experiments.confirmation.measurement import after_epochs
from improve.experiments.confirmation.plan import Trial, trial_of
from improve.experiments.paused_run import trained_run
from improve.runs.run import Run
from improve.spec.spec import Spec


def refuted_early(journal: Journal, step: AutoStep, spec: Spec, parent: Run, watcher: BudgetWatcher) -> AutoStep | None:
    """The step given up, where what it is to mend keeps the training set from being fitted, and a quarter of the epochs
    says that it does not."""
    trial = trial_of_step(step, parent)
    if trial is None or trial.part != "train":
        return None
    made = trained_run(journal.folder, step.run, spec, watcher, trial.epochs)
    if made.status != "stopped" or len(made.history) != trial.epochs:
        return None
    (seen,) = judged([after_epochs(trial, parent, made)], matters=0.0)
    return replace(step, verdict=DROPPED, why=seen.says) if seen.outcome == "refuted" else None


def trial_of_step(step: AutoStep, parent: Run) -> Trial | None:
    """The trial that an advised step is; None of any other."""
    with contextlib.suppress(ImproveError):  # nobody can say what was wrong
        for finding in diagnose(parent).findings if step.code else ():
            for change in finding.changes:
                if finding.code == step.code and [path for path, _ in change.edits] == [path for path, _ in step.edits]:
                    return trial_of(finding, replace(change, value=step.edits[0][1], also=step.edits[1:]), parent, 0)
    return None
