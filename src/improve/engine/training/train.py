"""The straight line: a Spec becomes a trained model and a run folder."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from signal import Signals
from typing import Any

from improve.diagnosis.findings import CAUSES, GAPS
from improve.diagnosis.findings.rule import Case
from improve.engine.data.prepare import PreparedData, prepare
from improve.engine.model import devices
from improve.engine.model.build import assemble, deliverable_model
from improve.engine.model.instrument import steps_of
from improve.engine.model.measure import averaged_weights, measure
from improve.engine.model.timeline import Timeline, timeline
from improve.engine.model.weights import begin_from, state_of, state_sha256
from improve.engine.training import snapshots
from improve.engine.training.batches import steps_per_epoch, training_batches
from improve.engine.training.checkpoint import Checkpoints, best_weights
from improve.engine.training.curves import Curves
from improve.engine.training.environment import environment_of
from improve.engine.training.failures import recording_failures
from improve.engine.training.history import History, measure_test_part, part_summary
from improve.engine.training.probes import Probes
from improve.engine.training.resources import check_room
from improve.engine.training.step_loop import StepLoop
from improve.engine.training.watcher import NOBODY, Announcement, Watcher
from improve.errors import UsageError
from improve.interrupt import BrokenOff, Interrupt
from improve.lazy import keras
from improve.runs import begin, files, ledger, run
from improve.runs.lock import folder_lock
from improve.spec.identity import experiment_identity
from improve.spec.spec import Spec

LONG = 0.25  # seconds that the rest of an epoch may take after Ctrl+C


@dataclass
class Work:
    """What trains: all that the steps of a run need."""

    spec: Spec
    data: PreparedData
    folder: Path
    model: Any
    loop: StepLoop
    history: History
    probes: Probes
    checkpoints: Checkpoints
    curves: Curves
    announcement: Announcement


def train(
    spec: Spec,
    name: str,
    runs: Path,
    watcher: Watcher = NOBODY,
    weights: Path | None = None,
    data: PreparedData | None = None,
) -> Path:
    """Train `spec` into a new folder under `runs` and return it; the outcome stands in its summary.json. `weights`: the
    folder of a run whose best epoch it starts from; `data`: what `prepare` gives for this spec, where it is at hand.

    Raises UsageError, before Keras is loaded and with nothing left behind, where the folder or the data are unusable.
    """
    if spec.training.members > 1:
        raise UsageError(f"this trains one network, not {spec.training.members}", fix="training.members=1")
    name = begin.checked_name(name)
    runs = begin.writable(runs)
    data = data or prepare(spec, watcher.reading)
    devices.check(spec.training.devices, spec.training.batch_size, len(data.parts["train"]))
    folder = begin.create(runs, name, spec, weights)
    start(spec, data, folder, watcher, weights)
    return folder


def start(spec: Spec, data: PreparedData, folder: Path, watcher: Watcher, weights: Path | None = None) -> None:
    """Train in a folder that `begin.create` has made."""
    watcher.preparing()
    with folder_lock(folder) as owner, recording_failures(folder, spec) as interrupt:
        train_to_end(begin_work(spec, data, folder, owner, weights), interrupt, watcher)


def not_stopped(made: run.Run) -> run.Run:
    """The run as it is. Raises BrokenOff where a signal has stopped it: for those who train several."""
    if made.status == "stopped" and made.summary.signal is not None:
        raise BrokenOff(Signals[made.summary.signal])
    return made


def begin_work(
    spec: Spec, data: PreparedData, folder: Path, owner: dict[str, Any], weights: Path | None = None
) -> Work:
    """All that is done before the first step."""
    steps = steps_per_epoch(len(data.parts["train"]), spec.training.batch_size)
    work = build_work(spec, data, folder, timeline(spec, steps), owner)
    if weights is not None:
        copied, count = begin_from(work.model, best_weights(weights))
        work.checkpoints.summary["from"] = str(weights.absolute())
        note = f"{copied} of {count} arrays of weights are those of {weights}"
        work.announcement = replace(work.announcement, notes=(note,))
    check_room(folder, sum(array.nbytes for array in state_of(work.model).values()))
    work.probes.start(work.loop)
    work.checkpoints.save()
    work.announcement = replace(work.announcement, warnings=tuple(warnings(run.load_run(folder))))
    return work


def build_work(
    spec: Spec,
    data: PreparedData,
    folder: Path,
    line: Timeline,
    owner: dict[str, Any],
    sizes: dict[str, int] | None = None,
) -> Work:
    """The model and all that is around it; `sizes` of the tables of a run that goes on."""
    if spec.training.deterministic:
        make_deterministic()
    model = assemble(spec, data.shape, len(data.class_names), data.normalization, line)
    environment = environment_of(spec, data)
    files.write_json(folder / "environment.json", environment)
    history = History(spec, folder, data, line, sizes)
    probes = Probes(spec, model, data, folder, line, sizes)
    tables = {"metrics.csv": history.metrics, "steps.csv": history.steps}
    tables |= {f"evidence/{name}": table for name, table in probes.tables.items()}
    checkpoints = Checkpoints(folder, model, history, data, tables)
    checkpoints.summary = {"parameters": model.count_params(), **owner}
    announcement = Announcement(model.count_params(), environment["device"], line.steps_per_epoch)
    curves, loop = Curves(folder, history, checkpoints), StepLoop(model, training_batches(spec, data))
    return Work(spec, data, folder, model, loop, history, probes, checkpoints, curves, announcement)


def make_deterministic() -> None:
    """Operations that give the same numbers every time: TensorFlow's have to be asked for, JAX's on a CPU are."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def warnings(begun: run.Run) -> list[str]:
    """What shows before the first step that may keep it from learning; whether it does, the diagnosis says."""
    case = Case(None, None, begun)
    looked = (rule().look(case) for rule in (*CAUSES, *GAPS) if rule.early and not any(rule.unseen(case)))
    found = [finding for finding in looked if finding]
    told = [one for one in found if one.fact] + [one for one in found if not one.fact][:1]  # it explains the others
    return [f"{one.code} {one.title}: {one.says if one.fact else one.says.partition(';')[0]}" for one in told]


def train_to_end(work: Work, interrupt: Interrupt, watcher: Watcher) -> None:
    """Train to the end, wherever the run stands, and write down what came of it."""
    interrupt.heard = watcher.stopping
    watcher.started(work.folder, work.spec, work.data, work.announcement)
    status = fit(work, interrupt, watcher)
    work.curves.ended()
    state = state_of(work.model) if status == "diverged" else work.checkpoints.save()
    if status == "stopped" and work.history.passes:
        work.history.record_steps()  # for the diagnosis; who goes on cuts them off
    finish(work, status, interrupt, state_sha256(state))


def fit(work: Work, interrupt: Interrupt, watcher: Watcher) -> str:
    """All epochs that are left, or as many as it comes to; returns the run's status."""
    history, model = work.history, work.model
    while history.epoch < work.spec.training.epochs and not (history.rows and history.stalled()):
        status = one_pass(work, interrupt, partial(watcher.step, history.epoch + 1))
        if status:
            return status
        began = time.monotonic()
        steps = history.record_steps()
        work.probes.kernel_rows(history.epoch, steps)
        row = history.row(steps)
        with averaged_weights(model):
            measured = {part: measure(model, examples) for part, examples in work.data.measured.items()}
            if history.end_epoch(row, measured):
                work.checkpoints.keep_best(measured)
            snapshots.take(work.folder, model, history, measured)
            work.probes.epoch(history.epoch, measured)
        model.optimizer.rate_scale.assign(history.rate_scale())
        work.curves.epoch_ended()
        history.seconds += time.monotonic() - began
        reason = watcher.epoch(history.record_epoch(), history.best)
        if reason:
            work.checkpoints.summary["stopped_because"] = reason
        if reason or interrupt.requested:
            return "stopped"
        if work.checkpoints.cheap:
            work.checkpoints.save()
    return "finished"


def one_pass(work: Work, interrupt: Interrupt, on_step: Any) -> str:
    """What is left of the epoch in hand; returns the run's status where the run ends with it."""
    history, batches, size = work.history, work.loop.batches, work.history.timeline.steps_per_epoch
    while history.done < size:
        batches.epoch, batches.first = history.epoch, history.done
        began, first = time.monotonic(), history.done

        def breaks_off(done: int, began: float = began, left: int = size - first) -> bool:
            rest = (left - done) * (time.monotonic() - began) / done
            return bool(done < left and (work.checkpoints.due or (interrupt.requested and rest > LONG)))

        def told(done: int) -> None:
            interrupt.begun = True
            on_step(history.done + done)

        broken_off = work.loop.run_pass(told, breaks_off)
        history.add_pass(steps_of(work.model, first), time.monotonic() - began)
        if not history.finite:
            history.record_steps()
            return "diverged"
        if history.done < size and broken_off:
            if interrupt.requested:
                return "stopped"
            work.checkpoints.save()
    return ""


def finish(work: Work, status: str, interrupt: Interrupt, digest: str) -> None:
    """Open, with the weights of the best epoch, the test part of a run that is at its end, and write what was reached;
    `digest`: of the end state."""
    history, model, data = work.history, work.model, work.data
    summary: dict[str, Any] = {"seconds": sum(row["seconds"] for row in history.rows), "state_sha256": digest}
    summary["seconds_saving"] = work.checkpoints.spent
    work.probes.finish(bool(history.rows) and not history.passes)
    if interrupt.requested and status == "stopped":
        summary |= {"signal": interrupt.signal.name, "within": [history.done, history.timeline.steps_per_epoch]}
    if history.rows:
        trained = sum(row["training_seconds"] for row in history.rows)
        summary["images_per_second"] = len(history.rows) * len(data.parts["train"]) / trained
        work.checkpoints.restore_best()
        if status != "stopped":  # who stops it does not want to wait
            summary |= measure_parts(work)
        deliverable_model(model).save(work.folder / "model.keras")
        summary["model_bytes"] = (work.folder / "model.keras").stat().st_size
        if status != "stopped":
            summary["seconds_per_image"] = seconds_per_image(model, data)
            summary |= snapshots.conclude(work.folder, model, history, data, summary["seconds"])
    work.checkpoints.write_reached(status, **summary)
    write_down(work)


def measure_parts(work: Work) -> dict[str, Any]:
    """What summary.json tells of the parts that are measured once, with the weights of the best epoch: more of the
    training images, and the test part."""
    found, data, large = dict[str, Any](), work.data, work.data.large_train_sample
    if len(large) > len(data.train_sample):
        measured = measure(work.model, large)
        work.checkpoints.keep_training_part(measured)
        found["train"] = part_summary(measured, large, data.cost)
    if "test" in data.parts:
        found["test"] = measure_test_part(work.model, data, work.folder)
    return found


def write_down(work: Work) -> None:
    """Validation images were judged by: that is counted. The test error is, when a diagnosis opens it."""
    if "validation" in work.history.reached:
        digests = work.data.statistics["validation"].digest, experiment_identity(work.spec.complete())
        validation = work.history.reached["validation"]
        ledger.write_down(work.folder.parent, work.folder.name, "validation", *digests, validation)


def seconds_per_image(model: Any, data: PreparedData) -> float:
    """Median wall time to classify one image, after a warm-up."""
    one = data.parts["validation"].images[:1]
    times = []
    for _ in range(12):
        began = time.perf_counter()
        model.predict_on_batch(one)
        times.append(time.perf_counter() - began)
    return statistics.median(times[2:])
