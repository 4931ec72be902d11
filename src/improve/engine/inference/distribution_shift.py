"""How images from the field differ from those a run was judged by: in how they look, and in the shares of classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np
from improve.statistics.intervals import CONFIDENCE, Rate, Z, difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

APART = 0.5  # standard deviations between two means: a medium effect (Cohen, 1988), as for validation against training


class Apart(NamedTuple):
    """Means of one measure in the field and where it was judged; `size` of the difference in standard deviations (the
    root mean square of both), with its 95 % interval."""

    what: str
    field: float
    known: float
    size: float
    low: float
    high: float

    @property
    def stands_out(self) -> bool:
        """Half a standard deviation or more, and surely there."""
        return abs(self.size) >= APART and (self.low > 0 or self.high < 0)


def looks_apart(field: Mapping[str, NDArray[Any]], known: Mapping[str, NDArray[Any]]) -> list[Apart]:
    """How far the field's images lie from the known ones, by measure (one number per image), what differs most
    first."""
    both = [(what, field[what], known[what]) for what in field if len(known.get(what, ()))]
    return sorted((apart(*one) for one in both), key=lambda one: -abs(one.size))


def apart(what: str, field: NDArray[Any], known: NDArray[Any]) -> Apart:
    """Cohen's d; its variance after Hedges and Olkin (1985)."""
    here, there = (np.asarray(values, np.float64) for values in (field, known))
    spread = math.hypot(here.std(), there.std()) / math.sqrt(2)
    size = float(here.mean() - there.mean()) / max(spread, 1e-9)
    n, m = len(here), len(there)
    half = Z * math.sqrt((n + m) / (n * m) + size * size / (2 * (n + m)))
    return Apart(what, float(here.mean()), float(there.mean()), size, size - half, size + half)


class Classes(NamedTuple):
    """Shares of classes: the share of images that would have to change class (`distance`: total variation), the
    classes whose shares surely differ, each with the difference and its interval, and the error that the known error
    of each class gives in the field's shares."""

    distance: float
    changed: list[dict[str, Any]]
    expected_error: float


def classes_apart(
    names: tuple[str, ...], field: NDArray[Any], validation: NDArray[Any], known_wrong: NDArray[Any]
) -> Classes:
    """How the shares of the classes changed, from labels (n,) in the field and (m,) where the run was judged, and which
    of those (m,) were wrong. The intervals hold for all classes together (Bonferroni)."""
    here, there = (np.bincount(labels, minlength=len(names)) for labels in (field, validation))
    n, m = len(field), len(validation)
    z = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / (2 * len(names)))
    changed = []
    for name, mine, theirs in zip(names, here.tolist(), there.tolist(), strict=True):
        low, high = difference(Rate(mine / n, n), Rate(theirs / m, m), z)
        if low > 0 or high < 0:
            changed.append({"class": name, "field": mine / n, "known": theirs / m, "low": low, "high": high})
    changed.sort(key=lambda one: -abs(one["field"] - one["known"]))
    distance = float(abs(here / n - there / m).sum()) / 2
    wrong = np.bincount(validation[known_wrong], minlength=len(names))
    # a class that was never seen is always wrong
    errors = np.where(there > 0, wrong / np.maximum(there, 1), 1.0)
    return Classes(distance, changed, float((here * errors).sum() / n))
