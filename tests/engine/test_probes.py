"""What is recorded beside the errors, and that it changes nothing."""

import json

import numpy as np
import pytest

from conftest import Silent
from improve.diagnosis.diagnose import diagnose
from improve.engine.data.prepare import prepare
from improve.engine.model.activity import activity_of, whole
from improve.engine.training import probes, rate_probe
from improve.engine.training.train import train
from improve.lazy import keras
from improve.runs.run import load_run
from improve.spec.reading.load import load_spec

pytestmark = [pytest.mark.trains, pytest.mark.backend]

CNN = """
data: {subset: 400}
model: {name: cnn, filters: [4, 8], hidden: [16], batch_norm: true}
regularization: {dropout: 0.3}
optimizer: {name: sgd, learning_rate: 0.05, momentum: 0.9, global_clipnorm: 0.5}
training: {epochs: 3, batch_size: 32}
"""


@pytest.fixture(autouse=True, scope="module")
def _patient():
    """However long thirty-two examples take to be learnt, on a loaded machine perhaps, it is waited for. Short runs may
    try as many rates as long ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "SECONDS", 1e9)
        patch.setattr(rate_probe, "SHARE", 1.0)
        yield


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The same run with all that is looked at, and with next to nothing."""
    root = tmp_path_factory.mktemp("pair")
    (root / "spec.yaml").write_text(CNN)
    specs = {name: load_spec(root / "spec.yaml", [f"evidence={name}"]) for name in ("full", "light")}
    return [load_run(train(spec, name, root / "runs", Silent())) for name, spec in specs.items()]


def test_a_run_with_its_probes_ends_in_the_state_of_one_without(pair):
    full, light = pair
    assert full.summary.state_sha256 == light.summary.state_sha256
    assert [row["train_error"] for row in full.history] == [row["train_error"] for row in light.history]


def test_the_evidence_of_a_run_is_whole(pair):
    evidence = pair[0].evidence
    start = evidence.start
    assert start["memorized"]["memorized"]
    assert 0.5 < start["initial_cross_entropy"] / np.log(10) < 2
    assert start["noise"] == 0.0
    assert start["baselines"]["n"] == start["parts"]["train"]["n"]
    assert 0 < start["baselines"]["linear_new"] < 0.3
    assert [kernel["trainable"] for kernel in start["kernels"]] == [True] * 4
    assert start["batch_normalizations"] == 3
    assert {row["epoch"] for row in evidence.layers} == {0, 1, 2, 3}
    assert list(evidence.kernels) == [kernel["name"] for kernel in start["kernels"]]
    assert np.isfinite(evidence.epochs["training_mode_cross_entropy"]).all()
    assert (evidence.steps["clipped"] > 0).any()
    assert len(evidence.images["train_hash"]) == start["parts"]["train"]["n"]
    assert evidence.last("validation").probability.shape == evidence.best("validation").probability.shape


def test_rates_from_far_too_low_to_far_too_high_are_tried_on_one_batch(pair):
    probe = pair[0].evidence.start["rate_probe"]
    factors, losses = np.array(probe["factors"]), np.array(probe["losses"])
    assert factors[0] == 0.001
    np.testing.assert_allclose(np.diff(np.log(factors)), np.log(1e6) / 23, rtol=1e-2)  # 24 steps has the run
    np.testing.assert_allclose(losses[1:4], losses[0], rtol=0.2)  # dropout is drawn anew
    assert losses.min() < 0.9 * losses[0]


@pytest.mark.parametrize(("steps", "count"), [(0, 0), (399, 0), (400, 20), (1000, 50), (10**6, 60)])
def test_rates_are_tried_where_they_cost_a_twentieth_of_the_run_at_most(steps, count, monkeypatch):
    monkeypatch.setattr(rate_probe, "SHARE", 0.05)
    assert rate_probe.affordable(steps) == count


def test_the_update_of_a_kernel_is_what_the_weights_say(fit):
    """One step of SGD without momentum: ‖Δw‖ is rate · ‖gradient‖."""
    plain = "data: {subset: 200}\nmodel: {name: mlp, hidden: [8]}\noptimizer: {name: sgd, learning_rate: 0.1}\n"
    made = fit(plain, "training={epochs: 1, batch_size: 120}")
    for columns in made.evidence.kernels.values():
        expected = 0.1 * columns["gradient_norm"] / columns["weight_norm"]
        assert columns["update_ratio"] == pytest.approx(expected, rel=1e-4)


def test_light_evidence_names_what_it_could_not_look_at(pair):
    diagnosis = diagnose(pair[1])
    assert {"T7", "R5", "R6", "T9", "V7"} <= {code for code, _ in diagnosis.unchecked}


def test_dropout_that_is_on_when_it_counts_is_seen(fit, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import keras\n"
        "class Always(keras.layers.Dropout):\n"
        "    def call(self, x, training=None):\n"
        "        return super().call(x, training=True)\n"
        "def build(input_shape, classes):\n"
        "    images = keras.Input(input_shape)\n"
        "    x = keras.layers.Dense(32, activation='relu')(keras.layers.Flatten()(images))\n"
        "    return keras.Model(images, keras.layers.Dense(classes)(Always(0.9)(x)))\n"
    )
    made = fit("model: {name: python, target: 'mine.py:build'}\ntraining: {epochs: 2}\n")
    assert diagnose(made).findings[0].code == "R8"


def test_a_network_that_cannot_learn_32_examples_says_so(fit):
    made = fit("model: {name: mlp, hidden: [1]}\ntraining: {epochs: 1}\ndata: {subset: 200}\n")
    assert made.evidence.start["memorized"]["memorized"] is False
    assert json.loads((made.folder / "evidence" / "start.json").read_text())["memorized"]["steps"] == 200


def test_a_hidden_layer_is_watched_in_any_kind_of_model(fit, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import keras\n"
        "class Mine(keras.Model):\n"
        "    def __init__(self, classes):\n"
        "        super().__init__()\n"
        "        self.classes = classes\n"
        "        self.flat, self.hidden = keras.layers.Flatten(), keras.layers.Dense(8, activation='relu')\n"
        "        self.out = keras.layers.Dense(classes)\n"
        "    def call(self, x):\n"
        "        return self.out(self.hidden(self.flat(x)))\n"
        "    def get_config(self):\n"
        "        return {'classes': self.classes}\n"
        "def build(input_shape, classes):\n"
        "    return Mine(classes)\n"
    )
    made = fit("model: {name: python, target: 'mine.py:build'}\ntraining: {epochs: 1}\n")
    assert {row["activation"] for row in made.evidence.layers} == {"relu"}
    assert keras.backend.backend()


def test_runs_on_the_same_data_share_what_a_network_learns_by_heart(write_spec, pair, tmp_path, monkeypatch):
    """The second run asks no more, another seed does; what a run comes to is the same as by itself."""
    seen, memorize = [], probes.memorize
    monkeypatch.setattr(probes, "memorize", lambda spec, data: seen.append(spec.seed) or memorize(spec, data))
    alone, _ = pair
    spec = load_spec(write_spec(CNN), [])
    data = prepare(spec)
    folders = [
        train(spec.model_copy(update={"seed": seed}), name, tmp_path / "runs", Silent(), data=data)
        for name, seed in (("a", 0), ("b", 0), ("c", 5))
    ]
    assert seen == [0, 5]
    assert [load_run(folder).summary.state_sha256 for folder in folders[:2]] == [alone.summary.state_sha256] * 2
    assert load_run(folders[1]).evidence.start["memorized"] == alone.evidence.start["memorized"]


@pytest.mark.filterwarnings("error")
def test_what_a_diverging_network_hands_on_is_described_without_a_word():
    seen = activity_of(np.array([[1e25, 3e25]], np.float32), "relu", "relu").row()
    assert seen["std"] == pytest.approx(1e25)


def test_what_a_layer_hands_on_is_the_same_a_few_images_at_a_time():
    values = np.random.default_rng(0).normal(3, 1, (12, 5, 5, 4)).astype(np.float32).clip(0)
    values[..., 2] = 0
    together = activity_of(values, "one", "relu").row()
    in_parts = whole([activity_of(values[start : start + 5], "one", "relu") for start in (0, 5, 10)]).row()
    assert in_parts == pytest.approx(together)
    assert together["silent"] == 0.25
    assert together["zeros"] > 0.25
