from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from improve.lazy import keras
from improve.models.architecture import Activation, Architecture, activated, dropped
from improve.parts import Flag
from improve.regularization import Regularization


class Lenet(Architecture):
    """LeNet as the course builds it: two 5×5 convolutions (20, 50), each pooled, then 500 hidden units.

    Rosebrock's variant (Deep Learning for Computer Vision with Python): 1,256,080 parameters for 28×28×1 images,
    1,632,080 for 32×32×3. Dropout, when asked for, stands after the hidden layer.
    """

    name: Literal["lenet"] = "lenet"
    smallest: ClassVar[int] = 4
    activation: Activation = Field("relu", description="of the hidden layers")
    batch_norm: Flag = Field(False, description="batch normalisation after each activation")

    def build(self, images: Any, classes: int, regularization: Regularization) -> Any:
        x = images
        for number, filters in enumerate((20, 50), start=1):
            x = keras.layers.Conv2D(filters, 5, padding="same", name=f"conv{number}", **regularization.hidden())(x)
            x = activated(x, self.activation, self.batch_norm, f"conv{number}")
            x = keras.layers.MaxPooling2D(2, strides=2, name=f"pool{number}")(x)
        x = keras.layers.Flatten(name="flatten")(x)
        x = keras.layers.Dense(500, name="hidden", **regularization.hidden())(x)
        x = activated(x, self.activation, self.batch_norm, "hidden")
        x = dropped(x, regularization.dropout, "hidden")
        return keras.layers.Dense(classes, name="logits", **regularization.kernel())(x)
