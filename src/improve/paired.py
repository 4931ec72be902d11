"""Trained models side by side: on the same images, and over several seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, variance
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np
from improve.statistics import CONFIDENCE, mcnemar, paired_difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

POWER = 2.8  # 1.96 + 0.84: two-sided 95 %, found in 80 % of the cases
LEHR = 16  # the same for two independent means: 2 · 2.8² (Lehr, 1992)
NO_SETTING = ("seed", "diagnosis", "evidence")  # these make no other recipe


class Paired(NamedTuple):
    """First − second error rate on the same n images, with its 95 % interval and McNemar's p; `disagreement` is the
    share of images on which only one of the two is wrong."""

    value: float
    low: float
    high: float
    p: float
    disagreement: float
    n: int

    @property
    def told_apart(self) -> bool:
        return self.p < 1 - CONFIDENCE

    @property
    def detectable(self) -> float:
        """The smallest difference that n images would show in 80 % of the cases: 2.8 · √(d / n)."""
        return POWER * math.sqrt(self.disagreement / self.n)

    def as_json(self) -> dict[str, Any]:
        return {**self._asdict(), "detectable": self.detectable}

    @property
    def images_needed(self) -> int | None:
        """How many images would show this difference in 80 % of the cases; None where there is none."""
        return math.ceil(POWER**2 * self.disagreement / self.value**2) if self.value else None


def paired(first_wrong: NDArray[np.bool_], second_wrong: NDArray[np.bool_]) -> Paired:
    """Compare two models by which of the same images (n,) they get wrong."""
    n = len(first_wrong)
    only_first = int(np.sum(first_wrong & ~second_wrong))
    only_second = int(np.sum(second_wrong & ~first_wrong))
    low, high = paired_difference(only_first, only_second, n)
    p = mcnemar(only_first, only_second)
    return Paired((only_first - only_second) / n, low, high, p, (only_first + only_second) / n, n)


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


def students_t(freedom: float) -> float:
    """The t that |t| exceeds in 5 % of the cases, freedom ≥ 1: with t = √ν tan θ, θ has the density cos^(ν−1) θ.

    By sums, because importing scipy.special takes longer than all the rest of a comparison.
    """
    angle = np.linspace(0, math.pi / 2, 20_001)
    density = np.cos(angle) ** (freedom - 1)
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return math.sqrt(freedom) * math.tan(float(np.interp(CONFIDENCE * below[-1], below, angle)))


def seeds_needed(sd: float, difference: float) -> int | None:
    """Seeds per recipe that would show `difference` in 80 % of the cases: 16 · (sd / difference)². None: none would."""
    return math.ceil(LEHR * (sd / difference) ** 2) if difference else None


def wrong(predictions: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Of a run's predictions (id, label, probability): the ids in order, and which of these images it gets wrong."""
    ids = predictions["id"]
    mistaken = predictions["probability"].argmax(axis=1) != predictions["label"]
    order = np.argsort(ids, kind="stable")
    return ids[order], mistaken[order]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One run among others: its whole spec, its validation error on n images, and which of them it gets wrong (n,),
    in the same order for all runs with this fingerprint; None where that is not known."""

    name: str
    spec: dict[str, Any]
    error: float
    n: int
    fingerprint: str | None = None
    wrong: NDArray[np.bool_] | None = None

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Everything that makes it another recipe, by dotted path; without null, which is what older specs left out."""
        return dict(_dotted({key: value for key, value in self.spec.items() if key not in NO_SETTING}))

    @property
    def seed(self) -> Any:
        return self.spec.get("seed")

    def against(self, other: Candidate) -> Paired | None:
        """This run's error − the other's; None where they were not measured on the same images."""
        if self.wrong is None or other.wrong is None or self.fingerprint != other.fingerprint:
            return None
        return paired(self.wrong, other.wrong) if len(self.wrong) == len(other.wrong) else None


def _dotted(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _dotted(item, f"{prefix}{key}.")
        elif item is not None:
            yield f"{prefix}{key}", item


def frozen(settings: dict[str, Any], without: str = "") -> str:
    """Settings as something that can be compared."""
    return repr(sorted((path, value) for path, value in settings.items() if path != without))


class Recipe(NamedTuple):
    """Runs that differ in their seed only, named after the best; one error per seed."""

    name: str
    errors: list[float]

    @property
    def mean(self) -> float:
        return fmean(self.errors)


def recipes(runs: Sequence[Candidate]) -> list[Recipe]:
    """The recipes for the best run's data, by their mean error."""
    groups: dict[str, dict[Any, Candidate]] = {}
    for run in runs:
        if _task(run) == _task(runs[0]):
            groups.setdefault(frozen(run.settings), {}).setdefault(run.seed, run)
    found = [[*group.values()] for group in groups.values()]
    return sorted((Recipe(group[0].name, [run.error for run in group]) for group in found), key=lambda one: one.mean)


def _task(run: Candidate) -> tuple[Any, Any]:
    data = run.spec.get("data", {})
    return data.get("source"), data.get("target")


def binomial_noise(run: Candidate) -> float:
    return math.sqrt(run.error * (1 - run.error) / run.n)


def noise(best: Candidate, equals: Sequence[Candidate]) -> float:
    """Standard deviation of one run's error among equals, without what the same images do to all of them alike."""
    pairs = [seen.disagreement for run in equals if run is not best and (seen := run.against(best))]
    return math.sqrt(fmean(pairs) / 2 / best.n) if pairs else binomial_noise(best)
