"""What a run goes on from: written while it trains, taken up by `improve resume`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from improve import __version__
from improve.engine.data.prepare import PreparedData
from improve.engine.model import devices
from improve.engine.model.instrument import Steps
from improve.engine.model.measure import Measured
from improve.engine.model.weights import restore, state_of, weights_of
from improve.engine.training.history import History
from improve.errors import ImproveError
from improve.lazy import keras
from improve.runs import files, generations, run
from improve.runs.generations import Arrays
from improve.runs.tables import Table

ARRAYS, BEST, META = "arrays.npz", "best.npz", "state.json"
CHEAP = 100.0  # between epochs: so many times as long as saving takes is waited, so that it takes 1 % of the time
STEPS = "steps/"
WEIGHTS, PROBABILITY = "weights/", "probability/"


class Saved(NamedTuple):
    """A saved state: the model's and the steps' arrays, those of the best epoch, and plain data (`meta`, as in
    state.json)."""

    arrays: Arrays
    best: Arrays
    meta: dict[str, Any]

    @property
    def passes(self) -> list[Steps]:
        """The steps of the epoch in hand, one Steps for each pass over the images so far."""
        count = int(self.meta["passes"])
        return [Steps(*(self.arrays[f"{STEPS}{number}/{name}"] for name in Steps._fields)) for number in range(count)]


def read(folder: Path) -> tuple[Saved, list[str]]:
    """The newest state of a run that is whole, and what is wrong with newer ones; raises as generations.load does."""
    return generations.load(folder / "state", lambda files: saved_state(folder, files))


def saved_state(folder: Path, files: dict[str, bytes]) -> Saved:
    """The state in `files`. Raises ValueError where a table of the run is shorter than it was."""
    meta = json.loads(files[META])
    for name, size in meta["tables"].items():
        if (folder / name).stat().st_size < size:
            raise ValueError(f"{name} is shorter than it was")
    return Saved(generations.unpacked(files[ARRAYS]), generations.unpacked(files[BEST]), meta)


def best_weights(folder: Path) -> Arrays:
    """The weights of a run's best epoch, as `weights_of` gives them. Raises ImproveError where there are none."""
    try:
        best = read(folder)[0].best
    except FileNotFoundError:
        best = {}
    if not best:
        raise ImproveError(f"{folder} has no weights of a best epoch", fix="take a run that has trained for an epoch")
    return {name.removeprefix(WEIGHTS): array for name, array in best.items() if name.startswith(WEIGHTS)}


def only_weights(weights: Arrays) -> dict[str, bytes]:
    """The files of a state from which `best_weights` gives these, and from which nothing goes on."""
    best = {WEIGHTS + name: array for name, array in weights.items()}
    return {
        ARRAYS: generations.packed({}),
        BEST: generations.packed(best),
        META: generations.json_bytes({"tables": {}}),
    }


class Checkpoints:
    """Saves the state of a run that trains."""

    def __init__(self, folder: Path, model: Any, history: History, data: PreparedData, tables: dict[str, Table]):
        self.folder, self.model, self.history, self.data, self.tables = folder, model, history, data, tables
        self.best: Arrays = {}
        self.changes: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}  # what summary.json says beside what was reached
        self.saved, self.cost, self.spent = time.monotonic(), 0.0, 0.0

    def keep_best(self, measured: dict[str, Measured]) -> None:
        weights = {WEIGHTS + name: array for name, array in weights_of(self.model).items()}
        self.best = weights | {PROBABILITY + name: result.probability for name, result in measured.items()}

    def keep_training_part(self, measured: Measured) -> None:
        """Predictions on more of the training images, by the weights of the best epoch."""
        self.best[PROBABILITY + "train"] = measured.probability

    def restore_best(self) -> None:
        restore(self.model, {k.removeprefix(WEIGHTS): v for k, v in self.best.items() if k.startswith(WEIGHTS)})

    @property
    def due(self) -> bool:
        """Whether, within an epoch, the last save is `training.save_every_seconds` ago."""
        return time.monotonic() - self.saved >= self.history.spec.training.save_every_seconds

    @property
    def cheap(self) -> bool:
        """Whether, between epochs, so much time has gone by since the last save that another one costs little of it."""
        return time.monotonic() - self.saved >= CHEAP * self.cost

    def save(self) -> Arrays:
        """Write a generation, and what a reader finds of a run that is not at its end; gives the state."""
        began, state = time.monotonic(), state_of(self.model)
        steps = {
            f"{STEPS}{number}/{name}": array
            for number, part in enumerate(self.history.passes)
            for name, array in part._asdict().items()
        }
        for name in self.tables:
            generations.sync(self.folder / name)
        files = {
            ARRAYS: generations.packed(state | steps),
            BEST: generations.packed(self.best),
            META: generations.json_bytes(self.plain()),
        }
        generations.save(self.folder / "state", files)
        self.write_reached("running")
        self.saved = time.monotonic()
        self.cost = self.saved - began
        self.spent += self.cost
        return state

    def plain(self) -> dict[str, Any]:
        return {
            "improve": __version__,
            "backend": keras.backend.backend(),
            "keras": keras.__version__,
            "devices": devices.count(self.history.spec.training.devices),
            "spec": self.history.spec.complete(),
            "timeline": self.history.timeline.as_json(),
            "history": self.history.as_json(),
            "passes": len(self.history.passes),
            "changes": self.changes,
            "tables": {name: table.size for name, table in self.tables.items()},
        }

    def write_reached(self, status: str, **more: Any) -> None:
        """The predictions of the best epoch, then summary.json."""
        for name in self.data.measured:
            if PROBABILITY + name in self.best:
                probability = self.best[PROBABILITY + name]
                part = self.data.parts[name].head(len(probability))
                arrays = {"id": part.ids, "label": part.labels, "probability": probability}
                files.write_arrays(self.folder / "predictions" / f"{name}.npz", arrays)
        reached = {"epochs": self.history.epoch, "best_epoch": self.history.best or None, **self.history.reached}
        summary = {"status": status, "name": self.folder.name, **reached, **self.summary, **more}
        run.write_summary(self.folder, summary | ({"changes": self.changes} if self.changes else {}))

    def take_up(self, saved: Saved) -> None:
        self.best, self.changes = saved.best, list(saved.meta["changes"])
