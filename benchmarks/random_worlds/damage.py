"""What is put into the images and the labels of a world. Each kind gives a function from sound parts to faulty ones.

Parts are {x_train, y_train, x_validation, …}: images (n, height, width, channels; uint8), labels (n,; from 0).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from kinds import Drawn, kind
from numpy.random import Generator
from world import Parts, World

SEEN = ("validation", "test")
ALL = ("train", *SEEN)


def relabelled(parts: Parts, change: Callable[[Any], Any], *where: str) -> Parts:
    return parts | {f"y_{part}": change(parts[f"y_{part}"]) for part in where}


def repainted(parts: Parts, change: Callable[[Any], Any], *where: str) -> Parts:
    """The images of some parts, changed as floats; bytes again."""
    images = {f"x_{part}": change(parts[f"x_{part}"].astype(np.float64)) for part in where}
    return parts | {name: np.rint(found).clip(0, 255).astype(np.uint8) for name, found in images.items()}


def training_rows(parts: Parts, rows: Any) -> Parts:
    return parts | {name: parts[name][rows] for name in ("x_train", "y_train")}


def some(random: Generator, count: int, share: float) -> Any:
    """A mask (n,; bool) that holds for that share."""
    return random.permutation(count) < round(share * count)


def moved(labels: Any, hit: Any, by: Any, classes: int) -> Any:
    return np.where(hit, (labels + by) % classes, labels)


@kind("labels", "T13")
def wrong_labels(world: World, random: Generator) -> Drawn:
    """Any class becomes any other; in half of the worlds in validation as well."""
    classes, share = world.pool.classes, random.uniform(0.12, 0.45)
    where = ("train", "validation") if random.random() < 0.5 else ("train",)

    def change(labels: Any) -> Any:
        by = random.integers(1, classes, len(labels))
        return moved(labels, some(random, len(labels), share), by, classes)

    return {}, lambda parts: relabelled(parts, change, *where)


@kind("labels", "T13")
def one_class_mislabelled(world: World, random: Generator) -> Drawn:
    """Most of the training images of one class carry the label of another."""
    source, target = random.permutation(world.pool.classes)[:2]
    share = random.uniform(0.5, 0.8)

    def change(labels: Any) -> Any:
        return np.where((labels == source) & (random.random(len(labels)) < share), target, labels)

    return {}, lambda parts: relabelled(parts, change, "train")


@kind("labels", "T13")
def next_class(world: World, random: Generator) -> Drawn:
    share, classes = random.uniform(0.25, 0.45), world.pool.classes

    def change(labels: Any) -> Any:
        return moved(labels, some(random, len(labels), share), 1, classes)

    return {}, lambda parts: relabelled(parts, change, "train")


@kind("labels", "T14")
def labels_shuffled(world: World, random: Generator) -> Drawn:
    return {}, lambda parts: relabelled(parts, random.permutation, "train")


@kind("labels", "T14 M2 V5")
def validation_renumbered(world: World, random: Generator) -> Drawn:
    """Validation's classes are numbered in another order; the reserve shows what the network is worth, so the harm
    here is the validation error's."""
    order = np.roll(np.arange(world.pool.classes), 1)
    return {}, lambda parts: relabelled(parts, lambda labels: order[labels], "validation")


@kind("labels", "T13")
def wrong_validation_labels(world: World, random: Generator) -> Drawn:
    classes, share = world.pool.classes, random.uniform(0.2, 0.4)

    def change(labels: Any) -> Any:
        return moved(labels, some(random, len(labels), share), random.integers(1, classes, len(labels)), classes)

    return {}, lambda parts: relabelled(parts, change, "validation")


@kind("amount", "V1 V3 V4")
def few_images(world: World, random: Generator) -> Drawn:
    """A handful of each class is used, of the many that are there."""
    least = 4 * world.pool.classes
    size = int(min(max(least, round(10 ** random.uniform(1.5, 2.2))), len(world.parts["y_train"]) // 3))
    batch = min(32, world.spec["training"]["batch_size"])
    return {"data": {"train_size": size}, "training": {"batch_size": max(2, min(batch, size // 2))}}, None


@kind("amount", "V5 M2")
def rare_classes(world: World, random: Generator) -> Drawn:
    """From class to class fewer training images, the last with 1 to 5 % of its own."""
    classes, rarest = world.pool.classes, random.uniform(0.01, 0.05)
    kept = rarest ** (random.permutation(classes) / max(1, classes - 1))

    def change(parts: Parts) -> Parts:
        labels = parts["y_train"]
        rows = np.flatnonzero(random.random(len(labels)) < kept[labels])
        first = [np.flatnonzero(labels == label)[0] for label in range(classes)]
        return training_rows(parts, np.union1d(rows, first))

    return {}, change


@kind("amount", "T16 V5")
def class_missing(world: World, random: Generator) -> Drawn | None:
    if world.pool.classes < 3:
        return None
    label = int(random.integers(world.pool.classes))
    return {}, lambda parts: training_rows(parts, np.flatnonzero(parts["y_train"] != label))


@kind("leak", "V6")
def leak(world: World, random: Generator) -> Drawn:
    """Few training images, and half of the validation images among them."""

    def change(parts: Parts) -> Parts:
        few = max(4 * world.pool.classes, len(parts["y_train"]) // 8)
        half = len(parts["y_validation"]) // 2
        return parts | {
            f"{letter}_train": np.concatenate([parts[f"{letter}_train"][:few], parts[f"{letter}_validation"][:half]])
            for letter in "xy"
        }

    return {}, change


@kind("leak", "M1 T14 V1")
def mark_gives_it_away(world: World, random: Generator) -> Drawn:
    """A patch in the corner says the class, in training images only."""
    size = max(1, world.shape[0] // 8)

    def change(parts: Parts) -> Parts:
        images, shade = parts["x_train"].copy(), 255 // world.pool.classes
        images[:, :size, :size] = (shade * parts["y_train"]).astype(np.uint8)[:, None, None, None]
        return parts | {"x_train": images}

    return {}, change


@kind("mismatch", "M1")
def other_light(world: World, random: Generator) -> Drawn:
    """Validation and test images are darker or brighter, of less contrast, and noisy."""
    contrast, base, noise = random.uniform(0.2, 0.6), random.uniform(0, 120), random.uniform(0, 40)

    def change(images: Any) -> Any:
        return base + contrast * images + random.normal(0, noise, images.shape)

    return {}, lambda parts: repainted(parts, change, *SEEN)


@kind("mismatch", "M1")
def inverted(world: World, random: Generator) -> Drawn:
    return {}, lambda parts: repainted(parts, lambda images: 255 - images, *SEEN)


@kind("mismatch", "M1")
def other_side_up(world: World, random: Generator) -> Drawn:
    """Validation and test images are turned, or mirrored, or both."""
    flips = [(1, 2), (1,), (2,)][int(random.integers(3))]
    return {}, lambda parts: repainted(parts, lambda images: np.flip(images, flips), *SEEN)


@kind("mismatch", "M1")
def colours_exchanged(world: World, random: Generator) -> Drawn | None:
    if world.shape[2] != 3:
        return None
    return {}, lambda parts: repainted(parts, lambda images: images[..., ::-1], *SEEN)


@kind("mismatch", "S4 S1")
def test_of_another_kind(world: World, random: Generator) -> Drawn:
    contrast, noise = random.uniform(0.2, 0.6), random.uniform(10, 50)

    def change(images: Any) -> Any:
        return contrast * images + random.normal(0, noise, images.shape)

    return {}, lambda parts: repainted(parts, change, "test")


@kind("input", "R6")
def divided_twice(world: World, random: Generator) -> Drawn:
    """Pixels from 0 to 1, and the network divides by 255 once more."""

    def change(parts: Parts) -> Parts:
        return {name: (part / 255).astype(np.float32) if name[0] == "x" else part for name, part in parts.items()}

    return {"data": {"normalize": "rescale"}}, change


@kind("input", "R6")
def raw_pixels(world: World, random: Generator) -> Drawn:
    return {"data": {"normalize": "none"}}, None


@kind("input", "R10 R6")
def pooled_scales(world: World, random: Generator) -> Drawn:
    """Two sets were pooled: a part of the images in all parts ends at 1, the rest at 255."""
    share = random.uniform(0.3, 0.6)

    def change(parts: Parts) -> Parts:
        images = {}
        for part in ALL:
            kept = parts[f"x_{part}"].astype(np.float32)
            kept[some(random, len(kept), share)] /= 255
            images[f"x_{part}"] = kept
        return parts | images

    return {}, change


@kind("input", "R10 R6 T14 M1")
def whole_numbers(world: World, random: Generator) -> Drawn:
    """Divided by 255 and cast to whole numbers: only what was white is left."""
    return {}, lambda parts: repainted(parts, lambda images: images // 255, *ALL)


@kind("input", "R10")
def blank_images(world: World, random: Generator) -> Drawn:
    """A part of the training images could not be read, and is black."""
    share = random.uniform(0.3, 0.7)

    def change(parts: Parts) -> Parts:
        images = parts["x_train"].copy()
        images[some(random, len(images), share)] = 0
        return parts | {"x_train": images}

    return {}, change
