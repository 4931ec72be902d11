"""sweep_keras_tuner.py DIGITS.npz: a small convolutional network on digits, a trial for each learning rate.

As a person writes it with Keras Tuner; the network, batches and epochs of the sweep in benchmarks/sweep.py.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

import keras
import keras_tuner
import numpy as np

RATES = [3e-4, 1e-3, 2e-3, 3e-3, 1e-2, 3e-2]


def network(choice: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    adam = keras.optimizers.Adam(choice.Choice("learning_rate", RATES))
    model.compile(optimizer=adam, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


with np.load(sys.argv[1]) as arrays:
    x, y = arrays["x_train"].reshape(-1, 8, 8, 1).astype("float32") / 255, arrays["y_train"]
order = np.random.default_rng(0).permutation(len(x))
train, validation, _ = np.split(order, [round(0.6 * len(x)), round(0.8 * len(x))])
with tempfile.TemporaryDirectory() as folder:
    tuner = keras_tuner.GridSearch(network, objective="val_accuracy", directory=folder, seed=0)
    held_out = x[validation], y[validation]
    tuner.search(x[train], y[train], batch_size=32, epochs=25, validation_data=held_out, verbose=0)
    print(len(tuner.oracle.trials), tuner.get_best_hyperparameters()[0].values)
