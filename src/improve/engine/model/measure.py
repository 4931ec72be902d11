"""Clean measurements: inference mode, no augmentation, no penalty, with the weights that are to be kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.engine.data.prepare import Examples
from improve.engine.model.replicas import batch_logits
from improve.images.array import Images
from improve.lazy import keras, np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEASURE_BATCH = 256


@contextlib.contextmanager
def averaged_weights(model: Any) -> Iterator[None]:
    """The model with the weights that are to be measured and kept: the running mean, where the optimizer has one."""
    weights = model.trainable_variables
    means = averages(model.optimizer, weights)
    if means is None:
        yield
        return
    kept = [keras.ops.convert_to_numpy(weight).copy() for weight in weights]
    for weight, mean in zip(weights, means, strict=True):
        # a copy: on JAX, two variables that share a buffer cannot both be given to a compiled step
        weight.assign(keras.ops.convert_to_numpy(mean).copy())
    try:
        yield
    finally:
        for weight, value in zip(weights, kept, strict=True):
            weight.assign(value)


def averages(optimizer: Any, weights: list[Any]) -> list[Any] | None:
    """use_ema's running means; or the x of schedule-free learning from its y = (1 − β₁) z + β₁ x, where Keras keeps z
    as `momentum` (Defazio et al., 2024, eq. 4)."""
    if optimizer.use_ema:
        return list(optimizer._model_variables_moving_average)
    if isinstance(optimizer, keras.optimizers.ScheduleFreeAdamW):
        beta, slots = optimizer.beta_1, optimizer._momentums
        return [(weight - (1 - beta) * slot) / beta for weight, slot in zip(weights, slots, strict=True)]
    return None


class Measured(NamedTuple):
    """A clean measurement: inference mode, no augmentation, no penalty."""

    error: float
    cross_entropy: float
    probability: NDArray[Any]


def measure(model: Any, part: Examples) -> Measured:
    """Error, mean −log p of the true class in nats, and probabilities (n, classes; float32) of `part`."""
    log_p = log_softmax(with_both_classes(logits_of(model, part.images)))
    wrong = log_p.argmax(axis=1) != part.labels
    cross_entropy = -log_p[np.arange(len(part)), part.labels].mean()
    return Measured(float(wrong.mean()), float(cross_entropy), np.exp(log_p).astype(np.float32))


def logits_of(model: Any, images: Images) -> NDArray[Any]:
    """Logits (n, classes), or (n, 1), in inference mode, in batches of one size: a last, smaller one would be
    compiled anew."""
    results = []
    for start in range(0, len(images), MEASURE_BATCH):
        batch = images[start : start + MEASURE_BATCH]
        missing = MEASURE_BATCH - len(batch) if start else 0
        padded = np.concatenate([batch, images[:missing]]) if missing else batch
        results.append(batch_logits(model, padded)[: len(batch)])
    return np.concatenate(results)


def with_both_classes(logits: NDArray[Any]) -> Any:
    """Logits (n, classes); a single one (n, 1) becomes (n, 2), as a sigmoid is the softmax of (0, logit)."""
    return np.concatenate([np.zeros_like(logits), logits], axis=1) if logits.shape[1] == 1 else logits


def log_softmax(logits: NDArray[Any]) -> Any:
    """Logarithms (n, classes; float64) of the probabilities; in float64, so that no probability is rounded to
    nothing."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
