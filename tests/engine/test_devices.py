"""One model on two devices of one machine: the losses of one device, step by step."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from improve.engine.model import devices
from improve.engine.training import checkpoint as keeping
from improve.engine.training import resume
from improve.errors import SpecError, UsageError
from improve.lazy import keras
from improve.spec.reading.load import load_spec

TWO = """\
import json, os, signal, sys
from improve import cli
from improve.engine.training import train
from improve.engine.training.step_loop import StepLoop
from improve.lazy import keras

if keras.backend.backend() == "tensorflow":  # for JAX, XLA_FLAGS say it
    import tensorflow
    two = [tensorflow.config.LogicalDeviceConfiguration()] * 2
    tensorflow.config.set_logical_device_configuration(tensorflow.config.list_physical_devices("CPU")[0], two)
train.LONG = -1.0  # after Ctrl+C no epoch is finished first

stop, run_pass = 0, StepLoop.run_pass

def stopped_pass(loop, on_step, breaks_off):
    def told(done):
        on_step(done)
        if done == stop:
            signal.raise_signal(signal.SIGINT)
    return run_pass(loop, told, breaks_off)

StepLoop.run_pass = stopped_pass
for command in json.loads(sys.argv[1]):
    stop = command.get("stop", 0)
    sys.argv = ["improve", *command["words"]]
    try:
        cli.main()
        print("EXIT", 0, flush=True)
    except SystemExit as end:
        print("EXIT", end.code or 0, flush=True)
"""
# batches of 33, the last one of 2: no even number; penalties, clipping and averages of the whole batch
PLAIN = """\
data: {source: digits, subset: 400, split: 50/25/25}
model: {name: cnn, filters: [4], hidden: [8], batch_norm: true}
regularization: {l2: 0.001, activity_l1: 0.0001, max_norm: 2}
optimizer: {name: sgd, learning_rate: 0.01, momentum: 0.9, clipnorm: 0.5}
augmentation: [shift]
training: {epochs: 2, batch_size: 33, class_weights: balanced}
"""
# batches of 40, the last one of 39: JAX shares the others evenly, this one not
RICH = """\
data: {source: digits, subset: 398, split: 50/25/25}
model: {name: cnn, filters: [6], hidden: [5], batch_norm: true}
optimizer: {name: nadam, use_ema: true, ema_overwrite_frequency: 3, gradient_accumulation_steps: 2, weight_decay: 0.001}
training: {epochs: 2, batch_size: 40}
"""


def improve_on_two(*commands):
    """Run commands in one process that has two devices; gives exit codes and all that was said."""
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    script = [sys.executable, "-c", TWO, json.dumps(commands)]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False, timeout=280)
    codes = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("EXIT")]
    return codes, done.stdout + done.stderr


def table(folder, name="steps.csv"):
    with (folder / name).open() as stream:
        return list(csv.DictReader(stream))


def column(folder, name, file="steps.csv"):
    return np.array([float(row[name]) for row in table(folder, file)])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Trained in one process with two devices: each spec on one of them and on both, and what else is asked of them."""
    folder = tmp_path_factory.mktemp("two")
    for name, text in {"plain": PLAIN, "rich": RICH}.items():
        (folder / f"{name}.yaml").write_text(text)

    def train(spec, name, asked, *more, **stop):
        words = ["train", str(folder / f"{spec}.yaml"), f"training.devices={asked}", *more]
        return {"words": [*words, "--runs", str(folder), "--name", name, "--quiet"], **stop}

    commands = [train("plain", "plain_all", "all"), train("plain", "plain_one", "one", "evidence=light")]
    commands += [train("rich", f"rich_{asked}", asked, "evidence=light") for asked in ("one", "all")]
    dropout = "regularization.dropout=0.5"
    light = dropout, "evidence=light"
    commands += [train("plain", "dropout_one", "one", *light), train("plain", "dropout_2", 2, *light)]
    commands += [train("plain", "stopped", 2, *light, stop=4)]
    commands += [{"words": ["resume", str(folder / "stopped"), "--quiet"]}]
    commands += [train("plain", "three", 3), train("plain", "starved", 2, "training.batch_size=199")]
    codes, said = improve_on_two(*commands)
    (folder / "said.txt").write_text(said)
    (folder / "codes.json").write_text(json.dumps(codes))
    return folder


@pytest.mark.trains
@pytest.mark.backend
@pytest.mark.parametrize("spec", ["plain", "rich"])
def test_every_step_on_two_devices_has_the_loss_and_the_gradient_of_one(runs, spec):
    one, two = runs / f"{spec}_one", runs / f"{spec}_all"
    assert len(column(one, "loss")) == len(column(two, "loss")) > 9  # written once, not once by each
    for name, tolerance in {"loss": 1e-5, "penalty": 1e-5, "gradient_norm": 1e-4, "clipped": 1e-4}.items():
        np.testing.assert_allclose(column(two, name), column(one, name), rtol=tolerance, atol=1e-7, err_msg=name)
    for name in ("validation_cross_entropy", "train_cross_entropy", "loss"):
        np.testing.assert_allclose(*(column(run, name, "metrics.csv") for run in (two, one)), rtol=1e-4, err_msg=name)
    ratios = [column(run, "update_ratio", "evidence/kernels.csv") for run in (two, one)]
    np.testing.assert_allclose(*ratios, rtol=1e-3)


@pytest.mark.trains
@pytest.mark.backend
def test_a_run_says_on_how_many_devices_it_was_trained(runs):
    used = {name: json.loads((runs / name / "environment.json").read_text())["devices"]
            for name in ("plain_one", "plain_all", "dropout_2")}  # fmt: skip
    assert used == {"plain_one": 1, "plain_all": 2, "dropout_2": 2}


@pytest.mark.trains
@pytest.mark.backend
def test_dropout_draws_as_one_device_on_jax_and_for_each_device_on_tensorflow(runs):
    losses = [column(runs / name, "loss") for name in ("dropout_one", "dropout_2")]
    if keras.backend.backend() == "jax":
        np.testing.assert_allclose(*losses, rtol=1e-5)
    else:
        assert abs(losses[0] - losses[1]).max() > 1e-3
        assert abs(losses[0].mean() - losses[1].mean()) < 0.3 * losses[0].mean()  # yet the same kind of noise


@pytest.mark.trains
@pytest.mark.backend
def test_stopped_within_an_epoch_on_two_devices_it_goes_on_to_the_identical_end(runs):
    whole, stopped = (json.loads((runs / name / "summary.json").read_text()) for name in ("dropout_2", "stopped"))
    assert (whole["status"], stopped["status"]) == ("finished", "finished")
    assert whole["state_sha256"] == stopped["state_sha256"]
    assert [row["loss"] for row in table(runs / "stopped")] == [row["loss"] for row in table(runs / "dropout_2")]
    codes = json.loads((runs / "codes.json").read_text())
    assert codes[6:8] == [130, 0]


@pytest.mark.trains
@pytest.mark.backend
def test_more_devices_than_there_are_is_refused_before_there_is_a_folder(runs):
    assert "training.devices: 3, and" in (said := (runs / "said.txt").read_text())
    assert "finds 2 here" in said
    assert json.loads((runs / "codes.json").read_text())[8] == 2
    assert not (runs / "three").exists()


@pytest.mark.trains
@pytest.mark.backend
def test_a_batch_that_leaves_a_device_without_an_image_is_refused_where_that_cannot_be(runs):
    code, said = json.loads((runs / "codes.json").read_text())[9], (runs / "said.txt").read_text()
    if keras.backend.backend() == "jax":  # each computes the whole of it
        assert code == 0
    else:
        assert code == 2
        assert "batches of 199 of 200 images leave one of 2 devices without an image" in said
        assert "training.batch_size=198 does not" in said
        assert not (runs / "starved").exists()


@pytest.mark.trains
@pytest.mark.backend
def test_what_was_trained_on_two_devices_goes_on_and_is_used_on_one(runs, improve):
    code, _, said = improve("resume", runs / "plain_all", "training.devices=one", "training.epochs=+1")
    assert (code, "2 devices so far, 1 from here on" in said) == (0, True), said
    assert len(table(runs / "plain_all", "metrics.csv")) == 3
    model = keras.models.load_model(runs / "dropout_2" / "model.keras")
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert [layer.synchronized for layer in norms] == [False] * len(norms) != []
    images = np.zeros((3, 8, 8, 1), np.uint8)
    assert np.asarray(model(images)).sum(axis=1) == pytest.approx([1, 1, 1])


@pytest.mark.trains
@pytest.mark.backend
def test_all_devices_where_there_is_one_are_one(fit):
    small = "data: {source: digits, subset: 200, split: 50/25/25}\nmodel: mlp\n"
    small += "training: {epochs: 1, batch_size: 50}\nevidence: light\n"
    one, every = fit(small, name="one"), fit(small, "training.devices=all", name="all")
    assert one.summary.state_sha256 == every.summary.state_sha256


@pytest.mark.trains
def test_a_state_that_was_saved_before_there_were_devices_has_nothing_changed(fit):
    made = fit(
        "data: {source: digits, subset: 200}\nmodel: mlp\nevidence: light\ntraining: {epochs: 1, batch_size: 50}\n"
    )
    kept = keeping.read(made.folder)[0]
    del kept.meta["spec"]["training"]["devices"], kept.meta["devices"]
    spec, edits = resume.changed_spec(made, kept, [])
    assert edits == list(resume.other_versions(kept, spec)) == []


@pytest.mark.trains
@pytest.mark.backend
def test_another_backend_has_one_device(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    assert devices.count("one") == 1
    with pytest.raises(UsageError, match="works on TensorFlow and on JAX, this is torch"):
        devices.count("all")


@pytest.mark.parametrize("asked", ["one", "all", 1, 8])
def test_a_spec_names_its_devices(write_spec, asked):
    assert load_spec(write_spec(f"training: {{devices: {asked}}}")).training.devices == asked


@pytest.mark.parametrize("asked", ["0", "-1", "two", "1.5", "true", "[0, 1]", "null"])
def test_what_is_no_number_of_devices_is_refused_with_its_place(write_spec, asked):
    with pytest.raises(SpecError) as refused:
        load_spec(write_spec(f"training: {{devices: {asked}}}"))
    problem = refused.value.problems[0]
    assert ("is no number of devices" in problem.what, problem.fix) == (True, "write one, all, or a number from 1")


@pytest.mark.parametrize(
    ("size", "examples", "copies", "fits"),
    [(64, 640, 2, True), (64, 641, 2, False), (64, 642, 2, True), (4, 8, 3, False), (5, 10, 3, True), (9, 3, 2, True),
     (9, 1, 2, False), (64, 64 * 9 + 63, 8, True)],
)  # fmt: skip
def test_every_device_needs_an_image_of_every_batch(size, examples, copies, fits):
    assert devices.shared(size, examples, copies) is fits


def test_the_rate_range_and_the_preview_are_of_one_device(write_spec):
    spec = load_spec(write_spec("training: {devices: 8}\nseed: 3"))
    assert (spec.on_one_device().training.devices, spec.on_one_device().seed) == ("one", 3)


def test_the_schema_knows_devices():
    from improve.spec.spec import Spec

    schema = Spec.model_json_schema()["$defs"]["Training"]["properties"]["devices"]
    assert schema["anyOf"] == [{"enum": ["one", "all"]}, {"type": "integer", "minimum": 1}]
