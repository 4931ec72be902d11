"""Where the images of a random world come from: four sets that are read, three that are drawn.

A source gives more images than a world trains on: what is left is its reserve, on which harm is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from improve.spec.datasets.arrays import Digits
from improve.spec.datasets.known import Cifar10, FashionMnist
from improve.spec.datasets.peacetopia.source import Peacetopia

MOST = 5000  # images that a drawn source makes
FONTS = "DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral", "cmr10", "cmss10", "cmtt10"
WORDS = "ABDEFGHKLMNPRSTUVXYZ2345679"


@dataclass(frozen=True)
class Pool:
    """Images (n, height, width, channels; uint8) in random order and their labels (n,; from 0)."""

    images: Any
    labels: Any

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1


def read(images: Any, labels: Any, random: Generator, classes: int) -> Pool:
    """Some of the classes of a set, renumbered."""
    chosen = np.sort(random.permutation(np.unique(labels))[:classes])
    rows = random.permutation(np.flatnonzero(np.isin(labels, chosen)))
    return Pool(images[rows], np.searchsorted(chosen, labels[rows]))


def smaller(images: Any, factor: int) -> Any:
    """Averaged over squares of `factor` pixels."""
    count, height, width, channels = images.shape
    blocks = images.reshape(count, height // factor, factor, width // factor, factor, channels)
    return np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)


def grey(images: Any) -> Any:
    return np.rint(images @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)[..., None]


@lru_cache(maxsize=3)
def whole(component: type[Any]) -> tuple[Any, Any]:
    source = component().load()
    images = np.concatenate(source.pools)
    images = images if images.ndim == 4 else images[..., None]
    return images.astype(np.uint8), np.asarray(source.labels)


def digits(random: Generator, classes: int) -> Pool:
    """Handwritten digits, 8×8, grey; their 17 shades stretched to bytes."""
    images, labels = whole(Digits)
    return read(images * (255 // int(images.max())), labels, random, classes)


def fashion(random: Generator, classes: int) -> Pool:
    """Clothes, 14×14 or 28×28, grey."""
    images, labels = whole(FashionMnist)
    pool = read(images, labels, random, classes)
    kept = Pool(pool.images[:MOST], pool.labels[:MOST])
    return Pool(smaller(kept.images, 2), kept.labels) if random.random() < 0.7 else kept


def photographs(random: Generator, classes: int) -> Pool:
    """Photographs of ten kinds of things, 16×16 or 32×32, colour or grey."""
    images, labels = whole(Cifar10)
    pool = read(images, labels, random, classes)
    images = smaller(pool.images, 2) if random.random() < 0.7 else pool.images
    return Pool(grey(images) if random.random() < 0.3 else images, pool.labels)


def skies(random: Generator, classes: int) -> Pool:
    """Skies with a bird and without, 16×16, in colour: two classes, whatever is asked for."""
    made = Peacetopia(
        seed=int(random.integers(1 << 30)),
        size=16,
        domain=str(random.choice(["camera", "citizen"])),
        birds=float(random.uniform(0.3, 0.6)),
        images=MOST,
    ).load()
    return read(np.concatenate(made.pools), np.asarray(made.labels), random, 2)


def shares(random: Generator, classes: int) -> Any:
    """How common the classes are: natural sets are never quite even."""
    even = random.dirichlet(np.full(classes, 6.0)) + 0.5 / classes
    return even / even.sum()


def drawn(random: Generator, classes: int, draw: Callable[[int], Any]) -> Pool:
    labels = random.choice(classes, MOST, p=shares(random, classes))
    images = np.stack([draw(label) for label in labels])
    return Pool(np.rint(images.clip(0, 1) * 255).astype(np.uint8), labels)


def textures(random: Generator, classes: int) -> Pool:
    """Gratings, spots and grain: a class is a direction, a fineness and a kind, with some play, under noise."""
    size, channels = int(random.choice([8, 12, 16, 24])), int(random.choice([1, 3]))
    angle, fine = random.uniform(0, np.pi, classes), random.uniform(1, size / 5, classes)
    kind, tint = random.integers(0, 3, classes), random.uniform(0.3, 1, (classes, channels))
    noise, play = random.uniform(0.1, 0.3), random.uniform(0.05, 0.25)
    y, x = np.mgrid[:size, :size] / size

    def draw(label: int) -> Any:
        turned, waves = angle[label] + random.normal(0, play), fine[label] * np.exp(random.normal(0, play))
        along, across = x * np.cos(turned) + y * np.sin(turned), y * np.cos(turned) - x * np.sin(turned)
        start, other = random.uniform(0, 2 * np.pi, 2)
        wave = np.sin(2 * np.pi * waves * along + start)
        second = np.sin(2 * np.pi * waves * across + other)
        pattern = (wave, wave * second, np.sign(wave) * np.abs(second))[kind[label]]
        image = (0.5 + random.uniform(0.15, 0.4) * pattern)[..., None] * tint[label]
        return image + random.normal(0, noise, (size, size, channels))

    return drawn(random, classes, draw)


def shapes(random: Generator, classes: int) -> Pool:
    """Discs, rings, squares, triangles, crosses and more, anywhere, of any size and turn, on a noisy ground."""
    size, channels = int(random.choice([12, 16, 20])), int(random.choice([1, 3]))
    order, noise = random.permutation(len(FORMS))[:classes], random.uniform(0.03, 0.12)
    y, x = np.mgrid[:size, :size] / (size - 1) * 2 - 1

    def draw(label: int) -> Any:
        place, scale = random.uniform(-0.35, 0.35, 2), random.uniform(0.4, 0.75)
        turn = random.uniform(-0.35, 0.35)
        u, v = (x - place[0]) / scale, (y - place[1]) / scale
        inside = FORMS[order[label]](u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn))
        ground, colour = random.uniform(0, 0.45, channels), random.uniform(0.5, 1, channels)
        image = np.where(inside[..., None], colour, ground)
        return image + random.normal(0, noise, image.shape)

    return drawn(random, min(classes, len(FORMS)), draw)


FORMS: tuple[Callable[[Any, Any], Any], ...] = (
    lambda u, v: u * u + v * v < 0.8,
    lambda u, v: (u * u + v * v < 0.9) & (u * u + v * v > 0.4),
    lambda u, v: np.maximum(abs(u), abs(v)) < 0.75,
    lambda u, v: (v < 0.7) & (v > 2.2 * abs(u) - 0.9),
    lambda u, v: (np.minimum(abs(u), abs(v)) < 0.25) & (np.maximum(abs(u), abs(v)) < 0.9),
    lambda u, v: (abs(u) < 0.25) & (abs(v) < 0.95),
    lambda u, v: (abs(v) < 0.25) & (abs(u) < 0.95),
    lambda u, v: abs(u) + abs(v) < 0.95,
    lambda u, v: (abs(abs(u) - 0.5) < 0.2) & (abs(v) < 0.85),
    lambda u, v: (np.maximum(abs(u), abs(v)) < 0.9) & (np.maximum(abs(u), abs(v)) > 0.5),
)


def letters(random: Generator, classes: int) -> Pool:
    """Letters and figures in seven typefaces, a little moved and turned, under noise."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    size, noise = int(random.choice([12, 16, 20])), random.uniform(0.05, 0.25)
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = [ImageFont.truetype(str(folder / f"{name}.ttf"), int(1.6 * size)) for name in FONTS]
    chosen = random.permutation(list(WORDS))[:classes]

    def draw(label: int) -> Any:
        canvas = Image.new("L", (2 * size, 2 * size))
        place = tuple(size + random.uniform(-0.2, 0.2, 2) * size)
        font = fonts[int(random.integers(len(fonts)))]
        ImageDraw.Draw(canvas).text(place, str(chosen[label]), 255, font, anchor="mm")
        turned = canvas.rotate(random.uniform(-15, 15)).resize((size, size), Image.Resampling.BOX)
        image = random.uniform(0, 0.3) + random.uniform(0.4, 0.7) * np.asarray(turned)[..., None] / 255
        return image + random.normal(0, noise, image.shape)

    return drawn(random, classes, draw)


SOURCES: dict[str, Callable[[Generator, int], Pool]] = {
    "digits": digits,
    "fashion": fashion,
    "photographs": photographs,
    "skies": skies,
    "textures": textures,
    "shapes": shapes,
    "letters": letters,
}
