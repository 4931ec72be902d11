"""How strong an augmentation is, beside what is usual."""

from __future__ import annotations

import math
from typing import Any

from improve.diagnosis.findings.rule import Case

#: the strongest of each augmentation that is usual, by option
USUAL = {
    "shift": {"width": 0.2, "height": 0.2},
    "rotate": {"degrees": 30.0},
    "shear": {"degrees": 20.0},
    "gaussian_noise": {"stddev": 0.4},
    "erasing": {"probability": 0.7, "smallest": 0.2},
    "brightness": {"factor": 0.4},
    "contrast": {"factor": 0.6},
}
GENTLE, NONE = -0.3, -3.0  # decades: an augmentation without a strength of its own; nothing there


def strongest(case: Case) -> float:
    """Decades of the strongest augmentation of a run over what is usual; `NONE` without any."""
    return max((strength(entry) for entry in case.setting("augmentation") or []), default=NONE)


def strength(entry: dict[str, Any]) -> float:
    usual = USUAL.get(entry["name"], {})
    return max((over(entry.get(option, 0.0), limit) for option, limit in usual.items()), default=GENTLE)


def over(value: float, usual: float) -> float:
    """Decades over what is usual."""
    return max(NONE, math.log10(abs(value) / usual)) if value else NONE
