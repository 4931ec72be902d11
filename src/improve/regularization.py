"""What holds the weights back: the `regularization:` section and its Keras objects."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from improve.lazy import keras
from improve.parts import NonNegative, ProperFraction, Section


class Regularization(Section):
    """L1 and L2 penalties, dropout and label smoothing."""

    l1: NonNegative = Field(0.0, description="penalty l1 · Σ|W| over all kernels, added to the loss")
    l2: NonNegative = Field(0.0, description="penalty l2 · ΣW² over all kernels (no ½), added to the loss")
    activity_l1: NonNegative = Field(0.0, description="penalty on the outputs of hidden layers, per example")
    dropout: ProperFraction = Field(0.0, description="share of units switched off while training")
    label_smoothing: ProperFraction = Field(0.0, description="share of each label spread evenly over all classes")

    def kernel(self) -> dict[str, Any]:
        """Keyword arguments for a layer with a kernel: λΣW² over kernels, biases go free."""
        if not (self.l1 or self.l2):
            return {}
        return {"kernel_regularizer": keras.regularizers.L1L2(l1=self.l1, l2=self.l2)}

    def hidden(self) -> dict[str, Any]:
        """Keyword arguments for a hidden layer."""
        if not self.activity_l1:
            return self.kernel()
        return {**self.kernel(), "activity_regularizer": keras.regularizers.L1(self.activity_l1)}
