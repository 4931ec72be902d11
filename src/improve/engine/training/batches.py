"""The training set, batch by batch, in an order that depends on (seed, epoch) only.

Keras with a seed repeats one order every epoch on TensorFlow (keras 3.15.1: an op-unseeded shuffle restarts from the
global seed), so the order is drawn here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from improve.engine.data.prepare import PreparedData
from improve.engine.model import devices
from improve.errors import UsageError
from improve.lazy import keras, np
from improve.randomness import keyed_generator
from improve.spec.augmentations import Batch, augment
from improve.spec.spec import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Updates per epoch; the last batch may be smaller, as in Keras's `fit`."""
    return -(-examples // batch_size)


def training_batches(spec: Spec, data: PreparedData) -> Any:
    """A keras.utils.PyDataset of (images, labels as shares of the classes[, weights]); before each pass set its `epoch`
    and the `first` of its batches that is to come."""

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        epoch, first = 0, 0

        @property
        def num_batches(self) -> int:
            left = steps_per_epoch(len(train), size) - self.first
            return left - 1 if left > 1 and apart else left

        def __getitem__(self, place: int) -> tuple[NDArray[Any], ...]:
            index = self.first + place
            where = order_of(self.epoch)[index * size : (index + 1) * size]
            batch = Batch(train.images[where], one_hot[train.labels[where]])
            if spec.augmentation:
                random = keyed_generator(spec.seed, "augmentation", self.epoch, index)
                batch = augment(spec.augmentation, batch, random, data.pixels)
            shares = batch.labels[:, 1:] if spec.data.source.one_output else batch.labels
            return (batch.images, shares) if weights is None else (batch.images, shares, batch.labels @ weights)

    def order_of(epoch: int) -> NDArray[Any]:
        if spec.training.sampling == "balanced":
            return balanced_order(spec.seed, epoch, labels)
        return order(spec.seed, epoch, len(train))

    train, size = data.parts["train"], spec.training.batch_size
    apart = devices.last_apart(spec.training.devices, size, len(train))
    one_hot, labels = np.eye(len(data.class_names), dtype=np.float32), train.labels.tobytes()
    weights = class_weights(spec, train.labels, data.class_names)
    return Batches()


@lru_cache(maxsize=2)
def order(seed: int, epoch: int, count: int) -> NDArray[Any]:
    """The order of `count` examples in one epoch."""
    return keyed_generator(seed, "order", epoch).permutation(count)


@lru_cache(maxsize=2)
def balanced_order(seed: int, epoch: int, labels: bytes) -> NDArray[Any]:
    """Positions of examples (n,), as many as there are `labels` (int64), shared evenly by the classes: examples of a
    rare class come several times, each as often as the others to within one, and of a common class some are left
    out."""
    random, by_place = keyed_generator(seed, "order", epoch), np.frombuffer(labels, np.int64)
    classes = np.unique(by_place)
    share, left = divmod(len(by_place), len(classes))
    chosen = []
    for label, extra in zip(classes, random.permutation(len(classes)) < left, strict=True):
        members, wanted = np.flatnonzero(by_place == label), share + int(extra)
        rounds = -(-wanted // len(members))
        chosen.append(np.concatenate([random.permutation(members) for _ in range(rounds)])[:wanted])
    return random.permutation(np.concatenate(chosen))


def class_weights(spec: Spec, labels: NDArray[Any], names: tuple[str, ...]) -> NDArray[Any] | None:
    """The weight of each class in the loss, or None. `balanced` is n / (classes · n of the class), as in scikit-learn:
    1 on average over the examples."""
    weighting = spec.training.class_weights
    if weighting == "none":
        return None
    if weighting == "balanced":
        counts = np.bincount(labels, minlength=len(names))
        return (len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))).astype(np.float32)
    unknown = [name for name in weighting if name not in names]
    if unknown:
        raise UsageError(
            f"training.class_weights: there is no class '{unknown[0]}'", fix=f"classes: {', '.join(names[:20])}"
        )
    return np.array([weighting.get(name, 1.0) for name in names], dtype=np.float32)
