"""Two trained models side by side: on the same images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np
from improve.statistics.intervals import CONFIDENCE, Rate, difference, mcnemar, paired_difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

POWER = 2.8  # 1.96 + 0.84: two-sided 95 %, found in 80 % of the cases
NO_SETTING = ("seed", "diagnosis", "evidence")  # these make no other recipe, nor does what else keys the split
SPLIT_SEED = "data.split_seed"


class Paired(NamedTuple):
    """First − second error rate on the same n images, with its 95 % interval and McNemar's p; `disagreement` is the
    share of images on which only one of the two is wrong. `p` is adjusted where many pairs are looked at."""

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
    def verdict(self) -> str:
        """Of the first."""
        return "not distinguishable" if not self.told_apart else "better" if self.value < 0 else "worse"

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
    only_first = int(np.sum(first_wrong & ~second_wrong))
    only_second = int(np.sum(second_wrong & ~first_wrong))
    return counted(only_first, only_second, len(first_wrong), mcnemar(only_first, only_second))


def counted(only_first: int, only_second: int, n: int, p: float) -> Paired:
    """From how many of n images only the first gets wrong, and only the second."""
    low, high = paired_difference(only_first, only_second, n)
    return Paired((only_first - only_second) / n, low, high, p, (only_first + only_second) / n, n)


class Unpaired(NamedTuple):
    """First − second error rate on other images of the same kind, with its 95 % interval (Newcombe, 1998)."""

    value: float
    low: float
    high: float
    detectable: float
    p: None = None

    @property
    def verdict(self) -> str:
        """Of the first."""
        return "not distinguishable" if self.low <= 0 <= self.high else "better" if self.value < 0 else "worse"

    def as_json(self) -> dict[str, Any]:
        return self._asdict()


def unpaired(first: Candidate, second: Candidate) -> Unpaired:
    rates = Rate(first.error, first.n), Rate(second.error, second.n)
    noise = math.sqrt(sum(run.error * (1 - run.error) / run.n for run in (first, second)))
    return Unpaired(first.error - second.error, *difference(*rates), POWER * noise)


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
        settings = dict(_dotted({key: value for key, value in self.spec.items() if key not in NO_SETTING}))
        settings.pop(SPLIT_SEED, None)
        return settings

    @cached_property
    def recipe(self) -> str:
        """The settings as something that can be compared."""
        return repr(sorted(self.settings.items()))

    @property
    def task(self) -> tuple[Any, Any]:
        """Where its validation images come from."""
        data = self.spec.get("data", {})
        return data.get("source"), data.get("target")

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


def binomial_noise(run: Candidate) -> float:
    return math.sqrt(run.error * (1 - run.error) / run.n)


def noise(best: Candidate, equals: Sequence[Candidate]) -> float:
    """Standard deviation of one run's error among equals, without what the same images do to all of them alike."""
    pairs = [seen.disagreement for run in equals if run is not best and (seen := run.against(best))]
    return math.sqrt(fmean(pairs) / 2 / best.n) if pairs else binomial_noise(best)
