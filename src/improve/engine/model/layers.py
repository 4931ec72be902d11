"""Looking into a network while it computes: what each layer hands on, whatever the model is built of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from improve.lazy import keras, np
from improve.runs.schema import SQUASHING

if TYPE_CHECKING:
    from numpy.typing import NDArray

ACTIVATIONS = {
    "relu", "relu6", "leaky_relu", "leakyrelu", "prelu", "elu", "selu", "celu", "gelu", "silu", "swish", "mish",
    "softplus", "softmax", "log_softmax", "exponential", "hard_silu", *SQUASHING,
}  # fmt: skip
SATURATED = 0.01  # of the range, from either end


def leaves(model: Any) -> Iterator[Any]:
    """Every layer and operation that holds no other one."""
    for inner in getattr(model, "operations", None) or getattr(model, "_layers", []):
        if getattr(inner, "_layers", None):
            yield from leaves(inner)
        else:
            yield inner


def activation(operation: Any) -> str | None:
    """The name of the non-linearity that a layer ends in, or None."""
    function = getattr(operation, "activation", None)
    name = getattr(function, "__name__", None) or type(operation).__name__
    return name.lower() if name.lower() in ACTIVATIONS else None


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
    is given."""
    rows: list[dict[str, Any]] = []
    first: dict[str, float] = {}

    def see(operation: Any, given: Any, output: Any) -> None:
        if not first and has_kernel(operation):
            values = keras.ops.convert_to_numpy(given).astype(np.float64)
            first.update(mean=float(values.mean()), rms=float(np.sqrt(np.square(values).mean())))
        name = activation(operation)
        if name and hasattr(output, "shape"):
            rows.append({"layer": operation.name, "activation": name, **describe(output, name)})

    with watched(model, see):
        model(images, training=False)
    return rows, first


def is_kernel(weight: Any) -> bool:
    """Weights between units; biases and the scales of normalisation have one axis."""
    return len(weight.shape) >= 2


def has_kernel(operation: Any) -> bool:
    return any(map(is_kernel, getattr(operation, "weights", [])))


def describe(output: Any, name: str) -> dict[str, float]:
    """Mean and standard deviation; shares of outputs that are zero or at an end of the range; `silent`: the share of
    units (or maps) that give one value for all images, wherever they look."""
    values = keras.ops.convert_to_numpy(output).astype(np.float32)
    highest, lowest = by_unit(np.max, values), by_unit(np.min, values)
    spread, scale = highest - lowest, max(np.abs(highest).max(), np.abs(lowest).max())
    low, high = SQUASHING.get(name, (-np.inf, np.inf))
    edge = SATURATED * (high - low) if name in SQUASHING else 0.0
    return {
        "mean": float(values.mean()),
        "std": float(values.std(dtype=np.float64)),  # squares of what a diverging network hands on are beyond float32
        "zeros": 1 - np.count_nonzero(values) / values.size,
        "silent": float((spread <= 1e-6 * max(float(scale), 1e-30)).mean()),
        "saturated": float(((values <= low + edge) | (values >= high - edge)).mean()) if edge else 0.0,
    }


def by_unit(extreme: Callable[..., Any], values: NDArray[Any]) -> Any:
    """The extreme (units,) of each unit or map, over images and places. Images first: NumPy is four times as fast along
    long rows."""
    images = values.reshape(len(values), -1)
    return extreme(extreme(images, axis=0).reshape(-1, (1, *values.shape[1:])[-1]), axis=0)


def depends_on_mode(model: Any) -> bool:
    """Whether it computes otherwise while it trains: dropout, batch normalisation, noise."""
    modes = (keras.layers.BatchNormalization, keras.layers.GaussianNoise, keras.layers.GaussianDropout)
    return any("Dropout" in type(leaf).__name__ or isinstance(leaf, modes) for leaf in leaves(model))


def mixes_images(model: Any) -> bool:
    """Whether what it makes of an image depends on the others of the batch, while it trains."""
    return any(isinstance(leaf, keras.layers.BatchNormalization) for leaf in leaves(model))


def multiply_adds(model: Any) -> float:
    """What the kernels of a model take for one image, forwards; infinite where a layer does not tell its output."""
    total = 0.0
    for layer in model._flatten_layers(include_self=False):
        kernels = [weight for weight in layer._trainable_variables if is_kernel(weight)]
        if kernels:
            try:
                positions = math.prod(layer.output.shape[1:-1])
            except (AttributeError, TypeError, ValueError):
                return math.inf
            total += positions * sum(math.prod(kernel.shape) for kernel in kernels)
    return total


def layer_summary(model: Any) -> dict[str, Any]:
    """What it is built of: kernels with their scale (standard deviation · √inputs of a unit; Glorot and He give 0.5 to
    1.5), and the kinds of layers that findings ask for."""
    inside = list(leaves(model))
    kinds = [type(leaf).__name__ for leaf in inside]
    kernels = list(filter(is_kernel, model.weights))
    return {
        "kernels": [kernel(weight) for weight in kernels],
        "skips": any(kind in ("Add", "Concatenate", "Multiply", "Average") for kind in kinds),
        "normalizations": sum(kind.endswith("Normalization") for kind in kinds),
        "batch_normalizations": kinds.count("BatchNormalization"),
        "dropout": [float(leaf.rate) for leaf in inside if "Dropout" in type(leaf).__name__],
        "activations": [name for leaf in inside if (name := activation(leaf))],
        "operations": kinds,
    }


def kernel(weight: Any) -> dict[str, Any]:
    values = keras.ops.convert_to_numpy(weight)
    inputs = int(np.prod(values.shape[:-1]))
    spread = float(values.std())
    return {
        "name": weight.path,
        "shape": list(values.shape),
        "scale": spread * inputs**0.5,
        "constant": bool(values.max() == values.min()),
        "trainable": bool(weight.trainable),
    }
