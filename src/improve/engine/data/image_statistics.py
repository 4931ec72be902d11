"""What the images of a part look like: hashes to find them again, light, contrast, sharpness, colour to compare by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from improve.images.array import Images
from improve.lazy import np
from improve.runs.schema import LOOKS

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageStatistics:
    """Of one part, per image and in its order: `hash` (n,; uint64, of the pixels), `brightness` and `contrast` (n,;
    float32: mean and standard deviation of the pixels as they come), `sharpness` (n,; float32: how far neighbours
    differ, as a share of the contrast), `colour` (n,; float32: how far the first channel is above the last, 0 where
    there is one); `label` (n,; whole numbers); `counts` per class; `pixels`: what `Pixels` has seen; `digest` of it
    all: equal digests, same examples in the same order."""

    hash: NDArray[Any]
    label: NDArray[Any]
    brightness: NDArray[Any]
    contrast: NDArray[Any]
    sharpness: NDArray[Any]
    colour: NDArray[Any]
    counts: list[int]
    pixels: dict[str, float]
    digest: str

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"hash": self.hash, "label": self.label} | {look: getattr(self, look) for look in LOOKS}

    def summary(self) -> dict[str, Any]:
        """What evidence/start.json tells of the part: n, images per class, mean and standard deviation of each look."""
        looks = {name: values for name, values in self.arrays().items() if name in LOOKS}
        spreads = {name: [float(values.mean()), float(values.std())] for name, values in looks.items()}
        return {"n": len(self.hash), "classes": self.counts, "pixels": self.pixels, **spreads}


class Pixels:
    """The pixels of images that come in chunks: their ends, how many lie there, and whether all are whole numbers."""

    def __init__(self) -> None:
        self.low, self.high, self.whole = float("inf"), float("-inf"), True
        self.at_low = self.at_high = self.count = 0

    def see(self, images: NDArray[Any]) -> None:
        low, high = float(images.min()), float(images.max())
        if not low >= self.low:
            self.low, self.at_low = low, 0
        if not high <= self.high:
            self.high, self.at_high = high, 0
        self.at_low += int((images == self.low).sum())
        self.at_high += int((images == self.high).sum())
        self.count += images.size
        self.whole = self.whole and (images.dtype.kind in "iu" or bool((np.rint(images) == images).all()))

    def seen(self) -> dict[str, float]:
        """`low` and `high`; `at_low` and `at_high`: the shares of pixels there; `whole`: 1 where all are whole."""
        shares = {"at_low": self.at_low / self.count, "at_high": self.at_high / self.count}
        return {"low": self.low, "high": self.high, **shares, "whole": float(self.whole)}


def image_hashes(images: Images) -> NDArray[Any]:
    """One number (n,; uint64) per image, of its pixels."""
    prints = [print_of(image) for chunk in map(np.ascontiguousarray, images.chunks()) for image in chunk]
    return np.frombuffer(b"".join(prints), np.uint64)


def print_of(image: NDArray[Any]) -> bytes:
    return hashlib.blake2b(image.data, digest_size=8).digest()


def image_statistics(images: Images, labels: NDArray[Any], classes: int) -> ImageStatistics:
    """One pass over the images."""
    hashed = hashlib.sha256(str((images.shape, images.dtype)).encode())
    prints: list[bytes] = []
    looks: list[tuple[NDArray[Any], ...]] = []
    pixels = Pixels()
    for chunk in map(np.ascontiguousarray, images.chunks()):
        hashed.update(chunk.data)
        prints += map(print_of, chunk)
        pixels.see(chunk)
        looks.append(looks_of(chunk.astype(np.float32)))
    hashed.update(np.ascontiguousarray(labels).data)
    brightness, contrast, sharpness, colour = map(np.concatenate, zip(*looks, strict=True))
    counts = np.bincount(labels, minlength=classes).tolist()
    prints_of_all = np.frombuffer(b"".join(prints), np.uint64)
    small, seen, digest = labels.astype(np.min_scalar_type(max(classes - 1, 0))), pixels.seen(), hashed.hexdigest()
    return ImageStatistics(prints_of_all, small, brightness, contrast, sharpness, colour, counts, seen, digest)


def looks_of(images: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """The LOOKS of images (n, height, width, channels; float32), each (n,)."""
    flat = images.reshape(len(images), -1)
    contrast = flat.std(axis=1)
    steps = [np.abs(np.diff(images, axis=axis)).reshape(len(images), -1) for axis in (1, 2) if images.shape[axis] > 1]
    sharpness = sum((step.mean(axis=1) for step in steps), np.zeros(len(images), np.float32)) / max(1, len(steps))
    colour = (images[..., 0] - images[..., -1]).mean(axis=(1, 2))
    return flat.mean(axis=1), contrast, sharpness / np.maximum(contrast, np.float32(1e-6)), colour


def duplicate_counts(parts: dict[str, ImageStatistics]) -> dict[str, int]:
    """How many images of one part are also in an earlier one, pixel for pixel: {"validation in train": 3}."""
    found = {}
    for (first, one), (second, other) in combinations(parts.items(), 2):
        found[f"{second} in {first}"] = int(np.isin(other.hash, one.hash).sum())
    return {pair: count for pair, count in found.items() if count}
