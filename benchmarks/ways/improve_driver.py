"""improve_driver.py SPEC.yaml RUNS OUT.json: what `improve train` does, progress lines included, and a stopwatch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from stopwatch import Stopwatch

from improve.engine.training.train import train
from improve.engine.training.watcher import Announcement
from improve.spec.reading.load import load_spec
from improve.views.terminal.training import TerminalWatcher


class TimedWatcher(TerminalWatcher):
    """From one `epoch` to the next lies a whole epoch: training, measuring, recording, drawing, printing.

    The first epoch begins with `started`. Training seconds are improve's own (column training_seconds); CPU-seconds
    end with the last step, a few milliseconds before.
    """

    def __init__(self) -> None:
        super().__init__()
        self.watch = Stopwatch()

    def started(self, folder: Path, spec: Any, data: Any, announcement: Announcement) -> None:
        super().started(folder, spec, data, announcement)
        self.images, self.steps_per_epoch = len(data.parts["train"]), announcement.steps_per_epoch
        self.watch.begin()

    def step(self, epoch: int, step: int) -> None:
        super().step(epoch, step)
        if step == self.steps_per_epoch:
            self.watch.trained()

    def epoch(self, row: dict[str, Any], best: int) -> None:
        super().epoch(row, best)
        self.watch.training, self.error = row["training_seconds"], row["validation_error"]
        self.watch.end()
        self.watch.begin()


def main(spec: str, runs: str, out: str) -> None:
    watcher = TimedWatcher()
    try:
        train(load_spec(spec), Path(spec).stem, Path(runs), watcher)
    finally:
        watcher.close()
    watcher.watch.save(out, images=watcher.images, steps=watcher.steps_per_epoch, error=watcher.error)


if __name__ == "__main__":
    main(*sys.argv[1:])
