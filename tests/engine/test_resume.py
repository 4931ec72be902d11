"""A run goes on: after a stop or a crash as if nothing had happened, or with other settings from there on."""

import contextlib
import csv
import json
import resource
import shutil
import signal

import numpy as np
import pytest
import yaml

import processes
from conftest import Silent
from improve.diagnosis.comparison.compare import compare
from improve.diagnosis.diagnose import diagnose
from improve.engine.data.prepare import prepare
from improve.engine.training import checkpoint as keeping
from improve.engine.training.resume import resume
from improve.engine.training.train import train
from improve.errors import ImproveError, UsageError
from improve.interrupt import BrokenOff
from improve.runs import begin, run
from improve.spec.reading.load import load_spec

pytestmark = pytest.mark.trains

SMALL = """\
data: {source: digits, subset: 400, split: 50/25/25}
model: {name: cnn, filters: [4], hidden: [], batch_norm: true}
regularization: {dropout: 0.3}
optimizer: {name: adam, learning_rate: 0.01}
schedule: cosine
augmentation: [shift]
training: {epochs: 5, batch_size: 32}
"""
STEPS = 7  # per epoch: 200 images in batches of 32
TIMES = ("seconds", "training_seconds")


class Stops(Silent):
    """Presses Ctrl+C at a step of an epoch."""

    def __init__(self, epoch, step, number=signal.SIGINT):
        self.at, self.number = (epoch, step), number

    def step(self, *at):
        if at == self.at:
            signal.raise_signal(self.number)


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    file = tmp_path_factory.mktemp("spec") / "spec.yaml"
    file.write_text(SMALL)
    return load_spec(file)


@pytest.fixture(scope="module")
def data(spec):
    """Its images; what a network learns of them by heart is found out once for all runs that share them."""
    return prepare(spec)


@pytest.fixture(scope="module")
def light(spec):
    """The same without what is looked at beside the errors."""
    return spec.model_copy(update={"evidence": "light"})


def content(folder):
    """All that a run left, but for its times."""
    summary = json.loads((folder / "summary.json").read_text())
    kept = ("status", "epochs", "best_epoch", "state_sha256", "train", "validation", "test")
    found = {key: summary.get(key) for key in kept}
    for name in ("metrics.csv", "steps.csv", *(f"evidence/{table}.csv" for table in ("layers", "kernels", "epochs"))):
        rows = list(csv.DictReader((folder / name).open()))
        found[name] = [{key: row[key] for key in row if key not in TIMES} for row in rows]
    for file in [*sorted(folder.glob("predictions/*.npz")), folder / "evidence" / "last.npz"]:
        with np.load(file) as arrays:
            found[file.name] = {name: arrays[name].tolist() for name in arrays.files}
    return found


@pytest.fixture(scope="module")
def whole(spec, data, tmp_path_factory):
    return content(train(spec, "whole", tmp_path_factory.mktemp("whole"), Silent(), data=data))


def checked_stop(folder, epoch, step):
    found = run.load_run(folder)
    assert (found.status, found.summary.epochs) == ("stopped", epoch - (step < STEPS))
    assert not found.has_test  # sealed until the end


@pytest.mark.backend
@pytest.mark.parametrize("stops", [[(1, 1), (3, 4)], [(1, 6), (5, 7)]])
def test_a_run_that_was_stopped_at_any_step_goes_on_to_the_identical_end(spec, data, whole, tmp_path, at_once, stops):
    first, second = stops
    folder = train(spec, "r", tmp_path / "runs", Stops(*first), data=data)
    checked_stop(folder, *first)
    resume(folder, [], Stops(*second))
    checked_stop(folder, *second)
    assert content(resume(folder, [], Silent())) == whole


@pytest.mark.backend
def test_a_run_goes_on_after_several_stops_and_saves_within_an_epoch(spec, data, whole, tmp_path, at_once, monkeypatch):
    monkeypatch.setattr(keeping.Checkpoints, "due", property(lambda checkpoints: True))  # after every step
    monkeypatch.setattr("improve.engine.training.step_loop.CALL_SECONDS", 1e-9)  # one step a call, however fast
    folder = train(spec, "r", tmp_path / "runs", Stops(2, 3), data=data)
    for stop in ((2, 5), (4, 1)):
        resume(folder, [], Stops(*stop))
    assert content(resume(folder, [], Silent())) == whole


@pytest.fixture(scope="module")
def stopped(spec, data, tmp_path_factory):
    """Stopped within its second epoch, which was finished first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("improve.engine.training.train.LONG", 1e9)
        return train(spec, "r", tmp_path_factory.mktemp("stopped"), Stops(2, 3), data=data)


@pytest.fixture
def begun(stopped, tmp_path):
    """A run of its own that was stopped after two epochs."""
    return shutil.copytree(stopped, tmp_path / "runs" / "r")


@pytest.fixture(scope="module")
def done(light, data, tmp_path_factory):
    """At its end."""
    return train(light, "r", tmp_path_factory.mktemp("done"), Silent(), data=data)


def test_a_short_epoch_is_finished_first(stopped):
    assert run.load_run(stopped).summary.epochs == 2


def pressed(number):
    """Ctrl+C or the like, of which TensorFlow makes a SystemError where it traces a step."""

    def press(*arguments):
        with contextlib.suppress(BrokenOff):
            signal.raise_signal(number)
        raise SystemError("bad argument to internal function")

    return press


@pytest.mark.parametrize(
    ("place", "number"),
    [
        pytest.param("train.assemble", signal.SIGINT),
        pytest.param("train.assemble", signal.SIGTERM),
        pytest.param("probes.memorize", signal.SIGINT, marks=pytest.mark.backend),
        pytest.param("probes.memorize", signal.SIGTERM),
    ],
)
def test_a_signal_before_the_first_step_ends_it_at_once_and_it_can_be_resumed(
    spec, whole, tmp_path, monkeypatch, place, number
):
    with monkeypatch.context() as patch:
        patch.setattr(f"improve.engine.training.{place}", pressed(number))
        with pytest.raises(BrokenOff) as stop:
            train(spec, "r", tmp_path, Silent())
    assert stop.value.signal is number
    assert stop.value.__notes__ == [f"go on   improve resume {tmp_path / 'r'}"]
    summary = run.load_run(tmp_path / "r").summary
    assert (summary.status, summary.signal) == ("stopped", number.name)
    assert content(resume(tmp_path / "r", [], Silent())) == whole


def test_a_signal_while_it_is_taken_up_ends_it_and_it_can_be_taken_up_again(begun, whole, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("improve.engine.training.train.assemble", pressed(signal.SIGTERM))
        with pytest.raises(BrokenOff):
            resume(begun, [], Silent())
    assert run.load_run(begun).status == "stopped"
    assert content(resume(begun, [], Silent())) == whole


OFTEN = {  # saved and drawn after every epoch
    "improve.engine.training.checkpoint:CHEAP": 0.0,
    "improve.engine.training.curves:FIRST": 0.0,
    "improve.engine.training.curves:SHARE": 0.0,
}


@pytest.mark.backend
@pytest.mark.parametrize(
    "points",
    [
        [
            ("improve.engine.data.prepare:image_statistics", 1),  # before the first epoch
            ("improve.runs.run:write_summary", 4),
            ("improve.engine.training.train:measure_test_part", 1),  # after the last epoch
        ],
        [
            ("improve.runs.files:write_arrays", 4),  # between a state and its predictions
            ("improve.runs.generations:write", 4),  # while a generation is written
            ("improve.engine.training.curves:save", 2),  # while a picture is drawn
        ],
    ],
)
def test_kill_9_at_a_named_point_and_the_run_goes_on_to_the_identical_end(
    whole, tmp_path, write_spec, monkeypatch, points
):
    monkeypatch.setattr(keeping, "CHEAP", 0.0)
    folder, file = tmp_path / "runs" / "killed", write_spec(SMALL, "killed.yaml")
    for place, count in points:
        words = ("resume", folder) if folder.is_dir() else ("train", file, "--runs", tmp_path / "runs")
        end = processes.ended(processes.killed, tmp_path / "said.txt", place, count, OFTEN, (*words, "--quiet"))
        assert end == -signal.SIGKILL, (tmp_path / "said.txt").read_text()
        if not folder.is_dir():  # it had not begun
            assert place.startswith("improve.engine.data.prepare")
            continue
        found = run.load_run(folder)
        assert found.status == "stopped"
        assert [row.status for row in compare([folder]).rows] == ["stopped"]
        if found.history and found.summary.best_epoch:
            assert "the run stopped" in diagnose(found).notes[0]
    assert content(resume(folder, [], Silent())) == whole


def test_killed_before_anything_was_saved_it_begins_once_more(spec, whole, tmp_path):
    (tmp_path / "runs").mkdir()
    folder = begin.create(tmp_path / "runs", "r", spec)
    assert content(resume(folder, [], Silent())) == whole
    with pytest.raises(UsageError, match="had not begun"):
        resume(begin.create(tmp_path / "runs", "s", spec), ["training.epochs=7"], Silent())


def test_a_damaged_state_is_named_and_the_one_before_is_used(spec, data, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "CHEAP", 0.0)
    folder = train(spec, "r", tmp_path / "runs", Stops(3, 7), data=data)
    newest = sorted((folder / "state").iterdir())[-1]
    (newest / "arrays.npz").write_bytes(b"torn")
    told = []

    class Listening(Silent):
        def started(self, folder, spec, data, announcement):
            told.extend(announcement.notes)

    assert content(resume(folder, [], Listening())) == whole
    assert told[0].startswith(f"{newest} is damaged: arrays.npz has 4 bytes")


@pytest.mark.backend
def test_the_ctrl_c_method_goes_on_with_another_rate_on_one_curve(begun):
    folder = begun
    before = (folder / "metrics.csv").read_text()
    resume(folder, ["optimizer.learning_rate=1e-3", "training.epochs=+4", "schedule=constant"], Silent())
    found = run.load_run(folder)
    assert (folder / "metrics.csv").read_text().startswith(before)
    assert [row["epoch"] for row in found.history] == [1, 2, 3, 4, 5, 6]
    assert [row["learning_rate"] for row in found.history[2:]] == [0.001] * 4
    changes = {change["path"]: (change["epoch"], change["from"], change["to"]) for change in found.summary.changes}
    assert changes["optimizer.learning_rate"] == (2, 0.01, 0.001)
    assert changes["training.epochs"] == (2, 5, 6)
    assert changes["schedule"][2] == {"name": "constant", "warmup": 0.0}
    written = (folder / "spec.yaml").read_text()
    assert "# changed after 2 epochs: optimizer.learning_rate 0.01 → 0.001\n" in written
    assert yaml.safe_load(written)["optimizer"]["learning_rate"] == 0.001
    steps = list(csv.DictReader((folder / "steps.csv").open()))
    assert {row["learning_rate"] for row in steps if int(row["step"]) >= 2 * STEPS} == {"0.001"}


@pytest.mark.backend
def test_a_changed_run_ends_identically_however_often_it_is_stopped(spec, data, tmp_path, at_once):
    ends = []
    first = train(spec, "a", tmp_path / "runs", Stops(2, 4), data=data)
    shutil.copytree(first, tmp_path / "runs" / "b")
    for name, stops in (("a", []), ("b", [(3, 2), (5, 1)])):
        folder = tmp_path / "runs" / name
        overrides = ["optimizer.learning_rate=2e-3", "training.epochs=6"]
        for stop in stops:
            resume(folder, overrides, Stops(*stop))
            overrides = []
        ends.append(content(resume(folder, overrides, Silent())))
    assert ends[0] == ends[1]


def test_a_schedule_that_is_new_begins_with_the_change(begun):
    resume(begun, ["schedule={name: exponential, decay_rate: 0.5, every: 1, staircase: true}"], Silent())
    assert [row["learning_rate"] for row in run.load_run(begun).history[2:]] == [0.01, 0.005, 0.0025]


def test_a_longer_schedule_goes_on_from_where_the_run_stands(done, tmp_path):
    folder = shutil.copytree(done, tmp_path / "runs" / "r")
    resume(folder, ["training.epochs=10"], Silent())
    rates = [row["learning_rate"] for row in run.load_run(folder).history]
    expected = [0.005 * (1 + np.cos(np.pi * epoch / 10)) for epoch in range(5, 10)]
    assert rates[5:] == pytest.approx(expected, rel=0.02)


@pytest.mark.backend
def test_the_batch_size_can_change_between_epochs(begun):
    resume(begun, ["training.batch_size=50"], Silent())
    found = run.load_run(begun)
    assert (found.status, found.summary.epochs) == ("finished", 5)
    steps = [int(row["step"]) for row in csv.DictReader((begun / "steps.csv").open())]
    assert steps == list(range(2 * STEPS + 3 * 4))


REFUSED = {
    "data.split=60/20/20": "data.split cannot change on the way: images that have judged",
    "model.filters=[8]": "model.filters cannot change on the way: its weights have no place",
    "model=lenet": "model cannot change on the way",
    "seed=1": "seed cannot change on the way",
    "optimizer=sgd": "optimizer.name cannot change on the way: what one optimizer remembers",
    "training.epochs=1": "is done with 2 epochs, 1 are asked for",
    "regularization.dropout=0": "the saved state does not fit this network",
}


def test_what_cannot_change_on_the_way_is_refused_with_the_alternative(begun, whole, subtests):
    for override, why in REFUSED.items():
        with subtests.test(override):
            with pytest.raises(UsageError, match=why) as refused:
                resume(begun, [override], Silent())
            assert refused.value.fix
            assert run.load_run(begun).status in ("stopped", "failed")
    assert content(resume(begun, [], Silent())) == whole  # nothing is lost


def test_a_finished_run_goes_on_only_with_more_to_do(done, tmp_path):
    folder = shutil.copytree(done, tmp_path / "runs" / "r")
    with pytest.raises(UsageError, match="is done with 5 epochs") as refused:
        resume(folder, [], Silent())
    assert refused.value.fix == f"improve resume {folder} training.epochs=+20"
    resume(folder, ["training.epochs=+2"], Silent())
    assert run.load_run(folder).summary.epochs == 7


def test_a_finished_run_that_cannot_be_taken_up_stays_finished(done, tmp_path, monkeypatch):
    folder = shutil.copytree(done, tmp_path / "runs" / "r")
    before = (folder / "summary.json").read_bytes()

    def fails(*arguments):
        raise ImproveError("build failed")

    monkeypatch.setattr("improve.engine.training.train.assemble", fails)
    with pytest.raises(ImproveError, match="build failed"):
        resume(folder, ["training.epochs=+2"], Silent())
    assert (folder / "summary.json").read_bytes() == before


@pytest.mark.backend
def test_a_diverged_run_goes_on_with_a_lower_rate_from_its_last_good_state(write_spec, tmp_path):
    spec = load_spec(write_spec(SMALL), ["optimizer={name: sgd, learning_rate: 1e30}", "evidence=light"])
    folder = train(spec, "r", tmp_path / "runs", Silent())
    assert run.load_run(folder).status == "diverged"
    with pytest.raises(UsageError, match="would do so again"):
        resume(folder, [], Silent())
    resume(folder, ["optimizer.learning_rate=0.01"], Silent())
    found = run.load_run(folder)
    assert (found.status, found.summary.epochs) == ("finished", 5)
    assert all(np.isfinite(row["loss"]) for row in found.history)


def test_other_data_than_the_run_began_with_are_refused(tmp_path, write_spec):
    images, labels = np.random.default_rng(0).integers(0, 256, (100, 8, 8, 1), dtype=np.uint8), np.arange(100) % 10
    np.savez(tmp_path / "d.npz", x_train=images, y_train=labels)
    file = write_spec(
        "data: {source: {name: npz, path: d.npz}}\nmodel: mlp\nevidence: light\ntraining: {epochs: 1, batch_size: 20}\n"
    )
    folder = train(load_spec(file), "r", tmp_path / "runs", Silent())
    np.savez(tmp_path / "d.npz", x_train=255 - images, y_train=labels)
    with pytest.raises(UsageError, match="are not those that the run began with"):
        resume(folder, ["training.epochs=+1"], Silent())


@pytest.mark.backend
def test_a_new_run_starts_from_the_weights_of_another_ones_best_epoch(done, write_spec, tmp_path):
    first = shutil.copytree(done, tmp_path / "runs" / "first")
    again = load_spec(
        write_spec(SMALL),
        ["evidence=light", "training.epochs=1", "optimizer.learning_rate=1e-9", "data.split=60/20/20"],
    )
    second = run.load_run(train(again, "second", tmp_path / "runs", Silent(), first))
    untrained = run.load_run(train(again, "third", tmp_path / "runs", Silent()))
    assert second.summary.origin == str(first)
    assert second.summary.train.error < untrained.summary.train.error - 0.1
    other = load_spec(write_spec("model: {name: mlp, hidden: [3]}\ndata: {source: digits}\n"))
    with pytest.raises(ImproveError, match="no kernel of this network has the name and shape"):
        train(other, "fourth", tmp_path / "runs", Silent(), first)


def test_a_clock_that_goes_backwards_changes_nothing(spec, data, whole, tmp_path, monkeypatch):
    now = [2e9]

    def earlier():
        now[0] -= 3600
        return now[0]

    monkeypatch.setattr("time.time", earlier)
    folder = train(spec, "r", tmp_path / "runs", Stops(1, 7), data=data)
    assert content(resume(folder, [], Silent())) == whole
    assert all(row["seconds"] > 0 for row in run.load_run(folder).history)


def on_a_small_disk(*words):
    """A file may have no more than 30 kB: steps.csv and the tables grow until one has."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
    keeping.CHEAP = 0.0
    processes.command(*words)


def test_a_full_disk_is_told_and_the_run_goes_on_once_there_is_room(whole, tmp_path, write_spec):
    words = ("train", write_spec(SMALL, "full.yaml"), "--runs", tmp_path / "runs", "--quiet")
    assert processes.ended(on_a_small_disk, tmp_path / "said.txt", *words) == 1
    folder, said = tmp_path / "runs" / "full", (tmp_path / "said.txt").read_text()
    assert "the disk is full: " in said
    assert f"make room, then improve resume {folder}" in said.replace("\n", " ")
    assert run.load_run(folder).status == "failed"
    assert content(resume(folder, [], Silent())) == whole


OWN = """\
import keras, tensorflow as tf

class Hungry(keras.layers.Layer):
    def call(self, x, training=False):
        if training:
            too_many = tf.greater(tf.shape(x)[0], 16)
            tf.debugging.Assert(tf.logical_not(too_many), ["OOM when allocating tensor"])
        return x

def build(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), Hungry(), keras.layers.Dense(classes)])
"""


def test_out_of_memory_goes_on_with_smaller_batches_and_the_same_updates(tmp_path, write_spec):
    pytest.importorskip("tensorflow")
    (tmp_path / "mine.py").write_text(OWN)
    text = "data: {source: digits, subset: 320, split: 50/25/25}\nmodel: {name: python, target: 'mine.py:build'}\n"
    text += "training: {epochs: 2, batch_size: 64}\nevidence: light\noptimizer: {name: sgd, learning_rate: 0.001}\n"
    words = ("train", write_spec(text, "hungry.yaml"), "--runs", tmp_path / "runs")
    assert processes.ended(processes.command, tmp_path / "said.txt", *words) == 0, (tmp_path / "said.txt").read_text()
    found = run.load_run(tmp_path / "runs" / "hungry")
    assert (found.spec["training"]["batch_size"], found.spec["optimizer"]["gradient_accumulation_steps"]) == (16, 4)
    assert {change["reason"] for change in found.summary.changes} == {"out of memory"}
    assert (
        "out of memory with batches of 64: going on with training.batch_size=32" in (tmp_path / "said.txt").read_text()
    )
