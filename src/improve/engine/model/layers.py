"""The layers of a network, whatever it is built of: which they are, what they hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from improve.lazy import keras, np
from improve.runs.schema import SQUASHING

ACTIVATIONS = {
    "relu", "relu6", "leaky_relu", "leakyrelu", "prelu", "elu", "selu", "celu", "gelu", "silu", "swish", "mish",
    "softplus", "softmax", "log_softmax", "exponential", "hard_silu", *SQUASHING,
}  # fmt: skip


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


def is_kernel(weight: Any) -> bool:
    """Weights between units; biases and the scales of normalisation have one axis."""
    return len(weight.shape) >= 2


def has_kernel(operation: Any) -> bool:
    return any(map(is_kernel, getattr(operation, "weights", [])))


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


def values_handed_on(model: Any) -> int:
    """How many numbers all layers together hand on for one image, as far as they tell."""
    shapes = (getattr(output, "shape", None) for layer in leaves(model) for output in outputs_of(layer))
    return sum(math.prod(shape[1:]) for shape in shapes if shape and None not in shape[1:])


def outputs_of(layer: Any) -> list[Any]:
    """Symbolic tensors; none where the layer is not part of a functional model."""
    try:
        return list(keras.tree.flatten(layer.output))
    except (AttributeError, ValueError):
        return []


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
