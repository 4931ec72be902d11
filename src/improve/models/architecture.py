"""What all architectures share."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from improve.lazy import keras
from improve.parts import Part
from improve.regularization import Regularization

Activation = Literal["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "softplus", "linear"]


class Architecture(Part):
    """From normalised images to one logit per class."""

    shelf = "models"
    smallest: ClassVar[int] = 1

    def cannot_take(self, height: int, width: int) -> str:
        """Why images of this size do not fit, or nothing; asked before Keras is loaded."""
        if min(height, width) >= self.smallest:
            return ""
        return (
            f"{self.name} needs images of at least {self.smallest}×{self.smallest} pixels, these are {height}×{width}"
        )

    def bigger(self) -> dict[str, Any]:
        """Options that make it a bigger network, where it has any."""
        return {}

    def build(self, images: Any, classes: int, regularization: Regularization) -> Any:
        """Logits (n, classes) from a Keras tensor of images (n, height, width, channels)."""
        raise NotImplementedError


def activated(x: Any, activation: str, batch_norm: bool, name: str) -> Any:
    """The activation and then batch normalisation, in the order of the course's networks."""
    x = keras.layers.Activation(activation, name=f"{name}_{activation}")(x)
    return keras.layers.BatchNormalization(name=f"{name}_norm")(x) if batch_norm else x


def dropped(x: Any, rate: float, name: str) -> Any:
    return keras.layers.Dropout(rate, name=f"{name}_dropout")(x) if rate else x
