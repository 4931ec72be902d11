"""Geometry: maps of the plane, composed into one per image, so that pixels are interpolated once.

The maps go from output to input pixels, with Keras's legacy ImageDataGenerator as the reference: the same draws give
the same images, where that class is right (tests). Edge pixels fill what lies outside (its fill_mode "nearest").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from improve.lazy import np
from improve.spec.augmentations.base import AugmentationComponent, Factors
from improve.spec.component import Fraction

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

# Pixels: what is in the works then fits into a core's cache, and its arrays stay under the 128 KB from which on glibc
# maps and unmaps each one (TensorFlow's generators switch its growing threshold off). Half the time.
AT_ONCE = 1 << 13
Degrees = Annotated[float, Field(strict=True, ge=0, le=180)]


def linear(a: Any, b: Any, c: Any, d: Any) -> NDArray[Any]:
    """Maps x, y → (a x + b y, c x + d y), one per entry of the longest argument."""
    a, b, c, d = np.broadcast_arrays(a, b, c, d)
    maps = np.tile(np.eye(3), (len(a), 1, 1))
    maps[:, 0, 0], maps[:, 0, 1], maps[:, 1, 0], maps[:, 1, 1] = a, b, c, d
    return maps


def rotation(degrees: NDArray[Any]) -> NDArray[Any]:
    turn = np.deg2rad(degrees)
    return linear(np.cos(turn), -np.sin(turn), np.sin(turn), np.cos(turn))


def translation(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    maps = np.tile(np.eye(3), (len(x), 1, 1))
    maps[:, 0, 2], maps[:, 1, 2] = x, y
    return maps


def shearing(degrees: NDArray[Any]) -> NDArray[Any]:
    """The map of a shear by `degrees`, as the reference has it: not a pure one, the y axis shrinks by the cosine as
    well."""
    turn = np.deg2rad(degrees)
    return linear(1.0, -np.sin(turn), 0.0, np.cos(turn))


def zooming(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    return linear(x, 0.0, 0.0, y)


class Flip(AugmentationComponent):
    """Mirror half of the images; `both` tosses one coin per axis.

    Keras's RandomFlip tosses one coin for both axes: it only ever turns an image by 180 degrees.
    """

    name: Literal["flip"] = "flip"
    geometric = True
    direction: Literal["horizontal", "vertical", "both"] = Field("horizontal", description="which way to mirror")

    def matrices(self, count: int, height: int, width: int, random: Generator) -> NDArray[Any]:
        signs = [
            np.where(random.random(count) < 0.5, -1.0, 1.0) if self.direction in (name, "both") else np.ones(count)
            for name in ("horizontal", "vertical")
        ]
        return zooming(*signs)


class Shift(AugmentationComponent):
    """Move the image by up to a share of its size each way.

    In Keras's ImageDataGenerator since 2.9, width_shift_range moves up and down and height_shift_range sideways, a bug;
    here width is sideways.
    """

    name: Literal["shift"] = "shift"
    geometric = True
    width: Fraction = Field(0.1, description="largest move left or right, as a share of the width")
    height: Fraction = Field(0.1, description="largest move up or down, as a share of the height")

    def matrices(self, count: int, height: int, width: int, random: Generator) -> NDArray[Any]:
        move = random.uniform(-1, 1, (2, count))
        return translation(move[0] * self.width * width, move[1] * self.height * height)


class Rotate(AugmentationComponent):
    """Turn the image about its centre by up to so many degrees each way."""

    name: Literal["rotate"] = "rotate"
    geometric = True
    degrees: Degrees = Field(20.0, description="largest turn either way")

    def matrices(self, count: int, height: int, width: int, random: Generator) -> NDArray[Any]:
        return rotation(random.uniform(-self.degrees, self.degrees, count))


class Shear(AugmentationComponent):
    """Slant the image by up to so many degrees each way, as ImageDataGenerator does.

    Degrees, not a share: the 0.3 of many tutorials is a third of a degree, which does nothing. (Before Keras 2.1.3 it
    was radians.)
    """

    name: Literal["shear"] = "shear"
    geometric = True
    degrees: Degrees = Field(10.0, description="largest slant either way")

    def matrices(self, count: int, height: int, width: int, random: Generator) -> NDArray[Any]:
        return shearing(random.uniform(-self.degrees, self.degrees, count))


class Zoom(AugmentationComponent):
    """Zoom in and out, each axis by a factor of its own, as ImageDataGenerator's zoom_range; above 1 it shows more.

    `scale` keeps the proportions.
    """

    name: Literal["zoom"] = "zoom"
    geometric = True
    range: Factors = Field((0.85, 1.15), description="factors from … to, or 0.15 for 1 ± 0.15")

    def matrices(self, count: int, height: int, width: int, random: Generator) -> NDArray[Any]:
        return zooming(*random.uniform(*self.range, (2, count)))


class Scale(AugmentationComponent):
    """Make what is seen larger or smaller, with its proportions; above 1 it grows."""

    name: Literal["scale"] = "scale"
    geometric = True
    range: Factors = Field((0.8, 1.2), description="factors from … to, or 0.2 for 1 ± 0.2")

    def matrices(self, count: int, height: int, width: int, random: Generator) -> NDArray[Any]:
        factor = 1 / random.uniform(*self.range, count)
        return zooming(factor, factor)


def warp(images: NDArray[Any], maps: NDArray[Any]) -> Any:
    """Sample `images` where `maps` (n, 3, 3; output to input, about the centre) point: bilinear, edges repeated."""
    if (np.abs(maps) == np.eye(3)).all():
        return mirrored(images, maps)
    found = np.empty(images.shape, np.float32)
    some = max(1, AT_ONCE // (images.shape[1] * images.shape[2]))
    for start in range(0, len(images), some):
        found[start : start + some] = interpolated(images[start : start + some], maps[start : start + some])
    return found


def interpolated(images: NDArray[Any], maps: NDArray[Any]) -> Any:
    count, height, width, channels = images.shape
    flat = images.reshape(count * height * width, channels)
    x, y = sources(maps, height, width)
    left, top = x.astype(np.int32), y.astype(np.int32)
    corner = (np.arange(count, dtype=np.int32) * (height * width))[:, None] + top * width + left
    # weights of one number per value: broadcasting over a last axis of three takes NumPy six times as long
    across, down = (np.repeat(place - np.floor(place), channels, axis=1) for place in (x, y))
    # a step right or down is nowhere at the far edges, where its weight is 0
    right, below = (left < width - 1).astype(np.int32), (top < height - 1) * np.int32(width)

    def between(where: NDArray[Any]) -> Any:
        """The values at `where`, on their way to their right-hand neighbours."""
        first, second = (flat.take(at, axis=0).reshape(count, -1).astype(np.float32) for at in (where, where + right))
        second -= first
        second *= across
        first += second
        return first

    upper, lower = between(corner), between(corner + below)
    lower -= upper
    lower *= down
    upper += lower
    return upper.reshape(images.shape)


def sources(maps: NDArray[Any], height: int, width: int) -> Any:
    """Where each output pixel (n, height · width) is read: x and y, inside the image, float32."""
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    y, x = np.mgrid[:height, :width].reshape(2, 1, -1)
    grid = np.concatenate([x - centre[0], y - centre[1], np.ones_like(x)]).astype(np.float32)
    lines = maps[:, :2].copy()
    lines[:, :, 2] += centre
    found = np.moveaxis(lines.astype(np.float32) @ grid, 1, 0)
    return found.clip(0, np.array([width - 1, height - 1], np.float32)[:, None, None])


def mirrored(images: NDArray[Any], maps: NDArray[Any]) -> NDArray[Any]:
    """What maps that only mirror make of `images`: exact, and of the same type."""
    for axis, row in ((2, 0), (1, 1)):
        turned = maps[:, row, row] < 0
        if turned.any():
            images = np.where(turned[:, None, None, None], np.flip(images, axis), images)
    return images
