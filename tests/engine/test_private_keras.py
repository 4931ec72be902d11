"""The private names of Keras that the engine leans on, each with what breaks without it: a new one fails here first."""

import sys

import pytest

from improve.lazy import keras

pytestmark = [pytest.mark.trains, pytest.mark.backend]

OF_OPTIMIZERS = {
    "_trainable_variables": "instrument.py: the log of updates",
    "_get_current_learning_rate": "instrument.py: the rate after a plateau",
    "_clip_gradients": "instrument.py: how much clipping takes away",
    "_backend_update_step": "replicas.py: one update on several devices",
    "_apply_weight_decay": "replicas.py: decay on several devices",
    "_backend_increment_gradient_accumulators": "replicas.py: accumulated gradients on several devices",
    "_overwrite_model_variables_with_average_value": "replicas.py: means of weights on several devices",
}


@pytest.fixture(scope="module")
def model():
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    made.compile(optimizer=keras.optimizers.Adam(use_ema=True), loss="mse")
    made.optimizer.build(made.trainable_variables)
    return made


def test_optimizers_have_the_private_names_that_are_used(model):
    assert [name for name in OF_OPTIMIZERS if not hasattr(model.optimizer, name)] == []


def test_the_averages_and_momentums_of_weights_are_where_measure_reads_them(model):
    kinds = {"_model_variables_moving_average": model.optimizer, "_momentums": model.optimizer}
    assert {name: len(getattr(owner, name)) for name, owner in kinds.items()} == dict.fromkeys(kinds, 2)


def test_layers_tell_their_parts_and_their_random_generators(model):
    layers = list(model._flatten_layers())
    assert {layer.name for layer in model.layers} <= {layer.name for layer in layers}
    assert [len(layer._seed_generators) for layer in layers if isinstance(layer, keras.layers.Dropout)] == [1]


def test_whether_tensorflow_is_there_is_asked_where_lazy_answers_it():
    from keras.src.utils.module_utils import tensorflow

    assert tensorflow.available is ("tensorflow" in sys.modules)
