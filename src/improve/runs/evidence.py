"""What a run has recorded beside its errors, read when it is asked for; empty where there is none."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.lazy import np
from improve.runs.files import read_arrays
from improve.runs.predictions import DAMAGED, Predictions, predictions_of, read_predictions
from improve.runs.schema import FieldEvaluation, Summary, schema_fault
from improve.runs.start_schema import Start
from improve.statistics.intervals import Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 1e100  # what is above counts as infinite: float32 does not get there, and sums and squares overflow
COUNTED = 2**53  # from there on one more is the same number: no epoch, and no step
WORDS = ("layer", "activation", "kernel")  # columns of words; all others are of numbers


@dataclass(frozen=True)
class Evidence:
    """The evidence of the run in `folder`."""

    folder: Path

    @cached_property
    def start(self) -> dict[str, Any]:
        """What start.json tells of the data and the untrained network; empty where it is missing or damaged."""
        found = json_of(self.folder / "evidence" / "start.json")
        return {} if schema_fault(Start, found) else numbers(found)

    @cached_property
    def steps(self) -> dict[str, NDArray[Any]]:
        """Columns of steps.csv: step, loss, learning_rate, gradient_norm, penalty, clipped."""
        return as_columns(rows(self.folder / "steps.csv", "step", "loss"))

    @cached_property
    def epochs(self) -> dict[str, NDArray[Any]]:
        """Columns of epochs.csv; NaN where a column was not measured."""
        measured = (f"{mode}_{what}" for mode in ("clean", "training_mode") for what in ("error", "cross_entropy"))
        return as_columns(rows(self.folder / "evidence" / "epochs.csv", "epoch", *measured))

    @cached_property
    def layers(self) -> list[dict[str, Any]]:
        """Rows of layers.csv: epoch 0 is the untrained network."""
        return rows(self.folder / "evidence" / "layers.csv", "epoch", "layer", "activation", "silent", "saturated")

    @cached_property
    def kernels(self) -> dict[str, dict[str, NDArray[Any]]]:
        """The columns of kernels.csv (rows,) by kernel, in the order of the network."""
        needed = ("step", "kernel", "update_ratio", "gradient_norm", "weight_norm")
        by_name = grouped(rows(self.folder / "evidence" / "kernels.csv", *needed))
        return {name: as_columns(mine) for name, mine in by_name.items()}

    def best(self, part: str) -> Predictions | None:
        """Predictions on a part with the weights of the best epoch; None where there are none, or they are damaged."""
        if part not in self._best:
            try:
                self._best[part] = read_predictions(self.folder, part)
            except DAMAGED:
                self._best[part] = None
        return self._best[part]

    @cached_property
    def _best(self) -> dict[str, Predictions | None]:
        """What `best` has read: many rules look at the same part."""
        return {}

    def last(self, part: str) -> Predictions | None:
        """Predictions on a part with the weights of the last epoch; None where there are none, or they are damaged."""
        try:
            return predictions_of(self._last, f"{part}_")
        except DAMAGED:
            return None

    @cached_property
    def _last(self) -> dict[str, NDArray[Any]]:
        return arrays_of(self.folder / "evidence" / "last.npz")

    @cached_property
    def evaluations(self) -> list[dict[str, Any]]:
        """What `improve evaluate` measured on images from the field, the newest last."""
        found = [json_of(file) for file in self.folder.glob("evaluations/*.json")]
        return sorted((one for one in found if not schema_fault(FieldEvaluation, one)), key=lambda one: one["number"])

    def field(self, summary: Summary) -> Rate | None:
        """The newest error from the field of the network that `summary` tells of: a run that went on has another."""
        now = summary.best_epoch, summary.validation.error if summary.validation else None
        for one in reversed(self.evaluations):
            if (one["best_epoch"], one["validation_error"]) == now:
                return Rate(one["error"], one["n"])
        return None

    @cached_property
    def images(self) -> dict[str, NDArray[Any]]:
        """PART_hash, PART_label, PART_brightness, PART_contrast, PART_sharpness and PART_colour: per image, in the
        order of the part."""
        return arrays_of(self.folder / "evidence" / "images.npz")


def json_of(file: Path) -> Any:
    """What a file holds; nothing where it is damaged or not there."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (*DAMAGED, RecursionError):
        return {}


def numbers(value: Any) -> Any:
    """JSON's null stands for a number that was none."""
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    return float("nan") if value is None else value


def rows(file: Path, key: str, *others: str) -> list[dict[str, Any]]:
    """A table as mappings, in the order of `key`, which counts. Nothing where one of these columns is missing or `key`
    goes back; a torn last line is ignored."""
    try:
        text = file.read_text(encoding="utf-8")
        table = [cells(row) for row in csv.DictReader(text[: text.rfind("\n") + 1].splitlines())]
    except (*DAMAGED, csv.Error):
        return []
    table = [row for row in table if 0 <= row.get(key, math.nan) < COUNTED]
    whole = all(name in row for row in table[:1] for name in others)
    return table if whole and all(one[key] <= later[key] for one, later in pairwise(table)) else []


def cells(row: dict[str, str | None]) -> dict[str, Any]:
    return {key: cell or "" if key in WORDS else number(cell) for key, cell in row.items() if key}


def number(cell: str | None) -> float:
    """NaN where there is none."""
    try:
        return bounded_number(float(cell or "nan"))
    except ValueError:
        return math.nan


def bounded_number(value: float) -> float:
    """The value itself; infinity of its sign where it is larger than LARGEST."""
    return math.copysign(math.inf, value) if abs(value) > LARGEST else value


def as_columns(table: list[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    return {key: np.array([row[key] for row in table]) for key in table[0]} if table else {}


def grouped(table: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in table:
        found.setdefault(str(row.pop("kernel")), []).append(row)
    return found


def arrays_of(file: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a file; nothing where it is damaged or not there."""
    try:
        return read_arrays(file)
    except DAMAGED:
        return {}
