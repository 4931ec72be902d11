"""What a learning curve is worth: whether its gain is there, and whether its runs are such that a law can be fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from improve.diagnosis.comparison.configurations import over_seeds
from improve.statistics.significance import fisher_greater

WORTH = 0.02  # a gain below this, in error, is none
SURE = 0.001  # a gain above this is not 0
RISE, SEEDS = 0.01, 2  # of the error, surely, over so many seeds: not monotone
CHANCE = 0.05


@dataclass(frozen=True)
class CurvePoint:
    """What one run has reached at its best epoch; `error` is None where it diverged before its first epoch ended."""

    size: int
    seed: int
    folder: str
    error: float | None
    train_error: float | None


def by_size(points: Sequence[CurvePoint], part: str = "error") -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for point in points:
        if getattr(point, part) is not None:
            found.setdefault(point.size, []).append(getattr(point, part))
    return found


def judge(gain: tuple[float, float], too_short: float = 0.0) -> str:
    low, high = gain
    if high < WORTH:
        return "no_help"
    return "cannot_tell" if low < SURE or too_short else "help"


def starved(points: Sequence[CurvePoint]) -> float:
    """By how much (a fraction) the smallest runs fit their own images worse than the largest ones do, where that surely
    is too much: one image of 33 is 3 points, and chance.

    With fewer images the training error should be lower. Where it is higher, the small runs had too few updates, and
    what looks like hunger for data is a training that is too short.
    """
    errors = by_size(points, "train_error")
    if not errors:
        return 0.0
    counts = [(round(size * sum(errors[size])), size * len(errors[size])) for size in (min(errors), max(errors))]
    (missed, of), (later, of_later) = counts
    excess = missed / of - later / of_later
    return excess if excess >= WORTH and fisher_greater(missed, of, later, of_later) < CHANCE else 0.0


def rising(points: Sequence[CurvePoint]) -> tuple[int, int] | None:
    """Two neighbouring sizes of which the larger has surely the higher error, by a point or more: no power law falls
    so. One learning curve in seven is not monotone (Yan et al., LCDB 1.1, 2025)."""
    errors = by_size(points)
    for small, large in pairwise(sorted(errors)):
        if min(len(errors[small]), len(errors[large])) >= SEEDS:
            seen = over_seeds(errors[large], errors[small])
            if seen.low > 0 and seen.value >= RISE:
                return small, large
    return None
