"""What is measured while a model trains: every step without a read by the host, every epoch without dropout.

Keras's `fit` hands no gradients to callbacks, and reading a number from the device at every step is slow. So each step
writes into a small buffer of variables, read once per epoch: the loss in `compute_loss`, the gradient norm in the
optimizer's `apply`. That works on every Keras backend.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.images import Images
from improve.interrupt import Interrupt
from improve.lazy import keras, np
from improve.prepare import Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEASURE_BATCH = 256


def at_step(buffer: Any, index: Any, value: Any) -> Any:
    """`buffer` with `value` at `index`. (ops.slice_update needs XLA on TensorFlow.)"""
    ops = keras.ops
    hit = ops.arange(buffer.shape[0]) == ops.cast(index, "int32")
    return ops.where(hit, ops.cast(value, "float32"), ops.convert_to_tensor(buffer))


def recorded_model(images: Any, logits: Any, steps_per_epoch: int) -> Any:
    """A functional Keras model that logs the loss and the penalty in it at each training step."""

    class StepLog(keras.metrics.Metric):  # type: ignore[misc]
        """Buffers of one epoch; Keras clears metrics when an epoch begins."""

        def __init__(self) -> None:
            super().__init__(name="step_log")
            self.loss = self.add_variable((steps_per_epoch,), "zeros", name="loss")
            self.penalty = self.add_variable((steps_per_epoch,), "zeros", name="penalty")
            self.step = self.add_variable((), "zeros", dtype="int32", name="step")

        def write(self, loss: Any, penalty: Any) -> None:
            self.loss.assign(at_step(self.loss, self.step, loss))
            self.penalty.assign(at_step(self.penalty, self.step, penalty))
            self.step.assign(self.step + 1)

        def update_state(self, *arguments: Any, **keywords: Any) -> None:
            pass

        def result(self) -> Any:
            return keras.ops.cast(self.step, "float32")  # JAX cannot return a Variable from a compiled step

    class Recorded(keras.Model):  # type: ignore[misc]
        def compute_loss(
            self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
        ) -> Any:
            loss = super().compute_loss(x, y, y_pred, sample_weight, training)
            if training:
                self.step_log.write(loss, sum(self.losses, keras.ops.zeros(())))
            return loss

    model = Recorded(images, logits)
    model.step_log = StepLog()
    return model


def recorded_optimizer(keras_class: type[Any], steps_per_epoch: int, **arguments: Any) -> Any:
    """An optimizer of `keras_class` that logs the norm of all gradients together, before any clipping, and whose rate
    can be scaled while it runs."""

    class RecordedOptimizer(keras_class):  # type: ignore[misc]
        def build(self, variables: Any) -> None:
            super().build(variables)
            self.gradient_norms = self.add_variable((steps_per_epoch,), name="gradient_norm_log")
            self.rate_scale = self.add_variable((), initializer="ones", name="rate_scale")

        def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
            ops = keras.ops
            norm = ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in grads if gradient is not None))
            index = self._iterations % steps_per_epoch  # batches; `iterations` counts updates
            self.gradient_norms.assign(at_step(self.gradient_norms, index, norm / (self.loss_scale_factor or 1)))
            return super().apply(grads, trainable_variables)

        def _get_current_learning_rate(self) -> Any:
            return super()._get_current_learning_rate() * self.rate_scale

        def finalize_variable_values(self, var_list: Any) -> None:
            """Nothing: `fit` ends with every epoch here, and Keras would go on from the averaged weights."""

    RecordedOptimizer.__name__ = keras_class.__name__
    return RecordedOptimizer(**arguments)


@contextlib.contextmanager
def averaged(model: Any) -> Iterator[None]:
    """The model with the weights that are to be measured and kept: the running mean, where the optimizer has one."""
    weights = model.trainable_variables
    means = averages(model.optimizer, weights)
    if means is None:
        yield
        return
    kept = [keras.ops.convert_to_numpy(weight).copy() for weight in weights]
    for weight, mean in zip(weights, means, strict=True):
        # a copy: on JAX, two variables that share a buffer cannot both be given to a compiled step
        weight.assign(keras.ops.convert_to_numpy(mean).copy())
    try:
        yield
    finally:
        for weight, value in zip(weights, kept, strict=True):
            weight.assign(value)


def averages(optimizer: Any, weights: list[Any]) -> list[Any] | None:
    """use_ema's running means; or the x of schedule-free learning from its y = (1 − β₁) z + β₁ x, where Keras keeps z
    as `momentum` (Defazio et al., 2024, eq. 4)."""
    if optimizer.use_ema:
        return list(optimizer._model_variables_moving_average)
    if isinstance(optimizer, keras.optimizers.ScheduleFreeAdamW):
        beta, slots = optimizer.beta_1, optimizer._momentums
        return [(weight - (1 - beta) * slot) / beta for weight, slot in zip(weights, slots, strict=True)]
    return None


class Steps(NamedTuple):
    """One epoch's steps, as far as it came: loss (with penalty), penalty, gradient norm."""

    loss: NDArray[Any]
    penalty: NDArray[Any]
    gradient_norm: NDArray[Any]


def steps_of(model: Any) -> Steps:
    """Read the buffers of the epoch that has just ended (or was broken off)."""
    to_numpy = keras.ops.convert_to_numpy
    done = int(to_numpy(model.step_log.step))
    logs = (model.step_log.loss, model.step_log.penalty, model.optimizer.gradient_norms)
    return Steps(*(to_numpy(log)[:done] for log in logs))


def step_callback(on_step: Callable[[int], None], interrupt: Interrupt, steps_per_epoch: int) -> Any:
    """Breaks the epoch off when it is asked to, or when the loss is no longer finite; tells `on_step` how many steps
    are done.

    It looks at the loss of the step before: that one is surely computed, so the device is never waited for.
    """

    class EveryStep(keras.callbacks.Callback):  # type: ignore[misc]
        before: Any = None
        broken_off = False

        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            before, self.before = self.before, (logs or {}).get("loss")
            if before is not None and not np.isfinite(float(before)):
                self.model.stop_training = True
            on_step(batch + 1)
            if interrupt.requested and batch + 1 < steps_per_epoch:
                self.model.stop_training = self.broken_off = True

    return EveryStep()


class Measured(NamedTuple):
    """A clean measurement: inference mode, no augmentation, no penalty."""

    error: float
    cross_entropy: float
    probability: NDArray[Any]


def measure(model: Any, part: Examples) -> Measured:
    """Error, mean −log p of the true class in nats, and probabilities (n, classes; float32) of `part`."""
    log_p = log_softmax(logits_of(model, part.images))
    wrong = log_p.argmax(axis=1) != part.labels
    cross_entropy = -log_p[np.arange(len(part)), part.labels].mean()
    return Measured(float(wrong.mean()), float(cross_entropy), np.exp(log_p).astype(np.float32))


def logits_of(model: Any, images: Images) -> NDArray[Any]:
    """Logits (n, classes) in inference mode, in batches of one size (a last, smaller one would be compiled anew)."""
    results = []
    for start in range(0, len(images), MEASURE_BATCH):
        batch = images[start : start + MEASURE_BATCH]
        missing = MEASURE_BATCH - len(batch) if start else 0
        padded = np.concatenate([batch, images[:missing]]) if missing else batch
        results.append(np.asarray(model.predict_on_batch(padded))[: len(batch)])
    logits = np.concatenate(results)
    # one sigmoid is the softmax of (0, logit)
    return np.concatenate([np.zeros_like(logits), logits], axis=1) if logits.shape[1] == 1 else logits


def log_softmax(logits: NDArray[Any]) -> Any:
    """In float64, so that no probability is rounded to nothing."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
