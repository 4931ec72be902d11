"""The values of `data.split` and `data.train_size`: shares and numbers of examples."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema, model_serializer, model_validator

from improve.spec.component import Section, fraction, refusal

SUM_FIX = "write shares that add up to 100, such as 60/20/20"
FORM_FIX = "write 60/20/20 (train/validation/test), 70/30 (train/validation), {validation: 10%} or own"


class Split(Section):
    """Either shares of all examples (60/20/20; two shares leave no test part), or {validation: 10% or 5000}: the
    source's own test set stays, and that much of its training set becomes the validation set; or own: the source's own
    training, validation and test set."""

    shares: tuple[float, float, float] | None = None
    validation: float | int | None = None

    @model_validator(mode="before")
    @classmethod
    def read(cls, value: Any) -> Any:
        if value == "own":
            return {}
        if isinstance(value, str):
            return {"shares": _shares(value)}
        if isinstance(value, dict) and set(value) == {"validation"}:
            return {"validation": _portion(value["validation"])}
        raise refusal("a split is a text such as 60/20/20, or {validation: …} and nothing else", FORM_FIX)

    @property
    def own(self) -> bool:
        return self.shares is None and self.validation is None

    @model_serializer
    def text(self) -> Any:
        if self.shares is None:
            return "own" if self.validation is None else {"validation": self.validation}
        train, validation, test = (repr(share).removesuffix(".0") for share in self.shares)
        return f"{train}/{validation}/{test}" if self.shares[2] else f"{train}/{validation}"


def _shares(text: str) -> tuple[float, ...]:
    try:
        shares = [float(share) for share in text.split("/")]
    except ValueError:
        shares = []
    if len(shares) not in (2, 3):
        raise refusal(f"{text!r} is not a split", FORM_FIX)
    if min(shares) < 0 or not all(share < float("inf") for share in shares):
        raise refusal(f"{text} has a share below 0 or without end", SUM_FIX)
    if abs(sum(shares) - 100) > 1e-6:
        raise refusal(f"{text} adds up to {sum(shares):g} %", SUM_FIX)
    return (*shares, 0.0)[:3]


def _portion(value: Any) -> float | int:
    amount = _amount(value, "validation is", "write 10% or 5000")
    if isinstance(amount, float) and not 0 < amount < 1:
        raise refusal(f"a validation share of {amount:g} leaves nothing for one of the parts", "write 10% or 5000")
    return amount


def _train_size(value: Any) -> float | int:
    amount = _amount(value, f"{value!r} is", "write 500 or 25%")
    if isinstance(amount, float) and not 0 < amount <= 1:
        raise refusal(f"{value} is neither a share up to 100 % nor a number of examples", "write 500 or 25%")
    return amount


def _amount(value: Any, subject: str, fix: str) -> float | int:
    """A count of examples as an int, a share of them as a float."""
    value = fraction(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refusal(f"{subject} neither a share nor a number of examples", fix)
    return value if isinstance(value, int) and value >= 1 else float(value)


#: a count (500) or a share (25%) of the training part
TrainSize = Annotated[Any, PlainValidator(_train_size), WithJsonSchema({"type": ["number", "string"]})]


def portion_of(portion: float | int, count: int) -> int:
    """How many of `count` examples a number (int) or a share (float) of them is."""
    return portion if isinstance(portion, int) else round(count * portion)
