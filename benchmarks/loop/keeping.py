"""How sure should `improve auto` be before it keeps a change? Made-up walks under several rules; nothing is trained.

    python benchmarks/loop/keeping.py

A change moves a recipe's true error by a draw from a normal distribution, each training has luck of its own, and what
is seen is their sum and the noise of the images that two runs share. A walk has 16 runs; second seeds count. Writes a
section into benchmarks/RESULTS.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from runner_tax_report import markdown, put

RUNS, WALKS = 16, 4000
CHANCE = NormalDist()


class World(NamedTuple):
    """Of a task: images that validate, the share that two runs answer differently, the standard deviation of a
    recipe's error over seeds, mean and standard deviation of what a change wins."""

    name: str
    n: int
    apart: float
    luck: float
    mean: float
    sd: float

    @property
    def noise(self) -> float:
        return (self.apart / self.n) ** 0.5


class Rule(NamedTuple):
    """P(better) from which one seed is enough, below which a second one is not asked for, and that two must reach."""

    clear: float
    hope: float
    sure: float


WORLDS = (
    World("digits", 449, 0.05, 0.006, 0.0, 0.01),
    World("Fashion-MNIST", 1000, 0.12, 0.006, 0.0, 0.015),
    World("CIFAR-10 subset", 600, 0.2, 0.012, 0.0, 0.025),
    World("the same, good advice", 600, 0.2, 0.012, 0.015, 0.025),
)
RULES = (Rule(0.999, 0.8, 0.95), Rule(0.999, 0.8, 0.9), Rule(0.98, 0.8, 0.8), Rule(0.9, 0.7, 0.7), Rule(0.5, 0.5, 0.5))


def walk(world: World, rule: Rule, chance: np.random.Generator) -> tuple[float, int, int]:
    """What the last recipe kept is better than the start; how many changes were kept, and truly better ones."""
    won, kept, better, left = 0.0, 0, 0, RUNS - 1
    parent = [chance.normal(0, world.luck)]  # the luck of its runs
    while left > 0:
        effect, images = chance.normal(world.mean, world.sd), chance.normal(0, world.noise)
        child, left = [chance.normal(0, world.luck)], left - 1
        seen = effect + child[0] - parent[0] + images
        p, needed = CHANCE.cdf(seen / world.noise), rule.clear
        cost = 1 + (len(parent) < 2)
        if rule.hope <= p < rule.clear and cost <= left:
            left -= cost
            parent, child = [[*one, chance.normal(0, world.luck)][:2] for one in (parent, child)]
            again = effect + child[1] - parent[1] + 0.7 * (images + chance.normal(0, world.noise))
            spread = (0.75 * world.noise**2 + world.luck**2 / 4) ** 0.5  # the images are shared, one luck averaged
            p, needed = CHANCE.cdf((seen + again) / 2 / spread), rule.sure
        if p >= needed:
            won, parent, kept, better = won + effect, child, kept + 1, better + (effect > 0)
    return won, kept, better


def rows() -> Iterator[list[str]]:
    for world in WORLDS:
        for rule in RULES:
            chance = np.random.default_rng(0)
            walks = [walk(world, rule, chance) for _ in range(WALKS)]
            won, kept, better = zip(*walks, strict=True)
            half = 196 * stdev(won) / WALKS**0.5
            yield [
                world.name, *map(str, rule), f"{100 * fmean(won):.2f} ± {half:.2f}", f"{fmean(kept):.1f}",
                f"{100 * sum(better) / max(1, sum(kept)):.0f} %",
            ]  # fmt: skip


def main() -> None:
    head = [
        "task",
        "one seed is enough from P",
        "a second from",
        "two seeds, from",
        "points won",
        "kept",
        "truly better",
    ]
    text = (
        "## How sure the loop should be\n\n"
        f"Simulated walks of {RUNS} runs, {WALKS:,} for each row, mean with 95 % interval; by\n"
        "`python benchmarks/loop/keeping.py`. The third rule of each task is the one in use.\n\n"
        f"{markdown(head, list(rows()))}\n"
    )
    print(text)
    put(Path(__file__).parents[1] / "RESULTS.md", text)


if __name__ == "__main__":
    main()
