"""Networks of the user's own that do what ours never do."""

import pytest

from improve.diagnosis.findings.edits import model_option
from improve.diagnosis.findings.rule import Case
from improve.errors import ImproveError

pytestmark = pytest.mark.trains

LAYERS = """
import keras

class Raises(keras.layers.Layer):
    def call(self, x, training=False):
        if training:
            keras.ops.reshape(x, (7, 7))
        return x

class Steps(keras.Model):
    def train_step(self, data):
        raise RuntimeError("never called")

class Unsaved(keras.Model):
    def __init__(self, classes):
        super().__init__()
        self.flat, self.out = keras.layers.Flatten(), keras.layers.Dense(classes)

    def call(self, x):
        return self.out(self.flat(x))

def build(input_shape, classes, kind="plain", *, activation="tanh"):
    if kind == "unsaved":
        return Unsaved(classes)
    if kind == "mixed":
        keras.mixed_precision.set_global_policy("mixed_float16")
    if kind == "float64":
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
    images = keras.Input(input_shape)
    x = keras.layers.Dense(8, activation=activation)(keras.layers.Flatten()(images))
    if kind == "raises":
        x = Raises()(x)
    return (Steps if kind == "steps" else keras.Model)(images, keras.layers.Dense(classes)(x))
"""
SPEC = "data: {source: digits, subset: 200}\nmodel: {name: python, target: 'mine.py:build', kind: KIND}\n"


@pytest.fixture
def train_kind(fit, write_spec):
    from improve.lazy import keras

    write_spec(LAYERS, "mine.py")
    yield lambda kind: fit(SPEC.replace("KIND", kind), "evidence=light", "training={epochs: 1, batch_size: 20}")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("kind", "what", "where"),
    [
        ("raises", "a layer failed: ", "mine.py:7"),
        ("steps", "the model has a train_step of its own, which is not used here", "mine.py"),
        ("unsaved", "Unsaved cannot be saved, it has no get_config", "mine.py"),
        ("mixed", "the policy mixed_float16 scales the loss", "mine.py"),
    ],
)
@pytest.mark.backend
def test_what_cannot_be_trained_is_told_in_a_sentence(train_kind, kind, what, where):
    with pytest.raises(ImproveError) as told:
        train_kind(kind)
    assert what in told.value.what
    assert told.value.where == where
    assert told.value.fix


@pytest.mark.backend
def test_numbers_of_another_precision_train_to_the_end(train_kind):
    assert train_kind("float64").status == "finished"


def test_an_option_that_the_function_takes_can_be_changed_though_the_spec_has_not_named_it(train_kind):
    case = Case(None, None, train_kind("plain"))
    assert [change.path for change in model_option(case, "activation", "relu", "because")] == ["model.activation"]
    assert list(model_option(case, "initializer", "he_normal", "because")) == []
