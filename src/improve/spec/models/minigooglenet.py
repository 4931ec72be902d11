from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from improve.lazy import keras
from improve.spec.component import Flag
from improve.spec.models.base import Activation, Architecture, logits, with_activation, with_dropout
from improve.spec.regularization import Regularization

#: filters of the modules in order: (1×1, 3×3) of an inception module, one number for a downsampling
MODULES: tuple[tuple[int, int] | int, ...] = (
    (32, 32), (32, 48), 80, (112, 48), (96, 64), (80, 80), (48, 96), 96, (176, 160), (176, 160),
)  # fmt: skip


class Minigooglenet(Architecture):
    """MiniGoogLeNet: eight small inception modules (1×1 beside 3×3), downsampled twice, then one 7×7 average.

    The small Inception of Zhang et al. (2016, arXiv 1611.03530) as Rosebrock builds it: 1,656,250 parameters for
    32×32×3 images and 10 classes; 1,649,402 without batch normalisation, which stands before the activation here.
    Its own dropout of 0.5 stands before the last layer. Images of 28×28 leave 6×6 for the 7×7 average: refused.
    """

    name: Literal["minigooglenet"] = "minigooglenet"
    own: ClassVar[dict[str, float]] = {"dropout": 0.5}
    activation: Activation = Field("relu", description="of the hidden layers")
    batch_norm: Flag = Field(True, description="batch normalisation before each activation")

    def needs(self) -> tuple[int, str]:
        return 31, "two halvings must leave 7×7 for the last pooling"

    def build(self, images: Any, classes: int, regularization: Regularization) -> Any:
        regularization = self.filled(regularization)
        x = self.conv(images, 96, 3, "conv1", regularization)
        for number, filters in enumerate(MODULES, start=1):
            if isinstance(filters, int):
                x = self.downsample(x, filters, f"downsample{number}", regularization)
            else:
                x = self.inception(x, filters, f"inception{number}", regularization)
        x = keras.layers.AveragePooling2D(pool_size=7, name="pool")(x)
        x = with_dropout(x, regularization.dropout, "pool")
        return logits(keras.layers.Flatten(name="flatten")(x), classes, regularization)

    def inception(self, x: Any, filters: tuple[int, int], name: str, regularization: Regularization) -> Any:
        sizes = zip(filters, (1, 3), strict=True)
        branches = [self.conv(x, count, size, f"{name}_{size}x{size}", regularization) for count, size in sizes]
        return keras.layers.Concatenate(name=name)(branches)

    def downsample(self, x: Any, filters: int, name: str, regularization: Regularization) -> Any:
        conv = self.conv(x, filters, 3, f"{name}_conv", regularization, strides=2, padding="valid")
        pool = keras.layers.MaxPooling2D(pool_size=3, strides=2, name=f"{name}_pool")(x)
        return keras.layers.Concatenate(name=name)([conv, pool])

    def conv(
        self, x: Any, filters: int, size: int, name: str, regularization: Regularization, **placed: int | str
    ) -> Any:
        """Convolution (with a bias, as in the book), batch normalisation, activation; `placed`: strides and padding."""
        arguments = {"padding": "same", **placed, **regularization.convolution()}
        x = keras.layers.Conv2D(filters=filters, kernel_size=size, name=name, **arguments)(x)
        return with_activation(x, self.activation, name, regularization, norm="before" if self.batch_norm else None)
