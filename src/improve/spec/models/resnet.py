from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from improve.lazy import keras
from improve.spec.component import NonNegative, refusal
from improve.spec.models.base import (
    Activation,
    Architecture,
    Counts,
    SomeCounts,
    logits,
    with_activation,
    with_batch_norm,
    with_dropout,
)
from improve.spec.regularization import Regularization

BATCH_NORM = {"epsilon": 2e-5, "momentum": 0.9}
POOL = 8


class Resnet(Architecture):
    """ResNet of pre-activation bottlenecks (He et al., 2016) for small images, as Rosebrock builds it for CIFAR-10.

    886,102 parameters for 32×32×3 images and 10 classes, 873,872 of them trained; 321,622 with stages [3, 3, 3];
    60,790 with filters [16, 16, 32, 64]. Batch normalisation comes before everything, the input included. Its own l2
    of 0.0001 is on every kernel; the book's code asks for 0.0005 but leaves the residual modules, 99.5 % of the
    weights, at 0.0001 (here: l2 0.0005 and module_l2 0.0001). Dropout, when asked for, stands before the last layer.
    """

    name: Literal["resnet"] = "resnet"
    own: ClassVar[dict[str, float]] = {"l2": 1e-4}
    stages: SomeCounts = Field((9, 9, 9), description="residual modules; each stage but the first halves")
    filters: Counts = Field((64, 64, 128, 256), description="of the first convolution, then of each stage")
    activation: Activation = Field("relu", description="before each convolution but the first")
    module_l2: NonNegative | None = Field(
        None, description="L2 of the residual modules, if another; 0.0001 reproduces the book's code, whatever l2 is"
    )

    @field_validator("filters")
    @classmethod
    def fits_the_stages(cls, filters: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        stages = info.data.get("stages")
        if stages is not None and len(filters) != len(stages) + 1:
            raise refusal(
                f"{len(stages)} stages need {len(stages) + 1} numbers, the first convolution's first; "
                f"these are {len(filters)}",
                f"write {len(stages) + 1} numbers",
            )
        if odd := [count for count in filters[1:] if count % 4]:
            raise refusal(f"a bottleneck has a quarter of its stage's filters, {odd[0]} has none", "multiples of 4")
        return filters

    def needs(self) -> tuple[int, str]:
        halved = len(self.stages) - 1  # each time rounded up: 29 → 15 → 8
        return (POOL - 1) * 2**halved + 1, f"{halved} halvings must leave {POOL}×{POOL} for the last pooling"

    def bigger(self) -> dict[str, Any]:
        return {"filters": [2 * count for count in self.filters]}

    def build(self, images: Any, classes: int, regularization: Regularization) -> Any:
        regularization = self.filled(regularization)
        x = with_batch_norm(images, "images", **BATCH_NORM)
        x = conv(x, self.filters[0], 3, "conv1", regularization)
        x = self.modules(x, regularization)
        x = self.preactivated(x, "last", regularization)
        x = keras.layers.AveragePooling2D(pool_size=POOL, name="pool")(x)
        x = with_dropout(keras.layers.Flatten(name="flatten")(x), regularization.dropout, "flatten")
        return logits(x, classes, regularization)

    def modules(self, x: Any, regularization: Regularization) -> Any:
        if self.module_l2 is not None:
            regularization = regularization.model_copy(update={"l2": self.module_l2})
        for stage, (modules, filters) in enumerate(zip(self.stages, self.filters[1:], strict=True), start=1):
            x = self.module(x, filters, f"stage{stage}_1", regularization, strides=1 if stage == 1 else 2, project=True)
            for number in range(2, modules + 1):
                x = self.module(x, filters, f"stage{stage}_{number}", regularization)
        return x

    def module(
        self, x: Any, filters: int, name: str, regularization: Regularization, strides: int = 1, project: bool = False
    ) -> Any:
        first = self.preactivated(x, f"{name}_conv1", regularization)
        # the projection sees the activated tensor, a plain shortcut the tensor as it came
        shortcut = conv(first, filters, 1, f"{name}_shortcut", regularization, strides) if project else x
        y = conv(first, filters // 4, 1, f"{name}_conv1", regularization)
        y = self.preactivated(y, f"{name}_conv2", regularization)
        y = conv(y, filters // 4, 3, f"{name}_conv2", regularization, strides)
        y = self.preactivated(y, f"{name}_conv3", regularization)
        y = conv(y, filters, 1, f"{name}_conv3", regularization)
        return keras.layers.Add(name=f"{name}_add")([y, shortcut])

    def preactivated(self, x: Any, name: str, regularization: Regularization) -> Any:
        return with_activation(with_batch_norm(x, name, **BATCH_NORM), self.activation, name, regularization)


def conv(x: Any, filters: int, size: int, name: str, regularization: Regularization, strides: int = 1) -> Any:
    """A convolution without bias: batch normalisation follows, and has one."""
    layer = keras.layers.Conv2D(
        filters=filters,
        kernel_size=size,
        strides=strides,
        padding="same",
        use_bias=False,
        name=name,
        **regularization.convolution(),
    )
    return layer(x)
