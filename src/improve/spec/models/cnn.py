from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from improve.lazy import keras
from improve.spec.component import Count, Flag, ProperFraction, refusal
from improve.spec.models.base import (
    Activation,
    Architecture,
    Counts,
    Initializer,
    Place,
    SomeCounts,
    logits,
    with_activation,
    with_dropout,
)
from improve.spec.regularization import Regularization

_count: dict[str, Any] = {"type": "integer", "minimum": 1}
OneOrEach = Annotated[
    Counts,
    BeforeValidator(lambda value: value if isinstance(value, list | tuple) else (value,)),
    WithJsonSchema({"anyOf": [_count, {"type": "array", "items": _count, "minItems": 1}]}),
]


class Cnn(Architecture):
    """A convolutional network to measure: blocks of convolutions, each pooled, then fully connected layers.

    545,098 parameters for 32×32×3 images and 10 classes as it stands. `dropout` stands after each hidden layer (before
    the last layer where there is none), spatial_dropout, which switches off whole maps, after each block.
    """

    name: Literal["cnn"] = "cnn"
    filters: SomeCounts = Field((32, 64), description="of the convolutions of each block")
    convolutions: Count = Field(1, description="per block")
    kernel_size: OneOrEach = Field((3,), description="pixels: one number, or one for each block")
    pooling: Literal["max", "average", "none"] = Field("max", description="2×2, after each block")
    hidden: Counts = Field((128,), description="units of each hidden layer")
    activation: Activation = Field("relu", description="of the hidden layers")
    initializer: Initializer = Field("glorot_uniform", description="of all kernels")
    batch_norm: Flag = Field(False, description="batch normalisation of the hidden layers")
    batch_norm_at: Place = Field("after", description="where it stands: after or before each activation")
    spatial_dropout: ProperFraction = Field(0.0, description="share of maps switched off after each block")

    @field_validator("kernel_size")
    @classmethod
    def fits_the_blocks(cls, kernel_size: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        blocks = len(info.data.get("filters", kernel_size))
        if len(kernel_size) in (1, blocks):
            return kernel_size
        raise refusal(f"{len(kernel_size)} sizes do not fit {blocks} blocks", f"write one number, or {blocks}")

    def needs(self) -> tuple[int, str]:
        pools = 0 if self.pooling == "none" else len(self.filters)
        return 2**pools, f"{pools} poolings halve them"

    def bigger(self) -> dict[str, Any]:
        return {"filters": [2 * count for count in self.filters]}

    def build(self, images: Any, classes: int, regularization: Regularization) -> Any:
        regularization, x = self.filled(regularization), images
        sizes = self.kernel_size * len(self.filters) if len(self.kernel_size) == 1 else self.kernel_size
        for block, (filters, size) in enumerate(zip(self.filters, sizes, strict=True), start=1):
            x = self.block(x, filters, size, block, regularization)
        x = keras.layers.Flatten(name="flatten")(x)
        if not self.hidden:
            x = with_dropout(x, regularization.dropout, "flatten")
        for number, units in enumerate(self.hidden, start=1):
            x = self.dense(x, units, f"hidden{number}", regularization)
        return logits(x, classes, regularization, self.initializer)

    def block(self, x: Any, filters: int, size: int, block: int, regularization: Regularization) -> Any:
        arguments = {"padding": "same", "kernel_initializer": self.initializer, **regularization.convolution()}
        for number in range(1, self.convolutions + 1):
            name = f"conv{block}_{number}"
            x = keras.layers.Conv2D(filters=filters, kernel_size=size, name=name, **arguments)(x)
            x = self.activated(x, name, regularization)
        if self.pooling != "none":
            layer = keras.layers.MaxPooling2D if self.pooling == "max" else keras.layers.AveragePooling2D
            x = layer(pool_size=2, strides=2, name=f"pool{block}")(x)
        if self.spatial_dropout:
            x = keras.layers.SpatialDropout2D(rate=self.spatial_dropout, name=f"block{block}_dropout")(x)
        return x

    def dense(self, x: Any, units: int, name: str, regularization: Regularization) -> Any:
        arguments = {"kernel_initializer": self.initializer, **regularization.dense()}
        x = keras.layers.Dense(units=units, name=name, **arguments)(x)
        return with_dropout(self.activated(x, name, regularization), regularization.dropout, name)

    def activated(self, x: Any, name: str, regularization: Regularization) -> Any:
        norm = self.batch_norm_at if self.batch_norm else None
        return with_activation(x, self.activation, name, regularization, norm)
