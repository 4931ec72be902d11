"""How an error falls with the number of training images: e(n) = a · n^-b + c, and what it may be for more of them.

Hestness et al. (2017) and Rosenfeld et al. (2020) see validation errors fall as power laws. One such law
over-estimates or under-estimates by much (Mahmood et al., 2022), so two forms are fitted, with the floor c and without
one, and a forecast ranges over both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np
from improve.randomness import keyed_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXPONENTS = (0.0, 2.0, 201)  # b is searched on this grid, so that no start value decides what is found
RESAMPLES = 400
RANGE = (2.5, 97.5)  # percentiles: a 95 % range


class PowerLaw(NamedTuple):
    """e(n) = a · (n / unit)^-b + c, with a, c ≥ 0 and 0 ≤ b ≤ 2; `unit` in images. Each is a number, or
    an array of them."""

    a: Any
    b: Any
    c: Any
    unit: float

    def at(self, size: float) -> Any:
        return np.clip(self.a * (size / self.unit) ** -self.b + self.c, 0.0, 1.0)


class Family(NamedTuple):
    """One form of the law: fitted to the means of all members (`best`), and to resampled ones (arrays)."""

    best: PowerLaw
    resampled: PowerLaw

    def interval(self, value: Any) -> tuple[float, float]:
        """The 95 % range of `value`, a function of a law, with that of the best fit in it."""
        low, high = np.percentile(value(self.resampled), RANGE)
        best = value(self.best)
        return float(min(low, best)), float(max(high, best))


class Trend(NamedTuple):
    """The two forms of the law, fitted to the same errors."""

    with_floor: Family
    plain: Family

    def error(self, size: float) -> tuple[float, float]:
        """The 95 % range of the error with `size` training images, over both forms."""
        return self._union(lambda law: law.at(size))

    def gain(self, size: float, more: float) -> tuple[float, float]:
        """The 95 % range of what going from `size` to `more` images takes off the error, over both forms."""
        return self._union(lambda law: law.at(size) - law.at(more))

    def _union(self, value: Any) -> tuple[float, float]:
        lows, highs = zip(*(family.interval(value) for family in self), strict=True)
        return min(lows), max(highs)


def trend(sizes: Sequence[int], errors: Sequence[Sequence[float]], seed: int = 0) -> Trend:
    """Fit both forms to `errors`, one sequence of members (two or more seeds) per size."""
    x = np.asarray(sizes, float)
    means = np.array([np.mean(members) for members in errors])
    weights = _weights(means, [len(members) for members in errors])
    drawn = resampled(errors, seed)
    families = []
    for floor in (True, False):
        first = fit(x, means[None], weights, floor)
        best = PowerLaw(float(first.a[0]), float(first.b[0]), float(first.c[0]), first.unit)
        families.append(Family(best, fit(x, drawn, weights, floor)))
    return Trend(*families)


def resampled(errors: Sequence[Sequence[float]], seed: int) -> NDArray[Any]:
    """Bootstrap (RESAMPLES, sizes): means of members drawn again within their size.

    The deviations are widened by √(k / (k - 1)): k members spread less around their own mean than around the truth.
    """
    random, columns = keyed_generator(seed, "sample", 1), []
    for members in map(np.asarray, errors):
        count = len(members)
        drawn = members[random.integers(0, count, (RESAMPLES, count))].mean(axis=1)
        columns.append(members.mean() + (drawn - members.mean()) * np.sqrt(count / max(1, count - 1)))
    return np.stack(columns, axis=1)


def _weights(means: NDArray[Any], counts: Sequence[int]) -> NDArray[Any]:
    """Members over the binomial variance e(1 - e): small errors are known more exactly than large ones."""
    return np.asarray(np.asarray(counts) / np.clip(means * (1 - means), 1e-3, None))


def fit(sizes: NDArray[Any], means: NDArray[Any], weights: NDArray[Any], floor: bool) -> PowerLaw:
    """Weighted least squares for each row of `means` (rows, sizes); with `floor` c is free, else 0.

    For each b the best a and c are known in closed form, so the whole grid is tried and the best is the best.
    """
    unit = float(sizes.max())
    best = np.full(len(means), np.inf)
    a, b, c = (np.zeros(len(means)) for _ in range(3))
    for exponent in np.linspace(*EXPONENTS):
        powers = (sizes / unit) ** -exponent
        slope, level = _linear(powers, means, weights, floor and exponent > 0)
        loss = ((means - slope[:, None] * powers - level[:, None]) ** 2 * weights).sum(axis=1)
        better = loss < best - 1e-15
        best = np.where(better, loss, best)
        a, b, c = (np.where(better, new, old) for new, old in ((slope, a), (exponent, b), (level, c)))
    return PowerLaw(a, b, c, unit)


def _linear(
    powers: NDArray[Any], means: NDArray[Any], weights: NDArray[Any], floor: bool
) -> tuple[NDArray[Any], NDArray[Any]]:
    """a and c of means ≈ a · powers + c, both at least 0, for every row."""
    alone = means @ (weights * powers) / (weights @ powers**2)
    if not floor:
        return alone, np.zeros(len(means))
    share = weights / weights.sum()
    centred = powers - share @ powers
    slope = means @ (weights * centred) / (weights @ centred**2)
    level = means @ share - slope * (share @ powers)
    inside = (slope >= 0) & (level >= 0)
    return np.where(inside, slope, alone), np.where(inside, level, 0.0)
