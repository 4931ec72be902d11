"""What trains the trials of a sweep, wherever it does so, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from improve.engine.training.watcher import Watcher
from improve.errors import ImproveError
from improve.runs.run import Run
from improve.spec.spec import Spec

Outcome = tuple[str, Path | ImproveError]
Judge = Callable[[str, dict[str, Any]], str]


class Trials(Protocol):
    """Trains specs into run folders; equal specs give the same runs wherever they are trained."""

    at_once: int  # trials that are trained side by side
    judge: Judge | None  # asked after every epoch of a run, by its name, for a reason to stop it

    def submit(self, name: str, spec: Spec) -> None:
        """`name` of the run folder to be made, or to go on with where it is there."""

    def finished(self) -> Iterator[Outcome]:
        """Run folders and failures as they come, until nothing is left, or the trials were told to stop."""

    def stop(self, number: int) -> None:
        """The trials in hand stop as `improve train` does at the signal `number`, and no other begins."""

    def close(self) -> None: ...


class SweepWatcher(Watcher):
    """Told of the trials of a sweep, several of which may be in hand, by the names of their runs."""

    def begun(self, name: str) -> None:
        """The run of this name is in hand."""

    def trial_epoch(self, name: str, row: dict[str, Any]) -> None:
        """An epoch of the run of this name is done: its row of metrics.csv."""

    def member(self, done: int, total: int, name: str, outcome: Run | ImproveError) -> None:
        """The run of this name is at its end, or has failed; `done` of `total` runs are."""


NOBODY = SweepWatcher()  # watches
