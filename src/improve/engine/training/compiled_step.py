"""A model's `train_step`, compiled: one step in a call, or, on TensorFlow, several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from improve.engine.model import replicas
from improve.lazy import keras

Arrays = tuple[Any, ...]


def is_one_function(model: Any) -> bool:
    """Whether a step of the model can be compiled as one: not in copies, not operation by operation."""
    if model.run_eagerly:
        return False
    if replicas.on_tensorflow():
        return model._distribute_strategy is None
    return keras.backend.backend() == "jax" and bool(model.jit_compile) and keras.distribution.distribution() is None


def compiled_step(model: Any, batch: Arrays) -> CompiledStep:
    """What takes one step on a batch like this one, of any size."""
    return TensorFlowStep(model, batch) if replicas.on_tensorflow() else JaxStep(model)


class CompiledStep:
    """Called with a batch it trains on it and gives the logs of `train_step`. It is called within `begun()`: before
    and after, the model's variables hold the state."""

    @contextmanager
    def begun(self) -> Iterator[None]:
        yield

    def __call__(self, batch: Arrays) -> dict[str, Any]:
        raise NotImplementedError


class TensorFlowStep(CompiledStep):
    def __init__(self, model: Any, batch: Arrays):
        self.function = tensorflow_function(model, model.train_step, [stack_of(batch, ())])

    def __call__(self, batch: Arrays) -> dict[str, Any]:
        logs: dict[str, Any] = self.function(batch)
        return logs


class JaxStep(CompiledStep):
    """On JAX a step is a pure function from state and batch to logs and the next state. The arrays of the state before
    are given away to it, so the variables are worth nothing until the end."""

    def __init__(self, model: Any):
        import jax

        self.model, self.function = model, jax.jit(model.train_step, donate_argnums=0)
        self.state: Any = None

    @contextmanager
    def begun(self) -> Iterator[None]:
        model = self.model
        variables: tuple[list[Any], ...] = (model.trainable_variables, model.non_trainable_variables)
        variables += (model.optimizer.variables, model.metrics_variables)
        self.state = tuple([variable.value for variable in group] for group in variables)
        try:
            yield
        finally:
            for group, values in zip(variables, self.state, strict=True):
                for variable, value in zip(group, values, strict=True):
                    variable.assign(value)
            self.state = None

    def __call__(self, batch: Arrays) -> dict[str, Any]:
        logs, self.state = self.function(self.state, batch)
        return dict(logs)


def compiled_steps(model: Any, batch: Arrays) -> Callable[..., Any]:
    """A loop of the model's `train_step` as one TensorFlow function. Its arguments: batches like this one, stacked, and
    the losses of the last two steps before. Its values: how many steps it took, and the losses of the last two. It ends
    one step after a loss that is not finite, as `fit` does."""
    import tensorflow

    def steps(stacks: Arrays, before: Any, last: Any) -> Any:
        count = tensorflow.shape(stacks[0])[0]

        def goes_on(place: Any, before: Any, last: Any) -> Any:
            return tensorflow.logical_and(place < count, tensorflow.math.is_finite(before))

        def step(place: Any, before: Any, last: Any) -> Any:
            logs = model.train_step(tuple(tensorflow.gather(stack, place) for stack in stacks))
            return place + 1, last, tensorflow.cast(logs["loss"], "float32")  # it may have another precision

        return tensorflow.while_loop(goes_on, step, (tensorflow.constant(0), before, last), parallel_iterations=1)

    loss = tensorflow.TensorSpec((), "float32")
    return tensorflow_function(model, steps, [stack_of(batch, (None,)), loss, loss])


def stack_of(batch: Arrays, stacked: tuple[None, ...]) -> Arrays:
    """The arrays of batches like this one, of any size; with (None,) as many of them as there are."""
    import tensorflow

    return tuple(tensorflow.TensorSpec((*stacked, None, *array.shape[1:]), array.dtype) for array in batch)


def tensorflow_function(model: Any, python: Callable[..., Any], signature: list[Any]) -> Callable[..., Any]:
    import tensorflow

    function: Callable[..., Any] = tensorflow.function(
        python, input_signature=signature, jit_compile=model.jit_compile, autograph=False
    )
    return function
