"""keras_script.py IMAGES.npz EPOCHS MODEL BATCH OUT.json: training as a person writes it with Keras, and a stopwatch.

MODEL is `lenet`, written out here, or a model as a spec has it: then the network is the very one of improve.
"""

from __future__ import annotations

import sys
from typing import Any

import keras
import numpy as np
from stopwatch import Stopwatch


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


def of_improve(model: str, shape: tuple[int, ...]) -> Any:
    """The network that a spec with this `model` asks for, with a softmax at its end."""
    import yaml

    from improve.spec.spec import Spec

    spec, images = Spec.model_validate({"model": yaml.safe_load(model)}), keras.Input(shape)
    return keras.Model(images, keras.layers.Softmax()(spec.model.build(images, 10, spec.regularization)))


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


def main(file: str, epochs: int, network: str, batch: int, out: str) -> None:
    x, y, xv, yv = load(file)
    model = lenet(x.shape[1:]) if network == "lenet" else of_improve(network, x.shape[1:])
    timing = Timing()
    sgd = keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(loss="sparse_categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
    seen = model.fit(x, y, batch_size=batch, epochs=epochs, validation_data=(xv, yv), callbacks=[timing])
    error = 1 - seen.history["val_accuracy"][-1]
    timing.watch.save(out, images=len(x), steps=-(-len(x) // batch), error=error, onednn=onednn())


def onednn() -> bool | None:
    """Whether TensorFlow runs on oneDNN; None where this (private) question is not answered."""
    try:
        from tensorflow.python.util import _pywrap_util_port
    except ImportError:
        return None
    return bool(_pywrap_util_port.IsMklEnabled())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5])
