"""What the images of a part look like: hashes to find them again, light and contrast to compare parts by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from improve.images import Images
from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Census:
    """Of one part, per image and in its order: `hash` (n,; uint64, of the pixels), `brightness` and `contrast` (n,;
    float32: mean and standard deviation of the pixels as they come); `counts` per class; `digest` of it all: equal
    digests, same examples in the same order."""

    hash: NDArray[Any]
    brightness: NDArray[Any]
    contrast: NDArray[Any]
    counts: list[int]
    digest: str

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"hash": self.hash, "brightness": self.brightness, "contrast": self.contrast}

    def summary(self) -> dict[str, Any]:
        """For evidence/start.json."""
        light, contrast = self.brightness, self.contrast
        return {
            "n": len(self.hash),
            "classes": self.counts,
            "brightness": [float(light.mean()), float(light.std())],
            "contrast": [float(contrast.mean()), float(contrast.std())],
        }


def hashes(images: Images) -> NDArray[Any]:
    """One number (n,; uint64) per image, of its pixels."""
    prints = [print_of(image) for chunk in map(np.ascontiguousarray, images.chunks()) for image in chunk]
    return np.frombuffer(b"".join(prints), np.uint64)


def print_of(image: NDArray[Any]) -> bytes:
    return hashlib.blake2b(image.data, digest_size=8).digest()


def census(images: Images, labels: NDArray[Any], classes: int) -> Census:
    """One pass over the images."""
    hashed = hashlib.sha256(str((images.shape, images.dtype)).encode())
    prints: list[bytes] = []
    light, contrast = [], []
    for chunk in map(np.ascontiguousarray, images.chunks()):
        hashed.update(chunk.data)
        prints += map(print_of, chunk)
        flat = chunk.reshape(len(chunk), -1).astype(np.float32)
        light.append(flat.mean(axis=1))
        contrast.append(flat.std(axis=1))
    hashed.update(np.ascontiguousarray(labels).data)
    return Census(
        np.frombuffer(b"".join(prints), np.uint64),
        np.concatenate(light),
        np.concatenate(contrast),
        np.bincount(labels, minlength=classes).tolist(),
        hashed.hexdigest(),
    )


def duplicates(parts: dict[str, Census]) -> dict[str, int]:
    """How many images of one part are also in an earlier one, pixel for pixel: {"validation in train": 3}."""
    found = {}
    for (first, one), (second, other) in combinations(parts.items(), 2):
        found[f"{second} in {first}"] = int(np.isin(other.hash, one.hash).sum())
    return {pair: count for pair, count in found.items() if count}
