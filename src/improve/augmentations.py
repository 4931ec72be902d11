"""Shelf: augmentations. One class each; they change training batches only, never what is evaluated or exported.

Neighbouring geometric parts (a shift, a rotation …) are composed into one affine map per image, so that pixels are
interpolated once however many of them there are.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from improve.lazy import np
from improve.parts import Fraction, Part, named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray


class AugmentationPart(Part):
    """What all augmentations share. A part gives either `matrices` (geometry) or `apply` (anything else)."""

    shelf = "augmentations"
    geometric: ClassVar[bool] = False

    def apply(self, images: NDArray[Any], random: Generator) -> NDArray[Any]:
        """New images (n, height, width, channels) from old ones."""
        raise NotImplementedError

    def matrices(self, count: int, height: int, width: int, random: Generator) -> NDArray[Any]:
        """One 3×3 map per image from output to input pixels (x right, y down, origin in the image's centre)."""
        raise NotImplementedError


class Flip(AugmentationPart):
    """Mirror half of the images; `both` tosses one coin per axis."""

    name: Literal["flip"] = "flip"
    direction: Literal["horizontal", "vertical", "both"] = Field("horizontal", description="which way to mirror")

    def apply(self, images: NDArray[Any], random: Generator) -> NDArray[Any]:
        for axis, name in ((2, "horizontal"), (1, "vertical")):
            if self.direction in (name, "both"):
                coin = random.random(len(images)) < 0.5
                images = np.where(coin[:, None, None, None], np.flip(images, axis), images)
        return images


class Shift(AugmentationPart):
    """Move the image by up to a share of its size each way; edge pixels fill the gap."""

    name: Literal["shift"] = "shift"
    geometric = True
    width: Fraction = Field(0.1, description="largest move left or right, as a share of the width")
    height: Fraction = Field(0.1, description="largest move up or down, as a share of the height")

    def matrices(self, count: int, height: int, width: int, random: Generator) -> NDArray[Any]:
        move = random.uniform(-1, 1, (count, 2)) * (self.width * width, self.height * height)
        maps = np.tile(np.eye(3), (count, 1, 1))
        maps[:, :2, 2] = move
        return maps


AUGMENTATIONS = (Flip, Shift)
Augmentation = Annotated[Flip | Shift, Field(discriminator="name"), named("flip")]


def augment(parts: Sequence[AugmentationPart], images: NDArray[Any], random: Generator) -> NDArray[Any]:
    """The batch `images` (n, height, width, channels) after all `parts`, in order; float32 after any geometry."""
    for geometric, group in groupby(parts, key=lambda part: part.geometric):
        if geometric:
            count, height, width = images.shape[:3]
            maps: NDArray[Any] = np.eye(3)
            for part in group:
                maps = maps @ part.matrices(count, height, width, random)
            images = warp(images, maps)
        else:
            for part in group:
                images = part.apply(images, random)
    return images


def warp(images: NDArray[Any], maps: NDArray[Any]) -> Any:
    """Sample `images` where `maps` (n, 3, 3; output to input, about the centre) point: bilinear, edges repeated."""
    count, height, width, channels = images.shape
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    y, x = np.mgrid[:height, :width].reshape(2, 1, -1).astype(np.float32)
    maps = maps.astype(np.float32)[:, :, :, None]
    source_x = maps[:, 0, 0] * (x - centre_x) + maps[:, 0, 1] * (y - centre_y) + maps[:, 0, 2] + centre_x
    source_y = maps[:, 1, 0] * (x - centre_x) + maps[:, 1, 1] * (y - centre_y) + maps[:, 1, 2] + centre_y
    source_x, source_y = source_x.clip(0, width - 1), source_y.clip(0, height - 1)
    left, top = source_x.astype(np.int32), source_y.astype(np.int32)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    flat = images.reshape(count * height * width, channels)
    first = (np.arange(count, dtype=np.int32) * (height * width))[:, None]

    def pixels(row: NDArray[Any], column: NDArray[Any]) -> Any:
        return flat.take(first + row * width + column, axis=0).astype(np.float32)

    across, down = (source_x - left)[:, :, None], (source_y - top)[:, :, None]
    above = pixels(top, left) * (1 - across) + pixels(top, right) * across
    below = pixels(bottom, left) * (1 - across) + pixels(bottom, right) * across
    return (above * (1 - down) + below * down).reshape(images.shape)
