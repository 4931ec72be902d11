"""What all architectures share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from improve.lazy import keras
from improve.spec.component import Component, Count, refusal
from improve.spec.regularization import Regularization

Activation = Literal["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "softplus", "linear"]
Initializer = Literal[
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal", "random_normal",
    "zeros",
]  # fmt: skip
Place = Literal["after", "before"]


def at_least_one(counts: tuple[int, ...]) -> tuple[int, ...]:
    if not counts:
        raise refusal("this list is empty", "give at least one number")
    return counts


Counts = Annotated[tuple[Count, ...], Field(strict=False)]
SomeCounts = Annotated[Counts, AfterValidator(at_least_one)]


class Architecture(Component):
    """A network from normalised images to one logit per class."""

    shelf = "models"
    #: the regularisation that belongs to it, where none is asked for; what is missing is 0
    own: ClassVar[dict[str, float]] = {}

    @property
    def code(self) -> Path | None:
        """The file of the user's own code that it runs, if any."""
        return None

    def needs(self) -> tuple[int, str]:
        """The shortest side of an image that it takes, in pixels, and why."""
        return 1, ""

    def cannot_take(self, height: int, width: int) -> str:
        """Why images of this size do not fit, and which do, or nothing; asked before Keras is loaded."""
        side, why = self.needs()
        if min(height, width) >= side:
            return ""
        because, side = f" ({why})" if why else "", min(side, 1 << 30)  # 2^14,300 and more Python will not print
        return f"{self.name} needs images of at least {side}×{side} pixels{because}, these are {height}×{width}"

    def wrong(self, regularization: Regularization) -> tuple[str, str, str] | None:
        """What else cannot work, before Keras is loaded: the key that says so, why, and what to do."""
        return None

    def bigger(self) -> dict[str, Any]:
        """Options that make it a bigger network, where it has any."""
        return {}

    @classmethod
    def filled(cls, regularization: Regularization) -> Regularization:
        """`regularization` with the architecture's own values where none are given."""
        given = regularization.model_dump()
        missing = [name for name in ("l2", "dropout") if given[name] is None]
        return regularization.model_copy(update={name: cls.own.get(name, 0.0) for name in missing})

    def build(self, images: Any, classes: int, regularization: Regularization) -> Any:
        """Logits (n, classes) from a Keras tensor of images (n, height, width, channels)."""
        raise NotImplementedError


def with_activation(
    x: Any, activation: str, name: str, regularization: Regularization, norm: Place | None = None
) -> Any:
    """The activation, with batch normalisation after or before it; an activity penalty falls on its output."""
    if norm == "before":
        x = with_batch_norm(x, name)
    x = keras.layers.Activation(activation=activation, name=f"{name}_{activation}", **regularization.activity())(x)
    return with_batch_norm(x, name) if norm == "after" else x


def with_batch_norm(x: Any, name: str, **options: float) -> Any:
    return keras.layers.BatchNormalization(name=f"{name}_norm", **options)(x)


def with_dropout(x: Any, rate: float | None, name: str) -> Any:
    """Dropout after `x`; `x` itself where the rate is None or 0."""
    return keras.layers.Dropout(rate=rate, name=f"{name}_dropout")(x) if rate else x


def logits(x: Any, classes: int, regularization: Regularization, initializer: str = "glorot_uniform") -> Any:
    """One number per class: no softmax, and no activity penalty."""
    layer = keras.layers.Dense(units=classes, kernel_initializer=initializer, name="logits", **regularization.dense())
    return layer(x)
