from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from improve.lazy import keras
from improve.spec.component import Flag
from improve.spec.models.base import Activation, Architecture, logits, with_activation, with_dropout
from improve.spec.regularization import Regularization


class Minivggnet(Architecture):
    """MiniVGGNet: two blocks of two 3×3 convolutions (32, 64), each block pooled, then 512 hidden units.

    Rosebrock (Deep Learning for Computer Vision with Python): 2,171,178 parameters for 32×32×3 images and 10 classes,
    2,168,362 without batch normalisation, which stands after the activation here. `dropout` is the rate after the
    hidden layer, half of it stands after each pooling; its own is 0.5, which gives the book's 0.25, 0.25, 0.5.
    """

    name: Literal["minivggnet"] = "minivggnet"
    own: ClassVar[dict[str, float]] = {"dropout": 0.5}
    activation: Activation = Field("relu", description="of the hidden layers")
    batch_norm: Flag = Field(True, description="batch normalisation after each activation")

    def needs(self) -> tuple[int, str]:
        return 4, "two poolings halve them"

    def build(self, images: Any, classes: int, regularization: Regularization) -> Any:
        regularization, x = self.filled(regularization), images
        for block, filters in enumerate((32, 64), start=1):
            x = self.block(x, filters, block, regularization)
        x = keras.layers.Flatten(name="flatten")(x)
        x = keras.layers.Dense(units=512, name="hidden", **regularization.dense())(x)
        x = self.activated(x, "hidden", regularization)
        return logits(with_dropout(x, regularization.dropout, "hidden"), classes, regularization)

    def block(self, x: Any, filters: int, block: int, regularization: Regularization) -> Any:
        for name in (f"conv{block}_1", f"conv{block}_2"):
            conv = keras.layers.Conv2D(
                filters=filters, kernel_size=3, padding="same", name=name, **regularization.convolution()
            )
            x = self.activated(conv(x), name, regularization)
        x = keras.layers.MaxPooling2D(pool_size=2, strides=2, name=f"pool{block}")(x)
        return with_dropout(x, (regularization.dropout or 0.0) / 2, f"pool{block}")

    def activated(self, x: Any, name: str, regularization: Regularization) -> Any:
        return with_activation(x, self.activation, name, regularization, norm="after" if self.batch_norm else None)
