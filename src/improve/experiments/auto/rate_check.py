"""Cheap first: before a run is spent on another learning rate, a range test of a few epochs looks if it can work."""

from __future__ import annotations

import math
from dataclasses import replace

from improve.engine.data.prepare import training_size
from improve.engine.training.batches import steps_per_epoch
from improve.experiments.auto.budget import BudgetWatcher
from improve.experiments.auto.journal import AutoStep, Journal
from improve.experiments.lr_range import BATCHES, CLEAR, RateRange, rate_range
from improve.spec.spec import Spec

RATE = "optimizer.learning_rate"
FOLDER = "rates"  # of the tests, in the journal's folder


def with_tested_rate(journal: Journal, step: AutoStep, spec: Spec, left: int, watcher: BudgetWatcher) -> AutoStep:
    """The step with a rate that a range test of its spec found to work, where the step changes the rate and there is
    budget for both; else as it is."""
    steps = steps_per_epoch(training_size(spec), spec.training.batch_size)
    most = math.ceil(min(max(steps, BATCHES[0]), BATCHES[1]) / steps)
    if RATE not in dict(step.edits) or spec.training.epochs + most > left:
        return step
    found = rate_range(spec, journal.folder / FOLDER / step.run, 1, watcher)
    spent = math.ceil(len(found.sweeps[0].rates) / steps)
    return replace(moved_into_range(step, found), spent=spent)


def moved_into_range(step: AutoStep, found: RateRange) -> AutoStep:
    """The rate moved to the nearer end of the range, where it lies clearly outside."""
    rate = float(dict(step.edits)[RATE])
    if found.low is None or found.high is None or found.low / CLEAR <= rate <= found.high * CLEAR:
        return step
    new = float(f"{found.low if rate < found.low else found.high:.1g}")
    edits = tuple((path, new if path == RATE else value) for path, value in step.edits)
    return replace(step, edits=edits, because=f"{step.because}; a range test says that {found.sentence}")
