"""What evidence/start.json holds of a run: its data and its untrained network, looked at before the first step."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from improve.runs.schema import MOST, Finite, Number, Recorded, Share, Size, Some, given


class Kernel(Recorded):
    name: str
    shape: list[Size]
    scale: Number
    constant: bool
    trainable: bool


class Head(Recorded):
    """The outputs of the untrained network."""

    low: Number
    high: Number
    at_low: Number
    sum_low: Number
    sum_high: Number


Spread = Annotated[list[Number], Field(min_length=2, max_length=2)]  # mean and standard deviation


class PixelValues(Recorded):
    """The ends of the pixels of a part, the shares of them that lie there, and whether all are whole numbers (1)."""

    low: Number
    high: Number
    at_low: Share
    at_high: Share
    whole: Share


class PartStatistics(Recorded):
    """The images of one part, by class."""

    n: Size
    classes: list[Size]
    brightness: Spread
    contrast: Spread
    sharpness: Spread | None = None
    pixels: PixelValues | None = None


class Memorized(Recorded):
    """Whether a fresh copy learned a few images by heart; None: the time was over."""

    examples: Size
    memorized: bool | None = None


class OtherPart(Recorded):
    """n images of another part beside the training images: errors there of what was learned from the training images,
    with `new` on each by all others of the part, and of telling the two parts apart."""

    n: Some
    linear: Share | None = None
    neighbours: Share | None = None
    linear_new: Share | None = None
    neighbours_new: Share | None = None
    apart: Share


class Baselines(Recorded):
    """Errors of a linear model and of the nearest neighbours on n training images: on those it was fitted to, and, with
    `new`, on each by all others. Images, and misses, by class."""

    n: Some
    linear: Share
    linear_new: Share
    neighbours_new: Share
    classes: list[Size] | None = None
    linear_new_by_class: list[Size] | None = None
    neighbours_new_by_class: list[Size] | None = None
    others: dict[str, OtherPart] = {}

    @model_validator(mode="after")
    def _the_same_classes(self) -> Baselines:
        lists = (self.classes, self.linear_new_by_class, self.neighbours_new_by_class)
        if len({len(each or ()) for each in lists}) > 1:
            raise ValueError("the lists by class differ in length")
        return self


class RateProbe(Recorded):
    """A short range test: rates as multiples of the highest of the run, and the loss before each step with them."""

    factors: list[Finite]
    losses: list[Number]

    @model_validator(mode="after")
    def _one_loss_for_each(self) -> RateProbe:
        if len(self.factors) != len(self.losses):
            raise ValueError("factors and losses differ in their number")
        return self


class Start(Recorded):
    """evidence/start.json."""

    classes: Annotated[int, Field(ge=2, le=MOST)] | None = None
    parts: dict[str, PartStatistics] = {}
    initial_cross_entropy: Number = None
    head: Annotated[Head | None, AfterValidator(given)] = None
    kernels: list[Kernel] = []
    skips: bool = False
    normalizations: Size = 0
    batch_normalizations: Size = 0
    dropout: list[Number] = []
    activations: list[str] = []
    operations: list[str] = []
    input: dict[str, Number] = {}
    memorized: Memorized | None = None
    baselines: Baselines | None = None
    rate_probe: RateProbe | None = None
    noise: Number = None

    @model_validator(mode="after")
    def _same_classes_everywhere(self) -> Start:
        if len({len(part.classes) for part in self.parts.values()}) > 1:
            raise ValueError("parts differ in their number of classes")
        if any(not part.n and any(part.classes) for part in self.parts.values()):
            raise ValueError("a part without images has some in its classes")
        return self
