"""Schedules that drop: at once, by a formula in the number of updates, or when the validation loss stalls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from improve.lazy import np
from improve.spec.component import Count, Finite, Flag, NonNegative, Positive, refusal
from improve.spec.schedules.base import Length, ScheduleComponent

if TYPE_CHECKING:
    from collections.abc import Sequence


class Constant(ScheduleComponent):
    """The rate stays."""

    name: Literal["constant"] = "constant"

    def rate(self, learning_rate: float, step: Any, run: Length) -> Any:
        return np.full(len(step), learning_rate)


class Time(ScheduleComponent):
    """rate / (1 + decay · step): the `decay=` of Keras before version 3, exact.

    Decays per update, not per epoch. The course's table (0.01, 0.00836, 0.00719 …) is this with decay 0.01/40 and 782
    updates per epoch. Keras 3 accepts `decay=` in an optimizer, warns, and ignores it.
    """

    name: Literal["time"] = "time"
    decay: NonNegative = Field(0.00025, description="the rate has halved after 1/decay updates")

    def rate(self, learning_rate: float, step: Any, run: Length) -> Any:
        return learning_rate / (1 + self.decay * step)


class Step(ScheduleComponent):
    """rate · factor^⌊(1 + epoch) / every⌋, epoch from 0.

    As in the course, so the first drop comes after `every` − 1 epochs.
    """

    name: Literal["step"] = "step"
    factor: Positive = Field(0.5, description="what the rate is multiplied by at each drop")
    every: Count = Field(5, description="epochs between drops")

    def rate(self, learning_rate: float, step: Any, run: Length) -> Any:
        return learning_rate * self.factor ** ((1 + step // run.steps_per_epoch) // self.every)

    def too_long(self, epochs: int) -> tuple[str, str] | None:
        # the drop happens in the epoch with number every - 1, counted from 0
        if self.every > epochs:
            return "every", f"the rate would first drop in epoch {self.every}, the run has {epochs}"
        return super().too_long(epochs)


class Piecewise(ScheduleComponent):
    """The optimizer's rate at first, then after each of the `boundaries` (in epochs) the rate given in `values`.

    What the ctrl+c method does by hand: stop, lower the rate tenfold, go on.
    """

    name: Literal["piecewise"] = "piecewise"
    boundaries: Annotated[tuple[Count, ...], Field(strict=False)] = Field(description="epochs after which it changes")
    values: Annotated[tuple[Positive, ...], Field(strict=False)] = Field(description="the rate after each of them")

    @model_validator(mode="after")
    def _one_value_per_boundary(self) -> Piecewise:
        if len(self.boundaries) != len(self.values) or not self.boundaries:
            what = f"{len(self.boundaries)} boundaries and {len(self.values)} values"
            raise refusal(what, "give one value per boundary; before the first one the optimizer's learning_rate holds")
        if list(self.boundaries) != sorted(set(self.boundaries)):
            raise refusal("the boundaries do not rise", "write them in order, such as [50, 75]")
        return self

    def rate(self, learning_rate: float, step: Any, run: Length) -> Any:
        piece = np.searchsorted(self.boundaries, step // run.steps_per_epoch, side="right")
        return np.array([learning_rate, *self.values])[piece]

    def too_long(self, epochs: int) -> tuple[str, str] | None:
        if self.boundaries[-1] >= epochs:
            return "boundaries", f"the rate would change after epoch {self.boundaries[-1]}, the run has {epochs}"
        return super().too_long(epochs)


class Exponential(ScheduleComponent):
    """rate · decay_rate^(epoch / every), at every batch; with `staircase` only once per `every` epochs.

    Keras's ExponentialDecay with decay_steps = every · steps per epoch.
    """

    name: Literal["exponential"] = "exponential"
    decay_rate: Positive = Field(0.96, description="what the rate is multiplied by in `every` epochs")
    every: Positive = Field(1.0, description="epochs in which it decays by decay_rate")
    staircase: Flag = Field(False, description="decay in steps instead of continuously")

    def rate(self, learning_rate: float, step: Any, run: Length) -> Any:
        passed = step / (self.every * run.steps_per_epoch)
        return learning_rate * self.decay_rate ** (np.floor(passed) if self.staircase else passed)


class Plateau(ScheduleComponent):
    """Multiply the rate by `factor` when the validation cross-entropy has not improved for `patience` epochs.

    Keras's ReduceLROnPlateau, with its defaults, on the clean validation cross-entropy, which holds no penalty.
    """

    name: Literal["plateau"] = "plateau"
    factor: Annotated[Finite, Field(gt=0, lt=1)] = Field(0.1, description="what the rate is multiplied by")
    patience: Count = Field(10, description="epochs without an improvement")
    min_delta: NonNegative = Field(1e-4, description="what counts as an improvement")
    cooldown: Annotated[int, Field(strict=True, ge=0)] = Field(
        0, description="epochs after a drop in which none is counted"
    )
    min_rate: NonNegative = Field(0.0, description="never below this rate")

    def rate(self, learning_rate: float, step: Any, run: Length) -> Any:
        return np.full(len(step), learning_rate)

    def scale(self, losses: Sequence[float], learning_rate: float) -> float:
        scale, best, waited, cooling = 1.0, float("inf"), 0, 0
        for loss in losses:
            cooling, waited = max(0, cooling - 1), 0 if cooling else waited
            if loss < best - self.min_delta:
                best, waited = loss, 0
            elif not cooling:
                waited += 1
                if waited >= self.patience:
                    scale = min(scale, max(scale * self.factor, self.min_rate / learning_rate))
                    waited, cooling = 0, self.cooldown
        return scale

    def too_long(self, epochs: int) -> tuple[str, str] | None:
        if self.patience >= epochs:
            return "patience", f"it waits {self.patience} epochs before it lowers the rate, the run has {epochs}"
        return super().too_long(epochs)
