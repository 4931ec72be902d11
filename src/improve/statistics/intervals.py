"""Intervals for error rates and their differences, and the few tests that a diagnosis rests on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)  # 1.96, two-sided 95 %
Z_ONE_SIDED = NormalDist().inv_cdf(CONFIDENCE)  # 1.645, for a claim in one direction
DIVISIONS = 20_000  # that many are counted out in a few milliseconds
GOLDEN = (math.sqrt(5) - 1) / 2
TINY = 1.2e-38  # the smallest normal float32


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


def needed(larger: Rate, smaller: Rate, distance: float, z: float = Z) -> int | None:
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


def binomial_tail(successes: int, n: int, chance: float) -> float:
    """P(X ≥ successes) for X ~ Binomial(n, chance): the one-sided test against chance."""
    if not 0 < chance < 1:
        return float(successes <= 0 or chance >= 1)
    i = np.arange(n)
    return _upper_tail((n - i) / (i + 1) * chance / (1 - chance), max(0, successes))


def _upper_tail(ratios: Floats, start: int) -> float:
    """P(X ≥ start) where P(X = i + 1) / P(X = i) is ratios[i]: exact, and no factorial overflows."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(ratios))])
    weights = np.exp(logs - logs.max())
    return float(weights[start:].sum() / weights.sum())


def mcnemar(only_first_wrong: int, only_second_wrong: int) -> float:
    """Two-sided p for "both models err equally often on the same examples": McNemar's test (1947), exact binomial."""
    discordant = only_first_wrong + only_second_wrong
    steps = np.arange(discordant)
    more = max(only_first_wrong, only_second_wrong)
    return min(1.0, 2 * _upper_tail((discordant - steps) / (steps + 1), more))


def mcnemar_all(only_first_wrong: NDArray[np.int64], only_second_wrong: NDArray[np.int64]) -> Floats:
    """The same for many pairs (m,) at once: each number of discordant images has one distribution."""
    total, fewer = only_first_wrong + only_second_wrong, np.minimum(only_first_wrong, only_second_wrong)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total.max(initial=0) + 1)))])  # ln i!
    order = np.argsort(total, kind="stable")
    p = np.ones(len(total))
    for count, places in zip(*_runs_of(total[order], order), strict=True):
        i = np.arange(fewer[places].max() + 1)
        below = np.cumsum(np.exp(logs[count] - logs[i] - logs[count - i] - count * math.log(2)))
        p[places] = np.minimum(1.0, 2 * below[fewer[places]])
    return p


def _runs_of(ascending: NDArray[np.int64], order: NDArray[np.int64]) -> tuple[list[int], list[NDArray[np.int64]]]:
    """Every value of `ascending` (m,), and the part of `order` (m,) that it covers."""
    values, starts = np.unique(ascending, return_index=True)
    return [int(value) for value in values], np.split(order, starts[1:]) if len(values) else []


def paired_difference(only_first_wrong: int, only_second_wrong: int, n: int, z: float = Z) -> tuple[float, float]:
    """Interval of first − second error on the same n examples: Agresti and Min (2005), Wald's with half an example
    added to each of the four cells. Unlike Newcombe's for paired data (1998) it needs no count of both wrong."""
    first, second, total = only_first_wrong + 0.5, only_second_wrong + 0.5, n + 2
    gap = (first - second) / total
    half = z * math.sqrt(first + second - total * gap * gap) / total
    return max(-1.0, gap - half), min(1.0, gap + half)


def fisher_greater(wrong: int, n: int, rest_wrong: int, rest_n: int) -> float:
    """One-sided p of Fisher's exact test (1935): are `wrong` of n more than `rest_wrong` of rest_n would let expect?"""
    errors = wrong + rest_wrong
    fewest, most = max(0, errors - rest_n), min(n, errors)
    count = np.arange(fewest, most)
    ratios = (n - count) * (errors - count) / ((count + 1) * (rest_n - errors + count + 1))
    return _upper_tail(ratios, wrong - fewest)


def holm(p_values: Sequence[float] | Floats) -> list[float]:
    """p-values adjusted for their number, in the order given: Holm's step-down method (1979)."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]))
    return list(adjusted.tolist())


def ranks(values: Floats) -> Floats:
    """1 for the smallest; ties share the mean of their ranks."""
    _, place, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    mean: Floats = np.cumsum(counts) - (counts - 1) / 2
    return mean[place]


def auroc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """P(a positive scores higher than a negative), ties half: the area under the ROC curve (Hanley and McNeil, 1982).
    NaN where there are no positives, or only positives."""
    positive = np.asarray(positive, bool)
    count = int(positive.sum())
    if count in (0, len(positive)):
        return math.nan
    above = ranks(scores)[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(positive) - count)))


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """One-sided p for "first tends to be larger" (Mann and Whitney, 1947): over all divisions of the pooled ranks, ties
    included, as long as these are few; then by the normal approximation."""
    pooled, count, other = ranks(np.array([*first, *second], float)), len(first), len(second)
    seen = float(pooled[:count].sum())
    if math.comb(count + other, count) <= DIVISIONS:
        sums = [sum(chosen) for chosen in combinations(pooled.tolist(), count)]
        return float(np.mean(np.array(sums) >= seen - 1e-9))
    spread = math.sqrt(count * other / (count + other - 1) * float(pooled.var()))
    if spread == 0:
        return 1.0
    return NormalDist().cdf((count * float(pooled.mean()) + 0.5 - seen) / spread)


def calibration_error(confidence: Floats, right: NDArray[Any], bins: int = 15) -> float:
    """ECE: mean |share right − mean confidence| over bins of equal width, weighted by their size (Guo et al., 2017)."""
    bin_of = np.minimum((np.asarray(confidence) * bins).astype(int), bins - 1)
    gaps = np.bincount(bin_of, np.asarray(right, float) - confidence, bins)
    return float(np.abs(gaps).sum() / len(bin_of))


class Calibrated(NamedTuple):
    """The ECE that a perfectly calibrated model shows by chance: its mean, and what it exceeds in 5 % of draws."""

    mean: float
    high: float


def calibrated_error(confidence: Floats, bins: int = 15, draws: int = 200, seed: int = 0) -> Calibrated:
    """ECE where each answer is right with just the probability that its confidence (n,) says."""
    random = np.random.default_rng(seed)
    chance = np.asarray(confidence, float)
    found = [calibration_error(chance, random.random(len(chance)) < chance, bins) for _ in range(draws)]
    return Calibrated(float(np.mean(found)), float(np.quantile(found, CONFIDENCE)))


def temperature(probability: Floats, labels: NDArray[Any]) -> tuple[float, float]:
    """The T in [0.05, 20] that minimises the cross-entropy of softmax(log p / T), and that cross-entropy in nats.

    Temperature scaling (Guo et al., 2017); `probability` (n, classes).
    """
    log_p = np.log(np.maximum(np.asarray(probability, float), TINY))
    log_p -= log_p.max(axis=1, keepdims=True)
    own = log_p[np.arange(len(log_p)), labels]

    def cross_entropy(log_t: float) -> float:
        factor = math.exp(-log_t)
        return float((np.log(np.exp(factor * log_p).sum(axis=1)) - factor * own).mean())

    log_t = _lowest(cross_entropy, math.log(0.05), math.log(20))
    return math.exp(log_t), cross_entropy(log_t)


def _lowest(function: Callable[[float], float], low: float, high: float, width: float = 1e-4) -> float:
    """Where `function` has its one minimum, to within `width`: golden section (Kiefer, 1953)."""
    inner, outer = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_inner, at_outer = function(inner), function(outer)
    while high - low > width:
        if at_inner < at_outer:
            high, outer, at_outer = outer, inner, at_inner
            inner = high - GOLDEN * (high - low)
            at_inner = function(inner)
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer = low + GOLDEN * (high - low)
            at_outer = function(outer)
    return (low + high) / 2


def expected_optimism(k: int) -> float:
    """Expected maximum of k standard normals, by the trapezoidal rule: how good the best of k equals looks, in sd."""
    normal, step = NormalDist(), 0.02
    points = [index * step for index in range(-450, 451)]
    return step * k * sum(x * normal.pdf(x) * normal.cdf(x) ** (k - 1) for x in points)
