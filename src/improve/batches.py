"""The training set, batch by batch, in an order that depends on (seed, epoch) only.

Keras with a seed repeats one order every epoch on TensorFlow (keras 3.15.1: an op-unseeded shuffle restarts from the
global seed), so the order is drawn here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from improve.augmentations import augment
from improve.lazy import keras, np
from improve.prepare import Examples
from improve.randomness import keyed
from improve.spec import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Updates per epoch; the last batch may be smaller, as in Keras's `fit`."""
    return -(-examples // batch_size)


def training_batches(spec: Spec, train: Examples, classes: int) -> Any:
    """A keras.utils.PyDataset of (images, one-hot labels); set its `epoch` before each pass."""

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        epoch = 0

        @property
        def num_batches(self) -> int:
            return steps_per_epoch(len(train), spec.training.batch_size)

        def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
            where = order(spec.seed, self.epoch, len(train))[index * size : (index + 1) * size]
            images = train.images[where]
            if spec.augmentation:
                images = augment(spec.augmentation, images, keyed(spec.seed, "augmentation", self.epoch, index))
            return images, one_hot[train.labels[where]]

    size = spec.training.batch_size
    one_hot = np.eye(classes, dtype=np.float32)
    return Batches()


@lru_cache(maxsize=2)
def order(seed: int, epoch: int, count: int) -> NDArray[Any]:
    """The order of `count` examples in one epoch."""
    return keyed(seed, "order", epoch).permutation(count)
