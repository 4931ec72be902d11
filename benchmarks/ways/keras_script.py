"""keras_script.py IMAGES.npz EPOCHS OUT.json: LeNet as a person writes it with Keras, and a stopwatch."""

from __future__ import annotations

import sys
from typing import Any

import keras
import numpy as np
from stopwatch import Stopwatch

BATCH = 128


def load(file: str) -> tuple[Any, Any, Any, Any]:
    """Images as float32 in 0–1 and labels; the last 10 % are held out."""
    with np.load(file) as arrays:
        x, y = arrays["x_train"].astype("float32") / 255, arrays["y_train"]
    held = round(0.1 * len(x))
    return x[:-held], y[:-held], x[-held:], y[-held:]


def lenet(shape: tuple[int, ...]) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(20, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(50, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(500, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


class Timing(keras.callbacks.Callback):
    """Keras validates between on_test_begin and on_epoch_end."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = Stopwatch()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.watch.begin()

    def on_test_begin(self, logs: Any = None) -> None:
        self.watch.trained()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.watch.end()


def main(file: str, epochs: int, out: str) -> None:
    x, y, xv, yv = load(file)
    model, timing = lenet(x.shape[1:]), Timing()
    sgd = keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(loss="sparse_categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
    seen = model.fit(x, y, batch_size=BATCH, epochs=epochs, validation_data=(xv, yv), callbacks=[timing])
    error = 1 - seen.history["val_accuracy"][-1]
    timing.watch.save(out, images=len(x), steps=-(-len(x) // BATCH), error=error, onednn=onednn())


def onednn() -> bool | None:
    """Whether TensorFlow runs on oneDNN; None where this (private) question is not answered."""
    try:
        from tensorflow.python.util import _pywrap_util_port
    except ImportError:
        return None
    return bool(_pywrap_util_port.IsMklEnabled())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
