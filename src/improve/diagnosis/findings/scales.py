"""Do the pixels of two parts stand on one scale?"""

from __future__ import annotations

import math

from improve.diagnosis.findings.indicators import part_of
from improve.diagnosis.findings.rule import Case

OTHER_SCALE = 3.0  # times the brightness and the contrast of the training images


def scaled_apart(case: Case) -> float | None:
    """How many times brighter and richer in contrast validation images are than training images, where both are far
    from 1."""
    train, validation = part_of(case, "train"), part_of(case, "validation")
    if not train or not validation:
        return None
    pairs = [(validation[what][0], train[what][0]) for what in ("brightness", "contrast")]
    if any(ours <= 0 or theirs <= 0 for ours, theirs in pairs):
        return None
    factors = [ours / theirs for ours, theirs in pairs]
    far = all(factor > OTHER_SCALE for factor in factors) or all(factor < 1 / OTHER_SCALE for factor in factors)
    return math.sqrt(factors[0] * factors[1]) if far else None
