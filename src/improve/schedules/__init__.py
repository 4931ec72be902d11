"""Shelf: learning-rate schedules. One class each; `rate` is the formula, in NumPy's float64."""

from typing import Annotated

from pydantic import Field

from improve.parts import named
from improve.schedules.descents import Cosine, Linear, OneCycle, Polynomial, WarmRestarts
from improve.schedules.drops import Constant, Exponential, Piecewise, Plateau, Step, Time
from improve.schedules.part import Length

__all__ = ["SCHEDULES", "Constant", "Length", "Schedule"]

SCHEDULES = (
    Constant, Time, Step, Piecewise, Exponential, Polynomial, Linear, Cosine, WarmRestarts, OneCycle, Plateau,
)  # fmt: skip
_Dropping = Constant | Time | Step | Piecewise | Exponential | Plateau
_Descending = Polynomial | Linear | Cosine | WarmRestarts | OneCycle
Schedule = Annotated[_Dropping | _Descending, Field(discriminator="name"), named("constant")]
