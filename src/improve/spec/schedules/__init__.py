"""Shelf: learning-rate schedules. One class each; `rate` is the formula, in NumPy's float64."""

from typing import Annotated

from pydantic import Field

from improve.spec.component import bare_name
from improve.spec.schedules.base import Length
from improve.spec.schedules.smooth import Cosine, Linear, OneCycle, Polynomial, WarmRestarts
from improve.spec.schedules.stepwise import Constant, Exponential, Piecewise, Plateau, Step, Time

__all__ = ["SCHEDULES", "Constant", "Length", "Schedule"]

SCHEDULES = (
    Constant, Time, Step, Piecewise, Exponential, Polynomial, Linear, Cosine, WarmRestarts, OneCycle, Plateau,
)  # fmt: skip
_Dropping = Constant | Time | Step | Piecewise | Exponential | Plateau
_Descending = Polynomial | Linear | Cosine | WarmRestarts | OneCycle
Schedule = Annotated[_Dropping | _Descending, Field(discriminator="name"), bare_name("constant")]
