"""The few tests that a diagnosis rests on, and what the best of many owes to chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


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
    """Two-sided p (m,) of McNemar's exact test for many pairs of models at once: each number of discordant images has
    one distribution."""
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


def expected_optimism(k: int) -> float:
    """Expected maximum of k standard normals, by the trapezoidal rule: how good the best of k equals looks, in sd."""
    normal, step = NormalDist(), 0.02
    points = [index * step for index in range(-450, 451)]
    return step * k * sum(x * normal.pdf(x) * normal.cdf(x) ** (k - 1) for x in points)
