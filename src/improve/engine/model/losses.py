"""What is minimised, where it is not the cross-entropy."""

from __future__ import annotations

from typing import Any

from improve.lazy import keras

Q = 0.7  # Zhang and Sabuncu's, for all their experiments


def generalized_cross_entropy(one_output: bool, label_smoothing: float = 0.0, q: float = Q) -> Any:
    """Σ y · (1 − p^q) / q of labels y (n, classes) and logits (n, classes), or (n, 1) each for one sigmoid; per image.

    Between the cross-entropy (q → 0) and the mean absolute error (q = 1): images whose labels the network gives little
    chance pull less, so it does not go after wrong labels (Zhang and Sabuncu, 2018, eq. 6).
    """

    def loss(labels: Any, logits: Any) -> Any:
        labels = keras.ops.cast(labels, logits.dtype)
        if one_output:  # one sigmoid is the softmax of (0, logit)
            labels = keras.ops.concatenate([1 - labels, labels], axis=-1)
            logits = keras.ops.concatenate([keras.ops.zeros_like(logits), logits], axis=-1)
        labels = labels * (1 - label_smoothing) + label_smoothing / labels.shape[-1]
        # not softmax ** q: its slope is infinite where a probability is rounded to nothing
        powers = keras.ops.exp(q * keras.ops.log_softmax(logits, axis=-1))
        return keras.ops.sum(labels * (1 - powers), axis=-1) / q

    return loss
