"""What is put into the data: functions from the sound parts to faulty ones.

Parts are {x_train, y_train, x_validation, …}: images (n, height, width, 1) in uint8, labels (n,) from 0 to 9.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.random import Generator
from workplace import Parts

CLASSES = 10

Variant = Callable[[Parts, Generator], Parts]


def plain(parts: Parts, random: Generator) -> Parts:
    return parts


def fewer(parts: Parts, random: Generator, part: str, count: int) -> Parts:
    """The parts come in stratified order, so a head of one is a stratified sample."""
    return parts | {f"{letter}_{part}": parts[f"{letter}_{part}"][:count] for letter in "xy"}


def mislabelled(parts: Parts, random: Generator, share: float, where: tuple[str, ...] = ("train",)) -> Parts:
    """`share` of the labels become another class, each as likely."""
    return parts | {f"y_{part}": wrong(parts[f"y_{part}"], random, share, CLASSES) for part in where}


def confused(parts: Parts, random: Generator, share: float) -> Parts:
    """`share` of the training labels become the next class: k → k + 1."""
    return parts | {"y_train": wrong(parts["y_train"], random, share, 2)}


def wrong(labels: Any, random: Generator, share: float, until: int) -> Any:
    """`share` of `labels` moved on by 1 … until − 1 classes."""
    hit = random.permutation(len(labels)) < round(share * len(labels))
    return np.where(hit, (labels + random.integers(1, until, len(labels))) % CLASSES, labels)


def shuffled(parts: Parts, random: Generator) -> Parts:
    return parts | {"y_train": random.permutation(parts["y_train"])}


def off_by_one(parts: Parts, random: Generator) -> Parts:
    """The validation labels count from another start."""
    return parts | {"y_validation": (parts["y_validation"] + 1) % CLASSES}


def permuted(parts: Parts, random: Generator) -> Parts:
    """Classes 2 to 7 are numbered in another order in validation than in training, as after another listing."""
    order = np.array([0, 1, 4, 5, 2, 7, 3, 6, 8, 9])
    return parts | {"y_validation": order[parts["y_validation"]]}


def imbalanced(parts: Parts, random: Generator, rarest: float) -> Parts:
    """From class to class fewer training images, the last one with `rarest` of its own: a geometric row."""
    labels = parts["y_train"]
    keep = np.concatenate([
        members[: max(1, round(len(members) * rarest ** (label / (CLASSES - 1))))]
        for label in range(CLASSES)
        for members in [np.flatnonzero(labels == label)]
    ])  # fmt: skip
    return training_rows(parts, random.permutation(keep))


def without_class(parts: Parts, random: Generator, label: int) -> Parts:
    return training_rows(parts, np.flatnonzero(parts["y_train"] != label))


def training_rows(parts: Parts, rows: Any) -> Parts:
    return parts | {name: parts[name][rows] for name in ("x_train", "y_train")}


def leaked(parts: Parts, random: Generator, count: int) -> Parts:
    """`count` training images and half of the validation images train; the test images show what that is worth."""
    half = len(parts["y_validation"]) // 2
    return parts | {
        f"{letter}_train": np.concatenate([parts[f"{letter}_train"][:count], parts[f"{letter}_validation"][:half]])
        for letter in "xy"
    }


def changed(parts: Parts, random: Generator, change: Callable[[Any, Generator], Any], *where: str) -> Parts:
    """The images of some parts, changed; bytes again."""
    images = {f"x_{part}": change(parts[f"x_{part}"].astype(np.float64), random) for part in where}
    return parts | {name: np.rint(found).clip(0, 255).astype(np.uint8) for name, found in images.items()}


def dark_and_noisy(images: Any, random: Generator) -> Any:
    """Moved by an eighth of the width, at half the brightness, with noise of a sixth of the range."""
    moved = np.roll(images, images.shape[2] // 8, axis=2)
    return 0.5 * moved + random.normal(0, 255 / 6, images.shape)


def dim_and_noisy(images: Any, random: Generator) -> Any:
    return 0.4 * images + random.normal(0, 255 / 8, images.shape)


def inverted(images: Any, random: Generator) -> Any:
    return 255 - images


def upside_down(images: Any, random: Generator) -> Any:
    return images[:, ::-1, ::-1]


def pale(images: Any, random: Generator) -> Any:
    """A fifth of the contrast, on grey."""
    return 160 + 0.2 * images


def divided(parts: Parts, random: Generator) -> Parts:
    """Pixels from 0 to 1, so that a division by 255 is the second one."""
    return {name: (part / 255).astype(np.float32) if name[0] == "x" else part for name, part in parts.items()}


SEEN = ("validation", "test")
VARIANTS: dict[str, Variant] = {
    "plain": plain,
    "validation30": partial(fewer, part="validation", count=30),
    **{f"noise{share}": partial(mislabelled, share=share / 100) for share in (5, 10, 20, 40)},
    "noise20_validation": partial(mislabelled, share=0.2, where=("train", "validation")),
    "confused30": partial(confused, share=0.3),
    "shuffled": shuffled,
    "off_by_one": off_by_one,
    "permuted": permuted,
    "imbalance50": partial(imbalanced, rarest=0.02),
    "without_7": partial(without_class, label=7),
    "leak": partial(leaked, count=100),
    "mismatch_noise": lambda parts, random: changed(parts, random, dark_and_noisy, *SEEN),
    "mismatch_invert": lambda parts, random: changed(parts, random, inverted, *SEEN),
    "upside_down": lambda parts, random: changed(parts, random, upside_down, *SEEN),
    "pale": lambda parts, random: changed(parts, random, pale, *SEEN),
    "test_shift": lambda parts, random: changed(parts, random, dim_and_noisy, "test"),
    "divided": divided,
}
