"""The straight line: a Spec becomes a trained model and a run folder."""

from __future__ import annotations

import hashlib
import math
import statistics
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from improve import ledger, plots, run
from improve.assemble import assemble, deliverable
from improve.batches import steps_per_epoch, training_batches
from improve.environment import describe
from improve.findings import CAUSES
from improve.findings.rule import Case
from improve.interrupt import Interrupt, interruptible
from improve.lazy import keras, np
from improve.measure import Measured, averaged, measure
from improve.prepare import Data, prepare
from improve.probes import Probes
from improve.record import Steps, step_callback, steps_of
from improve.spec import Spec
from improve.statistics import Rate

WHOLE_STEPS = 50  # the first steps are all kept in steps.csv
THINNED_STEPS = 2000  # about so many of the rest


class Watcher(Protocol):
    """Told what happens while it happens; the terminal implements it."""

    def reading(self, done: int, total: int) -> None: ...
    def started(self, folder: Path, spec: Spec, data: Data, about: dict[str, Any]) -> None: ...
    def step(self, epoch: int, step: int) -> None: ...
    def epoch(self, row: dict[str, Any], best: int) -> None: ...


def train(spec: Spec, name: str, runs: Path, watcher: Watcher) -> Path:
    """Train `spec` into a new folder under `runs` and return it; the outcome stands in its summary.json.

    Raises UsageError, before Keras is loaded and with nothing left behind, where the folder or the data are unusable.
    """
    name = run.checked_name(name)
    runs = run.writable(runs)
    data = prepare(spec, watcher.reading)
    folder = run.create(runs, name, spec)
    try:
        return _train(spec, data, folder, watcher)
    except BaseException as error:
        failed = {"status": "failed", "name": folder.name, "error": f"{type(error).__name__}: {error}"}
        run.write_summary(folder, failed)
        raise


def _train(spec: Spec, data: Data, folder: Path, watcher: Watcher) -> Path:
    steps = steps_per_epoch(len(data.parts["train"]), spec.training.batch_size)
    model = assemble(spec, data.shape, len(data.class_names), data.normalization, steps)
    batches = training_batches(spec, data)
    environment = describe(spec, data)
    run.write_json(folder / "environment.json", environment)
    about = {"parameters": model.count_params(), "device": environment["device"], "steps_per_epoch": steps}
    probes = Probes(spec, model, data, folder, steps)
    probes.start()
    about["warnings"] = warnings(run.Run(folder, spec.complete(), {}, [], environment))
    watcher.started(folder, spec, data, about)
    progress = Progress(spec, folder, data)
    with interruptible() as interrupt:
        status = fit(model, batches, data, folder, progress, probes, interrupt, watcher)
        finish(model, data, folder, progress, status, about)
        probes.finish()
    return folder


def warnings(begun: run.Run) -> list[str]:
    """What shows before the first step that may keep it from learning; whether it does, the diagnosis says."""
    case = Case(None, None, begun)
    found = [rule().look(case) for rule in CAUSES if rule.early and not any(rule.unseen(case))]
    first = next((finding for finding in found if finding), None)  # it explains the others
    return [f"{first.code} {first.title}: {first.says.partition(';')[0]}"] if first else []


def fit(
    model: Any, batches: Any, data: Data, folder: Path, progress: Progress, probes: Probes, interrupt: Interrupt,
    watcher: Watcher,
) -> str:  # fmt: skip
    """All epochs, or as many as it comes to; returns the run's status."""
    for epoch in range(progress.spec.training.epochs):
        began = time.monotonic()
        batches.epoch = epoch
        every_step = step_callback(partial(watcher.step, epoch + 1), interrupt, progress.steps_per_epoch)
        model.fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[every_step])
        steps = steps_of(model)
        row = progress.record_steps(steps, epoch, time.monotonic() - began)
        probes.kernel_rows(epoch, steps)
        if not math.isfinite(row["loss"]):
            return "diverged"
        if every_step.broken_off:
            return "stopped"
        with averaged(model):
            measured = {part: measure(model, examples) for part, examples in data.measured.items()}
            if progress.improves(row | columns(measured)):
                run.write_arrays(folder / "state" / "best.npz", weights_of(model))
            probes.epoch(epoch + 1, measured)
        model.optimizer.rate_scale.assign(progress.rate_scale())
        plots.draw_curves(folder / "curves.png", progress.rows, progress.best, progress.spec.diagnosis.human_error)
        watcher.epoch(progress.record_epoch(time.monotonic() - began), progress.best)
        if interrupt.requested:
            return "stopped"
        if progress.stalled():
            break
    return "finished"


def columns(measured: dict[str, Measured]) -> dict[str, float]:
    named: dict[str, float] = {}
    for part, result in measured.items():
        named |= {f"{part}_error": result.error, f"{part}_cross_entropy": result.cross_entropy}
    return named


class Progress:
    """What the run has reached so far, in memory and in its tables."""

    def __init__(self, spec: Spec, folder: Path, data: Data):
        self.spec, self.examples = spec, len(data.parts["train"])
        self.steps_per_epoch = steps_per_epoch(self.examples, spec.training.batch_size)
        self.rates = spec.rates(self.steps_per_epoch)
        self.metrics, self.steps = run.metrics_table(folder, "train_dev" in data.parts), run.steps_table(folder)
        self.rows: list[dict[str, Any]] = []
        self.best = 0

    def record_steps(self, steps: Steps, epoch: int, seconds: float) -> dict[str, Any]:
        """Write the epoch's steps, thinned; returns the first half of its row in metrics.csv."""
        first = epoch * self.steps_per_epoch
        rates = self.rates * self.rate_scale()
        stride = max(1, self.spec.training.epochs * self.steps_per_epoch // THINNED_STEPS)

        def kept() -> Iterator[dict[str, Any]]:
            for index, (loss, penalty, norm, clipped) in enumerate(zip(*steps[:4], strict=True)):
                step = first + index
                if step < WHOLE_STEPS or step % stride == 0 or not math.isfinite(loss):
                    values = {"loss": float(loss), "gradient_norm": float(norm), "penalty": float(penalty)}
                    values["clipped"] = float(clipped)
                    yield {"step": step, "learning_rate": float(rates[step]), **values}

        self.steps.add(kept())
        loss, penalty = self.mean(steps.loss), self.mean(steps.penalty)
        norm = float(np.median(steps.gradient_norm)) if len(steps.gradient_norm) else math.nan
        row = {"epoch": epoch + 1, "learning_rate": float(rates[first]), "loss": loss, "penalty": penalty}
        return row | {"cross_entropy": loss - penalty, "gradient_norm": norm, "training_seconds": seconds}

    def rate_scale(self) -> float:
        """What a plateau has made of the rate so far."""
        losses = [row["validation_cross_entropy"] for row in self.rows]
        return self.spec.schedule.scale(losses, self.spec.optimizer.learning_rate)

    def mean(self, log: Any) -> float:
        """Per image, as Keras does: the last batch of an epoch may be smaller."""
        sizes = np.full(len(log), float(self.spec.training.batch_size))
        if len(log) == self.steps_per_epoch:
            sizes[-1] = self.examples - (len(log) - 1) * self.spec.training.batch_size
        return float(np.average(log, weights=sizes)) if len(log) else math.nan

    def record_epoch(self, seconds: float) -> dict[str, Any]:
        """Write the last row, now that everything the epoch took is done."""
        self.rows[-1]["seconds"] = seconds
        self.metrics.add(self.rows[-1:])
        return self.rows[-1]

    def improves(self, row: dict[str, Any]) -> bool:
        """Take in an epoch; True when it is the best so far (validation error, ties by cross-entropy)."""
        self.rows.append(row)
        if self.best and self.merit(row) >= self.merit(self.rows[self.best - 1]):
            return False
        self.best = int(row["epoch"])
        return True

    @staticmethod
    def merit(row: dict[str, Any]) -> tuple[float, float]:
        return row["validation_error"], row["validation_cross_entropy"]

    def stalled(self) -> bool:
        stopping = self.spec.training.early_stopping
        return stopping is not None and len(self.rows) - self.best >= stopping.patience


def finish(model: Any, data: Data, folder: Path, progress: Progress, status: str, about: dict[str, Any]) -> None:
    """Digest the end state, then measure every part with the weights of the best epoch and write what was reached."""
    rows = progress.rows
    summary: dict[str, Any] = {
        "status": status,
        "name": folder.name,
        "epochs": len(rows),
        "best_epoch": progress.best or None,
        "parameters": about["parameters"],
        "seconds": sum(row["seconds"] for row in rows),
        "state_sha256": state_sha256(model),
    }
    if rows:
        trained = sum(row["training_seconds"] for row in rows)
        summary["images_per_second"] = len(rows) * len(data.parts["train"]) / trained
        restore(model, folder / "state" / "best.npz")
        summary |= evaluate_parts(model, data, folder)
        deliverable(model).save(folder / "model.keras")
        summary["model_bytes"] = (folder / "model.keras").stat().st_size
        summary["seconds_per_image"] = seconds_per_image(model, data)
    run.write_summary(folder, summary)
    write_down(data, folder, progress, summary)


def write_down(data: Data, folder: Path, progress: Progress, summary: dict[str, Any]) -> None:
    """Validation images were judged by: that is counted. The test error is, when a diagnosis opens it."""
    if "validation" in summary:
        digests = data.census["validation"].digest, ledger.experiment(progress.spec.complete())
        ledger.write_down(folder.parent, folder.name, "validation", *digests, summary["validation"])


def evaluate_parts(model: Any, data: Data, folder: Path) -> dict[str, Any]:
    """Clean errors and predictions of every part, the test part for the first and only time."""
    parts = data.measured | ({"test": data.parts["test"]} if "test" in data.parts else {})
    results = {}
    for name, part in parts.items():
        measured = measure(model, part)
        arrays = {"id": part.ids, "label": part.labels, "probability": measured.probability}
        run.write_arrays(folder / "predictions" / f"{name}.npz", arrays)
        low, high = Rate(measured.error, len(part)).interval()
        commonest = int(np.bincount(part.labels).max())
        numbers = {"error": measured.error, "low": low, "high": high, "n": len(part)}
        more = {"cross_entropy": measured.cross_entropy, "majority_error": 1 - commonest / len(part)}
        results[name] = numbers | more
    return results


def seconds_per_image(model: Any, data: Data) -> float:
    """Median wall time to classify one image, after a warm-up."""
    one = data.parts["validation"].images[:1]
    times = []
    for _ in range(12):
        began = time.perf_counter()
        model.predict_on_batch(one)
        times.append(time.perf_counter() - began)
    return statistics.median(times[2:])


def weights_of(model: Any) -> dict[str, Any]:
    """Every variable of the network, named by its place and path."""
    to_numpy = keras.ops.convert_to_numpy
    return {
        f"{place:04d} {variable.path}": to_numpy(variable) for place, variable in enumerate(network_variables(model))
    }


def network_variables(model: Any) -> list[Any]:
    """Weights, moving statistics and random-generator states; not the metrics."""
    return [*model.trainable_variables, *model.non_trainable_variables]


def restore(model: Any, file: Path) -> None:
    with np.load(file, allow_pickle=False) as arrays:
        for variable, name in zip(network_variables(model), sorted(arrays.files), strict=True):
            variable.assign(arrays[name])


def state_sha256(model: Any) -> str:
    """One digest over every array of the end state: weights, generator states, optimizer slots."""
    hashed = hashlib.sha256()
    slots = [variable for variable in model.optimizer.variables if "_log" not in variable.path]
    for place, variable in enumerate([*network_variables(model), *slots]):
        array = np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
        hashed.update(f"{place:04d} {variable.path} {array.dtype} {array.shape}".encode())
        hashed.update(array.tobytes())
    return hashed.hexdigest()
