"""Successive halving (Jamieson and Talwalkar, 2016): candidates train side by side, at each rung the worse half is
given up; one is left, and it alone trains to its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from improve.experiments.auto.budget import BudgetWatcher
from improve.experiments.auto.journal import DROPPED, FAILED, AutoStep, Journal
from improve.experiments.paused_run import trained_run
from improve.runs.run import Run
from improve.spec.spec import Spec

SHARES = (0.25, 0.5)  # of the epochs, after which a half is given up
MOST = 4  # candidates: two halvings leave one


def rungs(epochs: int) -> tuple[int, ...]:
    """Whole epochs after which it is looked who is behind."""
    return tuple(max(1, round(share * epochs)) for share in SHARES)


def sizes(count: int) -> list[int]:
    """How many are left before each rung, and at the end."""
    left = [count]
    while left[-1] > 1:
        left.append(math.ceil(left[-1] / 2))
    return left


def stage(bracket: int, left: int) -> int:
    """Which rung comes next; of steps whose lines were torn, one that is not too early."""
    place = next(place for place, size in enumerate(sizes(bracket)) if size <= left)
    return min(place, len(SHARES) - 1)


def cost(count: int, epochs: int) -> int:
    """Epochs that `count` candidates take together."""
    ends = [*rungs(epochs)[: len(sizes(count)) - 1], epochs]
    begins = [0, *ends[:-1]]
    return sum(left * (end - begin) for left, begin, end in zip(sizes(count), begins, ends, strict=True))


def affordable_count(left: int, epochs: int) -> int:
    """How many candidates may be trained side by side for `left` epochs; 0: not even one."""
    return next((count for count in range(MOST, 0, -1) if cost(count, epochs) <= left), 0)


def successive_halving(
    journal: Journal, steps: Sequence[AutoStep], spec_of: Callable[[Journal, AutoStep], Spec], watcher: BudgetWatcher
) -> tuple[AutoStep, list[AutoStep]]:
    """The candidate that is left to be trained to its end, and those that were given up, written down. What was
    broken off goes on at the rung it was at: `bracket` is what it began with."""
    behind = list[AutoStep]()
    while len(steps) > 1:
        epochs = min(spec_of(journal, step).training.epochs for step in steps)
        rung = rungs(epochs)[stage(steps[0].bracket, len(steps))]
        runs = [trained_run(journal.folder, step.run, spec_of(journal, step), watcher, rung) for step in steps]
        order = sorted(zip(runs, steps, strict=True), key=lambda pair: reached(pair[0], rung))
        ahead = math.ceil(len(order) / 2)
        behind += journal.write_all([given_up(step, one, rung, epochs) for one, step in order[ahead:]])
        steps = [step for _, step in order[:ahead]]
    return steps[0], behind


def reached(one: Run, rung: int) -> tuple[float, float]:
    """The best epoch's validation error so far, ties by cross-entropy; a run that broke down comes last."""
    if one.status in (FAILED, "diverged") or not one.history:
        return math.inf, math.inf
    return min((float(row["validation_error"]), float(row["validation_cross_entropy"])) for row in one.history[:rung])


def given_up(step: AutoStep, one: Run, rung: int, epochs: int) -> AutoStep:
    if one.status == FAILED:
        return replace(step, verdict=FAILED, why=str(one.summary.error or one.status))
    return replace(step, verdict=DROPPED, why=f"behind after {rung} of {epochs} epochs")
