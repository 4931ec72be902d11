"""Schedules that go down along a curve over a given stretch of the run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from improve.lazy import np
from improve.spec.component import Count, Finite, Fraction, NonNegative, Positive, ProperFraction
from improve.spec.schedules.base import Length, ScheduleComponent

MOST_EPOCHS = 10**6  # in which the ends of cycles are looked for


class Descent(ScheduleComponent):
    """What schedules share that go down over a stretch of epochs."""

    epochs: Count | None = Field(None, description="length of the descent; the whole run unless given")

    def passed(self, step: Any, run: Length) -> Any:
        """The share of the descent that lies behind at each batch, from 0 to 1."""
        return np.minimum(1.0, step / ((self.epochs or run.epochs) * run.steps_per_epoch))

    def too_long(self, epochs: int) -> tuple[str, str] | None:
        if self.epochs is not None and self.epochs > epochs:
            return "epochs", f"the descent takes {self.epochs} epochs, the run has {epochs}"
        return super().too_long(epochs)


class Polynomial(Descent):
    """end + (rate − end) · (1 − epoch / epochs)^power, per epoch as in the book, or per step.

    Per epoch the last epoch still runs at rate / epochs^power. Keras's PolynomialDecay is the one per step; its `end`
    is 0.0001 unless told otherwise, the book's 0.
    """

    name: Literal["polynomial"] = "polynomial"
    power: Positive = Field(1.0, description="1 is a straight line")
    end: NonNegative = Field(0.0, description="the rate it goes down to")
    per: Literal["epoch", "step"] = Field("epoch", description="how often the rate changes")

    def rate(self, learning_rate: float, step: Any, run: Length) -> Any:
        start = step - step % run.steps_per_epoch if self.per == "epoch" else step
        return self.end + (learning_rate - self.end) * (1 - self.passed(start, run)) ** self.power


class Linear(Descent):
    """end + (rate − end) · (1 − epoch / epochs), per epoch as in the book, or per step.

    The book's poly_decay with power 1, as in its MiniGoogLeNet experiments.
    """

    name: Literal["linear"] = "linear"
    end: NonNegative = Field(0.0, description="the rate it goes down to")
    per: Literal["epoch", "step"] = Field("epoch", description="how often the rate changes")

    def rate(self, learning_rate: float, step: Any, run: Length) -> Any:
        line = Polynomial(epochs=self.epochs, end=self.end, per=self.per)
        return line.rate(learning_rate, step, run)


class Cosine(Descent):
    """rate · (alpha + (1 − alpha) · ½(1 + cos(π · step / steps))), per step (Loshchilov & Hutter, 2017).

    Keras's CosineDecay.
    """

    name: Literal["cosine"] = "cosine"
    alpha: Fraction = Field(0.0, description="the share of the rate that is left at the end")

    def rate(self, learning_rate: float, step: Any, run: Length) -> Any:
        wave = (1 + np.cos(np.pi * self.passed(step, run))) / 2
        return learning_rate * (self.alpha + (1 - self.alpha) * wave)


class WarmRestarts(ScheduleComponent):
    """Cosine descents, each starting afresh (SGDR, Loshchilov & Hutter, 2017): Keras's CosineDecayRestarts.

    With t_mul 1 it is the schedule of snapshot ensembles (Huang et al., 2017).
    """

    name: Literal["warm_restarts"] = "warm_restarts"
    first_decay_epochs: Count = Field(10, description="length of the first descent")
    t_mul: Annotated[Finite, Field(ge=1)] = Field(2.0, description="each is so much longer")
    m_mul: Positive = Field(1.0, description="each starts from the rate times this, once more")
    alpha: Fraction = Field(0.0, description="the share of the rate that is left at the end of each")

    def rate(self, learning_rate: float, step: Any, run: Length) -> Any:
        first = self.first_decay_epochs * run.steps_per_epoch
        starts, length = [0.0], float(first)
        while starts[-1] + length < run.steps:
            starts.append(starts[-1] + length)
            length *= self.t_mul
        cycle = np.searchsorted(starts, step, side="right") - 1
        passed = (step - np.array(starts)[cycle]) / (first * self.t_mul**cycle)
        wave = self.m_mul**cycle * (1 + np.cos(np.pi * passed)) / 2
        return learning_rate * (self.alpha + (1 - self.alpha) * wave)

    def cycle_ends(self, epochs: int) -> list[int]:
        end, length, ends = 0.0, float(self.first_decay_epochs), []
        while (end := end + length) <= min(epochs, MOST_EPOCHS):
            length *= self.t_mul
            if end == int(end):  # another one ends within an epoch
                ends.append(int(end))
        return ends

    def too_long(self, epochs: int) -> tuple[str, str] | None:
        if self.first_decay_epochs >= epochs:
            return "first_decay_epochs", f"it would restart after epoch {self.first_decay_epochs}, the run has {epochs}"
        return super().too_long(epochs)


class OneCycle(ScheduleComponent):
    """Up from rate / div_factor to the rate, then down to rate / (div_factor · final_div_factor), in cosine arcs.

    Smith & Topin, 2018, in the form and with the words of PyTorch's OneCycleLR; the momentum stays as it is.
    """

    name: Literal["one_cycle"] = "one_cycle"
    pct_start: ProperFraction = Field(0.3, description="the share of the run in which the rate rises")
    div_factor: Positive = Field(25.0, description="it starts at the rate divided by this")
    final_div_factor: Positive = Field(1e4, description="it ends at its start divided by this")

    def rate(self, learning_rate: float, step: Any, run: Length) -> Any:
        start = learning_rate / self.div_factor
        top = max(self.pct_start * run.steps - 1, 0)
        rising = np.clip(step / max(top, 1e-9), 0, 1) if top else np.ones(len(step))
        falling = np.clip((step - top) / max(run.steps - 1 - top, 1), 0, 1)
        up = learning_rate + (start - learning_rate) / 2 * (1 + np.cos(np.pi * rising))
        end = start / self.final_div_factor
        down = end + (learning_rate - end) / 2 * (1 + np.cos(np.pi * falling))
        return np.where(step <= top, up, down)
