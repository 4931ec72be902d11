from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from improve.lazy import keras
from improve.spec.component import Flag
from improve.spec.models.base import Activation, Architecture, logits, with_activation, with_dropout
from improve.spec.regularization import Regularization

SIDE = 32


class Lenet5(Architecture):
    """LeNet-5 (LeCun et al., 1998) in its modern form: three 5×5 convolutions (6, 16, 120), 84 hidden units, tanh.

    61,706 parameters for 32×32×1 images, 62,006 for 32×32×3. The original has 60,000: there each map of C3 saw some of
    the maps before it, the pooling was trained, and the output compared with drawn digits. Images of 28 to 31 pixels
    are padded with zeros to 32×32, as LeCun padded his. Dropout, when asked for, stands after C5 and F6.
    """

    name: Literal["lenet5"] = "lenet5"
    activation: Activation = Field("tanh", description="of the hidden layers")
    batch_norm: Flag = Field(False, description="batch normalisation after each activation")

    def needs(self) -> tuple[int, str]:
        return 28, "they are padded to 32×32, as LeCun's of 28×28"

    def build(self, images: Any, classes: int, regularization: Regularization) -> Any:
        regularization = self.filled(regularization)
        x = self.convolved(padded(images), 6, "c1", regularization)
        x = keras.layers.AveragePooling2D(pool_size=2, strides=2, name="s2")(x)
        x = self.convolved(x, 16, "c3", regularization)
        x = keras.layers.AveragePooling2D(pool_size=2, strides=2, name="s4")(x)
        x = self.convolved(x, 120, "c5", regularization)
        x = with_dropout(keras.layers.Flatten(name="flatten")(x), regularization.dropout, "c5")
        x = keras.layers.Dense(units=84, name="f6", **regularization.dense())(x)
        x = with_dropout(self.activated(x, "f6", regularization), regularization.dropout, "f6")
        return logits(x, classes, regularization)

    def convolved(self, x: Any, filters: int, name: str, regularization: Regularization) -> Any:
        x = keras.layers.Conv2D(filters=filters, kernel_size=5, name=name, **regularization.convolution())(x)
        return self.activated(x, name, regularization)

    def activated(self, x: Any, name: str, regularization: Regularization) -> Any:
        return with_activation(x, self.activation, name, regularization, norm="after" if self.batch_norm else None)


def padded(images: Any) -> Any:
    """Zeros around images that are smaller than 32×32; what is odd goes below and to the right."""
    missing = [max(0, SIDE - side) for side in images.shape[1:3]]
    if not any(missing):
        return images
    return keras.layers.ZeroPadding2D(padding=tuple((gap // 2, gap - gap // 2) for gap in missing), name="pad")(images)
