"""Networks of a user's own, with the mistakes that no option of a built-in network can express."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("worlds")
class LastingDropout(layers.Layer):
    """Dropout that forgets to stop when training is over."""

    def __init__(self, rate, **options):
        super().__init__(**options)
        self.rate, self.generator = rate, keras.random.SeedGenerator()

    def call(self, x):
        return keras.random.dropout(x, self.rate, seed=self.generator)


def build(
    input_shape,
    classes,
    kind,
    width,
    depth,
    activation="relu",
    norm=False,
    normal=None,
    constant=None,
    bias=0.0,
    inner_scale=None,
    lasting_dropout=None,
    norm_momentum=0.99,
    frozen=False,
    head="softmax",
):
    """`kind`: cnn, residual or dense; `normal` and `constant` say how kernels start, `head` how it ends."""
    start = "glorot_uniform"
    if normal is not None:
        start = keras.initializers.RandomNormal(stddev=normal)
    if constant is not None:
        start = keras.initializers.Constant(constant)
    options = {"kernel_initializer": start, "bias_initializer": keras.initializers.Constant(bias)}

    def after(x):
        x = layers.BatchNormalization(momentum=norm_momentum)(x) if norm else x
        return layers.Activation(activation)(x)

    images = x = keras.Input(input_shape)
    x = layers.Rescaling(inner_scale)(x) if inner_scale else x
    x = BODIES[kind](x, width, depth, after, options)
    x = LastingDropout(lasting_dropout)(x) if lasting_dropout else x
    if frozen:
        for layer in keras.Model(images, x).layers:
            layer.trainable = False
    return keras.Model(images, HEADS[head](layers.Dense(classes, kernel_initializer=start)(x)))


def convolutions(x, width, depth, after, options):
    for block in range(depth):
        x = after(layers.Conv2D(width * 2**block, 3, padding="same", **options)(x))
        x = layers.MaxPooling2D()(x)
    return after(layers.Dense(4 * width, **options)(layers.Flatten()(x)))


def residual(x, width, depth, after, options):
    x = after(layers.Conv2D(width, 3, padding="same", **options)(x))
    for block in range(depth):
        filters, strides = width * 2**block, 1 if block == 0 else 2
        inner = after(layers.Conv2D(filters, 3, strides, padding="same", **options)(x))
        inner = layers.Conv2D(filters, 3, padding="same", **options)(inner)
        short = x if block == 0 else layers.Conv2D(filters, 1, strides, **options)(x)
        x = after(layers.Add()([inner, short]))
    return layers.GlobalAveragePooling2D()(x)


def dense(x, width, depth, after, options):
    x = layers.Flatten()(x)
    for _ in range(depth):
        x = after(layers.Dense(width, **options)(x))
    return x


def as_probabilities(x):
    """Almost what Keras makes of logits under from_logits=False: divided by their sum, clipped, logarithm."""
    return ops.log(ops.clip(x / ops.sum(x, axis=-1, keepdims=True), 1e-7, 1 - 1e-7))


BODIES = {"cnn": convolutions, "residual": residual, "dense": dense}


def softmax(x):
    return layers.Softmax()(x)


#: the product hides the logits from Keras, which would find them behind a softmax
HEADS = {
    "softmax": softmax,
    "double_softmax": lambda x: softmax(1.0 * softmax(x)),
    "sigmoid": lambda x: 1.0 * layers.Activation("sigmoid")(x),
    "tanh": lambda x: 1.0 * layers.Activation("tanh")(x),
    "relu": lambda x: 1.0 * layers.Activation("relu")(x),
    "as_probabilities": as_probabilities,
    "flipped": lambda x: 2 * ops.stop_gradient(x) - x,
}
