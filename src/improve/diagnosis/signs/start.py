"""How it starts: the scale of weights and inputs, the first loss, units that are silent."""

from __future__ import annotations

import math
from typing import Any

from improve.diagnosis.findings.capacity import frozen_weights
from improve.diagnosis.findings.indicators import initial_ratio, last_epoch, silent_share
from improve.diagnosis.findings.rule import Case
from improve.diagnosis.findings.wiring import centred, rescaled_at_once, starts_alike
from improve.diagnosis.signs.sign import decades, sign


def hidden_kernels(case: Case) -> list[dict[str, Any]]:
    """What trains, but for the last one."""
    return [kernel for kernel in case.evidence.start.get("kernels", []) if kernel["trainable"]][:-1]


@sign("first loss over that of guessing", log=True)
def first_loss(case: Case) -> float | None:
    return decades(initial_ratio(case))


@sign("largest scale that hidden weights start with, over the usual one", log=True, above=0.3)
def largest_start(case: Case) -> float | None:
    return decades(max((kernel["scale"] for kernel in hidden_kernels(case)), default=None))


@sign("smallest scale that hidden weights start with, over the usual one", log=True, below=-1.0)
def smallest_start(case: Case) -> float | None:
    return decades(min((kernel["scale"] for kernel in hidden_kernels(case)), default=None))


@sign("whether the units of a hidden layer start alike")
def alike(case: Case) -> float | None:
    return float(any(map(starts_alike, hidden_kernels(case))))


@sign("largest share of silent units in a layer before the first step")
def silent_at_start(case: Case) -> float | None:
    return silent_share(case, 0) if case.evidence.layers else None


@sign("largest share of silent units in a layer at the end")
def silent_at_end(case: Case) -> float | None:
    return silent_share(case, last_epoch(case)) if case.evidence.layers else None


@sign("share of silent units at the end less that before the first step")
def fallen_silent(case: Case) -> float | None:
    before, after = silent_at_start(case), silent_at_end(case)
    return after - before if after is not None and before is not None else None


@sign("smallest spread of a layer's outputs at the end", log=True)
def smallest_spread(case: Case) -> float | None:
    spreads = [row["std"] for row in case.evidence.layers if row["epoch"] == last_epoch(case)]
    return decades(min(spreads)) if spreads else None


@sign("factor by which the inputs are off a root mean square of 1, where that matters", log=True, above=0.7)
def input_scale(case: Case) -> float | None:
    rms = case.evidence.start.get("input", {}).get("rms")
    if rms is None or not math.isfinite(rms):
        return None
    off = decades(rms) or 0.0
    return 0.0 if rescaled_at_once(case) or centred(case) else abs(off)


@sign("share of the weights that do not train", above=0.3)
def frozen(case: Case) -> float | None:
    still, weights = frozen_weights(case)
    return still / weights if weights else None
