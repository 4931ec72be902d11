"""What the loop may spend, and the watcher that keeps to it."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from improve.engine.training.watcher import Watcher
from improve.experiments.auto.journal import Journal
from improve.experiments.lr_range import RateWatcher
from improve.experiments.paused_run import PausingWatcher


class Budget(NamedTuple):
    """One of the three is given. `began`: on this process's monotonic clock."""

    epochs: int | None = None
    minutes: float | None = None
    trials: int | None = None
    began: float = 0.0

    def left(self, journal: Journal) -> int:
        """Epochs that may still be trained."""
        if self.epochs is not None:
            return max(0, self.epochs - journal.epochs)
        if self.trials is not None:
            return 10**9 if len(list(journal.runs())) < self.trials else 0
        return max(0, int(self.seconds_left(journal) / max(journal.seconds_per_epoch, 1e-3)))

    def seconds_left(self, journal: Journal) -> float:
        """What was trained before this process began counts with its own seconds."""
        assert self.minutes is not None
        return 60 * self.minutes - max(journal.seconds, time.monotonic() - self.began)


class BudgetWatcher(PausingWatcher, RateWatcher):
    """Ends the run in hand as well after the epoch in which the minutes are over."""

    def __init__(self, watcher: Watcher, budget: Budget, journal: Journal):
        super().__init__(watcher)
        self.budget, self.journal = budget, journal

    def epoch(self, row: dict[str, Any], best: int) -> str | None:
        paused = super().epoch(row, best)
        over = self.budget.minutes is not None and self.budget.seconds_left(self.journal) <= 0
        return "the minutes are over" if over else paused
