"""quickstart_keras.py DIGITS.npz: what configs/quickstart.yaml trains, as a person writes it with Keras."""

import sys

import keras
import numpy as np

with np.load(sys.argv[1]) as arrays:
    x, y = arrays["x_train"].astype("float32") / 255, arrays["y_train"]
order = np.random.default_rng(0).permutation(len(x))
train, validation, _ = np.split(order, [round(0.15 * len(x)), round(0.8 * len(x))])
model = keras.Sequential(
    [
        keras.Input(x.shape[1:]),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
adam = keras.optimizers.Adam(0.003)
model.compile(optimizer=adam, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
held_out = x[validation], y[validation]
model.fit(x[train], y[train], batch_size=32, epochs=30, validation_data=held_out, verbose=2)
model.save("quickstart.keras")
