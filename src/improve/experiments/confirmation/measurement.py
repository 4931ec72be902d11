"""What a trial has measured: the run's error and the changed one's, and how far chance moves their difference."""

from __future__ import annotations

import math
from typing import Any

from improve.experiments.auto.accept import missed
from improve.experiments.confirmation.judgement import Seen
from improve.experiments.confirmation.plan import Trial
from improve.runs.run import Run
from improve.statistics.intervals import Rate
from improve.statistics.paired import paired_comparison


def measured(trial: Trial, control: Run, changed: Run) -> Seen:
    """Both errors at the end of the trial."""
    if trial.part == "validation" and control.summary.validation and changed.summary.validation:
        return on_new_images(trial, control, changed)
    return after_epochs(trial, control, changed)


def on_new_images(trial: Trial, control: Run, changed: Run) -> Seen:
    """Both at their best epochs, on the same validation images."""
    one, other = missed(control), missed(changed)
    paired = paired_comparison(one, other)
    before, after = (Rate(float(wrong.mean()), len(wrong)) for wrong in (one, other))
    deviation = math.sqrt(max(paired.disagreement - paired.value**2, 0.0) / paired.n)
    return Seen(trial, before, after, deviation)


def after_epochs(trial: Trial, control: Run, changed: Run) -> Seen:
    """Clean training errors after the trial's epochs, or at the end of one that stopped before. A run that had diverged
    by then answers nothing right."""
    before = after_epoch(control, trial.epochs, changed) or Rate(1.0)
    after = after_epoch(changed, trial.epochs, control)
    images = sum(rate.variance_per_example / rate.n for rate in (before, after) if rate and rate.n)
    return Seen(trial, before, after, math.sqrt(images))


def after_epoch(made: Run, epoch: int, other: Run) -> Rate | None:
    """The lowest error so far: that of a single epoch may be out of line. None where it had diverged."""
    if not made.history or (len(made.history) < epoch and made.status == "diverged"):
        return None
    lowest = min(row["train_error"] for row in made.history[:epoch])
    return Rate(lowest, sample_size(made) or sample_size(other))


def sample_size(made: Run) -> int | None:
    """Training images that are measured after each epoch: as many as there are validation images, at most."""
    parts: list[Any] = [made.summary.train, made.summary.validation]
    return min((part.n for part in parts if part), default=None)
