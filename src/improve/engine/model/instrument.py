"""What is logged inside every training step, without a read by the host.

Keras's `fit` hands no gradients to callbacks, and reading a number from the device at every step is slow. So each step
writes into small buffers of variables, read once per epoch: the loss in `compute_loss`, gradients and updates in the
optimizer's `apply`. That works on every Keras backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from improve.engine.model.layers import is_kernel
from improve.engine.model.replicas import loss_of_share, optimizer_class, sum_over_replicas
from improve.engine.model.timeline import Timeline
from improve.lazy import keras, np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLED = 4096  # weights of a kernel that its update is measured on, evenly spaced: 2 % off at most, and no cost


def at_step(buffer: Any, index: Any, value: Any) -> Any:
    """`buffer` with `value` at `index` of its first axis. (ops.slice_update needs XLA on TensorFlow.)"""
    ops = keras.ops
    hit = ops.arange(buffer.shape[0], dtype="int32") == ops.cast(index, "int32")
    hit = ops.reshape(hit, (-1,) + (1,) * (len(buffer.shape) - 1))
    return ops.where(hit, ops.cast(value, "float32"), ops.convert_to_tensor(buffer))


def recorded_model(images: Any, logits: Any, steps_per_epoch: int) -> Any:
    """A functional Keras model that logs the loss and the penalty in it at each training step."""

    class StepLog(keras.metrics.Metric):  # type: ignore[misc]
        """Buffers of one epoch; Keras clears metrics when an epoch begins."""

        def __init__(self) -> None:
            super().__init__(name="step_log")
            first = {"initializer": "zeros", "aggregation": "only_first_replica"}  # all devices write the same
            self.loss = self.add_variable((steps_per_epoch,), name="loss", **first)
            self.penalty = self.add_variable((steps_per_epoch,), name="penalty", **first)
            self.step = self.add_variable((), dtype="int32", name="step", **first)

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
                loss, penalty = loss_of_share(self, x, loss, sum(self.losses, keras.ops.zeros(())))
                self.step_log.write(*sum_over_replicas([loss, penalty]))
            return loss

        def _maybe_symbolic_build(self, *arguments: Any, **keywords: Any) -> None:
            """Nothing: it is built. On several devices Keras would average their shares of a batch, which may differ
            in size."""

    model = Recorded(images, logits)
    model.step_log = StepLog()
    return model


def recorded_optimizer(keras_class: type[Any], timeline: Timeline, **arguments: Any) -> Any:
    """An optimizer of `keras_class` whose rate can be scaled while it runs, and that logs, at each step, the norm of
    all gradients together before any clipping and the share of it that clipping took away; for each kernel, at the
    first step of all and at the last one of every `window` steps, ‖Δw‖/‖w‖, its gradient's norm and ‖w‖.
    """
    steps_per_epoch, window = timeline.steps_per_epoch, timeline.window

    class RecordedOptimizer(optimizer_class(keras_class)):  # type: ignore[misc]
        def build(self, variables: Any) -> None:
            super().build(variables)
            self.kernels = [place for place, variable in enumerate(variables) if is_kernel(variable)]
            rows = (1 - (-steps_per_epoch // window), len(self.kernels), 3)
            self.gradient_norms = self.add_variable((steps_per_epoch,), name="gradient_norm_log")
            self.clipped = self.add_variable((steps_per_epoch,), name="clipped_log")
            self.kernel_rows = self.add_variable(rows, name="kernel_log")
            self.rate_scale = self.add_variable((), initializer="ones", name="rate_scale")

        def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
            variables = list(trainable_variables or self._trainable_variables)
            grads = sum_over_replicas(list(grads))
            iteration = self._iterations + 0  # of batches; `iterations` counts updates
            within = (iteration - timeline.step) % steps_per_epoch
            self.log_gradients(grads, within)
            kernels = [variables[place] for place in self.kernels]
            before = list(map(sample, kernels))
            super().apply(grads, trainable_variables)
            gradients = [grads[place] for place in self.kernels]
            row = keras.ops.where(iteration == 0, 0, 1 + within // window)
            log_kernels(self.kernel_rows, row, list(map(movement, gradients, before, map(sample, kernels))))

        def log_gradients(self, grads: Any, index: Any) -> None:
            given = [gradient for gradient in grads if gradient is not None]
            total = norm(given)
            self.gradient_norms.assign(at_step(self.gradient_norms, index, total / (self.loss_scale_factor or 1)))
            if self.clipnorm or self.global_clipnorm or self.clipvalue:
                self.clipped.assign(at_step(self.clipped, index, clipped_share(self, given)))

        def _get_current_learning_rate(self) -> Any:
            return super()._get_current_learning_rate() * self.rate_scale

        def finalize_variable_values(self, var_list: Any) -> None:
            """Nothing: `fit` ends with every epoch here, and Keras would go on from the averaged weights."""

    RecordedOptimizer.__name__ = keras_class.__name__
    return RecordedOptimizer(**arguments)


def clipped_share(optimizer: Any, gradients: list[Any]) -> Any:
    """How much of the gradients' norm the optimizer's clipping takes away."""
    scaled = [gradient / (optimizer.loss_scale_factor or 1) for gradient in gradients]
    return 1 - norm(optimizer._clip_gradients(scaled)) / keras.ops.maximum(norm(scaled), 1e-30)


def log_kernels(log: Any, row: Any, values: list[Any]) -> None:
    if values:
        log.assign(at_step(log, row, keras.ops.stack(values)))


def movement(gradient: Any, before: Any, after: Any) -> Any:
    """‖Δw‖/‖w‖, the gradient's norm and ‖w‖ of one kernel."""
    size = norm([before])
    moved = norm([after - before]) / keras.ops.maximum(size, 1e-30)
    return keras.ops.stack([moved, norm([gradient]) if gradient is not None else 0 * size, size])


def sample(variable: Any) -> Any:
    """At most SAMPLED of a variable's values, evenly spaced (k,; float32)."""
    ops = keras.ops
    flat = ops.reshape(ops.convert_to_tensor(variable), (-1,))
    return ops.cast(flat[:: -(-flat.shape[0] // SAMPLED)], "float32")


def norm(tensors: list[Any]) -> Any:
    """The Euclidean norm of all of them together."""
    return keras.ops.sqrt(sum(keras.ops.sum(keras.ops.square(tensor)) for tensor in tensors))


class Steps(NamedTuple):
    """What each training step of an epoch, or of a part of it, logged: loss with penalty, the penalty in it, the
    gradient norm and the share of it that was clipped; `kernels`: (rows, kernels, 3), the first row of which is the
    first step of the run."""

    loss: NDArray[Any]
    penalty: NDArray[Any]
    gradient_norm: NDArray[Any]
    clipped: NDArray[Any]
    kernels: NDArray[Any]


def steps_of(model: Any, first: int = 0) -> Steps:
    """Read the buffers after a pass that began with the epoch's step `first` (from 0): `fit` clears those of the model
    when it begins, those of the optimizer stay."""
    to_numpy, optimizer = keras.ops.convert_to_numpy, model.optimizer
    done = int(to_numpy(model.step_log.step))
    loss, penalty = (to_numpy(log)[:done] for log in (model.step_log.loss, model.step_log.penalty))
    gradient_norm, clipped = (
        to_numpy(log)[first : first + done] for log in (optimizer.gradient_norms, optimizer.clipped)
    )
    return Steps(loss, penalty, gradient_norm, clipped, to_numpy(optimizer.kernel_rows))


def joined_steps(parts: list[Steps]) -> Steps:
    """The passes of one epoch, one after another."""
    loss, penalty, norm, clipped = (np.concatenate([part[column] for part in parts]) for column in range(4))
    return Steps(loss, penalty, norm, clipped, parts[-1].kernels)
