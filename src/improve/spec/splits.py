"""How a source is divided: the `data.split` value, the sizes of the parts, and which example goes where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import PlainValidator, WithJsonSchema, model_serializer, model_validator

from improve.lazy import np
from improve.randomness import keyed
from improve.spec.component import Section, fraction, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
        raise refuse("a split is a text such as 60/20/20, or {validation: …} and nothing else", FORM_FIX)

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
        raise refuse(f"{text!r} is not a split", FORM_FIX)
    if min(shares) < 0 or not all(share < float("inf") for share in shares):
        raise refuse(f"{text} has a share below 0 or without end", SUM_FIX)
    if abs(sum(shares) - 100) > 1e-6:
        raise refuse(f"{text} adds up to {sum(shares):g} %", SUM_FIX)
    return (*shares, 0.0)[:3]


def _portion(value: Any) -> float | int:
    amount = _amount(value, "validation is", "write 10% or 5000")
    if isinstance(amount, float) and not 0 < amount < 1:
        raise refuse(f"a validation share of {amount:g} leaves nothing for one of the parts", "write 10% or 5000")
    return amount


def _train_size(value: Any) -> float | int:
    amount = _amount(value, f"{value!r} is", "write 500 or 25%")
    if isinstance(amount, float) and not 0 < amount <= 1:
        raise refuse(f"{value} is neither a share up to 100 % nor a number of examples", "write 500 or 25%")
    return amount


def _amount(value: Any, subject: str, fix: str) -> float | int:
    """A count of examples as an int, a share of them as a float."""
    value = fraction(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse(f"{subject} neither a share nor a number of examples", fix)
    return value if isinstance(value, int) and value >= 1 else float(value)


#: a count (500) or a share (25%) of the training part
TrainSize = Annotated[Any, PlainValidator(_train_size), WithJsonSchema({"type": ["number", "string"]})]


class Counts(NamedTuple):
    """Examples in the sets that a source comes in."""

    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        return sum(self)

    def at_most(self, subset: int | None) -> Counts:
        """The counts of a subset that keeps their shares."""
        if subset is None or subset >= self.total:
            return self
        validation, test = (round(subset * count / self.total) for count in self[1:])
        return Counts(subset - validation - test, validation, test)


class Sizes(NamedTuple):
    """Examples per part."""

    train: int
    validation: int
    test: int
    train_dev: int

    @property
    def total(self) -> int:
        return sum(self)


def sizes(split: Split, have: Counts, subset: int | None, train_dev: float, joining: float = 0.0) -> Sizes:
    """The sizes that `split` gives on a source that has so many examples; parts can come out empty. `joining`: the
    share of the validation set that joins the training set."""
    have = have.at_most(subset)
    if split.shares is not None:
        validation_size, test_size = (round(have.total * share / 100) for share in split.shares[1:])
    else:
        pool, test_size = have.train + have.validation, have.test
        validation_size = have.validation if split.validation is None else _of(split.validation, pool)
    validation_size -= round(validation_size * joining)
    train_size = have.total - validation_size - test_size
    held_out = round(train_size * train_dev)
    return Sizes(train_size - held_out, validation_size, test_size, held_out)


def _of(portion: float | int, count: int) -> int:
    return portion if isinstance(portion, int) else round(count * portion)


def taken(train_size: float | int | None, count: int) -> int:
    """How many of the training part's `count` examples are used."""
    return count if train_size is None else min(count, _of(train_size, count))


def target_sizes(split: Split, have: Counts, train: float) -> Sizes:
    """How a target's examples are divided: `train` of them join the training set, the rest validates and tests, in the
    ratio of the split's shares; or its own sets stay what they are."""
    if split.shares is not None:
        joining = round(have.total * train)
        validation = round((have.total - joining) * split.shares[1] / (split.shares[1] + split.shares[2] or 1))
        return Sizes(joining, validation, have.total - joining - validation if split.shares[2] else 0, 0)
    pool = have.train if split.validation is None else have.train + have.validation
    validation = have.validation if split.validation is None else _of(split.validation, pool)
    rest = pool if split.validation is None else pool - validation
    return Sizes(round(rest * train), validation, have.test, 0)


def stratified(labels: NDArray[Any], seed: int, *where: int) -> NDArray[Any]:
    """An order of all examples in which every stretch holds the classes in their shares, to within one example.

    Each class is shuffled and spread evenly over [0, 1]; sorting by that position interleaves the classes. So any
    cut of this order is a stratified part, and a smaller subset is contained in a larger one.
    """
    random = keyed(seed, "split", *where)
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        position[random.permutation(members)] = (np.arange(len(members)) + random.random()) / len(members)
    return np.argsort(position, kind="stable")
