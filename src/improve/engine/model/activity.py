"""Looking into a network while it computes: what each activation hands on."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from improve.engine.model.layers import activation, has_kernel, leaves, values_handed_on
from improve.lazy import keras, np
from improve.runs.schema import SQUASHING

if TYPE_CHECKING:
    from numpy.typing import NDArray

SATURATED = 0.01  # of the range, from either end
AT_ONCE = 2**26  # numbers that all layers together hand on: 256 MiB


@contextmanager
def watched(model: Any, see: Callable[[Any, Any, Any], None]) -> Iterator[None]:
    """While inside, `see(layer, input, output)` is called for every leaf that computes (eagerly)."""

    def watch(operation: Any) -> None:
        call = operation.call

        def watching(*arguments: Any, **keywords: Any) -> Any:
            output = call(*arguments, **keywords)
            see(operation, arguments[0] if arguments else None, output)
            return output

        object.__setattr__(operation, "call", watching)  # Keras's own __setattr__ tracks state

    inside = list(dict.fromkeys(leaves(model)))
    for operation in inside:
        watch(operation)
    try:
        yield
    finally:
        for operation in inside:
            object.__delattr__(operation, "call")


def look_inside(model: Any, images: NDArray[Any]) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """What each activation hands on for these images, in the order of computing; and what the first layer with weights
    is given. A functional model keeps what its layers hand on until it is through: where that is much, it gets a few
    images at a time."""
    size = max(1, AT_ONCE // max(1, values_handed_on(model)))
    parts = [look(model, images[start : start + size]) for start in range(0, len(images), size)]
    rows = [whole(activity) for activity in zip(*(activities for activities, _ in parts), strict=True)]
    first = [given for _, firsts in parts for given in firsts]
    return [activity.row() for activity in rows], whole(first).scale() if first else {}


def look(model: Any, images: NDArray[Any]) -> tuple[list[Activity], list[Activity]]:
    """Of every activation what it hands on, and of the first layer with weights what it is given: one, or none."""
    handed_on: list[Activity] = []
    first: list[Activity] = []

    def see(operation: Any, given: Any, output: Any) -> None:
        if not first and has_kernel(operation):
            first.append(activity_of(given, operation.name, ""))
        name = activation(operation)
        if name and hasattr(output, "shape"):
            handed_on.append(activity_of(output, operation.name, name))

    with watched(model, see):
        model(images, training=False)
    return handed_on, first


@dataclass(frozen=True)
class Activity:
    """What is known of the numbers that a layer hands on: how many, their mean, the sum of squares around it, how many
    are zero or at an end of the activation's range, and the extremes (units,) of each unit or map."""

    layer: str
    activation: str
    count: int
    mean: float
    squares: float
    zeros: int
    ends: int
    highest: NDArray[Any]
    lowest: NDArray[Any]

    def __add__(self, other: Activity) -> Activity:
        """Of both together (Chan, Golub, LeVeque, 1979)."""
        count, apart = self.count + other.count, other.mean - self.mean
        return replace(
            self,
            count=count,
            mean=self.mean + apart * other.count / count,
            squares=self.squares + other.squares + apart**2 * self.count * other.count / count,
            zeros=self.zeros + other.zeros,
            ends=self.ends + other.ends,
            highest=np.maximum(self.highest, other.highest),
            lowest=np.minimum(self.lowest, other.lowest),
        )

    def row(self) -> dict[str, Any]:
        """Mean and standard deviation; shares of outputs that are zero or at an end of the range; `silent`: the share
        of units (or maps) that give one value for all images, wherever they look."""
        spread, scale = self.highest - self.lowest, max(np.abs(self.highest).max(), np.abs(self.lowest).max())
        return {
            "layer": self.layer,
            "activation": self.activation,
            "mean": self.mean,
            "std": math.sqrt(self.squares / self.count),
            "zeros": self.zeros / self.count,
            "silent": float((spread <= 1e-6 * max(float(scale), 1e-30)).mean()),
            "saturated": self.ends / self.count,
        }

    def scale(self) -> dict[str, float]:
        """Mean and root mean square."""
        return {"mean": self.mean, "rms": math.sqrt(self.squares / self.count + self.mean**2)}


def whole(parts: Sequence[Activity]) -> Activity:
    return functools.reduce(operator.add, parts)


def activity_of(output: Any, layer: str, activation: str) -> Activity:
    values = keras.ops.convert_to_numpy(output).astype(np.float32)
    low, high = SQUASHING.get(activation, (-np.inf, np.inf))
    edge = SATURATED * (high - low) if activation in SQUASHING else 0.0
    ends = int(np.count_nonzero((values <= low + edge) | (values >= high - edge))) if edge else 0
    zeros = values.size - int(np.count_nonzero(values))
    # squares of what a diverging network hands on are beyond float32
    mean, squares = float(values.mean(dtype=np.float64)), float(values.var(dtype=np.float64)) * values.size
    extremes = by_unit(np.max, values), by_unit(np.min, values)
    return Activity(layer, activation, values.size, mean, squares, zeros, ends, *extremes)


def by_unit(extreme: Callable[..., Any], values: NDArray[Any]) -> Any:
    """The extreme (units,) of each unit or map, over images and places. Images first: NumPy is four times as fast along
    long rows."""
    images = values.reshape(len(values), -1)
    return extreme(extreme(images, axis=0).reshape(-1, (1, *values.shape[1:])[-1]), axis=0)
