from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from improve.lazy import keras
from improve.spec.component import Flag
from improve.spec.models.base import (
    Activation,
    Architecture,
    Counts,
    Initializer,
    Place,
    logits,
    with_activation,
    with_dropout,
)
from improve.spec.regularization import Regularization


class Mlp(Architecture):
    """A multi-layer perceptron: the image flattened, then fully connected layers; none at all is a linear model.

    Dropout, when asked for, stands after each hidden layer.
    """

    name: Literal["mlp"] = "mlp"
    hidden: Counts = Field((64,), description="units of each hidden layer")
    activation: Activation = Field("relu", description="of the hidden layers")
    initializer: Initializer = Field("glorot_uniform", description="of all kernels")
    batch_norm: Flag = Field(False, description="batch normalisation of the hidden layers")
    batch_norm_at: Place = Field("after", description="where it stands: after or before each activation")

    def bigger(self) -> dict[str, Any]:
        return {"hidden": [2 * units for units in self.hidden] or [64]}

    def build(self, images: Any, classes: int, regularization: Regularization) -> Any:
        regularization = self.filled(regularization)
        x = keras.layers.Flatten(name="flatten")(images)
        for number, units in enumerate(self.hidden, start=1):
            x = self.dense(x, units, f"hidden{number}", regularization)
        return logits(x, classes, regularization, self.initializer)

    def dense(self, x: Any, units: int, name: str, regularization: Regularization) -> Any:
        arguments = {"kernel_initializer": self.initializer, **regularization.dense()}
        x = keras.layers.Dense(units=units, name=name, **arguments)(x)
        norm = self.batch_norm_at if self.batch_norm else None
        x = with_activation(x, self.activation, name, regularization, norm)
        return with_dropout(x, regularization.dropout, name)
