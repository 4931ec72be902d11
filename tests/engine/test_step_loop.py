"""Several steps in one call: to the last bit what single steps and Keras's `fit` do, wherever it is stopped."""

import json
import signal
import threading

import numpy as np
import pytest

import processes
from conftest import Silent
from improve.engine.model import replicas
from improve.engine.model.layers import multiply_adds
from improve.engine.training import step_loop
from improve.engine.training.resume import resume
from improve.engine.training.train import train
from improve.lazy import keras
from improve.runs import run
from improve.spec.reading.load import load_spec

pytestmark = pytest.mark.trains

#: 200 images in batches of 16: 13 steps, the last one of 8 images
SMALL = """\
data: {source: digits, subset: 400, split: 50/25/25}
model: {name: mlp, hidden: [8], batch_norm: true}
regularization: {dropout: 0.3, l2: 0.001}
optimizer: {name: adam, learning_rate: 0.01, clipnorm: 1, use_ema: true}
schedule: cosine
augmentation: [shift]
training: {epochs: 4, batch_size: 16, class_weights: balanced}
evidence: light
"""
FIVE_IN_A_CALL = {"CALL_SECONDS": 1e9, "CALL_STEPS": 5}


@pytest.fixture
def spec(write_spec):
    def loaded(*overrides):
        return load_spec(write_spec(SMALL), list(overrides))

    return loaded


@pytest.fixture
def trained(spec, tmp_path, monkeypatch):
    def train_it(name, *overrides, watcher=None, **constants):
        for constant, value in constants.items():
            monkeypatch.setattr(step_loop, constant, value)
        return train(spec(*overrides), name, tmp_path / "runs", watcher or Silent())

    return train_it


def reached(folder):
    """The state at the end and every answer of the best epoch."""
    with np.load(folder / "predictions" / "validation.npz") as arrays:
        return run.load_run(folder).summary.state_sha256, arrays["probability"].tolist()


def content(folder):
    return *reached(folder), run.load_run(folder).status, (folder / "steps.csv").read_text()


@pytest.fixture
def calls(monkeypatch):
    """How many steps each call took."""
    counts, call = [], step_loop.StepLoop.call

    def counted(loop, batch, losses):
        taken = call(loop, batch, losses)
        counts.append(taken[0])
        return taken

    monkeypatch.setattr(step_loop.StepLoop, "call", counted)
    return counts


@pytest.mark.backend
@pytest.mark.parametrize("setting", ["seed=0", "optimizer.gradient_accumulation_steps=2", "training.sampling=balanced"])
def test_the_compiled_step_and_keras_own_loop_end_in_the_same_bits(trained, monkeypatch, calls, setting):
    direct = trained("direct", setting, SMALL_BATCH=0)
    assert calls == [1] * 52
    monkeypatch.setattr(step_loop, "is_one_function", lambda model: False)
    assert content(trained("keras", setting)) == content(direct)
    assert calls == [1] * 52


@pytest.mark.parametrize("setting", ["seed=0", "optimizer.gradient_accumulation_steps=2", "training.sampling=balanced"])
def test_one_step_a_call_or_five_end_in_the_same_bits(trained, calls, setting):
    one = trained("one", setting, CALL_STEPS=1)
    assert calls == [1] * 52
    calls.clear()
    assert content(trained("five", setting, **FIVE_IN_A_CALL)) == content(one)
    assert calls == [1, 1, 5, 5, 1] + [5, 5, 2, 1] * 3  # the first has told no time when the second is prepared
    assert reached(trained("no_loop", setting, SMALL_BATCH=0)) == reached(one)


@pytest.mark.backend
def test_a_loss_that_is_not_finite_ends_the_run_at_the_same_step(trained, monkeypatch):
    wild = "optimizer={name: sgd, learning_rate: 1e+30}", "regularization.l2=0"
    ways = {"one": {"CALL_STEPS": 1}, "five": FIVE_IN_A_CALL, "no_loop": {"SMALL_BATCH": 0}}
    folders = [trained(name, *wild, **constants) for name, constants in ways.items()]
    monkeypatch.setattr(step_loop, "is_one_function", lambda model: False)
    found = [run.load_run(folder) for folder in (*folders, trained("keras", *wild))]
    assert {one.status for one in found} == {"diverged"}
    assert len({one.summary.state_sha256 for one in found}) == 1
    assert {len((one.folder / "steps.csv").read_text().splitlines()) for one in found} == {1 + 3}


def test_ctrl_c_ends_it_after_the_call_in_hand_and_it_goes_on_to_the_same_end(trained, at_once):
    class Presses(Silent):
        def step(self, epoch, step):
            if (epoch, step) == (2, 3):
                signal.raise_signal(signal.SIGINT)

    whole = content(trained("whole", **FIVE_IN_A_CALL))
    folder = trained("stopped", watcher=Presses())
    found = run.load_run(folder)
    assert (found.status, found.summary.epochs) == ("stopped", 1)
    assert len((folder / "steps.csv").read_text().splitlines()) == 1 + 13 + 5
    assert content(resume(folder, [], Silent())) == whole


@pytest.mark.backend
def test_kill_9_between_two_calls_and_it_goes_on_to_the_same_end(trained, write_spec, tmp_path):
    whole = content(trained("whole", **FIVE_IN_A_CALL))
    settings = {f"improve.engine.training.step_loop:{name}": value for name, value in FIVE_IN_A_CALL.items()}
    settings["improve.engine.training.checkpoint:CHEAP"] = 0.0
    words = "train", write_spec(SMALL), "--runs", tmp_path / "runs", "--name", "killed", "--quiet"
    place = "improve.engine.training.step_loop:StepLoop.call"
    assert processes.ended(processes.killed, tmp_path / "said.txt", place, 8, settings, words) == -signal.SIGKILL
    assert content(resume(tmp_path / "runs" / "killed", [], Silent())) == whole


@pytest.mark.backend
@pytest.mark.parametrize("constants", [{}, FIVE_IN_A_CALL])
def test_what_goes_wrong_while_a_batch_is_prepared_ends_the_run_with_its_message(
    trained, monkeypatch, tmp_path, constants
):
    monkeypatch.setattr("improve.engine.training.batches.augment", failing([]))
    with pytest.raises(ValueError, match="the seventh batch cannot be had"):
        trained("r", **constants)
    summary = json.loads((tmp_path / "runs" / "r" / "summary.json").read_text())
    assert (summary["status"], summary["error"]) == ("failed", "ValueError: the seventh batch cannot be had")


def failing(calls):
    def augment(parts, batch, random, pixels):
        calls.append(batch)
        if len(calls) > 6:
            raise ValueError("the seventh batch cannot be had")
        return batch

    return augment


@pytest.mark.backend
@pytest.mark.parametrize("constants", [{"CALL_STEPS": 1}, {"SMALL_BATCH": 0}])
def test_nobody_waits_for_a_batch_that_is_not_wanted_any_more(trained, monkeypatch, at_once, constants):
    prepared = threading.Event()

    class Presses(Silent):
        def step(self, epoch, step):
            if step == 6:
                signal.raise_signal(signal.SIGINT)

    real = step_loop.StepLoop.run_pass

    def run_pass(*arguments):
        broken_off = real(*arguments)
        waited.append(prepared.is_set())
        prepared.set()
        return broken_off

    waited = []
    monkeypatch.setattr(step_loop.StepLoop, "run_pass", run_pass)
    monkeypatch.setattr("improve.engine.training.batches.augment", slow_from(8, prepared))
    assert run.load_run(trained("r", watcher=Presses(), **constants)).status == "stopped"
    assert waited == [False]


def slow_from(number, event):
    """An augmentation that, from this batch on, takes until the event is set."""
    calls = []

    def augment(parts, batch, random, pixels):
        calls.append(batch)
        if len(calls) >= number:
            event.wait(20)
        return batch

    return augment


def test_a_call_of_several_steps_is_short_whatever_a_step_takes():
    loop, counts = step_loop.StepLoop.__new__(step_loop.StepLoop), {}
    loop.most = 40
    for loop.seconds in (10.0, 0.019, 0.004, 0.0001):
        counts[loop.seconds] = loop.steps_in_a_call()
    assert counts == {10.0: 1, 0.019: 1, 0.004: 5, 0.0001: 40}


def test_multiplications_are_those_of_the_kernels_at_every_place_of_an_image():
    layers = keras.layers
    conv = layers.Conv2D(4, 3, strides=2, padding="same")
    model = keras.Sequential([keras.Input((8, 8, 3)), conv, layers.BatchNormalization(), layers.Flatten()])
    model.add(layers.Dense(10))
    assert multiply_adds(model) == 4 * 4 * (3 * 3 * 3 * 4) + 64 * 10


def test_the_network_of_the_memorisation_probe_takes_the_steps_of_train_on_batch():
    def network():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse")
        replicas.join(model)
        model.optimizer.build(model.trainable_variables)
        return model

    batch = np.eye(4, dtype=np.float32), np.ones((4, 3), np.float32)
    direct, theirs = network(), network()
    loss_of_step = step_loop.single_step(direct, batch)
    assert [loss_of_step(batch) for _ in range(5)] == [float(theirs.train_on_batch(*batch)) for _ in range(5)]
