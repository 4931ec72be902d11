"""The worlds' convolutional net, written as a user would, with the mistakes that no spec of `cnn` can express."""

import keras
from keras import layers, ops

EPSILON = 1e-7  # what Keras clips probabilities at


@keras.saving.register_keras_serializable("faults")
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
    filters,
    hidden,
    residual=(),
    kernel_size=3,
    pooling="max",
    initializer="glorot_uniform",
    normal=None,
    constant=None,
    bias=0.0,
    activation="relu",
    inner_scale=None,
    norm_momentum=None,
    lasting_dropout=None,
    frozen=False,
    head="softmax",
):
    """Blocks of convolution and pooling, or `residual` blocks of these filters, then dense layers; `normal` and
    `constant` say how kernels start."""
    options = {
        "kernel_initializer": starting(initializer, normal, constant),
        "bias_initializer": keras.initializers.Constant(bias),
        "activation": activation,
    }
    pool = layers.MaxPooling2D if pooling == "max" else layers.AveragePooling2D
    images = x = keras.Input(input_shape)
    if inner_scale:
        x = layers.Rescaling(inner_scale)(x)
    for count in filters:
        x = layers.Conv2D(count, kernel_size, padding="same", **options)(x)
        x = pool(pool_size=2)(between(x, norm_momentum, None))
    for block, count in enumerate(residual):
        x = residual_block(x, count, 1 if block == 0 else 2, norm_momentum, options)
    x = layers.GlobalAveragePooling2D()(x) if residual else layers.Flatten()(x)
    for units in hidden:
        x = between(layers.Dense(units, **options)(x), norm_momentum, lasting_dropout)
    if frozen:
        for layer in keras.Model(images, x).layers:
            layer.trainable = False
    return keras.Model(images, HEADS[head](x, classes, options["kernel_initializer"]))


def residual_block(x, count, strides, norm_momentum, options):
    """Two convolutions, and a third one around them."""
    inner = between(layers.Conv2D(count, 3, strides, padding="same", **options)(x), norm_momentum, None)
    inner = between(layers.Conv2D(count, 3, padding="same", **options)(inner), norm_momentum, None)
    return layers.Add()([inner, layers.Conv2D(count, 1, strides, **options)(x)])


def starting(initializer, normal, constant):
    if normal is not None:
        return keras.initializers.RandomNormal(stddev=normal)
    return initializer if constant is None else keras.initializers.Constant(constant)


def between(x, norm_momentum, lasting_dropout):
    if norm_momentum:
        x = layers.BatchNormalization(momentum=norm_momentum)(x)
    return LastingDropout(lasting_dropout)(x) if lasting_dropout else x


def dense(x, classes, initializer, activation=None):
    return layers.Dense(classes, activation=activation, kernel_initializer=initializer)(x)


def softmax(x, classes, initializer):
    return dense(x, classes, initializer, "softmax")


def softmax_left(x, classes, initializer):
    """improve takes one softmax off the end; the other one stays, but Keras finds the logits that it came from."""
    return layers.Softmax()(dense(x, classes, initializer, "softmax"))


def double_softmax(x, classes, initializer):
    """The same with a product between, behind which Keras finds no logits."""
    return layers.Softmax()(1.0 * dense(x, classes, initializer, "softmax"))


def squashed(x, classes, initializer, activation="sigmoid"):
    """A sigmoid before the softmax; the product hides the logits here too."""
    return 1.0 * dense(x, classes, initializer, activation)


def squashed_by_tanh(x, classes, initializer):
    return squashed(x, classes, initializer, "tanh")


def rectified(x, classes, initializer):
    return dense(x, classes, initializer, "relu")


def as_probabilities(x, classes, initializer):
    """Almost what Keras makes of logits under from_logits=False: divided by their sum, clipped, logarithm. Here the
    softmax that follows makes them add up to 1 again, which is milder."""
    x = dense(x, classes, initializer)
    return ops.log(ops.clip(x / ops.sum(x, axis=-1, keepdims=True), EPSILON, 1 - EPSILON))


def flipped(x, classes, initializer):
    """The same numbers forward, the gradient with the other sign."""
    x = dense(x, classes, initializer)
    return 2 * ops.stop_gradient(x) - x


HEADS = {
    "softmax": softmax,
    "softmax_left": softmax_left,
    "double_softmax": double_softmax,
    "sigmoid": squashed,
    "tanh": squashed_by_tanh,
    "relu": rectified,
    "as_probabilities": as_probabilities,
    "flipped": flipped,
}
