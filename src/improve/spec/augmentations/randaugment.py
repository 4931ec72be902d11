"""RandAugment, on Pillow: the library whose operations the paper used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from improve.lazy import np
from improve.spec.augmentations.base import AugmentationComponent, Batch, Pixels
from improve.spec.component import Count, Finite

if TYPE_CHECKING:
    from numpy.random import Generator
    from PIL.Image import Image

OPERATIONS = (
    "identity", "autocontrast", "equalize", "rotate", "posterize", "solarize", "color", "contrast", "brightness",
    "sharpness", "shear_x", "shear_y", "translate_x", "translate_y",
)  # fmt: skip
GREY = 128  # what fills the corners, as in the paper's code


class RandAugment(AugmentationComponent):
    """So many operations per image, drawn from fourteen, all at one strength (Cubuk et al., 2020).

    Rotate, shear, shift, posterize, solarize, equalize, colour, contrast, brightness, sharpness …: a strong all-round
    choice with two knobs. Works on 8-bit values.
    """

    name: Literal["randaugment"] = "randaugment"
    operations: Count = Field(2, description="per image: N of the paper")
    magnitude: Annotated[Finite, Field(ge=0, le=10)] = Field(9.0, description="strength from 0 to 10: M of the paper")

    def apply(self, batch: Batch, random: Generator, pixels: Pixels) -> Batch:
        from PIL import Image

        span = pixels.high - pixels.low
        eight_bit = np.rint((batch.images - pixels.low) * (255 / span)).clip(0, 255).astype(np.uint8)
        chosen = random.integers(len(OPERATIONS), size=(len(eight_bit), self.operations))
        signs = random.choice((-1.0, 1.0), size=chosen.shape)
        changed = []
        for array, places, ways in zip(eight_bit, chosen, signs, strict=True):
            image = Image.fromarray(array.squeeze(-1) if array.shape[-1] == 1 else array)
            for place, way in zip(places, ways, strict=True):
                image = operate(image, OPERATIONS[place], float(way) * self.magnitude / 10)
            changed.append(np.asarray(image).reshape(array.shape))
        images = np.stack(changed)
        return batch._replace(images=images if span == 255 else images * np.float32(span / 255) + pixels.low)


def operate(image: Image, operation: str, strength: float) -> Image:
    """One operation at a `strength` from −1 to 1; ranges as in the paper's code. Those without a direction take its
    absolute value."""
    from PIL import ImageEnhance, ImageOps

    amount = abs(strength)
    if operation in ("autocontrast", "equalize"):
        return ImageOps.autocontrast(image) if operation == "autocontrast" else ImageOps.equalize(image)
    if operation == "posterize":
        return ImageOps.posterize(image, 8 - round(4 * amount))  # 8 to 4 bits
    if operation == "solarize":
        return ImageOps.solarize(image, 256 - round(256 * amount))
    if operation in ("color", "contrast", "brightness", "sharpness"):
        return getattr(ImageEnhance, operation.capitalize())(image).enhance(1 + 0.9 * strength)  # type: ignore[no-any-return]
    return moved(image, operation, strength)


def moved(image: Image, operation: str, strength: float) -> Image:
    from PIL.Image import Resampling, Transform

    fill: Any = GREY if image.mode == "L" else (GREY, GREY, GREY)
    if operation == "rotate":
        return image.rotate(30 * strength, Resampling.BILINEAR, fillcolor=fill)
    coefficients = {
        "shear_x": (1, 0.3 * strength, 0, 0, 1, 0),
        "shear_y": (1, 0, 0, 0.3 * strength, 1, 0),
        "translate_x": (1, 0, 0.45 * strength * image.width, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, 0.45 * strength * image.height),
    }.get(operation)
    if coefficients is None:  # identity
        return image
    return image.transform(image.size, Transform.AFFINE, coefficients, Resampling.BILINEAR, fillcolor=fill)
