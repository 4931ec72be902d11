"""Two worlds in which faults are put in: images, a sound spec, and the files that the runs read.

`digits` is the one to tune thresholds in; `fashion` has other images, another net and another optimizer, so that what
was tuned on the first can be scored on the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from variants import VARIANTS, Parts
from workplace import Workplace

from improve.spec.datasets.arrays import Digits
from improve.spec.datasets.known import FashionMnist
from improve.spec.partition import stratified

RUNS = Path(__file__).parent / "runs"
SEED = 0  # of the division and of everything that is put into the data


@dataclass(frozen=True, eq=False)
class World(Workplace):
    """`read` gives the three parts; `spec` is what every case edits; `net` builds its model in nets.py."""

    name: str
    read: Callable[[], Parts]
    sizes: tuple[int, int, int]
    spec: dict[str, Any]
    net: dict[str, Any]

    @property
    def base(self) -> dict[str, Any]:
        return self.spec

    @property
    def runs(self) -> Path:
        return RUNS / self.name

    def write(self, variants: Iterable[str]) -> None:
        """Put the data files of `variants` and nets.py into the work folder."""
        for name in sorted(set(variants)):
            self.put(name, VARIANTS[name](self.read(), np.random.default_rng(SEED)))


@lru_cache(maxsize=1)
def digits() -> Parts:
    """scikit-learn's digits: 1,000 training, 400 validation, 397 test images of 8×8×1, uint8."""
    source = Digits().load()
    order = stratified(source.labels, SEED)
    return cut(source.pools[0], source.labels, order[:1000], order[1000:1400], order[1400:])


@lru_cache(maxsize=1)
def fashion() -> Parts:
    """Fashion-MNIST averaged 2×2: 2,000 training, 1,000 validation, 2,000 test images of 14×14×1, uint8.

    The test images come from its test set.
    """
    source = FashionMnist().load()
    labels, ends = source.labels, np.cumsum(source.counts)
    mine, theirs = stratified(labels[: ends[0]], SEED), ends[1] + stratified(labels[ends[1] :], SEED, 1)
    chosen = np.concatenate([mine[:3000], theirs[:2000]])
    pools = np.concatenate(source.pools)[chosen]
    small = pools.reshape(len(chosen), 14, 2, 14, 2, 1).mean(axis=(2, 4))
    place = np.arange(len(chosen))
    return cut(np.rint(small).astype(np.uint8), labels[chosen], place[:2000], place[2000:3000], place[3000:])


def cut(images: Any, labels: Any, *rows: Any) -> Parts:
    parts = zip(("train", "validation", "test"), rows, strict=True)
    return {f"{letter}_{part}": kept[at] for part, at in parts for letter, kept in (("x", images), ("y", labels))}


def sound(model: dict[str, Any], optimizer: dict[str, Any], batch_size: int, epochs: int) -> dict[str, Any]:
    return {
        "data": {"split": "own", "normalize": "standardize"},
        "model": {"name": "cnn", **model},
        "optimizer": optimizer,
        "training": {"batch_size": batch_size, "epochs": epochs},
    }


SMALL = {"filters": [16, 32], "hidden": [32]}  # 8 and 16 filters are not done after 25 epochs
LARGER = {
    "filters": [16, 32], "hidden": [64], "kernel_size": 5, "pooling": "average", "initializer": "he_normal",
}  # fmt: skip
WORLDS = {
    "digits": World(
        "digits",
        digits,
        (1000, 400, 397),
        {
            **sound(SMALL, {"name": "adam", "learning_rate": 1e-3}, 32, 25),
            "diagnosis": {"human_error": 0.01},
        },
        SMALL,
    ),
    "fashion": World(
        "fashion",
        fashion,
        (2000, 1000, 2000),
        sound(LARGER, {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9}, 64, 15),
        LARGER,
    ),
}
