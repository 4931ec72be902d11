"""What a run has reached so far, in memory and in its tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.engine.data.prepare import Examples, PreparedData
from improve.engine.model.instrument import Steps, joined_steps
from improve.engine.model.measure import Measured, measure
from improve.engine.model.timeline import Timeline
from improve.lazy import np
from improve.runs import files, tables
from improve.spec.spec import Spec
from improve.statistics import cost
from improve.statistics.intervals import Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

WHOLE_STEPS = 50  # the first steps are all kept in steps.csv
THINNED_STEPS = 2000  # about so many of the rest


class History:
    """Rows of metrics.csv, the best epoch and what it reached; of the epoch in hand how far it is."""

    def __init__(
        self, spec: Spec, folder: Path, data: PreparedData, timeline: Timeline, sizes: Mapping[str, int] | None = None
    ):
        sizes = sizes or {}
        self.spec, self.data, self.timeline = spec, data, timeline
        self.examples, self.rates = len(data.parts["train"]), timeline.rates(spec)
        extra: tuple[str, ...] = tables.TRAIN_DEV_METRICS if "train_dev" in data.parts else ()
        extra += ("validation_cost",) if data.cost is not None else ()
        self.metrics = tables.metrics_table(folder, extra, sizes.get("metrics.csv"))
        self.steps = tables.steps_table(folder, sizes.get("steps.csv"))
        self.rows: list[dict[str, Any]] = []
        self.best, self.changed = 0, 0  # epochs: the best one, and after which the settings were changed last
        self.reached: dict[str, dict[str, Any]] = {}
        self.snapshots: list[int] = []  # epochs whose weights are kept
        self.passes: list[Steps] = []
        self.seconds, self.training_seconds = 0.0, 0.0  # of the epoch in hand

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return len(self.rows)

    @property
    def done(self) -> int:
        """Steps done of the epoch in hand."""
        return sum(len(part.loss) for part in self.passes)

    @property
    def step(self) -> int:
        """Steps done of the run."""
        return self.timeline.first_step(self.epoch) + self.done

    def add_pass(self, steps: Steps, seconds: float) -> None:
        self.passes.append(steps)
        self.training_seconds += seconds
        self.seconds += seconds

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.passes[-1].loss).all())

    def record_steps(self) -> Steps:
        """Write the steps of the epoch in hand, thinned."""
        steps, first = joined_steps(self.passes), self.timeline.first_step(self.epoch)
        stride = max(1, self.spec.training.epochs * self.timeline.steps_per_epoch // THINNED_STEPS)

        def kept() -> Iterator[dict[str, Any]]:
            for step, (loss, penalty, norm, clipped) in enumerate(zip(*steps[:4], strict=True), start=first):
                if step < WHOLE_STEPS or step % stride == 0 or not math.isfinite(loss):
                    values = {"loss": loss, "gradient_norm": norm, "penalty": penalty, "clipped": clipped}
                    rate = self.rate_scale() * self.timeline.rate_at(self.rates, step)
                    yield {"step": step, "learning_rate": rate} | {key: float(value) for key, value in values.items()}

        self.steps.add(kept())
        return steps

    def row(self, steps: Steps) -> dict[str, Any]:
        """The first half of the epoch's row in metrics.csv."""
        rate = self.rate_scale() * self.timeline.rate_at(self.rates, self.timeline.first_step(self.epoch))
        loss, penalty = self.mean(steps.loss), self.mean(steps.penalty)
        norm = float(np.median(steps.gradient_norm)) if len(steps.gradient_norm) else math.nan
        row = {"epoch": self.epoch + 1, "learning_rate": rate, "loss": loss, "penalty": penalty}
        more = {"gradient_norm": norm, "training_seconds": self.training_seconds}
        return row | {"cross_entropy": loss - penalty} | more

    def rate_scale(self) -> float:
        """What a plateau has made of the rate since its schedule began."""
        losses = [row["validation_cross_entropy"] for row in self.rows[int(self.timeline.schedule_epochs) :]]
        return self.spec.schedule.scale(losses, self.spec.optimizer.learning_rate)

    def mean(self, log: Any) -> float:
        """The mean of a log per image, as Keras takes it: the last batch of an epoch may be smaller. NaN of an empty
        one."""
        sizes = np.full(len(log), float(self.spec.training.batch_size))
        if len(log) == self.timeline.steps_per_epoch:
            sizes[-1] = self.examples - (len(log) - 1) * self.spec.training.batch_size
        return float(np.average(log, weights=sizes)) if len(log) else math.nan

    def end_epoch(self, row: dict[str, Any], measured: dict[str, Measured]) -> bool:
        """Take in an epoch; True when it is the best so far: by validation cost where the spec has one, by validation
        error, ties by cross-entropy."""
        for part, result in measured.items():
            row |= {f"{part}_error": result.error, f"{part}_cross_entropy": result.cross_entropy}
        summaries = {
            name: part_summary(result, self.data.measured[name], self.data.cost) for name, result in measured.items()
        }
        if "cost" in summaries["validation"]:
            row["validation_cost"] = summaries["validation"]["cost"]
        self.rows.append(row)
        self.passes = []
        if self.best and epoch_rank(row) >= epoch_rank(self.rows[self.best - 1]):
            return False
        self.best = int(row["epoch"])
        self.reached = summaries
        return True

    def record_epoch(self) -> dict[str, Any]:
        """Write the last row, now that everything the epoch took is done."""
        self.rows[-1]["seconds"] = self.seconds
        self.seconds = self.training_seconds = 0.0
        self.metrics.add(self.rows[-1:])
        return self.rows[-1]

    def stalled(self) -> bool:
        stopping = self.spec.training.early_stopping
        return stopping is not None and self.epoch - max(self.best, self.changed) >= stopping.patience

    def as_json(self) -> dict[str, Any]:
        """What there is to know of it to go on, but for the steps of the epoch in hand."""
        return {
            "rows": self.rows,
            "best": self.best,
            "changed": self.changed,
            "reached": self.reached,
            "seconds": self.seconds,
            "training_seconds": self.training_seconds,
            "snapshots": self.snapshots,
        }

    def take_up(self, saved: dict[str, Any], passes: list[Steps]) -> None:
        """Go on from what `as_json` gave."""
        for name, value in self.as_json().items():
            setattr(self, name, saved.get(name, value))
        self.passes = passes


def epoch_rank(row: dict[str, Any]) -> tuple[float, ...]:
    """What epochs are compared by, the smaller the better: validation cost where errors have costs, error,
    cross-entropy."""
    error = row["validation_error"]
    return row.get("validation_cost", error), error, row["validation_cross_entropy"]


def part_summary(measured: Measured, part: Examples, costs: NDArray[Any] | None = None) -> dict[str, Any]:
    """What summary.json tells of one part; `costs` (classes,): of an error on each class."""
    low, high = Rate(measured.error, len(part)).interval()
    commonest = int(np.bincount(part.labels).max())
    found = {"error": measured.error, "low": low, "high": high, "n": len(part)}
    if costs is not None:
        found |= cost.weighted(measured.probability.argmax(axis=1) != part.labels, part.labels, costs)._asdict()
    return found | {"cross_entropy": measured.cross_entropy, "majority_error": 1 - commonest / len(part)}


def measure_test_part(model: Any, data: PreparedData, folder: Path) -> dict[str, Any]:
    """Error and predictions of the test part, measured for the first and only time."""
    part = data.parts["test"]
    measured = measure(model, part)
    arrays = {"id": part.ids, "label": part.labels, "probability": measured.probability}
    files.write_arrays(folder / "predictions" / "test.npz", arrays)
    return part_summary(measured, part, data.cost)
