from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from improve.lazy import keras
from improve.models.architecture import Activation, Architecture, activated, dropped
from improve.parts import Count, Flag
from improve.regularization import Regularization


class Mlp(Architecture):
    """A multi-layer perceptron: the image flattened, then fully connected layers; none at all is a linear model."""

    name: Literal["mlp"] = "mlp"
    hidden: Annotated[tuple[Count, ...], Field(strict=False)] = Field((64,), description="units of each hidden layer")
    activation: Activation = Field("relu", description="of the hidden layers")
    batch_norm: Flag = Field(False, description="batch normalisation after each activation")

    def bigger(self) -> dict[str, Any]:
        return {"hidden": [2 * units for units in self.hidden] or [64]}

    def build(self, images: Any, classes: int, regularization: Regularization) -> Any:
        x = keras.layers.Flatten(name="flatten")(images)
        for number, units in enumerate(self.hidden, start=1):
            x = keras.layers.Dense(units, name=f"hidden{number}", **regularization.hidden())(x)
            x = activated(x, self.activation, self.batch_norm, f"hidden{number}")
            x = dropped(x, regularization.dropout, f"hidden{number}")
        return keras.layers.Dense(classes, name="logits", **regularization.kernel())(x)
