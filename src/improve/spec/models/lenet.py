from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from improve.lazy import keras
from improve.spec.component import Flag
from improve.spec.models.base import Activation, Architecture, logits, with_activation, with_dropout
from improve.spec.regularization import Regularization


class Lenet(Architecture):
    """LeNet as the course builds it: two 5×5 convolutions (20, 50), each pooled, then 500 hidden units.

    Rosebrock's variant (Deep Learning for Computer Vision with Python): 1,256,080 parameters for 28×28×1 images,
    1,632,080 for 32×32×3. Dropout, when asked for, stands after the hidden layer.
    """

    name: Literal["lenet"] = "lenet"
    activation: Activation = Field("relu", description="of the hidden layers")
    batch_norm: Flag = Field(False, description="batch normalisation after each activation")

    def needs(self) -> tuple[int, str]:
        return 4, ""

    def build(self, images: Any, classes: int, regularization: Regularization) -> Any:
        regularization, x = self.filled(regularization), images
        for number, filters in enumerate((20, 50), start=1):
            conv = keras.layers.Conv2D(
                filters=filters, kernel_size=5, padding="same", name=f"conv{number}", **regularization.convolution()
            )
            x = self.activated(conv(x), f"conv{number}", regularization)
            x = keras.layers.MaxPooling2D(pool_size=2, strides=2, name=f"pool{number}")(x)
        x = keras.layers.Flatten(name="flatten")(x)
        x = keras.layers.Dense(units=500, name="hidden", **regularization.dense())(x)
        x = self.activated(x, "hidden", regularization)
        return logits(with_dropout(x, regularization.dropout, "hidden"), classes, regularization)

    def activated(self, x: Any, name: str, regularization: Regularization) -> Any:
        return with_activation(x, self.activation, name, regularization, norm="after" if self.batch_norm else None)
