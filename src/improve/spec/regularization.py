"""What holds the weights back: the `regularization:` section and its Keras objects."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from improve.lazy import keras
from improve.spec.component import NonNegative, Positive, ProperFraction, Section


class Regularization(Section):
    """L1 and L2 penalties (both: an elastic net), activity penalties, max-norm, dropout and label smoothing."""

    l1: NonNegative = Field(0.0, description="penalty l1 · Σ|W| over all kernels, added to the loss")
    l2: NonNegative | None = Field(
        None, description="penalty l2 · ΣW² over all kernels (no ½), added to the loss; the architecture's own if null"
    )
    activity_l1: NonNegative = Field(0.0, description="penalty activity_l1 · Σ|a| on hidden activations, per image")
    activity_l2: NonNegative = Field(0.0, description="penalty activity_l2 · Σa² on hidden activations, per image")
    max_norm: Positive | None = Field(None, description="largest Euclidean norm of the weights into a unit or filter")
    dropout: ProperFraction | None = Field(
        None, description="share of units switched off while training; the architecture's own if null"
    )
    label_smoothing: ProperFraction = Field(0.0, description="share of each label spread evenly over all classes")

    def dense(self) -> dict[str, Any]:
        """Keyword arguments for a fully connected layer, whose kernel is (inputs, units)."""
        return self._of_kernel([0])

    def convolution(self) -> dict[str, Any]:
        """Keyword arguments for a convolution, whose kernel is (height, width, inputs, filters)."""
        return self._of_kernel([0, 1, 2])

    def activity(self) -> dict[str, Any]:
        """Keyword arguments for a hidden activation layer: Keras adds up over the batch and divides by its size."""
        if not (self.activity_l1 or self.activity_l2):
            return {}
        return {"activity_regularizer": keras.regularizers.L1L2(l1=self.activity_l1, l2=self.activity_l2)}

    def _of_kernel(self, inputs: list[int]) -> dict[str, Any]:
        """λΣW² over kernels, biases go free. `inputs`: the axes that lead into one unit; Keras's MaxNorm takes axis 0
        alone, which in a convolution is the height of the kernel."""
        arguments: dict[str, Any] = {}
        if self.l1 or self.l2:
            arguments["kernel_regularizer"] = keras.regularizers.L1L2(l1=self.l1, l2=self.l2 or 0.0)
        if self.max_norm is not None:
            arguments["kernel_constraint"] = keras.constraints.MaxNorm(max_value=self.max_norm, axis=inputs)
        return arguments
