"""Spec → Data: load, divide, fit the normalisation on the training part. NumPy only; images stay as they came."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from improve.datasets import Source
from improve.lazy import np
from improve.normalizations import Statistics
from improve.spec import Spec
from improve.splits import Sizes, stratified

if TYPE_CHECKING:
    from numpy.typing import NDArray


ARRAYS = ("images", "labels", "ids")


@dataclass(frozen=True)
class Examples:
    """Images (n, height, width, channels; uint8 or float32), labels (n,), and ids: positions in the source, the test
    set's after the training set's."""

    images: NDArray[Any]
    labels: NDArray[Any]
    ids: NDArray[Any]

    def __len__(self) -> int:
        return len(self.labels)

    def head(self, count: int) -> Examples:
        return Examples(self.images[:count], self.labels[:count], self.ids[:count])


@dataclass(frozen=True)
class Data:
    """The parts by name (train, validation, and train_dev and test where there are any), and what is known of
    them; `available` examples are in the source, `fingerprint` and `duplicates` are by part."""

    parts: dict[str, Examples]
    normalization: Statistics
    class_names: tuple[str, ...]
    found: str
    available: int
    fingerprint: dict[str, str]
    duplicates: dict[str, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width, channels = self.parts["train"].images.shape[1:]
        return height, width, channels

    @property
    def train_sample(self) -> Examples:
        """The fixed part of the training set that the clean training error is measured on: as large as validation.

        The training part is in stratified order, so its head is a stratified sample.
        """
        return self.parts["train"].head(len(self.parts["validation"]))

    @property
    def measured(self) -> dict[str, Examples]:
        """What is measured after every epoch: the test part stays sealed until the end."""
        names = [name for name in ("validation", "train_dev") if name in self.parts]
        return {"train": self.train_sample} | {name: self.parts[name] for name in names}


def prepare(spec: Spec) -> Data:
    """Load the source and divide it. Raises UsageError where the data cannot be had or make no sense."""
    source = spec.data.source.load()
    count = spec.data.sizes(len(source.y_train), len(source.y_test))
    parts = {name: part for name, part in divide(source, count, spec.seed).items() if len(part)}
    return Data(
        parts,
        spec.data.normalize.fit(parts["train"].images),
        source.class_names,
        source.found,
        len(source.y_train) + len(source.y_test),
        {name: digest(part) for name, part in parts.items()},
        duplicates(parts),
    )


def divide(source: Source, count: Sizes, seed: int) -> dict[str, Examples]:
    """Cut stratified orders into parts. Validation comes first, so it stays the same while a subset grows."""
    pool = Examples(source.x_train, source.y_train, np.arange(len(source.y_train)))
    rest = Examples(source.x_test, source.y_test, len(pool) + np.arange(len(source.y_test)))
    if count.pooled and len(rest):
        pool = Examples(*(np.concatenate([getattr(pool, name), getattr(rest, name)]) for name in ARRAYS))
    order = stratified(pool.labels, seed)
    if count.pooled:
        validation, test, train_dev, train = cut(order, count.validation, count.test, count.train_dev, count.train)
        test_part = take(pool, test)
    else:
        validation, train_dev, train = cut(order, count.validation, count.train_dev, count.train)
        test_part = take(rest, stratified(rest.labels, seed, 1)[: count.test])
    return {
        "train": take(pool, train),
        "validation": take(pool, validation),
        "train_dev": take(pool, train_dev),
        "test": test_part,
    }


def cut(order: NDArray[Any], *lengths: int) -> list[NDArray[Any]]:
    ends = np.cumsum(lengths)
    return [order[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def take(pool: Examples, where: NDArray[Any]) -> Examples:
    return Examples(pool.images[where], pool.labels[where], pool.ids[where])


def digest(part: Examples) -> str:
    """One hash of a part's images and labels, in order: equal digests, same examples."""
    hashed = hashlib.sha256(str((part.images.shape, part.images.dtype)).encode())
    for array in (part.images, part.labels):
        hashed.update(np.ascontiguousarray(array).data)
    return hashed.hexdigest()


def duplicates(parts: dict[str, Examples]) -> dict[str, int]:
    """How many images of one part are also in another, pixel for pixel: {"validation in train": 3}."""
    hashes = {name: [hashlib.blake2b(image.tobytes(), digest_size=12).digest() for image in part.images]
              for name, part in parts.items()}  # fmt: skip
    found = {}
    for first, second in combinations(("train", "train_dev", "validation", "test"), 2):
        if first in hashes and second in hashes:
            known = set(hashes[first])
            found[f"{second} in {first}"] = sum(image in known for image in hashes[second])
    return {pair: count for pair, count in found.items() if count}
