"""What all schedules share.

`step` counts batches from 0, as Keras's schedules do. A run's rates are computed once, for every step, and the compiled
training step looks its rate up: what the preview draws is what the optimizer gets, and a resumed run goes on exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from improve.lazy import keras, np
from improve.spec.component import Component, NonNegative

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Length(NamedTuple):
    """How long a run is."""

    steps_per_epoch: int
    epochs: int

    @property
    def steps(self) -> int:
        return self.steps_per_epoch * self.epochs


class ScheduleComponent(Component):
    """What all schedules share."""

    shelf = "schedules"
    warmup: NonNegative = Field(0.0, description="epochs in which the rate rises evenly to what the schedule says")

    def rate(self, learning_rate: float, step: Any, run: Length) -> Any:
        """The rates of the batches number `step` (an array), from the optimizer's `learning_rate`, without warmup."""
        raise NotImplementedError

    def scale(self, losses: Sequence[float], learning_rate: float) -> float:
        """What the rate is multiplied by after epochs with these validation cross-entropies; 1 for most schedules."""
        return 1.0

    def cycle_ends(self, epochs: int) -> list[int]:
        """The whole epochs after which, in a run of `epochs`, it is about to start afresh or at its end; most never."""
        return []

    def too_long(self, epochs: int) -> tuple[str, str] | None:
        """The option that does nothing in a run of `epochs`, and why."""
        if self.warmup >= epochs:
            return "warmup", f"the warmup takes {self.warmup:g} epochs, the run has {epochs}"
        return None

    def rates(self, learning_rate: float, run: Length) -> NDArray[Any]:
        """The rate of every batch of the run, warmup included."""
        step = np.arange(run.steps)
        ramp = max(1, round(self.warmup * run.steps_per_epoch))
        return np.asarray(self.rate(learning_rate, step, run) * np.minimum(1.0, (step + 1) / ramp))

    def build(self, learning_rate: float, run: Length, first_step: int = 0) -> Any:
        """A Keras LearningRateSchedule that begins with `first_step`; after the end it keeps the last rate."""
        part, table = self, self.rates(learning_rate, run).astype(np.float32)

        class Scheduled(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
            def __call__(self, step: Any) -> Any:
                place = keras.ops.cast(step, "int32") - first_step
                return keras.ops.take(table, keras.ops.minimum(place, len(table) - 1))

            def get_config(self) -> dict[str, Any]:
                return {**part.model_dump(), "learning_rate": learning_rate, **run._asdict()}

        return Scheduled()
