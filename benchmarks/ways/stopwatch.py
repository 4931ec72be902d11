"""What every way reports: seconds and CPU-seconds of each epoch, and of the training in it. Standard library only."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


class Stopwatch:
    """Call `begin`, `trained` and `end` in every epoch; all figures are seconds, CPU over all threads."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []

    def begin(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def trained(self) -> None:
        """The last update is done, measuring begins."""
        self.training, self.training_cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu

    def end(self) -> None:
        times = {"training": self.training, "training_cpu": self.training_cpu}
        whole = {"epoch": time.perf_counter() - self.wall, "epoch_cpu": time.process_time() - self.cpu}
        self.epochs.append(times | whole)

    def save(self, file: str, **facts: Any) -> None:
        """Write what was measured and `facts`: training images, steps per epoch, validation error (a share) …"""
        Path(file).write_text(json.dumps({"epochs": self.epochs, **facts}), encoding="utf-8")
