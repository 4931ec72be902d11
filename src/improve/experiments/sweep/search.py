"""Which points a sweep trains, and when: all of a grid, drawn ones, or proposed ones."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any, Protocol

from improve.errors import UsageError
from improve.experiments.sweep.plan import Plan, Trial, grid, names, numbered_trial, random_values

EXTRA = "optuna>=5"
ADAPTIVE = ("tpe", "hyperband")


class Search(Protocol):
    """Gives the same trials for the same results, so that a sweep that was killed goes on where it was."""

    total: int

    def ask(self, count: int) -> Sequence[Trial]:
        """The next trials, about `count` of them where what comes next depends on them; none: that is all."""

    def judge(self, trial: Trial, row: dict[str, Any]) -> str:
        """Why the trial is to stop after this epoch, a row of metrics.csv; nothing: it may go on."""

    def tell(self, trial: Trial, error: float | None, stopped: bool) -> None:
        """The trial's validation error; None: it failed. `stopped`: it was, by a judgement."""


class Listed:
    """Trials that are known from the start."""

    def __init__(self, trials: Sequence[Trial]):
        self.trials, self.total = list(trials), len(trials)

    def ask(self, count: int) -> Sequence[Trial]:
        trials, self.trials = self.trials, []
        return trials

    def judge(self, trial: Trial, row: dict[str, Any]) -> str:
        return ""

    def tell(self, trial: Trial, error: float | None, stopped: bool) -> None: ...


def check_installed(search: str) -> None:
    """Raises UsageError, before anything slow, where a search needs what is not there."""
    if search in ADAPTIVE and importlib.util.find_spec("optuna") is None:
        raise UsageError(
            f"--search {search} needs Optuna, which is not installed",
            fix=f"pip install '{EXTRA}' (the extra sweep); grid and random need nothing",
        )


def search(plan: Plan) -> Search:
    """The search that a plan asks for: adaptive, over a grid, or over random points."""
    if plan.search in ADAPTIVE:
        from improve.experiments.sweep.search_optuna import Proposed

        return Proposed(plan)
    if plan.search == "grid":
        points = grid(plan)
        told = names(plan, points)
        return Listed([Trial(place, name, point) for place, (name, point) in enumerate(zip(told, points, strict=True))])
    points = [plan.point(random_values(plan, number)) for number in range(plan.trials or 0)]
    return Listed([numbered_trial(plan, place, point) for place, point in enumerate(points)])
