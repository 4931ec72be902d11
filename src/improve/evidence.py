"""What a run has recorded beside its errors, read when it is asked for; empty where there is none."""

from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class Predictions(NamedTuple):
    """Of one part, in its order: `label` (n,) and `probability` (n, classes)."""

    label: NDArray[Any]
    probability: NDArray[Any]

    @property
    def predicted(self) -> NDArray[Any]:
        return np.asarray(self.probability.argmax(axis=1))

    @property
    def wrong(self) -> NDArray[Any]:
        return np.asarray(self.predicted != self.label)


@dataclass(frozen=True)
class Evidence:
    """The evidence of the run in `folder`."""

    folder: Path

    @cached_property
    def start(self) -> dict[str, Any]:
        """Of the data and the untrained network (start.json)."""
        try:
            found = json.loads((self.folder / "evidence" / "start.json").read_text(encoding="utf-8"))
        except DAMAGED:
            return {}
        return numbers(found) if isinstance(found, dict) else {}

    @cached_property
    def steps(self) -> dict[str, NDArray[Any]]:
        """Columns of steps.csv: step, loss, learning_rate, gradient_norm, penalty, clipped."""
        return columns(self.folder / "steps.csv")

    @cached_property
    def epochs(self) -> dict[str, NDArray[Any]]:
        """Columns of epochs.csv; NaN where a column was not measured."""
        return columns(self.folder / "evidence" / "epochs.csv")

    @cached_property
    def layers(self) -> list[dict[str, Any]]:
        """Rows of layers.csv: epoch 0 is the untrained network."""
        return list(rows(self.folder / "evidence" / "layers.csv"))

    @cached_property
    def kernels(self) -> dict[str, dict[str, NDArray[Any]]]:
        """By kernel, in the order of the network: columns of kernels.csv."""
        by_name = grouped(rows(self.folder / "evidence" / "kernels.csv"))
        return {name: as_columns(mine) for name, mine in by_name.items()}

    def best(self, part: str) -> Predictions | None:
        """With the weights of the best epoch."""
        if part not in self._best:
            arrays = load(self.folder / "predictions" / f"{part}.npz")
            known = Predictions(arrays["label"], arrays["probability"]) if "probability" in arrays else None
            self._best[part] = known
        return self._best[part]

    @cached_property
    def _best(self) -> dict[str, Predictions | None]:
        """What `best` has read: many rules look at the same part."""
        return {}

    def last(self, part: str) -> Predictions | None:
        """With the weights of the last epoch."""
        if f"{part}_probability" not in self._last:
            return None
        return Predictions(self._last[f"{part}_label"], self._last[f"{part}_probability"])

    @cached_property
    def _last(self) -> dict[str, NDArray[Any]]:
        return load(self.folder / "evidence" / "last.npz")

    @cached_property
    def images(self) -> dict[str, NDArray[Any]]:
        """PART_hash, PART_brightness, PART_contrast: per image, in the order of the part."""
        return load(self.folder / "evidence" / "images.npz")


def numbers(value: Any) -> Any:
    """JSON's null stands for a number that was none."""
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    return float("nan") if value is None else value


def rows(file: Path) -> list[dict[str, Any]]:
    """A table as mappings; numbers where a cell is one. A torn last line is ignored."""
    try:
        text = file.read_text(encoding="utf-8")
    except DAMAGED:
        return []
    whole = text[: text.rfind("\n") + 1].splitlines()
    return [{key: number(cell) for key, cell in row.items() if key} for row in csv.DictReader(whole)]


def number(cell: str | None) -> Any:
    try:
        return float(cell) if cell else float("nan")
    except ValueError:
        return cell


def columns(file: Path) -> dict[str, NDArray[Any]]:
    return as_columns(rows(file))


def as_columns(table: list[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    return {key: np.array([row[key] for row in table]) for key in table[0]} if table else {}


def grouped(table: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in table:
        found.setdefault(str(row.pop("kernel")), []).append(row)
    return found


def load(file: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a file; nothing is unpickled."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except DAMAGED:
        return {}
