"""Which setting mattered: how much worse a forest foretells the error when one setting is shuffled (Breiman, 2001)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np
from improve.spec.reading.search_space import Knob

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 8  # trials; of fewer nothing is said
TREES = 300
REPEATS = 20
FORETOLD = 0.1  # share of the variance that the forest must foretell of trials it has not seen


class Importance(NamedTuple):
    """Each setting's share of what shuffling costs, adding up to 1, the largest first; `foretold`: the share of the
    error's variance that the forest foretells of trials it was not grown on (out of bag)."""

    shares: dict[str, float]
    foretold: float


def importance(knobs: Sequence[Knob], trials: Sequence[tuple[Sequence[Any], float]]) -> Importance | None:
    """None where there are too few trials, or where nothing can be told from them. `trials`: values and error."""
    if len(trials) < LEAST or len(knobs) < 2 or len({error for _, error in trials}) < 2:
        return None
    features = np.array(
        [[number(knob, value) for knob, value in zip(knobs, values, strict=True)] for values, _ in trials]
    )
    costs, foretold = shuffled(features, np.array([error for _, error in trials]))
    if foretold < FORETOLD or costs.sum() <= 0:
        return None
    pairs = zip(knobs, costs / costs.sum(), strict=True)
    shares = {knob.key: float(share) for knob, share in sorted(pairs, key=lambda pair: -pair[1])}
    return Importance(shares, foretold)


def shuffled(features: NDArray[Any], errors: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """What shuffling each column costs, at least 0, and what the forest foretells out of bag."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    forest = RandomForestRegressor(TREES, oob_score=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a trial that every tree has seen has no out-of-bag forecast
        forest.fit(features, errors)
    found = permutation_importance(forest, features, errors, n_repeats=REPEATS, random_state=0)
    return np.maximum(found.importances_mean, 0.0), float(forest.oob_score_)


def number(knob: Knob, value: Any) -> float:
    """A value as a tree may split it; of what has no order, its place."""
    if not knob.numeric:
        return float(knob.values.index(value))
    return math.log(value) if knob.logarithmic else float(value)
