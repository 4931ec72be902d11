"""Which of this machine's devices a model trains on: each takes a share of every batch.

On TensorFlow each runs a copy of the step (tf.distribute.MirroredStrategy; replicas.py has what the copies must agree
upon). On JAX the step stays one program whose data are laid out over the devices (keras.distribution.DataParallel);
that does nothing on TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from improve.engine.model.replicas import on_tensorflow
from improve.errors import UsageError
from improve.lazy import keras, usable_backend

KINDS = "GPU", "CPU"


def count(asked: str | int) -> int:
    """How many devices `training.devices` means here; loads Keras unless it is `one`. Raises UsageError where there
    are not so many."""
    return 1 if asked in ("one", 1) else len(named_devices(asked))


def named_devices(devices: str | int) -> list[str]:
    """The names of the devices that are to be used: accelerators, or CPUs where there are none."""
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise UsageError(
            f"training.devices: {devices} works on TensorFlow and on JAX, this is {backend}",
            fix="training.devices=one, or another KERAS_BACKEND",
        )
    names = devices_there()
    if devices == "all":
        return names
    if int(devices) > len(names):
        raise UsageError(
            f"training.devices: {devices}, and {backend} finds {len(names)} here: {', '.join(names)}",
            fix=f"training.devices=all takes the {len(names)} there are",
        )
    return names[: int(devices)]


def devices_there() -> list[str]:
    """The names of all devices of the best kind that there is, as the backend calls them."""
    if not on_tensorflow():
        return [str(name) for name in keras.distribution.list_devices()]
    import tensorflow

    by_kind = [tensorflow.config.list_logical_devices(kind) for kind in KINDS]
    return [device.name for device in next(filter(None, by_kind), [])]


def check(asked: str | int, batch_size: int, examples: int) -> None:
    """Raises UsageError where Keras's backend or so many devices are not there, or one device would be left without an
    image: TensorFlow gives each the same number, rounded up, and the last one what remains."""
    usable_backend()
    copies = count(asked)
    if copies > 1 and on_tensorflow() and not shared(batch_size, examples, copies):
        fits = [size for size in range(1, examples + 1) if shared(size, examples, copies)]
        near = min(fits, key=lambda size: abs(size - batch_size), default=None)
        raise UsageError(
            f"batches of {batch_size} of {examples:,} images leave one of {copies} devices without an image",
            fix=f"training.batch_size={near} does not" if near else "training.devices=one",
        )


def shared(batch_size: int, examples: int, copies: int) -> bool:
    """Whether every device has an image of every batch of an epoch."""
    sizes = {min(batch_size, examples), examples % batch_size} - {0}
    return all(-(-size // copies) * (copies - 1) < size for size in sizes)


def last_apart(asked: str | int, batch_size: int, examples: int) -> bool:
    """Whether the last batch of an epoch has to go through `fit` by itself: on JAX Keras lays out all batches of a pass
    as the first one, and a smaller one may not be shared evenly."""
    copies = count(asked)
    return copies > 1 and not on_tensorflow() and (batch_size % copies, examples % batch_size % copies) != (0, 0)


@contextmanager
def spread(asked: str | int) -> Iterator[None]:
    """A model that is built inside lives on these devices, and trains on them."""
    names = named_devices(asked) if count(asked) > 1 else []
    if not on_tensorflow():
        keras.distribution.set_distribution(over(names) if names else None)
    if not (names and on_tensorflow()):
        yield
        return
    with mirrored(tuple(names)).scope():
        yield


@lru_cache
def mirrored(names: tuple[str, ...]) -> Any:
    """One for all models of a process: a second one would number its sums from the start again, and TensorFlow takes a
    sum of that number for the one it knows, whatever its shape."""
    import tensorflow

    return tensorflow.distribute.MirroredStrategy(names)


@contextmanager
def alone() -> Iterator[None]:
    """A model that is built inside lives on one device."""
    if on_tensorflow():  # outside `spread` it does
        yield
        return
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def over(names: list[str]) -> Any:
    """JAX's devices; a batch that cannot be shared evenly is computed whole on each of them."""

    class Evenly(keras.distribution.DataParallel):  # type: ignore[misc]
        def get_data_layout(self, data_shape: Any) -> Any:
            layout = super().get_data_layout(data_shape)
            if data_shape[0] % len(names) == 0:
                return layout
            return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)

    return Evenly(devices=names)
