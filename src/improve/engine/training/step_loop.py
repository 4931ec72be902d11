"""One pass over batches, step by step: on one device without what `fit` does around each step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from typing import Any

from improve.engine.model.layers import multiply_adds
from improve.engine.training.compiled_step import Arrays, compiled_step, compiled_steps, is_one_function
from improve.lazy import keras, np

SMALL_BATCH = 1e7  # multiply-adds, forwards: a step takes about two milliseconds on two cores
CALL_SECONDS = 0.02  # that a call of several steps may take: between calls a run is stopped and saved
CALL_STEPS = 64  # at most
CALL_BYTES = 2**26  # of images, at most


class StepLoop:
    """Trains `model` on `batches`, a PyDataset whose `first` says where a pass begins.

    On TensorFlow `fit` costs 60 to 100 CPU-ms a call and two a step. So on one device, and on JAX, a compiled
    `train_step` takes each batch; on TensorFlow, where steps are short, a compiled loop of it takes several in one call
    (benchmarks/RESULTS.md). The state of the run is the same to the last bit. The loop may round the log of the steps
    another way, so whether there is one follows from the network and the size of its batches, never from the clock,
    which only says how many steps a call takes. Several devices and PyTorch have Keras's own loop.
    """

    def __init__(self, model: Any, batches: Any):
        self.model, self.batches = model, batches
        self.take_one: Any = None
        self.take_several: Any = None
        self.seconds = CALL_SECONDS  # that a step takes: until one was taken, none is short
        self.most = CALL_STEPS
        if is_one_function(model):
            batch = batches[0]
            self.most = max(1, min(CALL_STEPS, CALL_BYTES // max(1, batch[0].nbytes)))
            # XLA, which compiles on JAX and on a GPU, would do so anew for every number of steps
            if multiply_adds(model) * len(batch[0]) <= SMALL_BATCH and not model.jit_compile:
                self.take_several = compiled_steps(model, batch)
            else:
                self.take_one = compiled_step(model, batch)

    @property
    def is_compiled(self) -> bool:
        return bool(self.take_one or self.take_several)

    def loss_of(self, batch: Arrays) -> float:
        """Take one step on a batch, whatever pass is in hand; the loss before it. Only where the loop is compiled."""
        self.model.reset_metrics()
        if self.take_one:
            with self.take_one.begun():
                return float(self.take_one(batch)["loss"])
        stacks = tuple(array[None] for array in batch)
        return float(self.take_several(stacks, np.float32(0), np.float32(0))[2])

    def run_pass(self, on_step: Callable[[int], None], breaks_off: Callable[[int], bool]) -> bool:
        """Train on the batches of this pass. True where it ended before the last one: `breaks_off(steps done)` said so,
        or the loss was no longer finite. `on_step(steps done)` is called for every step, once its call is over."""
        if not self.is_compiled:
            return fit(self.model, self.batches, on_step, breaks_off)
        self.model.reset_metrics()
        done, losses, ended = 0, (np.float32(0), np.float32(0)), time.perf_counter()
        begun = self.take_one.begun() if self.take_one else nullcontext()
        with closing(one_ahead(self.batches, self.steps_in_a_call if self.take_several else None)) as ahead, begun:
            for batch in ahead:
                taken, losses, finite = self.call(batch, losses)
                began, ended = ended, time.perf_counter()
                self.seconds = (ended - began) / max(taken, 1)
                for step in range(done + 1, done + taken + 1):
                    on_step(step)
                done += taken
                if breaks_off(done) or not finite:
                    return True
        return False

    def call(self, batch: Arrays, losses: Arrays) -> tuple[int, Arrays, bool]:
        """Take one step, or one for each of the stacked batches. `losses` are those of the last two steps before. Gives
        how many steps were taken, the losses of the last two, and whether the loss was finite until the last but one: a
        single step is not waited for, the one before it is surely computed."""
        if self.take_one:
            return 1, (losses[1], self.take_one(batch)["loss"]), math.isfinite(float(losses[1]))
        taken, before, last = self.take_several(batch, *losses)
        return int(taken), (before, last), math.isfinite(float(before))

    def steps_in_a_call(self) -> int:
        return max(1, min(self.most, int(CALL_SECONDS / self.seconds)))


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


def single_step(model: Any, batch: Arrays) -> Callable[[Arrays], float]:
    """What trains on one batch like this one and gives its loss."""
    if not is_one_function(model):
        return lambda given: float(model.train_on_batch(*given))
    step = compiled_step(model, batch)

    def loss_of(given: Arrays) -> float:
        model.reset_metrics()
        with step.begun():
            return float(step(given)["loss"])

    return loss_of


def one_ahead(batches: Any, count: Callable[[], int] | None) -> Generator[Arrays, None, None]:
    """The batches in order; with `count`, stacked: at most `count()` together, all of one size. While some are trained
    on, a thread prepares the next. What it raises is raised here."""
    left, most = batches.num_batches, count or (lambda: 1)

    def prepared(place: int, size: int) -> tuple[int, Arrays]:
        taken = [batches[following] for following in range(place, min(place + size, left))]
        if len(taken[-1][0]) < len(taken[0][0]):  # the last batch of an epoch
            taken.pop()
        return len(taken), tuple(map(np.stack, zip(*taken, strict=True))) if count else taken[0]

    thread = ThreadPoolExecutor(1)
    try:
        following, place = thread.submit(prepared, 0, most()), 0
        while place < left:
            taken, arrays = following.result()
            place += taken
            if place < left:
                following = thread.submit(prepared, place, most())
            yield arrays
    finally:
        thread.shutdown(wait=False, cancel_futures=True)  # nobody waits for a batch that is not wanted any more
