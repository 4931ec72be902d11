"""Who is told what happens while a run trains: nobody, unless a method is overridden."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from improve.engine.data.prepare import PreparedData
from improve.runs.run import Run
from improve.spec.spec import Spec


@dataclass(frozen=True)
class Announcement:
    """What is known of a run when its first step is about to be taken. `notes`: how it comes that it begins as it does;
    `warnings`: what shows already that may keep it from learning."""

    parameters: int
    device: str
    steps_per_epoch: int
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Watcher:
    """Told what happens while it happens; every method does nothing here."""

    def reading(self, done: int, total: int) -> None:
        """Told while images are decoded: `done` of `total`."""

    def preparing(self) -> None:
        """The network is about to be built and looked into: that may take a while."""

    def started(self, folder: Path, spec: Spec, data: PreparedData, announcement: Announcement) -> None:
        """The run in `folder` is about to take its first step, or its next one."""

    def step(self, epoch: int, step: int) -> None:
        """Told after each step of an epoch; both count from 1."""

    def epoch(self, row: dict[str, Any], best: int) -> str | None:
        """An epoch is done: its row of metrics.csv, and which epoch is the best. The run ends with this one where a
        reason is returned."""
        return None

    def stopping(self) -> None:
        """A signal asks the run to stop: what is in hand is finished first."""

    def trained(self, number: int, total: int, run: Run) -> None:
        """The member of an ensemble with this number, from 1, is done, or was stopped."""


NOBODY = Watcher()  # watches


class Relay(Watcher):
    """Passes on everything that it is told."""

    def __init__(self, watcher: Watcher):
        self.watcher = watcher

    def reading(self, done: int, total: int) -> None:
        self.watcher.reading(done, total)

    def preparing(self) -> None:
        self.watcher.preparing()

    def started(self, folder: Path, spec: Spec, data: PreparedData, announcement: Announcement) -> None:
        self.watcher.started(folder, spec, data, announcement)

    def step(self, epoch: int, step: int) -> None:
        self.watcher.step(epoch, step)

    def epoch(self, row: dict[str, Any], best: int) -> str | None:
        return self.watcher.epoch(row, best)

    def stopping(self) -> None:
        self.watcher.stopping()

    def trained(self, number: int, total: int, run: Run) -> None:
        self.watcher.trained(number, total, run)
