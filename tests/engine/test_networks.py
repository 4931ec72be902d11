"""The architectures as Keras builds them: layer by layer, parameter by parameter."""

import math

import numpy as np
import pytest

from improve.spec.models import MODELS, Cnn, Lenet, Lenet5, Minigooglenet, Minivggnet, Mlp, Python, Resnet
from improve.spec.regularization import Regularization

pytestmark = pytest.mark.trains

GREY, COLOUR = (32, 32, 1), (32, 32, 3)
TINY_RESNET = Resnet(stages=(2, 2), filters=(4, 8, 8))
SMALL = [Lenet(), Lenet5(), Minivggnet(), Minigooglenet(), TINY_RESNET, Mlp(), Cnn(batch_norm=True)]


def built(part, shape=COLOUR, classes=10, **regularization):
    import keras

    images = keras.Input(shape=shape)
    return keras.Model(inputs=images, outputs=part.build(images, classes, Regularization(**regularization)))


def size(weights):
    return sum(math.prod(weight.shape) for weight in weights)


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def shape_of(model, layer):
    return tuple(model.get_layer(name=layer).output.shape[1:])


def kernels(model):
    return {weight.path: np.asarray(weight) for weight in model.weights if weight.path.endswith("kernel")}


def source(model, layer):
    """The name of the layer that `layer` reads."""
    return model.get_layer(name=layer).input._keras_history.operation.name


def drops(model):
    """Where dropout stands (the layer it reads), and its rate."""
    found = [layer for layer in model.layers if "Dropout" in type(layer).__name__]
    return {source(model, layer.name): layer.rate for layer in found}


@pytest.fixture(scope="module")
def resnet():
    return built(Resnet())


@pytest.mark.parametrize(
    ("part", "shape", "parameters", "fixed"),
    [
        (Lenet(), (28, 28, 1), 1_256_080, 0),
        (Lenet(), COLOUR, 1_632_080, 0),
        (Lenet5(), GREY, 61_706, 0),
        (Lenet5(), (28, 28, 1), 61_706, 0),
        (Lenet5(), (29, 31, 3), 62_006, 0),
        (Minivggnet(), COLOUR, 2_171_178, 1_408),
        (Minivggnet(batch_norm=False), COLOUR, 2_168_362, 0),
        (Minigooglenet(), COLOUR, 1_656_250, 3_424),
        (Minigooglenet(), (31, 31, 3), 1_656_250, 3_424),
        (Minigooglenet(batch_norm=False), COLOUR, 1_649_402, 0),
        (Resnet(filters=(16, 16, 32, 64)), COLOUR, 60_790, 3_062),
        (Resnet(stages=(3, 3, 3)), COLOUR, 321_622, 4_166),
        (Mlp(hidden=()), (8, 8, 1), 650, 0),
        (Cnn(), COLOUR, 545_098, 0),
    ],
)
def test_a_network_has_as_many_parameters_as_its_source_says(part, shape, parameters, fixed):
    model = built(part, shape)
    assert (model.count_params(), size(model.non_trainable_weights)) == (parameters, fixed)


def test_the_parameters_of_the_resnet_lie_where_the_source_has_them(resnet):
    assert (resnet.count_params(), size(resnet.trainable_weights)) == (886_102, 873_872)

    def within(start):
        return size(weight for weight in resnet.weights if weight.path.startswith(start))

    starts = ("images_norm", "conv1", "stage1_", "stage2_", "stage3_", "last_norm", "logits")
    assert [within(start) for start in starts] == [12, 1_728, 46_720, 169_472, 664_576, 1_024, 2_570]
    assert (kinds(resnet).count("Conv2D"), kinds(resnet).count("BatchNormalization")) == (85, 83)
    norms = [layer for layer in resnet.layers if type(layer).__name__ == "BatchNormalization"]
    assert {(layer.epsilon, layer.momentum) for layer in norms} == {(2e-5, 0.9)}


@pytest.mark.parametrize("part", SMALL, ids=lambda part: part.name)
def test_every_network_ends_in_logits(part):
    model = built(part, classes=7)
    last = model.layers[-1]
    assert (last.name, last.units, last.activation.__name__, model.output_shape) == ("logits", 7, "linear", (None, 7))


@pytest.mark.backend
@pytest.mark.parametrize("part", SMALL, ids=lambda part: part.name)
def test_every_network_takes_a_step_on_the_smallest_images_that_it_accepts(part):
    side = max(part.needs()[0], 5)
    model = built(
        part, (side, side, 1), 3, l1=1e-4, l2=1e-3, activity_l1=1e-3, activity_l2=1e-3, max_norm=3.0, dropout=0.2
    )
    images, labels = np.random.default_rng(0).normal(size=(4, side, side, 1)), np.arange(4) % 3
    import keras

    model.compile(optimizer="sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
    before = kernels(model)
    assert math.isfinite(model.train_on_batch(images, labels))
    assert any((before[path] != kernel).any() for path, kernel in kernels(model).items())


def test_all_architectures_take_that_step():
    assert {type(part) for part in SMALL} == set(MODELS) - {Python}


def test_minivggnet_normalises_after_the_activation():
    model = built(Minivggnet())
    unit = ["Activation", "BatchNormalization"]
    block = ["Conv2D", *unit, "Conv2D", *unit, "MaxPooling2D", "Dropout"]
    assert kinds(model) == ["InputLayer", *block, *block, "Flatten", "Dense", *unit, "Dropout", "Dense"]


def test_minigooglenet_normalises_before_the_activation_and_has_no_other_branches():
    model = built(Minigooglenet())
    assert kinds(model)[1:4] == ["Conv2D", "BatchNormalization", "Activation"]
    assert (kinds(model).count("Conv2D"), kinds(model).count("BatchNormalization")) == (19, 19)
    maps = [layer.output.shape[1:] for layer in model.layers if type(layer).__name__ == "Concatenate"]
    assert maps == [
        (32, 32, 64), (32, 32, 80), (15, 15, 160), (15, 15, 160), (15, 15, 160), (15, 15, 160), (15, 15, 144),
        (7, 7, 240), (7, 7, 336), (7, 7, 336),
    ]  # fmt: skip
    assert shape_of(model, "flatten") == (336,)


def test_the_projections_of_the_resnet_read_the_activated_tensor(resnet):
    for stage in (1, 2, 3):
        first = f"stage{stage}_1"
        assert source(resnet, f"{first}_shortcut") == source(resnet, f"{first}_conv1") == f"{first}_conv1_relu"
        plain = resnet.get_layer(name=f"stage{stage}_2_add").input[1]
        assert plain._keras_history.operation.name == f"{first}_add"
    assert source(resnet, "conv1") == "images_norm"
    assert source(resnet, "stage1_2_conv1_norm") == "stage1_1_add"
    assert [shape_of(resnet, f"stage{stage}_9_add") for stage in (1, 2, 3)] == [
        (32, 32, 64),
        (16, 16, 128),
        (8, 8, 256),
    ]
    assert sum("shortcut" in layer.name for layer in resnet.layers) == 3
    assert not any(layer.use_bias for layer in resnet.layers if type(layer).__name__ == "Conv2D")


@pytest.mark.parametrize(
    ("module_l2", "asked", "modules", "rest"),
    [(None, None, 1e-4, 1e-4), (None, 5e-4, 5e-4, 5e-4), (1e-4, 5e-4, 1e-4, 5e-4), (0.0, 5e-4, 0.0, 5e-4)],
)
def test_the_l2_of_the_resnet_is_where_it_is_asked_for(module_l2, asked, modules, rest):
    model = built(Resnet(module_l2=module_l2), l2=asked)
    found = kernels(model)
    outside = {path: kernel for path, kernel in found.items() if not path.startswith("stage")}
    assert size(found.values()) == 861_632
    assert size(outside.values()) == 4_288
    squares = {path: np.square(kernel, dtype=np.float64).sum() for path, kernel in found.items()}
    by_hand = sum((rest if path in outside else modules) * total for path, total in squares.items())
    assert float(sum(model.losses)) == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.backend
def test_l1_and_l2_together_are_an_elastic_net_over_kernels_only():
    model = built(Cnn(batch_norm=True), l1=0.01, l2=0.02)
    by_hand = sum(0.01 * np.abs(kernel).sum() + 0.02 * np.square(kernel).sum() for kernel in kernels(model).values())
    assert len(model.losses) == len(kernels(model)) == 4
    assert float(sum(model.losses)) == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.backend
@pytest.mark.parametrize("batch_norm_at", ["after", "before"])
def test_the_activity_penalty_falls_on_the_outputs_of_the_hidden_activations(batch_norm_at):
    import keras

    part = Cnn(filters=(3, 4), hidden=(5,), batch_norm=True, batch_norm_at=batch_norm_at)
    model = built(part, (8, 8, 1), activity_l1=0.01, activity_l2=0.03)
    images = np.random.default_rng(1).normal(size=(6, 8, 8, 1)).astype(np.float32)
    model(images)
    reported = float(sum(model.losses))
    names = ["conv1_1_relu", "conv2_1_relu", "hidden1_relu"]
    outputs = keras.Model(inputs=model.input, outputs=[model.get_layer(name=name).output for name in names])(images)
    by_hand = sum(0.01 * np.abs(output).sum() + 0.03 * np.square(output).sum() for output in map(np.asarray, outputs))
    assert reported == pytest.approx(by_hand / 6, rel=1e-5)


@pytest.mark.backend
@pytest.mark.parametrize("part", [Lenet(), Cnn(hidden=(16,)), TINY_RESNET], ids=lambda part: part.name)
def test_max_norm_bounds_the_weights_into_each_unit_after_a_large_step(part):
    import keras

    model = built(part, max_norm=0.7)
    optimizer = keras.optimizers.SGD(learning_rate=1000.0)
    random = np.random.default_rng(0)
    steps = [random.normal(size=weight.shape).astype(np.float32) for weight in model.trainable_variables]
    optimizer.apply(steps, model.trainable_variables)
    for path, kernel in kernels(model).items():
        norms = np.sqrt(np.square(kernel).reshape(-1, kernel.shape[-1]).sum(axis=0))
        assert norms == pytest.approx(0.7, rel=1e-3), path


@pytest.mark.parametrize(
    ("part", "places"),
    [
        (Lenet(), {"hidden_relu": 0.4}),
        (Lenet5(), {"flatten": 0.4, "f6_tanh": 0.4}),
        (Minivggnet(), {"pool1": 0.2, "pool2": 0.2, "hidden_norm": 0.4}),
        (Minigooglenet(), {"pool": 0.4}),
        (TINY_RESNET, {"flatten": 0.4}),
        (Mlp(hidden=(8, 4)), {"hidden1_relu": 0.4, "hidden2_relu": 0.4}),
        (Mlp(hidden=()), {}),
        (Cnn(hidden=(8,), spatial_dropout=0.1), {"pool1": 0.1, "pool2": 0.1, "hidden1_relu": 0.4}),
        (Cnn(hidden=()), {"flatten": 0.4}),
    ],
)
def test_dropout_stands_where_the_architecture_has_it(part, places):
    assert drops(built(part, dropout=0.4)) == places
    spatial = {place: rate for place, rate in places.items() if rate == 0.1}
    assert drops(built(part, dropout=0.0)) == spatial


@pytest.mark.parametrize(
    ("part", "places"),
    [
        (Lenet(), {}),
        (Lenet5(), {}),
        (Minivggnet(), {"pool1": 0.25, "pool2": 0.25, "hidden_norm": 0.5}),
        (Minigooglenet(), {"pool": 0.5}),
        (TINY_RESNET, {}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_dropout_that_is_not_asked_for_is_the_architectures_own(part, places):
    assert drops(built(part)) == places


@pytest.mark.parametrize("part", [Mlp(), Cnn()], ids=lambda part: part.name)
def test_batch_norm_stands_before_or_after_the_activation(part):
    for place, last in (("after", "hidden1_norm"), ("before", "hidden1_relu")):
        model = built(part.model_copy(update={"batch_norm": True, "batch_norm_at": place}), (8, 8, 1))
        assert source(model, "logits") == last
        order = [kind for kind in kinds(model) if kind in ("Activation", "BatchNormalization")]
        assert order[:2] == sorted(order[:2], reverse=place == "before")
    assert "BatchNormalization" not in kinds(built(part, (8, 8, 1)))


def test_the_blocks_of_a_cnn_are_as_it_is_told():
    part = Cnn(filters=(4, 6), convolutions=2, kernel_size=(5, 3), pooling="average", hidden=(7, 8))
    model = built(part, (8, 8, 1))
    assert [kernel.shape for kernel in kernels(model).values()] == [
        (5, 5, 1, 4), (5, 5, 4, 4), (3, 3, 4, 6), (3, 3, 6, 6), (24, 7), (7, 8), (8, 10),
    ]  # fmt: skip
    assert kinds(model).count("AveragePooling2D") == 2
    assert shape_of(built(Cnn(filters=(4,), pooling="none"), (8, 8, 1)), "flatten") == (256,)


def test_lenet5_pads_small_images_evenly_and_leaves_larger_ones():
    assert shape_of(built(Lenet5(), (29, 28, 1)), "pad") == GREY
    assert built(Lenet5(), (29, 28, 1)).get_layer(name="pad").padding == ((1, 2), (2, 2))
    assert "ZeroPadding2D" not in kinds(built(Lenet5(), (36, 32, 1)))
    assert kinds(built(Lenet5())).count("AveragePooling2D") == 2


@pytest.mark.parametrize("part", [Mlp(hidden=(400,)), Cnn(filters=(8,))], ids=lambda part: part.name)
def test_the_initializer_is_that_of_all_kernels(part):
    def spread(initializer):
        model = built(part.model_copy(update={"initializer": initializer}), (16, 16, 1))
        return {path: kernel.std() for path, kernel in kernels(model).items()}

    assert set(spread("zeros").values()) == {0.0}
    assert all(value == pytest.approx(0.05, rel=0.3) for value in spread("random_normal").values())
    narrow, wide = spread("lecun_normal"), spread("he_normal")
    for (path, low), high in zip(narrow.items(), wide.values(), strict=True):
        assert high / low == pytest.approx(2**0.5, rel=0.3), path
