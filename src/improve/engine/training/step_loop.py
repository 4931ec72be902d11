"""One pass over batches, step by step: on one TensorFlow device without what `fit` does around each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from improve.engine.model import replicas
from improve.lazy import keras

StepEnded = Callable[[int, Any], bool]


class StepLoop:
    """Trains `model` on `batches`, a PyDataset whose `first` says where a pass begins.

    `fit` costs 60 to 100 CPU-ms a call and two a step on TensorFlow (benchmarks/RESULTS.md). There one compiled
    `train_step` takes each batch instead. Other backends and several devices have Keras's own loop.
    """

    def __init__(self, model: Any, batches: Any):
        self.model, self.batches = model, batches
        self.step = compiled_step(model, batches[0]) if goes_direct(model) else None

    def run_pass(self, on_step: Callable[[int], None], breaks_off: Callable[[int], bool]) -> bool:
        """Train on the batches that are left; whether the pass was broken off: where `breaks_off` of the steps that
        are done says so, or the loss is no longer finite. `on_step` is told how many are done after each."""
        ended = step_ended(on_step, breaks_off)
        if self.step is None:
            return fit(self.model, self.batches, ended)
        self.model.reset_metrics()
        return any(ended(done, self.step(batch)["loss"]) for done, batch in enumerate(one_ahead(self.batches), start=1))


def step_ended(on_step: Callable[[int], None], breaks_off: Callable[[int], bool]) -> StepEnded:
    """What is asked after each step with the number of steps and the loss so far: whether the pass ends here.

    It looks at the loss of the step before: that one is surely computed, so the device is never waited for.
    """
    before: Any = None

    def ended(done: int, loss: Any) -> bool:
        nonlocal before
        earlier, before = before, loss
        infinite = earlier is not None and not math.isfinite(float(earlier))
        on_step(done)
        return infinite or breaks_off(done)

    return ended


def fit(model: Any, batches: Any, ended: StepEnded) -> bool:
    """A pass of Keras's own."""

    class EveryStep(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            if ended(batch + 1, (logs or {}).get("loss")):
                self.model.stop_training = True

    model.fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[EveryStep()])
    return bool(model.stop_training)


def goes_direct(model: Any) -> bool:
    """Whether a step of the model can be one TensorFlow function: not in copies, not operation by operation."""
    return replicas.on_tensorflow() and model._distribute_strategy is None and not model.run_eagerly


def single_step(model: Any, batch: tuple[Any, ...]) -> Callable[[tuple[Any, ...]], Any]:
    """What trains on one batch like this one; gives Keras's logs."""
    if goes_direct(model):
        return compiled_step(model, batch)  # type: ignore[no-any-return]
    return lambda given: model.train_on_batch(*given, return_dict=True)


def compiled_step(model: Any, batch: tuple[Any, ...]) -> Any:
    """The model's `train_step` as one TensorFlow function of a batch like this one, of any size."""
    import tensorflow

    like = tuple(tensorflow.TensorSpec((None, *array.shape[1:]), array.dtype) for array in batch)
    return tensorflow.function(model.train_step, input_signature=[like], jit_compile=model.jit_compile, autograph=False)


def one_ahead(batches: Any) -> Iterator[tuple[Any, ...]]:
    """The batches in order; while one is trained on, a thread prepares the next. What it raises is raised here."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(batches.__getitem__, 0)
        for place in range(1, batches.num_batches + 1):
            batch = following.result()
            if place < batches.num_batches:
                following = thread.submit(batches.__getitem__, place)
            yield batch
