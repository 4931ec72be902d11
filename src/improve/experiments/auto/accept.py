"""Whether a change of the loop is kept: better than its parent beyond the noise of images and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from improve.diagnosis.comparison.configurations import Block, probability_of_fewer_errors
from improve.errors import ImproveError
from improve.experiments.auto.budget import Budget, BudgetWatcher
from improve.experiments.auto.journal import DROPPED, KEPT, AutoStep, Journal
from improve.experiments.paused_run import trained_run
from improve.lazy import np
from improve.runs.predictions import DAMAGED, read_predictions
from improve.runs.run import Run
from improve.spec.reading.load import load_spec
from improve.spec.spec import Spec
from improve.statistics.paired import Paired, paired_comparison

# P(better): benchmarks/loop/keeping.py weighs what is won against what is kept by mistake, about one change in ten
CLEAR = 0.98  # enough on one seed, which knows only the noise of the images
HOPE = 0.8  # below it a second seed is not worth its epochs
SURE = 0.8  # that two seeds of each must reach together
HOPELESS = 0.05  # below it a long run is given up half-way; benchmarks/loop/halfway.py says what is lost by that
SECOND = "-seed1"


def with_verdict(
    journal: Journal, step: AutoStep, changed: list[Run], parents: list[Run], budget: Budget, watcher: BudgetWatcher
) -> AutoStep:
    """The step with its verdict; in doubt a second seed of each decides."""
    seen, better = difference(changed, parents)
    cost = sum(int(runs[0].spec["training"]["epochs"]) for runs in (changed, parents) if len(runs) == 1)
    doubtful = HOPE <= better < CLEAR and len(changed) == 1
    if doubtful and (cost <= budget.left(journal)):
        one, other = ([*runs, second_seed(journal, runs[0], watcher)] for runs in (changed, parents))
        if one[1].summary.validation is not None and other[1].summary.validation is not None:
            return with_verdict(journal, step, one, other, budget, watcher)
    verdict = KEPT if better >= (SURE if len(changed) > 1 else CLEAR) else DROPPED
    return replace(
        step, verdict=verdict, seeds=len(changed), recovered=-seen.value, low=-seen.high, high=-seen.low, better=better
    )


def behind_half_way(
    journal: Journal, step: AutoStep, spec: Spec, parent: Run, watcher: BudgetWatcher
) -> AutoStep | None:
    """The step given up, where it takes twice its parent's epochs or more and half of them leave it surely behind."""
    epochs, half = spec.training.epochs, spec.training.epochs // 2
    if half < int(parent.spec["training"]["epochs"]) or parent.summary.validation is None:
        return None
    made = trained_run(journal.folder, step.run, spec, watcher, half)
    if made.status != "stopped" or len(made.history) != half:  # it has ended by itself, or is already past its half
        return None
    better = difference([made], [parent])[1]
    why = f"behind after {half} of {epochs} epochs (P(better) {better:.3f})"
    return replace(step, verdict=DROPPED, better=better, why=why) if better < HOPELESS else None


def difference(made: Sequence[Run], parents: Sequence[Run]) -> tuple[Paired, float]:
    """The difference of the first seeds on the same images, and the probability that the new configuration is the
    better one."""
    one, other = ([missed(each) for each in runs] for runs in (made, parents))
    block: Block = (np.stack(one), np.stack(other))
    return paired_comparison(one[0], other[0]), probability_of_fewer_errors([block])


def missed(one: Run) -> Any:
    """Which validation images (n,) a run gets wrong. Raises ImproveError where that is not to be had."""
    try:
        predictions = read_predictions(one.folder, "validation")
        if predictions.id is None:
            raise ValueError("which images these are is not in them")
        return predictions.wrong_by_id[1]
    except DAMAGED as error:
        fix = "remove that folder: it is trained again"
        raise ImproveError(f"{one.folder} has lost its predictions: {error}", fix=fix) from error


def second_seed(journal: Journal, one: Run, watcher: BudgetWatcher) -> Run:
    """The same configuration trained once more, from other weights, in another order, on the same division of the
    images."""
    spec = load_spec(one.folder / "spec.yaml", [])
    data = spec.data.model_copy(update={"split_seed": spec.split_seed})
    other = spec.model_copy(update={"seed": (spec.seed + 1) % 2**31, "data": data})
    return trained_run(journal.folder, one.name + SECOND, other, watcher)
