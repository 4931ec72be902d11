"""Configurations over several seeds: runs that differ in nothing but their seed are one configuration."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev, variance
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.diagnosis.comparison.candidate import Candidate
from improve.lazy import np
from improve.statistics.intervals import CONFIDENCE
from improve.statistics.paired import paired_from_counts
from improve.statistics.significance import mcnemar
from improve.statistics.student_t import students_t

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEHR = 16  # 2 · (1.96 + 0.84)²: two independent means, two-sided 95 %, found in 80 % of the cases (Lehr, 1992)
DRAWS = 2000
TAIL = (1 - CONFIDENCE) / 2

Block = tuple["NDArray[np.bool_]", "NDArray[np.bool_]"]  # (seeds, images) each: wrong on the same images


class OverSeeds(NamedTuple):
    """First − second mean error over seeds, with its 95 % interval; `sd`: of one seed's error, pooled."""

    value: float
    low: float
    high: float
    sd: float


def over_seeds(first: Sequence[float], second: Sequence[float]) -> OverSeeds:
    """Welch's t for unequal variances (1947), at least two seeds in each."""
    value = fmean(first) - fmean(second)
    spread = variance(first), variance(second)
    share = spread[0] / len(first), spread[1] / len(second)
    if sum(share) == 0:
        return OverSeeds(value, value, value, 0.0)
    freedom = sum(share) ** 2 / (share[0] ** 2 / (len(first) - 1) + share[1] ** 2 / (len(second) - 1))
    half = students_t(freedom) * math.sqrt(sum(share))
    return OverSeeds(value, value - half, value + half, math.sqrt(fmean(spread)))


def seed_by_seed(first: Sequence[float], second: Sequence[float]) -> OverSeeds:
    """First − second mean error where each seed of one has its partner, measured on the same images: Student's paired
    t."""
    differences = [one - other for one, other in zip(first, second, strict=True)]
    value, sd = fmean(differences), stdev(differences)
    half = students_t(len(differences) - 1) * sd / math.sqrt(len(differences))
    return OverSeeds(value, value - half, value + half, sd / math.sqrt(2))


def seeds_needed(sd: float, difference: float) -> int | None:
    """Seeds of each configuration that would show `difference` in 80 % of the cases: 16 · (sd / difference)². None:
    none would."""
    return math.ceil(LEHR * (sd / difference) ** 2) if difference else None


@dataclass(frozen=True, eq=False)
class Configuration:
    """Runs that differ in their seed only, the best first; it is named after that one."""

    runs: tuple[Candidate, ...]

    @property
    def name(self) -> str:
        return self.runs[0].name

    @property
    def errors(self) -> list[float]:
        return [run.error for run in self.runs]

    @cached_property
    def mean(self) -> float:
        return fmean(self.errors)

    @property
    def sd(self) -> float | None:
        return stdev(self.errors) if len(self.runs) > 1 else None

    def as_json(self) -> dict[str, Any]:
        runs = [run.name for run in self.runs]
        return {"name": self.name, "runs": runs, "errors": self.errors, "mean": self.mean, "sd": self.sd}


def configurations_of(runs: Sequence[Candidate]) -> list[Configuration]:
    """The configurations for the best run's data, by their mean error. `runs`: the best first."""
    groups: dict[str, dict[Any, Candidate]] = {}
    for run in runs:
        if run.task == runs[0].task:
            groups.setdefault(run.recipe, {}).setdefault(run.seed, run)
    return sorted((Configuration(tuple(group.values())) for group in groups.values()), key=lambda one: one.mean)


class Against(NamedTuple):
    """One configuration's mean error − another's, with its 95 % interval; `better`: the probability that it has the
    fewer errors, None where no images are shared; `needed` what would settle it, in `unit` (seeds of each, or
    images)."""

    value: float
    low: float
    high: float
    better: float | None
    needed: int | None
    unit: str

    @property
    def verdict(self) -> str:
        """Told apart only where both agree: the interval, which knows that few seeds tell little, and the bootstrap,
        which knows that the images are a sample."""
        beyond = self.low > 0 or self.high < 0
        sure = self.better is None or not TAIL <= self.better <= 1 - TAIL
        return "not distinguishable" if not (beyond and sure) else "better" if self.value < 0 else "worse"

    def as_json(self) -> dict[str, Any]:
        return {**self._asdict(), "verdict": self.verdict}


def configuration_difference(first: Configuration, second: Configuration) -> Against | None:
    """How far the first configuration's error lies from the second's; None where one of them has a single seed and they
    share no images."""
    blocks = shared_images(first, second)
    if len(first.runs) == len(second.runs) == 1:
        return of_single_runs(blocks[0], probability_of_fewer_errors(blocks)) if blocks else None
    if len(blocks) > 1:
        errors = [[float(side.mean()) for side in block] for block in blocks]
        seen = seed_by_seed(*zip(*errors, strict=True))
    elif min(len(first.runs), len(second.runs)) > 1:
        seen = over_seeds(first.errors, second.errors)
    else:
        return None
    more = seeds_needed(seen.sd, seen.value)
    enough = max(more, len(first.runs) + 1, len(second.runs) + 1) if more else None
    better = probability_of_fewer_errors(blocks) if blocks else None
    return Against(seen.value, seen.low, seen.high, better, enough, "seeds of each")


def of_single_runs(block: Block, better: float) -> Against:
    """Two trained models: what their configurations do with other seeds, this does not say."""
    (one,), (other,) = block
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    seen = paired_from_counts(only_one, only_other, len(one), mcnemar(only_one, only_other))
    return Against(seen.value, seen.low, seen.high, better, seen.images_needed, "images")


def shared_images(one: Configuration, other: Configuration) -> list[Block]:
    """Who is wrong where, (seeds, n; bool) of each of the two, for each set of validation images that both were
    measured on."""
    sides: dict[str | None, tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
    for side, recipe in enumerate((one, other)):
        for run in recipe.runs:
            if run.wrong is not None:
                sides[run.fingerprint][side].append(run.wrong)
    return [(np.stack(mine), np.stack(theirs)) for mine, theirs in sides.values() if mine and theirs]


def probability_of_fewer_errors(blocks: Sequence[Block], draws: int = DRAWS, seed: int = 0) -> float:
    """P(the first of each block has the fewer errors), ties half: a paired bootstrap over the splits, the seeds within
    them and the images, which are the same for both (Efron and Tibshirani, 1993). With two or three seeds it is too
    sure of itself, by a factor √((s − 1) / s) in the spread over seeds: it never decides alone."""
    random = np.random.default_rng(seed)
    weights = random.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), draws) / len(blocks)
    drawn = np.stack([drawn_differences(block, draws, random) for block in blocks], axis=1)
    difference = (weights * drawn).sum(axis=1).round(12)
    return float(np.mean(difference < 0) + np.mean(difference == 0) / 2)


def drawn_differences(block: Block, draws: int, random: Any) -> NDArray[np.float64]:
    """First − second error in each draw (draws,). Images that the same models get wrong are one pattern."""
    n = block[0].shape[1]
    patterns, counts = np.unique(np.concatenate(block), axis=1, return_counts=True)
    images = random.multinomial(n, counts / n, draws) / n
    sides = [random.multinomial(len(side), np.full(len(side), 1 / len(side)), draws) / len(side) for side in block]
    rows = np.concatenate([sides[0], -sides[1]], axis=1)
    return np.asarray(np.einsum("dr,rp,dp->d", rows, patterns.astype(float), images, optimize=True))
