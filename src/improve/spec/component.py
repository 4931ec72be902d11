"""What every shelf entry is made of: the base class and the types of its options.

A component is schema, defaults, help and construction in one place: its `name` is the key in the YAML, its fields are
the options, its docstring is what `improve explain` prints.
"""

from __future__ import annotations

import inspect
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A stretch of the spec: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)


class Component(Section):
    """An entry of a shelf. `name` is its key in the YAML."""

    name: str
    shelf: ClassVar[str] = ""

    @classmethod
    def key(cls) -> str:
        return str(cls.model_fields["name"].default)

    @classmethod
    def summary(cls) -> str:
        return (inspect.getdoc(cls) or "").splitlines()[0]

    def options(self) -> dict[str, Any]:
        """The options by name, without `name`."""
        return {field: getattr(self, field) for field in type(self).model_fields if field != "name"}


def bare_name(default: str) -> BeforeValidator:
    """Let a component be written by its bare name, and a mapping without `name` mean the `default` one."""

    def expand(value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and "name" not in value:
            return {"name": default, **value}
        return value

    return BeforeValidator(expand)


def refusal(what: str, fix: str = "") -> PydanticCustomError:
    """An error that carries its remedy to the reader."""
    return PydanticCustomError("improve", "{what}", {"what": what, "fix": fix})


def fraction(value: Any) -> Any:
    """A share as a number: "6%" becomes 0.06; what is no text stays as it is."""
    if not isinstance(value, str):
        return value
    digits = value.strip().removesuffix("%")
    try:
        number = float(digits)
    except ValueError:
        raise refusal(f"{value!r} is neither a fraction nor a percentage", "write 0.06 or 6%") from None
    return round(number / 100, 12) if value.strip().endswith("%") else number


_percentage: dict[str, Any] = {"type": "string", "pattern": r"^\s*[0-9.]+\s*%\s*$"}
_share: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}

Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=1)]
Finite = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Positive = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
#: a share from 0 to 1, or a percentage such as 6%
Fraction = Annotated[
    float,
    Strict(),
    Field(ge=0, le=1),
    BeforeValidator(fraction),
    WithJsonSchema({"anyOf": [_share, _percentage]}),
]
#: a share that must leave something: below 1
ProperFraction = Annotated[
    float,
    Strict(),
    Field(ge=0, lt=1),
    BeforeValidator(fraction),
    WithJsonSchema({"anyOf": [{**_share, "exclusiveMaximum": 1}, _percentage]}),
]
