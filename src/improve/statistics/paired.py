"""Two trained models side by side: on the same images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np
from improve.statistics.intervals import CONFIDENCE, Z
from improve.statistics.significance import mcnemar

if TYPE_CHECKING:
    from numpy.typing import NDArray

POWER = 2.8  # 1.96 + 0.84: two-sided 95 %, found in 80 % of the cases


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
        """What the first is beside the second: better, worse, or not distinguishable."""
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


def paired_comparison(first_wrong: NDArray[np.bool_], second_wrong: NDArray[np.bool_]) -> Paired:
    """Compare two models by which of the same images (n,) they get wrong."""
    only_first = int(np.sum(first_wrong & ~second_wrong))
    only_second = int(np.sum(second_wrong & ~first_wrong))
    return paired_from_counts(only_first, only_second, len(first_wrong), mcnemar(only_first, only_second))


def paired_from_counts(only_first: int, only_second: int, n: int, p: float) -> Paired:
    """Compare two models by how many of n images only the first gets wrong, and only the second; `p` is McNemar's."""
    low, high = paired_difference(only_first, only_second, n)
    return Paired((only_first - only_second) / n, low, high, p, (only_first + only_second) / n, n)


def paired_difference(only_first_wrong: int, only_second_wrong: int, n: int, z: float = Z) -> tuple[float, float]:
    """Interval of first − second error on the same n examples: Agresti and Min (2005), Wald's with half an example
    added to each of the four cells. Unlike Newcombe's for paired data (1998) it needs no count of both wrong."""
    first, second, total = only_first_wrong + 0.5, only_second_wrong + 0.5, n + 2
    gap = (first - second) / total
    half = z * math.sqrt(first + second - total * gap * gap) / total
    return max(-1.0, gap - half), min(1.0, gap + half)
