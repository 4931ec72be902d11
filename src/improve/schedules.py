"""Shelf: learning-rate schedules. One class each; `rate` is the formula, on numbers and on tensors alike.

`step` counts optimizer updates from 0. A formula uses operators only, so that the same line draws the preview, is
checked against the course's table, and runs inside the compiled training step of any backend.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from improve.lazy import keras
from improve.parts import Count, NonNegative, Part, Positive, named


class SchedulePart(Part):
    """What all schedules share."""

    shelf = "schedules"

    def rate(self, learning_rate: float, step: Any, steps_per_epoch: int) -> Any:
        """The rate of update number `step`, from the optimizer's `learning_rate`."""
        raise NotImplementedError

    def too_long(self, epochs: int) -> str:
        """Why the schedule does nothing in a run of `epochs`, or nothing."""
        return ""

    def build(self, learning_rate: float, steps_per_epoch: int) -> Any:
        """A Keras LearningRateSchedule."""
        part = self

        class Scheduled(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
            def __call__(self, step: Any) -> Any:
                # float32 counts exactly to 16.7 million updates
                return part.rate(learning_rate, keras.ops.cast(step, "float32"), steps_per_epoch)

            def get_config(self) -> dict[str, Any]:
                return {**part.model_dump(), "learning_rate": learning_rate, "steps_per_epoch": steps_per_epoch}

        return Scheduled()


class Constant(SchedulePart):
    """The rate stays."""

    name: Literal["constant"] = "constant"

    def rate(self, learning_rate: float, step: Any, steps_per_epoch: int) -> Any:
        return learning_rate + 0 * step


class Time(SchedulePart):
    """rate / (1 + decay · step): the `decay=` of Keras before version 3, exact.

    Decays per update, not per epoch. The course's table (0.01, 0.00836, 0.00719 …) is this with decay 0.01/40 and 782
    updates per epoch. Keras 3 accepts `decay=` in an optimizer, warns, and ignores it.
    """

    name: Literal["time"] = "time"
    decay: NonNegative = Field(0.00025, description="the rate has halved after 1/decay updates")

    def rate(self, learning_rate: float, step: Any, steps_per_epoch: int) -> Any:
        return learning_rate / (1 + self.decay * step)


class Step(SchedulePart):
    """rate · factor^⌊(1 + epoch) / every⌋, epoch from 0.

    As in the course, so the first drop comes after `every` − 1 epochs.
    """

    name: Literal["step"] = "step"
    factor: Positive = Field(0.5, description="what the rate is multiplied by at each drop")
    every: Count = Field(5, description="epochs between drops")

    def rate(self, learning_rate: float, step: Any, steps_per_epoch: int) -> Any:
        return learning_rate * self.factor ** ((1 + step // steps_per_epoch) // self.every)

    def too_long(self, epochs: int) -> str:
        first = self.every  # the drop happens in the epoch with number every - 1, counted from 0
        return f"the rate would first drop in epoch {first}, the run has {epochs}" if first > epochs else ""


SCHEDULES = (Constant, Time, Step)
Schedule = Annotated[Constant | Time | Step, Field(discriminator="name"), named("constant")]
