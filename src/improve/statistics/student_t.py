"""Student's t, and the slope of a line that is judged by it.

Not SciPy's: importing scipy.special takes longer than all the rest of a comparison or of a diagnosis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from improve.lazy import np
from improve.statistics.intervals import CONFIDENCE


def students_t(freedom: float) -> float:
    """The t that |t| exceeds in 5 % of the cases, freedom ≥ 1: with t = √ν tan θ, θ has the density cos^(ν−1) θ. By
    sums, to 0.001: Welch's degrees of freedom are no whole number."""
    angle = np.linspace(0, math.pi / 2, 20_001)
    density = np.cos(angle) ** (freedom - 1)
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return math.sqrt(freedom) * math.tan(float(np.interp(CONFIDENCE * below[-1], below, angle)))


def students_p(t: float, freedom: int) -> float:
    """P(|T| ≥ t) at a whole number of degrees of freedom ≥ 1, to 1e-12: Abramowitz and Stegun (1964), 26.7.3 and
    26.7.4."""
    angle, odd = math.atan(t / math.sqrt(freedom)), freedom % 2
    i = np.arange(1, (freedom - odd) // 2)
    terms = np.cumprod(np.concatenate([[1.0], (2 * i - 1 + odd) / (2 * i + odd) * math.cos(angle) ** 2]))
    series = math.sin(angle) * float(terms.sum())
    within = 2 / math.pi * (angle + (series * math.cos(angle) if freedom > 1 else 0.0)) if odd else series
    return max(0.0, 1 - within)


class Slope(NamedTuple):
    """Change of y per unit of x; p two-sided for "it is 0"."""

    value: float
    standard_error: float
    p: float


def slope(x: Sequence[float], y: Sequence[float]) -> Slope:
    """Ordinary least squares, with Student's t at n − 2 degrees of freedom. Under 3 points p is 1; where one is no
    number the slope is none."""
    if not np.isfinite(y).all():
        return Slope(math.nan, math.inf, 1.0)
    across, up = np.asarray(x, float) - np.mean(x), np.asarray(y, float) - np.mean(y)
    value = float((across * up).sum() / (across * across).sum())
    freedom = len(across) - 2
    if freedom < 1:
        return Slope(value, math.inf, 1.0)
    error = math.sqrt(float(((up - value * across) ** 2).sum()) / freedom / float((across * across).sum()))
    if error == 0:
        return Slope(value, 0.0, 0.0 if value else 1.0)
    return Slope(value, error, students_p(abs(value / error), freedom))
