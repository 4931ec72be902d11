"""Which rates would do? A few steps with rates far below and far above that of the spec, taken back before the first
step of the run: a short range test (Smith, 2015), so that a rate is judged by this network and these images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from improve.engine.training.step_loop import StepLoop
from improve.lazy import keras, np

LEAST, MOST = 20, 60  # steps; a run that cannot afford the least goes without
SHARE = 0.05  # of the steps of the run, at most
FAR = 1000.0  # times the rate of the spec at the end, and a thousandth of it at the beginning
LEFT = 4.0  # times the lowest loss: far enough


def affordable(steps: int) -> int:
    """How many steps the probe may take of a run of so many; 0 where they would be too few."""
    count = min(MOST, int(SHARE * steps))
    return count if count >= LEAST else 0


def rate_probe(model: Any, loop: StepLoop, peak: float, steps: int) -> dict[str, Any] | None:
    """Take the affordable steps with rates that rise evenly on a logarithmic scale from a thousandth of `peak`, the
    highest rate of the run, to a thousand times it, all on the first batch, so that no other image moves the loss.

    `factors`: rate / `peak`; `losses`: before each of these steps, until the loss leaves. None where it was not asked.
    Everything is put back: the weights, the optimizer, random numbers, the log.
    """
    count = affordable(steps)
    if not count or not loop.is_compiled or not peak > 0:
        return None
    variables, batch = every_variable(model), loop.batches[0]
    kept = [keras.ops.convert_to_numpy(variable).copy() for variable in variables]
    factors, losses = np.geomspace(1 / FAR, FAR, count), list[float]()
    try:
        for factor in factors:
            losses.append(loss_at(model, factor * peak, lambda: loop.loss_of(batch)))
            if not losses[-1] < LEFT * min(losses):
                break
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)
    told = [loss if math.isfinite(loss) else None for loss in losses]
    return {"factors": [float(f"{factor:.4g}") for factor in factors[: len(told)]], "losses": told}


def loss_at(model: Any, rate: float, loss_of_step: Callable[[], float]) -> float:
    """The loss of a step that has this rate, whatever the schedule says."""
    optimizer = model.optimizer
    optimizer.rate_scale.assign(1.0)
    scheduled = float(optimizer.learning_rate)
    optimizer.rate_scale.assign(rate / scheduled if scheduled > 0 else 0.0)
    return loss_of_step()


def every_variable(model: Any) -> list[Any]:
    """All that a step moves."""
    found: list[Any] = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return list({id(variable): variable for variable in found}.values())
