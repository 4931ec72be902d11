"""The tables of a run folder: CSV, header first, a row on disk when it is told."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

METRICS = (
    "epoch", "seconds", "learning_rate", "loss", "cross_entropy", "penalty",
    "train_error", "train_cross_entropy", "validation_error", "validation_cross_entropy",
)  # fmt: skip
TRAIN_DEV_METRICS = ("train_dev_error", "train_dev_cross_entropy")
MORE_METRICS = ("gradient_norm", "training_seconds")
STEPS = ("step", "loss", "learning_rate", "gradient_norm", "penalty", "clipped")
LAYERS = ("epoch", "layer", "activation", "mean", "std", "zeros", "silent", "saturated")
KERNELS = ("step", "kernel", "update_ratio", "gradient_norm", "weight_norm")
EPOCHS = (
    "epoch", "most_predicted", "clean_error", "training_mode_error", "clean_cross_entropy",
    "training_mode_cross_entropy",
)  # fmt: skip


class Table:
    """A CSV file with its header first; a row outlives the process when `add` returns. A table of a run that goes on
    is cut to the `size` in bytes that it had when the run's state was saved."""

    def __init__(self, file: Path, columns: Iterable[str], size: int | None = None):
        self.file, self.columns = file, tuple(columns)
        if size is None:
            self._write(self.columns, "w")
        else:
            os.truncate(file, size)

    @property
    def size(self) -> int:
        return self.file.stat().st_size

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            self._write([_cell(row.get(column)) for column in self.columns], "a")

    def _write(self, cells: Iterable[str], mode: str) -> None:
        with self.file.open(mode, newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerow(cells)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def metrics_table(folder: Path, extra: Iterable[str], size: int | None = None) -> Table:
    """The table metrics.csv, with `extra` columns; cut to `size` bytes where the run goes on, else begun anew."""
    return Table(folder / "metrics.csv", (*METRICS, *extra, *MORE_METRICS), size)


def steps_table(folder: Path, size: int | None = None) -> Table:
    """The table steps.csv; cut to `size` bytes where the run goes on, else begun anew."""
    return Table(folder / "steps.csv", STEPS, size)
