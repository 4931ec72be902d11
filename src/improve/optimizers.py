"""Shelf: optimizers. One class each, with Keras's own options and defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from improve.lazy import keras
from improve.parts import Flag, NonNegative, Part, Positive, ProperFraction, named


class OptimizerPart(Part):
    """What all optimizers share."""

    shelf = "optimizers"
    learning_rate: Positive = Field(0.001, description="step size; a schedule starts from it")
    weight_decay: NonNegative | None = Field(
        None, description="decoupled decay, rate · decay · w per step; kernels only"
    )
    clipnorm: Positive | None = Field(None, description="clip each gradient to this norm")
    clipvalue: Positive | None = Field(None, description="clip each gradient entry to ± this")
    global_clipnorm: Positive | None = Field(None, description="clip all gradients together to this norm")

    def keras_class(self) -> Any:
        raise NotImplementedError

    def arguments(self, learning_rate: Any) -> dict[str, Any]:
        """Keyword arguments of the Keras class; `learning_rate` is a number or a Keras schedule."""
        return {**self.options(), "learning_rate": learning_rate}


class Adam(OptimizerPart):
    """Adaptive moments (Kingma & Ba, 2014): a good first choice when the rate is not tuned yet."""

    name: Literal["adam"] = "adam"
    beta_1: ProperFraction = Field(0.9, description="decay of the gradient's running mean")
    beta_2: ProperFraction = Field(0.999, description="decay of the squared gradient's running mean")
    epsilon: Positive = Field(1e-7, description="keeps the division finite")
    amsgrad: Flag = Field(False, description="use the largest second moment so far")

    def keras_class(self) -> Any:
        return keras.optimizers.Adam


class Sgd(OptimizerPart):
    """Stochastic gradient descent; with momentum 0.9 still the best final accuracy on small image nets.

    w ← w + v,  v ← momentum · v − learning_rate · gradient; `nesterov` looks ahead by one momentum step.
    """

    name: Literal["sgd"] = "sgd"
    learning_rate: Positive = Field(0.01, description="step size; a schedule starts from it")
    momentum: ProperFraction = Field(0.0, description="share of the last step that is kept")
    nesterov: Flag = Field(False, description="Nesterov's momentum")

    def keras_class(self) -> Any:
        return keras.optimizers.SGD


OPTIMIZERS = (Adam, Sgd)
Optimizer = Annotated[Adam | Sgd, Field(discriminator="name"), named("adam")]
