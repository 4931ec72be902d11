"""Intervals for error rates and their differences, and how many examples would settle a gap."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)  # 1.96, two-sided 95 %
Z_ONE_SIDED = NormalDist().inv_cdf(CONFIDENCE)  # 1.645, for a claim in one direction


class Rate(NamedTuple):
    """An error rate measured on `n` examples; n = None: known exactly."""

    value: float
    n: int | None = None

    def interval(self, z: float = Z) -> tuple[float, float]:
        """Wilson's score interval (1927)."""
        if self.n is None:
            return self.value, self.value
        centre = (self.value + z * z / (2 * self.n)) / (1 + z * z / self.n)
        spread = self.value * (1 - self.value) / self.n + z * z / (4 * self.n * self.n)
        half = z / (1 + z * z / self.n) * math.sqrt(spread)
        return max(0.0, centre - half), min(1.0, centre + half)

    @property
    def variance_per_example(self) -> float:
        return 0.0 if self.n is None else self.value * (1 - self.value)


def difference(larger: Rate, smaller: Rate, z: float = Z) -> tuple[float, float]:
    """Interval of larger − smaller for two independent samples: Newcombe's hybrid score method (1998, no. 10)."""
    gap = larger.value - smaller.value
    (low1, high1), (low2, high2) = larger.interval(z), smaller.interval(z)
    below = math.hypot(larger.value - low1, high2 - smaller.value)
    above = math.hypot(high1 - larger.value, smaller.value - low2)
    return gap - below, gap + above


def examples_needed(larger: Rate, smaller: Rate, distance: float, z: float = Z) -> int | None:
    """Examples in the larger-error sample that would tell its gap to `smaller` apart from a value `distance` away.

    n ≈ (z / distance)² · [e₁(1 − e₁)/r + e₂(1 − e₂)], both samples growing in their present ratio r. None where no n
    does: the distance is nothing, or both rates are exact.
    """
    spread = larger.variance_per_example
    if smaller.n is not None and larger.n is not None:
        spread += smaller.variance_per_example * larger.n / smaller.n
    if distance <= 0 or spread <= 0:
        return None
    return math.ceil((z / distance) ** 2 * spread)


def standard_errors(larger: Rate, smaller: Rate) -> float:
    """By how many of its standard errors one rate is above another."""
    low, high = difference(larger, smaller)
    return (larger.value - smaller.value) / max((high - low) / (2 * Z), 1e-3)
