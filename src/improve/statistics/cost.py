"""Errors weighted by what they cost: one number to choose by, where some mistakes are worse than others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.errors import UsageError, did_you_mean
from improve.lazy import np
from improve.statistics.intervals import Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Cost(NamedTuple):
    """A cost-weighted error from 0 (nothing is wrong) to 1 (everything is), with its 95 % interval."""

    cost: float
    cost_low: float
    cost_high: float


def by_class(costs: Mapping[str, float] | None, names: tuple[str, ...]) -> NDArray[Any] | None:
    """What an error on each class costs (classes,; float64), 1 where nothing is said; None where nothing is asked.

    Raises UsageError for a class that there is not, and where no error costs anything.
    """
    if costs is None:
        return None
    unknown = next((name for name in costs if name not in names), None)
    if unknown is not None:
        what = f"diagnosis.cost: there is no class '{unknown}'{did_you_mean(unknown, names)}"
        raise UsageError(what, fix=f"classes: {', '.join(names[:20])}")
    weights = np.array([costs.get(name, 1.0) for name in names])
    if not weights.any():
        raise UsageError("diagnosis.cost: no error costs anything", fix="give one class a cost above 0")
    return weights


def weighted(wrong: NDArray[np.bool_], labels: NDArray[Any], costs: NDArray[Any]) -> Cost:
    """Σ cost·wrong / Σ cost over the examples, by their true labels (n,): with equal costs, the error.

    It is a mean of the errors of the classes, with fixed weights: a class's share of the whole cost. Its interval comes
    from theirs (Wilson's): the distances to their ends add up in squares, as in Newcombe's for a difference (the method
    of variance estimates recovery; Zou and Donner, 2008). It does not shrink to nothing where nothing is wrong.
    """
    counts = np.bincount(labels, minlength=len(costs))
    present = np.flatnonzero(counts)
    mistakes = np.bincount(labels[wrong], minlength=len(costs))
    whole = float(costs @ counts)
    if whole <= 0:  # only classes whose errors cost nothing
        return Cost(0.0, 0.0, 1.0)
    value, below, above = 0.0, 0.0, 0.0
    for label in present:
        share = float(costs[label] * counts[label]) / whole
        rate = Rate(float(mistakes[label] / counts[label]), int(counts[label]))
        low, high = rate.interval()
        value += share * rate.value
        below += (share * (rate.value - low)) ** 2
        above += (share * (high - rate.value)) ** 2
    return Cost(value, max(0.0, value - math.sqrt(below)), min(1.0, value + math.sqrt(above)))
