"""Where the steps of a run stand, also after its settings were changed on the way."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from improve.spec.schedules import Length
from improve.spec.spec import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOWS = 100  # of a run: one row about the kernels in each


@dataclass(frozen=True)
class Timeline:
    """Steps count batches from the beginning of the run. Since `epoch`, which began with `step`, an epoch has
    `steps_per_epoch` of them; the schedule began with `schedule_step`, after `schedule_epochs` epochs. Every `window`
    steps a row is written about the kernels."""

    steps_per_epoch: int
    window: int
    epoch: int = 0
    step: int = 0
    schedule_step: int = 0
    schedule_epochs: float = 0.0

    def first_step(self, epoch: int) -> int:
        """The step, counted from the run's beginning, with which an epoch starts; epochs count from 0."""
        return self.step + (epoch - self.epoch) * self.steps_per_epoch

    def length(self, spec: Spec) -> Length:
        """What is left for the schedule, in epochs (whole ones) from where it began."""
        return Length(self.steps_per_epoch, max(1, round(spec.training.epochs - self.schedule_epochs)))

    def rates(self, spec: Spec) -> NDArray[Any]:
        """The rate of every step of the schedule, before any plateau."""
        return spec.schedule.rates(spec.optimizer.learning_rate, self.length(spec))

    def rate_at(self, rates: NDArray[Any], step: int) -> float:
        """The learning rate of one step of the run; after the schedule's end its last rate stays."""
        return float(rates[min(step - self.schedule_step, len(rates) - 1)])

    def with_schedule_from(self, step: int, epochs: float) -> Timeline:
        """A schedule that is new begins where the change was made."""
        return replace(self, schedule_step=step, schedule_epochs=epochs)

    def with_steps_per_epoch(self, steps: int, epoch: int) -> Timeline:
        """Other steps per epoch from `epoch` on; the schedule goes on from the same place in its epochs."""
        step = self.first_step(epoch)
        done = (epoch - self.schedule_epochs) * steps
        return replace(
            self,
            steps_per_epoch=steps,
            window=min(self.window, steps),
            epoch=epoch,
            step=step,
            schedule_step=step - round(done),
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def timeline(spec: Spec, steps_per_epoch: int) -> Timeline:
    """The timeline of a run that begins."""
    return Timeline(steps_per_epoch, max(1, steps_per_epoch * spec.training.epochs // WINDOWS))
