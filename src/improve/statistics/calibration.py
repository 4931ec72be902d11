"""Whether a model's confidence can be believed: the expected calibration error (ECE), its value by chance, and the
temperature that mends it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np
from improve.statistics.intervals import CONFIDENCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

GOLDEN = (math.sqrt(5) - 1) / 2
TINY = 1.2e-38  # the smallest normal float32


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
