"""One pass over batches, step by step: on one TensorFlow device without what `fit` does around each step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from improve.engine.model import replicas
from improve.lazy import keras, np

Arrays = tuple[Any, ...]

SHORT = 0.002  # seconds; of steps that take less, several are taken in one call
CALL = 0.02  # seconds that such a call may take: between calls a run is stopped and saved
MOST = 64  # steps in a call


class StepLoop:
    """Trains `model` on `batches`, a PyDataset whose `first` says where a pass begins.

    `fit` costs 60 to 100 CPU-ms a call and two a step on TensorFlow (benchmarks/RESULTS.md). There a compiled
    `train_step` takes each batch instead; where steps are short and many, a loop of it takes several. The numbers are
    the same to the last bit. Other backends and several devices have Keras's own loop.
    """

    def __init__(self, model: Any, batches: Any):
        self.model, self.batches = model, batches
        self.step: Any = compiled_step(model, batches[0]) if goes_direct(model) else None
        self.steps: Any = None
        self.compiling, self.seconds = 0.0, SHORT  # that the first step took, and the last one
        self.left = 0  # steps of the run

    def run_pass(self, left: int, on_step: Callable[[int], None], breaks_off: Callable[[int], bool]) -> bool:
        """Train on the batches of this pass, of the `left` ones of the run; whether it was broken off: where
        `breaks_off` of the steps that are done says so, or the loss is no longer finite. `on_step` is told how many
        are done after each."""
        if self.step is None:
            return fit(self.model, self.batches, on_step, breaks_off)
        self.model.reset_metrics()
        self.left, done, losses = left, 0, (np.float32(0), np.float32(0))
        for count, batch in one_ahead(self.batches, self.steps_in_a_call):
            began = time.perf_counter()
            taken, losses, finite = self.call(count, batch, losses)
            self.seconds = (time.perf_counter() - began) / max(taken, 1)
            self.compiling = self.compiling or self.seconds
            for step in range(done + 1, done + taken + 1):
                on_step(step)
            done += taken
            if breaks_off(done) or not finite:
                return True
        return False

    def call(self, count: int, batch: Arrays, losses: Arrays) -> tuple[int, Arrays, bool]:
        """Take `count` steps after the two that had these losses; gives how many were taken, the losses of the last
        two, and whether to go on. The loss of a single step is not waited for: the one before is surely computed."""
        if count == 1:
            return 1, (losses[1], self.step(batch)["loss"]), math.isfinite(float(losses[1]))
        self.steps = self.steps or compiled_steps(self.model, batch)
        taken, before, last = self.steps(batch, *losses)
        return int(taken), (before, last), math.isfinite(float(before))

    def steps_in_a_call(self) -> int:
        """More than one where a step is short and the run long enough to win back what compiling a loop takes."""
        pays = self.steps or self.seconds * self.left / 2 > self.compiling
        return max(1, min(MOST, int(CALL / self.seconds))) if self.seconds < SHORT and pays else 1


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


def compiled_steps(model: Any, stacks: Arrays) -> Any:
    """The model's `train_step`, time and again, as one TensorFlow function: of the batches of some steps, stacked like
    these, and the losses of the last two steps before; gives how many steps it took and the losses of the last two. A
    loss that is not finite ends it one step later, as in `fit`."""
    import tensorflow

    def steps(stacks: Arrays, before: Any, last: Any) -> Any:
        count = tensorflow.shape(stacks[0])[0]

        def goes_on(place: Any, before: Any, last: Any) -> Any:
            return tensorflow.logical_and(place < count, tensorflow.math.is_finite(before))

        def step(place: Any, before: Any, last: Any) -> Any:
            logs = model.train_step(tuple(tensorflow.gather(stack, place) for stack in stacks))
            return place + 1, last, logs["loss"]

        return tensorflow.while_loop(goes_on, step, (tensorflow.constant(0), before, last), parallel_iterations=1)

    like = tuple(tensorflow.TensorSpec((None, None, *array.shape[2:]), array.dtype) for array in stacks)
    signature = [like, tensorflow.TensorSpec((), "float32"), tensorflow.TensorSpec((), "float32")]
    return tensorflow.function(steps, input_signature=signature, jit_compile=model.jit_compile, autograph=False)


def one_ahead(batches: Any, count: Callable[[], int]) -> Iterator[tuple[int, Arrays]]:
    """The batches in order: one as it is, or several of one size, stacked, with their number, which is `count` at most.
    While some are trained on, a thread prepares the next. What it raises is raised here."""
    left = batches.num_batches

    def prepared(place: int, count: int) -> tuple[int, Arrays]:
        taken = [batches[following] for following in range(place, min(place + count, left))]
        if len(taken[-1][0]) < len(taken[0][0]):  # the last batch of an epoch
            taken.pop()
        return len(taken), tuple(map(np.stack, zip(*taken, strict=True))) if len(taken) > 1 else taken[0]

    with ThreadPoolExecutor(1) as thread:
        following, place = thread.submit(prepared, 0, count()), 0
        while place < left:
            taken, arrays = following.result()
            place += taken
            if place < left:
                following = thread.submit(prepared, place, count())
            yield taken, arrays
