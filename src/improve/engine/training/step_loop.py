"""One pass over batches, step by step: on one TensorFlow device without what `fit` does around each step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from improve.engine.model import replicas
from improve.engine.model.layers import multiply_adds
from improve.lazy import keras, np

Arrays = tuple[Any, ...]

SMALL = 1e7  # multiply-adds of a batch, forwards: a step takes about two milliseconds on two cores
CALL = 0.02  # seconds that a call of several steps may take: between calls a run is stopped and saved
MOST = 64  # steps in a call
ROOM = 2**26  # bytes that the images of a call may take


class StepLoop:
    """Trains `model` on `batches`, a PyDataset whose `first` says where a pass begins.

    `fit` costs 60 to 100 CPU-ms a call and two a step on TensorFlow (benchmarks/RESULTS.md). There a compiled
    `train_step` takes each batch instead; of a small network, a compiled loop takes several, as long as that is short.
    The state of the run is the same to the last bit. In the log of the steps the loop may round another way, so the
    network and the size of its batches decide for the whole run, not the clock. Other backends and several devices have
    Keras's own loop.
    """

    def __init__(self, model: Any, batches: Any):
        self.model, self.batches = model, batches
        self.step: Any = None
        self.steps: Any = None
        self.seconds, self.most = CALL, MOST  # seconds that a step took; steps in a call
        if goes_direct(model):
            batch = batches[0]
            self.most = max(1, min(MOST, ROOM // max(1, batch[0].nbytes)))
            if multiply_adds(model) * len(batch[0]) <= SMALL:
                self.steps = compiled_steps(model, batch)
            else:
                self.step = compiled_step(model, batch)

    def run_pass(self, on_step: Callable[[int], None], breaks_off: Callable[[int], bool]) -> bool:
        """Train on the batches of this pass; whether it was broken off: where `breaks_off` of the steps that are done
        says so, or the loss is no longer finite. `on_step` is told how many are done after each."""
        if not (self.step or self.steps):
            return fit(self.model, self.batches, on_step, breaks_off)
        self.model.reset_metrics()
        done, losses = 0, (np.float32(0), np.float32(0))
        for batch in one_ahead(self.batches, self.steps_in_a_call if self.steps else None):
            began = time.perf_counter()
            taken, losses, finite = self.call(batch, losses)
            self.seconds = (time.perf_counter() - began) / max(taken, 1)
            for step in range(done + 1, done + taken + 1):
                on_step(step)
            done += taken
            if breaks_off(done) or not finite:
                return True
        return False

    def call(self, batch: Arrays, losses: Arrays) -> tuple[int, Arrays, bool]:
        """Take the steps of a batch or of stacked ones, after two steps that had these losses; gives how many were
        taken, the losses of the last two, and whether to go on. A single step is not waited for: what is looked at is
        the loss before, which is surely computed."""
        if self.step:
            return 1, (losses[1], self.step(batch)["loss"]), math.isfinite(float(losses[1]))
        taken, before, last = self.steps(batch, *losses)
        return int(taken), (before, last), math.isfinite(float(before))

    def steps_in_a_call(self) -> int:
        return max(1, min(self.most, int(CALL / self.seconds)))


def fit(model: Any, batches: Any, on_step: Callable[[int], None], breaks_off: Callable[[int], bool]) -> bool:
    """A pass of Keras's own. It looks at the loss of the step before: that one is surely computed, so the device is
    never waited for."""

    class EveryStep(keras.callbacks.Callback):  # type: ignore[misc]
        before: Any = None

        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            before, self.before = self.before, (logs or {}).get("loss")
            infinite = before is not None and not math.isfinite(float(before))
            on_step(batch + 1)
            if breaks_off(batch + 1) or infinite:
                self.model.stop_training = True

    model.fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[EveryStep()])
    return bool(model.stop_training)


def goes_direct(model: Any) -> bool:
    """Whether a step of the model can be one TensorFlow function: not in copies, not operation by operation."""
    return replicas.on_tensorflow() and model._distribute_strategy is None and not model.run_eagerly


def single_step(model: Any, batch: Arrays) -> Callable[[Arrays], float]:
    """What trains on one batch like this one and gives its loss."""
    if not goes_direct(model):
        return lambda given: float(model.train_on_batch(*given))
    step = compiled_step(model, batch)

    def loss_of(given: Arrays) -> float:
        model.reset_metrics()
        return float(step(given)["loss"])

    return loss_of


def compiled_step(model: Any, batch: Arrays) -> Any:
    """The model's `train_step` as one TensorFlow function of a batch like this one, of any size."""
    import tensorflow

    like = tuple(tensorflow.TensorSpec((None, *array.shape[1:]), array.dtype) for array in batch)
    return tensorflow.function(model.train_step, input_signature=[like], jit_compile=model.jit_compile, autograph=False)


def compiled_steps(model: Any, batch: Arrays) -> Any:
    """The model's `train_step`, time and again, as one TensorFlow function: of stacked batches like this one, and the
    losses of the last two steps before; gives how many steps it took and the losses of the last two. A loss that is
    not finite ends it one step later, as in `fit`."""
    import tensorflow

    def steps(stacks: Arrays, before: Any, last: Any) -> Any:
        count = tensorflow.shape(stacks[0])[0]

        def goes_on(place: Any, before: Any, last: Any) -> Any:
            return tensorflow.logical_and(place < count, tensorflow.math.is_finite(before))

        def step(place: Any, before: Any, last: Any) -> Any:
            logs = model.train_step(tuple(tensorflow.gather(stack, place) for stack in stacks))
            return place + 1, last, logs["loss"]

        return tensorflow.while_loop(goes_on, step, (tensorflow.constant(0), before, last), parallel_iterations=1)

    like = tuple(tensorflow.TensorSpec((None, None, *array.shape[1:]), array.dtype) for array in batch)
    signature = [like, tensorflow.TensorSpec((), "float32"), tensorflow.TensorSpec((), "float32")]
    return tensorflow.function(steps, input_signature=signature, jit_compile=model.jit_compile, autograph=False)


def one_ahead(batches: Any, count: Callable[[], int] | None) -> Iterator[Arrays]:
    """The batches in order; with `count`, stacked: at most so many together, all of one size. While some are trained
    on, a thread prepares the next. What it raises is raised here."""
    left = batches.num_batches

    def prepared(place: int, most: int) -> tuple[int, Arrays]:
        taken = [batches[following] for following in range(place, min(place + most, left))]
        if len(taken[-1][0]) < len(taken[0][0]):  # the last batch of an epoch
            taken.pop()
        return len(taken), tuple(map(np.stack, zip(*taken, strict=True))) if count else taken[0]

    with ThreadPoolExecutor(1) as thread:
        following, place = thread.submit(prepared, 0, count() if count else 1), 0
        while place < left:
            taken, arrays = following.result()
            place += taken
            if place < left:
                following = thread.submit(prepared, place, count() if count else 1)
            yield arrays
