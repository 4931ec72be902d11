"""A run as other systems follow it. The run folder stays the truth: they are told what stands in it, and whatever goes
wrong on the way to them costs the training nothing."""

from __future__ import annotations

import importlib.util
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from improve.engine.data.prepare import PreparedData
from improve.engine.trackers.mlflow import MLflow
from improve.engine.trackers.tensorboard import TensorBoard
from improve.engine.training.watcher import Announcement, Relay, Watcher
from improve.errors import UsageError, printable
from improve.runs import run
from improve.runs.run import Run
from improve.spec.spec import Spec

SLOW = 20  # times as long as a failed attempt took is waited before the next: it takes 5 % of the time at most
PATIENCE = 10.0  # seconds between attempts, at least
PASSWORD = re.compile(r"//[^/@\s]+@")  # in an address


class Tracker(Protocol):
    """A system that follows a run. After a call that failed it is begun anew, with the whole history: what it has been
    told before must not count twice."""

    name: str
    package: str  # and the option
    install: str

    def begin(self, run: Run) -> None: ...
    def log(self, rows: Sequence[dict[str, float]], times: Sequence[float]) -> None: ...
    def end(self, run: Run) -> None: ...


class Follower:
    """Tells `tracker` what the run folder says, as soon as it says it; of what fails it warns once."""

    def __init__(self, tracker: Tracker, warn: Callable[[str], None]):
        self.tracker, self.warn = tracker, warn
        self.folder: Path | None = None
        self.told: int | None = None  # epochs; None: not begun
        self.known = 0  # epochs that it was told at any time
        self.warned, self.again = False, 0.0  # `again`: when the next attempt may be made

    def follow(self, folder: Path) -> None:
        self.folder, self.told, self.known = folder, None, 0
        self.attempt(self.catch_up)

    def epoch(self) -> None:
        if time.monotonic() >= self.again:
            self.attempt(self.catch_up)

    def close(self) -> None:
        """Safe to call twice."""
        if self.folder and not self.attempt(self.finish):
            self.warn(
                f"{self.tracker.name} was told {self.known} epochs of this run and not its end; all of it is in "
                f"{self.folder}"
            )
        self.folder = None

    def attempt(self, work: Callable[[], None]) -> bool:
        """Whether it went well. Any error at all: what these systems raise has no common base."""
        began = time.monotonic()
        try:
            work()
        except Exception as error:
            now = time.monotonic()
            self.again, self.told = now + max(PATIENCE, SLOW * (now - began)), None
            if not self.warned:
                reason = printable(PASSWORD.sub("//…@", f"{type(error).__name__}: {error}".splitlines()[0]), 300)
                self.warn(
                    f"{self.tracker.name} is not told from epoch {self.known + 1} on; the training goes on, and "
                    f"it is tried again: {reason}"
                )
            self.warned = True
            return False
        return True

    def catch_up(self) -> None:
        assert self.folder
        if self.told is None:
            self.tracker.begin(run.load_run(self.folder))
        rows, told = run.read_metrics(self.folder / "metrics.csv"), self.told or 0
        if len(rows) > told:
            self.tracker.log(rows[told:], list(epoch_ends(rows, time.time()))[told:])
        self.told = self.known = len(rows)

    def finish(self) -> None:
        assert self.folder
        self.catch_up()
        self.tracker.end(run.load_run(self.folder))


def epoch_ends(rows: Sequence[dict[str, float]], now: float) -> Iterator[float]:
    """When each epoch ended, in seconds since 1970, as if the last one had just done so and none had waited."""
    left = sum(row.get("seconds", 0.0) for row in rows)
    for row in rows:
        left -= row.get("seconds", 0.0)
        yield now - left


class Tee(Relay):
    """A watcher, and trackers beside it."""

    def __init__(self, watcher: Watcher, trackers: Sequence[Tracker], warn: Callable[[str], None]):
        super().__init__(watcher)
        self.followers = [Follower(tracker, warn) for tracker in trackers]

    def started(self, folder: Path, spec: Spec, data: PreparedData, announcement: Announcement) -> None:
        super().started(folder, spec, data, announcement)
        for follower in self.followers:
            follower.follow(folder)

    def epoch(self, row: dict[str, Any], best: int) -> str | None:
        reason = super().epoch(row, best)
        for follower in self.followers:
            follower.epoch()
        return reason

    def trained(self, number: int, total: int, run: Run) -> None:
        self.close()
        super().trained(number, total, run)

    def close(self) -> None:
        """The run is at its end, whichever that is; its lock is released."""
        for follower in self.followers:
            follower.close()


def trackers_for(tensorboard: bool, mlflow: bool) -> list[Tracker]:
    """The trackers that are asked for. Raises UsageError, before anything slow, where one is not installed."""
    trackers: list[Tracker] = [*([TensorBoard()] if tensorboard else []), *([MLflow()] if mlflow else [])]
    for tracker in trackers:
        if importlib.util.find_spec(tracker.package) is None:
            raise UsageError(
                f"--{tracker.package} needs {tracker.name}, which is not installed",
                fix=f"pip install {tracker.install}",
            )
    return trackers
