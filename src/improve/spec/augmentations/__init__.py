"""Shelf: augmentations. One class each; they change training batches only, never what is evaluated or exported.

Neighbouring geometric components (a shift, a rotation …) are composed into one affine map per image, so that pixels are
interpolated once however many of them there are.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from improve.spec.augmentations.base import AugmentationComponent, Batch, Pixels
from improve.spec.augmentations.geometry import Flip, Rotate, Scale, Shear, Shift, Zoom, warp
from improve.spec.augmentations.mixing import CutMix, MixUp
from improve.spec.augmentations.pixels import Brightness, Contrast, Crop, Erasing, GaussianNoise
from improve.spec.augmentations.randaugment import RandAugment
from improve.spec.component import bare_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["AUGMENTATIONS", "Augmentation", "Batch", "Pixels", "augment"]

AUGMENTATIONS = (
    Flip, Shift, Rotate, Zoom, Scale, Shear, Crop, GaussianNoise, Brightness, Contrast, Erasing, MixUp, CutMix,
    RandAugment,
)  # fmt: skip
_Geometry = Flip | Shift | Rotate | Zoom | Scale | Shear
_Values = Crop | GaussianNoise | Brightness | Contrast | Erasing | MixUp | CutMix | RandAugment
Augmentation = Annotated[_Geometry | _Values, Field(discriminator="name"), bare_name("flip")]


def augment(parts: Sequence[AugmentationComponent], batch: Batch, random: Generator, pixels: Pixels) -> Batch:
    """The batch after all `parts`, in order, those for normalised values last; float32 after any interpolation."""
    ordered = sorted(parts, key=lambda part: part.after_normalization)
    for geometric, group in groupby(ordered, key=lambda part: part.geometric):
        if geometric:
            batch = batch._replace(images=warp(batch.images, composed(list(group), batch.images.shape, random)))
        else:
            for part in group:
                batch = part.apply(batch, random, pixels)
    return batch


def composed(parts: Sequence[AugmentationComponent], shape: Sequence[int], random: Generator) -> NDArray[Any]:
    """The maps (n, 3, 3) of all `parts`, one after the other, for images of `shape`."""
    count, height, width = shape[:3]
    first, *others = (part.matrices(count, height, width, random) for part in parts)
    for maps in others:
        first = first @ maps
    return first
