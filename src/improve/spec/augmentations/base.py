"""What all augmentations share: they change training batches only, never what is evaluated or exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from pydantic import BeforeValidator, Field, WithJsonSchema

from improve.spec.component import Component, refusal

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray


class Batch(NamedTuple):
    """Images (n, height, width, channels; uint8 or float32) and labels (n, classes; shares that add up to 1)."""

    images: NDArray[Any]
    labels: NDArray[Any]


class Pixels(NamedTuple):
    """What pixel values mean: black and white, and what the normalisation divides by."""

    low: float
    high: float
    divide: Any


class AugmentationComponent(Component):
    """A part gives either `matrices` (geometry) or `apply` (anything else)."""

    shelf = "augmentations"
    geometric: ClassVar[bool] = False
    after_normalization: ClassVar[bool] = False
    mixes: ClassVar[bool] = False  # whether labels change with the images

    def apply(self, batch: Batch, random: Generator, pixels: Pixels) -> Batch:
        """A new batch from an old one."""
        raise NotImplementedError

    def matrices(self, count: int, height: int, width: int, random: Generator) -> NDArray[Any]:
        """One 3×3 map per image from output to input pixels (x right, y down, origin in the image's centre)."""
        raise NotImplementedError


def _around_one(value: Any) -> tuple[float, float]:
    """0.2 means from 0.8 to 1.2."""
    low_high = (1 - value, 1 + value) if isinstance(value, int | float) else value
    numbers = [number for number in low_high if _is_number(number)] if isinstance(low_high, list | tuple) else []
    if isinstance(value, bool) or len(numbers) != 2 or not 0 < numbers[0] <= numbers[1] < float("inf"):
        raise refusal(f"{value!r} is no range of factors", "write 0.2, or [0.8, 1.2] for the same")
    return (float(numbers[0]), float(numbers[1]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


#: a range of factors: [0.8, 1.2], or 0.2 for the same
Factors = Annotated[
    tuple[float, float],
    Field(strict=False),
    BeforeValidator(_around_one),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
                {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}, "minItems": 2, "maxItems": 2},
            ]
        }
    ),
]
