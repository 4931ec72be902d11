"""One run of the loop: trained from where it stands, as far as it is to go, within the budget."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from improve.engine.data.prepare import LastPrepared
from improve.engine.training.resume import resume
from improve.engine.training.train import not_stopped, train
from improve.engine.training.watcher import Relay, Watcher
from improve.errors import ImproveError
from improve.experiments.auto.journal import Journal
from improve.experiments.lr_range import RateWatcher
from improve.runs import run
from improve.runs.begin import remove_husk
from improve.runs.run import Run
from improve.spec.spec import Spec


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


class BudgetWatcher(Relay, RateWatcher):
    """Passes on what it is told of runs, and ends the one in hand after the epoch it is to pause at, or in which the
    minutes are over. `last`: the data of the run before."""

    def __init__(self, watcher: Watcher, budget: Budget, journal: Journal):
        super().__init__(watcher)
        self.budget, self.journal, self.pause = budget, journal, 0
        self.last = LastPrepared()

    def epoch(self, row: dict[str, Any], best: int) -> str | None:
        self.watcher.epoch(row, best)
        if self.budget.minutes is not None and self.budget.seconds_left(self.journal) <= 0:
            return "the minutes are over"
        return f"paused after epoch {row['epoch']}" if row["epoch"] == self.pause else None


def trained_run(journal: Journal, name: str, spec: Spec, watcher: BudgetWatcher, pause: int = 0) -> Run:
    """The run of this name at its end, or after `pause` epochs."""
    folder = journal.folder / name
    remove_husk(folder, spec)
    watcher.pause = pause if pause < spec.training.epochs else 0
    if folder.exists() and far_enough(run.load_run(folder), watcher.pause):
        return run.load_run(folder)
    try:
        data = watcher.last.of(spec, watcher.reading)
        if folder.exists():
            resume(folder, [], watcher, data=data)
        else:
            train(spec, name, journal.folder, watcher, data=data)
    except ImproveError:
        if not (folder / "summary.json").is_file() or run.load_run(folder).status != "failed":
            raise
    return not_stopped(run.load_run(folder))


def far_enough(made: Run, pause: int) -> bool:
    return made.is_done or made.status == "failed" or 0 < pause <= len(made.history)
