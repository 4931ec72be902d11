"""The error rates of a run: of its best epoch and its last one, of people, and of something simple."""

from __future__ import annotations

from dataclasses import replace

from improve.diagnosis.bias_variance import Errors
from improve.runs.run import Run
from improve.runs.schema import Measured
from improve.spec.datasets import source_class
from improve.spec.datasets.base import SourceComponent
from improve.spec.reading.flatten import setting
from improve.statistics.intervals import Rate


def errors_of(run: Run, test: Measured | None = None) -> Errors:
    """The rates that the run has measured, and that of the test part where it was opened."""
    parts = {name: run.summary.part(name) for name in ("train", "validation", "train_dev")} | {"test": test}
    rates = {name: Rate(part.error, part.n) for name, part in parts.items() if part}
    told = run.spec.get("diagnosis", {})
    human = Rate(told["human_error"], told.get("human_n")) if told.get("human_error") is not None else None
    level = source_of(run).human_level
    human = Rate(level[0]) if human is None and level else human
    return Errors(**rates, human=human, target=told.get("target_error"), simple=simplest(run))


def errors_at_end(run: Run, errors: Errors | None) -> Errors | None:
    """The rates of the last epoch, where it is not the best one and its answers were kept."""
    train, validation = run.evidence.last("train"), run.evidence.last("validation")
    if errors is None or run.summary.best_epoch == run.summary.epochs or train is None or validation is None:
        return None
    fitted, new = (Rate(float(part.wrong.mean()), len(part.label)) for part in (train, validation))
    return replace(errors, train=fitted, validation=new)


def source_of(run: Run) -> type[SourceComponent]:
    """What is known of the run's data by their name."""
    return source_class(setting(run.spec, "data.source.name"))


def simplest(run: Run) -> Rate | None:
    """What the better of a linear model and the nearest neighbours reaches on training images that it has not seen."""
    found = run.evidence.start.get("baselines")
    return Rate(min(found["linear_new"], found["neighbours_new"]), found["n"]) if found else None
