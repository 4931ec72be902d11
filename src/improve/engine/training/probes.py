"""What the diagnosis needs to know beside the errors: looked at before the first step and after every epoch.

Nothing here changes the run: what a probe moves, it puts back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.engine.data.baselines import baselines
from improve.engine.data.prepare import PreparedData
from improve.engine.model import devices, replicas
from improve.engine.model.activity import look_inside
from improve.engine.model.build import loss, network
from improve.engine.model.instrument import Steps
from improve.engine.model.layers import depends_on_mode, is_kernel, layer_summary, mixes_images
from improve.engine.model.measure import Measured, averaged_weights, log_softmax, logits_of, measure, with_both_classes
from improve.engine.model.timeline import Timeline
from improve.engine.training.rate_probe import rate_probe
from improve.engine.training.step_loop import StepLoop, single_step
from improve.lazy import keras, np
from improve.runs import files, tables
from improve.spec.regularization import Regularization
from improve.spec.spec import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXELS = 128 * 32 * 32  # looked at in the layers: 128 images of CIFAR-10, fewer large ones
BOTH_MODES = 256  # images, at most, that are computed in training mode as well
BATCHES = 16  # of them, at most, where the size of a batch matters
EXAMPLES, STEPS, RATE = 32, 200, 0.001  # of the memorisation probe: Adam at Keras's default rate
SECONDS = 10.0  # then it is given up: a large network on a slow machine
MEMORIZED = 0.1  # of ln K: a loss under it leaves no error
TABLES = {"layers.csv": tables.LAYERS, "kernels.csv": tables.KERNELS, "epochs.csv": tables.EPOCHS}


class Probes:
    """The evidence of one run, written to its folder evidence/."""

    def __init__(
        self,
        spec: Spec,
        model: Any,
        data: PreparedData,
        folder: Path,
        timeline: Timeline,
        sizes: Mapping[str, int] | None = None,
    ):
        self.spec, self.model, self.data, self.folder = spec, model, data, folder / "evidence"
        self.timeline = timeline
        self.full = spec.evidence == "full"
        self.sample, self.last = data.train_sample, dict[str, Measured]()
        self.both_modes = self.full and depends_on_mode(model)
        self.kernel_names = [weight.path for weight in model.trainable_weights if is_kernel(weight)]
        self.tables = {
            name: tables.Table(self.folder / name, columns, (sizes or {}).get(f"evidence/{name}"))
            for name, columns in TABLES.items()
        }

    def start(self, loop: StepLoop) -> None:
        """Write down, before the first step, what there is to know of the data and the untrained network, which rates
        would do, and whether it can learn 32 examples by heart. `loop`: what the run takes its steps with."""
        parts = {name: part.summary() for name, part in self.data.statistics.items()}
        measured: dict[str, Any] = {"evidence": self.spec.evidence, "classes": len(self.data.class_names)}
        measured |= {"parts": parts}
        named = ((name, part.arrays().items()) for name, part in self.data.statistics.items())
        images = {f"{name}_{key}": value for name, arrays in named for key, value in arrays}
        files.write_arrays(self.folder / "images.npz", images)
        if self.full:
            logits = with_both_classes(raw := logits_of(self.model, self.sample.images.head(BOTH_MODES)))
            again = logits_of(self.model, self.sample.images.head(BOTH_MODES))
            measured |= {"noise": float(abs(again - raw).max() / max(float(raw.std()), 1e-30))}
            measured |= {
                "initial_cross_entropy": self.cross_entropy(logits),
                "head": head(raw),
                **layer_summary(self.model),
            }
            measured |= {"input": self.look(0), "memorized": self.memorized(), "baselines": self.baselines()}
            # last: to seed TensorFlow, as is done after memorizing, throws away all that it has prepared for a step
            measured |= {"rate_probe": self.rate_probe(loop)}
        files.write_json(self.folder / "start.json", measured)

    def memorized(self) -> dict[str, Any]:
        """Whether the network can learn a few images by heart; asked once for all runs that differ only in how they
        train."""
        spec = self.spec.complete()
        key = json.dumps([spec["model"], spec["training"]["loss"], spec["seed"]], sort_keys=True)
        if key not in self.data.probed or self.spec.model.code:  # a file may have changed
            with devices.alone():
                self.data.probed[key] = memorize(self.spec, self.data)
        keras.utils.set_random_seed(spec["seed"])  # the run draws what it draws without the probe
        return dict(self.data.probed[key])

    def baselines(self) -> dict[str, Any]:
        """How far something simple gets on the same images; asked once for all runs on the same data."""
        if "baselines" not in self.data.probed:
            self.data.probed["baselines"] = baselines(self.data.parts, len(self.data.class_names))
        return dict(self.data.probed["baselines"])

    def rate_probe(self, loop: StepLoop) -> dict[str, Any] | None:
        peak = float(self.timeline.rates(self.spec).max())
        return rate_probe(self.model, loop, peak, self.spec.training.epochs * self.timeline.steps_per_epoch)

    def look(self, epoch: int) -> dict[str, float]:
        """A row of layers.csv for every activation; returns what goes into the first layer with weights."""
        height, width, _ = self.data.shape
        count = max(8, min(128, PIXELS // (height * width)))
        rows, first = look_inside(self.model, self.sample.images[:count])
        self.tables["layers.csv"].add({"epoch": epoch, **row} for row in rows)
        return first

    def epoch(self, epoch: int, measured: dict[str, Measured]) -> None:
        """Write down what an epoch brought, with the weights that were measured."""
        self.last = measured
        if self.full:
            self.look(epoch)
        counts = np.bincount(measured["validation"].probability.argmax(axis=1))
        row = {"epoch": epoch, "most_predicted": float(counts.max() / counts.sum())}
        if self.both_modes:
            count, size = self.looked_at()
            clean, labels = measured["train"].probability[:count], self.sample.labels[:count]
            logits = in_training_mode(self.model, self.sample.images[:count], size)
            row |= {
                "clean_cross_entropy": self.cross_entropy(np.log(np.maximum(clean, 1e-30))),
                "training_mode_cross_entropy": self.cross_entropy(logits),
                "clean_error": float((clean.argmax(axis=1) != labels).mean()),
                "training_mode_error": float((logits.argmax(axis=1) != labels).mean()),
            }
        self.tables["epochs.csv"].add([row])

    def looked_at(self) -> tuple[int, int]:
        """How many images are computed in training mode, and in batches of what size: batch normalisation makes the
        size matter, else few large batches are quickest."""
        most, size = min(BOTH_MODES, len(self.sample)), min(self.spec.training.batch_size, BOTH_MODES, len(self.sample))
        if mixes_images(self.model):
            return size * min(BATCHES, most // size), size
        height, width, _ = self.data.shape
        return most, max(size, PIXELS // (height * width))

    def cross_entropy(self, logits: NDArray[Any]) -> float:
        log_p = log_softmax(logits)
        return float(-log_p[np.arange(len(logits)), self.sample.labels[: len(logits)]].mean())

    def kernel_rows(self, epoch: int, steps: Steps) -> None:
        """Rows of kernels.csv: the first step of the run, and the last one of every window."""
        done, first = len(steps.loss), self.timeline.first_step(epoch)
        window, per_epoch = self.timeline.window, self.timeline.steps_per_epoch
        for number, row in enumerate(steps.kernels):
            within = 0 if number == 0 else min(number * window, per_epoch) - 1
            again = number == 1 and epoch == 0 and window == 1  # the first step has a row of its own
            if within < done and (number or epoch == 0) and not again:
                self.tables["kernels.csv"].add(
                    {
                        "step": first + within,
                        "kernel": name,
                        "update_ratio": float(values[0]),
                        "gradient_norm": float(values[1]),
                        "weight_norm": float(values[2]),
                    }
                    for name, values in zip(self.kernel_names, row, strict=True)
                )

    def finish(self, done: bool) -> None:
        """What the last epoch says of every example; the best one's is in predictions/. `done`: the model is as that
        epoch left it, so that a run that was taken up after it can be measured now."""
        if not self.last and done:
            with averaged_weights(self.model):
                self.last = {name: measure(self.model, part) for name, part in self.data.measured.items()}
        if not self.last:
            return
        labels = {name: part.labels for name, part in self.data.measured.items()}
        arrays = {f"{name}_probability": result.probability for name, result in self.last.items()}
        arrays |= {f"{name}_label": label for name, label in labels.items()}
        files.write_arrays(self.folder / "last.npz", arrays)


def head(outputs: NDArray[Any]) -> dict[str, float]:
    """What the outputs look like that the loss takes for logits: logits have both signs, no end and no fixed sum."""
    sums = outputs.sum(axis=1)
    return {
        "low": float(outputs.min()),
        "high": float(outputs.max()),
        "at_low": float((outputs == outputs.min()).mean()),
        "sum_low": float(sums.min()),
        "sum_high": float(sums.max()),
    }


def in_training_mode(model: Any, images: Any, size: int) -> Any:
    """Logits as the optimizer sees them: dropout on, batch statistics; moving averages and generators are put back."""
    kept = [keras.ops.convert_to_numpy(variable).copy() for variable in model.non_trainable_variables]
    try:
        logits = [
            keras.ops.convert_to_numpy(model(images[start : start + size], training=True))
            for start in range(0, len(images), size)
        ]
    finally:
        for variable, value in zip(model.non_trainable_variables, kept, strict=True):
            variable.assign(value)
    return with_both_classes(np.concatenate(logits))


def memorize(spec: Spec, data: PreparedData) -> dict[str, Any]:
    """Can a fresh copy of the network, with nothing that holds it back, learn 32 examples by heart?"""
    keras.utils.set_random_seed(spec.seed)
    free = spec.model_copy(update={"regularization": Regularization(l2=0.0, dropout=0.0)})
    copy = keras.Model(*network(free, data.shape, len(data.class_names), data.normalization))
    copy.compile(optimizer=keras.optimizers.Adam(learning_rate=RATE), loss=loss(free))
    replicas.join(copy)
    copy.optimizer.build(copy.trainable_variables)  # left to the first step, TensorFlow traces that one twice
    few = data.parts["train"].head(EXAMPLES)
    labels = np.eye(len(data.class_names), dtype=np.float32)[few.labels]
    labels = labels[:, 1:] if spec.data.source.one_output else labels
    images, reached, step = few.images[:], float("inf"), 0
    limit = MEMORIZED * float(np.log(len(data.class_names)))
    loss_of_step = single_step(copy, (images, labels))
    began = time.monotonic()
    while step < STEPS and not reached < limit and time.monotonic() - began < SECONDS:
        reached, step = loss_of_step((images, labels)), step + 1
    settled = reached < limit or step == STEPS
    return {"examples": len(few), "steps": step, "loss": reached, "memorized": reached < limit if settled else None}
