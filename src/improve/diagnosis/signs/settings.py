"""How odd the settings are: what is far from usual in the spec and in the network's start explains much by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator

from improve.diagnosis.findings.indicators import DEAD
from improve.diagnosis.findings.rule import Case
from improve.diagnosis.signs import network, restraint, start, steps
from improve.diagnosis.signs.sign import sign

#: what is still usual, in the unit of each sign
CLIPPED, LOW_RATES, DEPTH, SIGMOIDS, FROZEN = 0.25, 0.5, 15.0, 3.0, 0.5
LARGE, SMALL, INPUTS = 0.4, -1.7, 1.0  # decades
FAR = 1.0  # decade: what is plainly wrong


@sign("factor by which the oddest setting is beyond what is usual", log=True, above=0.0)
def oddest_setting(case: Case) -> float | None:
    return max(oddities(case)) if case.evidence.start.get("kernels") else None


def oddities(case: Case) -> Iterator[float]:
    """Each in decades beyond the usual; below 0 within it."""
    yield restraint.restraint(case) or 0.0
    yield steps.mean_span(case) or 0.0
    for value, usual in (
        (steps.clipped(case), CLIPPED),
        (steps.low_rate_share(case), LOW_RATES),
        (network.depth(case), DEPTH),
        (network.sigmoids(case), SIGMOIDS),
        (start.frozen(case), FROZEN),
    ):
        yield math.log10(max(value or 0.0, 1e-3) / usual)
    yield (start.largest_start(case) or 0.0) - LARGE
    yield SMALL - (start.smallest_start(case) or 0.0)
    yield (start.input_scale(case) or 0.0) - INPUTS
    yield -(network.room(case) or 0.0)
    yield FAR if start.alike(case) or (start.silent_at_start(case) or 0.0) >= DEAD else -FAR
