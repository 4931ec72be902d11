"""Sweeps that train: killed and taken up, pruned, failing, interrupted; each run as `improve train` would make it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from conftest import Silent
from improve.engine.training.train import train
from improve.errors import ImproveError
from improve.experiments.sweep.local_trials import LocalTrials
from improve.experiments.sweep.plan import grid, names, plan
from improve.runs import run
from improve.spec.reading.load import load_spec

pytestmark = pytest.mark.trains

TINY = """\
data: {source: digits, subset: 300, split: 50/25/25}
model: {name: mlp, hidden: [8]}
regularization: {dropout: 0.2}
optimizer: {name: adam, learning_rate: 0.003}
training: {epochs: 5, batch_size: 32}
evidence: light
"""
GRID = "optimizer.learning_rate=1e-3,1e-2", "model.hidden=[4],[8],[4, 4]"


class Told:
    """A watcher that remembers."""

    def __init__(self):
        self.epochs, self.begun_before_any_epoch = [], 0

    def reading(self, done, total): ...

    def begun(self, name):
        self.begun_before_any_epoch += not self.epochs

    def trial_epoch(self, name, row):
        self.epochs.append((name, row["epoch"]))


@pytest.fixture
def command(write_spec, tmp_path):
    """Start `improve sweep` in a process of its own."""
    processes = []

    def start(*words, text=TINY, name="s"):
        arguments = [str(write_spec(text)), *words, "--runs", str(tmp_path / "runs"), "--name", name, "--json"]
        process = subprocess.Popen([sys.executable, "-m", "improve", "sweep", *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True)  # fmt: skip
        processes.append(process)
        return process, tmp_path / "runs" / name

    yield start
    for process in processes:
        process.kill()


def epochs_done(folder, name="*"):
    """Of all runs together, or of one, as their tables say."""
    return sum(max(0, file.read_text().count("\n") - 1) for file in folder.glob(f"{name}/metrics.csv"))


def until(folder, epochs, process, name="*"):
    for _ in range(2000):
        if epochs_done(folder, name) >= epochs or process.poll() is not None:
            return
        time.sleep(0.05)


def digests(folder):
    return {file.parent.name: json.loads(file.read_text())["state_sha256"] for file in folder.glob("*/summary.json")}


@pytest.mark.backend
def test_killed_twice_a_grid_has_each_run_once_as_if_trained_alone(command, write_spec, tmp_path):
    for epochs in (3, 17):
        process, folder = command(*GRID)
        until(folder, epochs, process)
        process.kill()
        process.wait()
    process, folder = command(*GRID)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert json.loads(out)["counts"]["finished"] == 6
    made = plan(write_spec(TINY), GRID)
    found = digests(folder)
    assert found.keys() == {f"{name}-seed0" for name in names(made, grid(made))}
    for number in (0, 4):  # the one that was killed first, and one of another shape
        point = grid(made)[number]
        alone = train(point.spec, "alone", tmp_path / "alone", Silent())
        assert found[f"{names(made, grid(made))[number]}-seed0"] == run.load_run(alone).summary.state_sha256


def test_hyperband_stops_what_is_worse_and_says_so(command):
    pytest.importorskip("optuna")
    words = "optimizer.learning_rate=log(1e-5,1e-1)", "training.epochs=9", "--search", "hyperband", "--trials", "9"
    process, folder = command(*words)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    found = json.loads(out)
    pruned = [trial for trial in found["trials"] if trial["status"] == "pruned"]
    assert pruned
    assert found["counts"]["finished"] + len(pruned) == 9
    for trial in pruned:
        made = run.load_run(folder / trial["runs"][0])
        assert made.status == "stopped"
        assert made.summary.stopped_because == trial["cause"]
        assert len(made.history) < 9
        assert not made.has_test
    process, _ = command(*words)
    again = json.loads(process.communicate(timeout=200)[0])
    assert again["trials"] == found["trials"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_stops_the_trial_in_hand_as_train_does(command, number, code):
    words = "optimizer.learning_rate=1e-3,1e-2", "training.epochs=4000"
    process, folder = command(*words)
    until(folder, 3, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "interrupted\n0 of 2 runs are done; the same command goes on" in err
    summary = run.load_run(folder / "learning_rate0.001-seed0").summary
    assert (summary.status, summary.signal) == ("stopped", number.name)


def pid(local, worker=0):
    return local.workers[worker].process.pid


@pytest.fixture
def trials(tmp_path):
    (tmp_path / "runs").mkdir()
    watcher = Told()
    found = LocalTrials(tmp_path / "runs", watcher)
    yield found, watcher
    found.close()


def test_a_worker_that_dies_costs_its_trial_only(trials, write_spec):
    local, watcher = trials
    specs = [load_spec(write_spec(TINY), [f"seed={seed}", "training.epochs=3"]) for seed in (0, 1)]
    for seed, spec in enumerate(specs):
        local.submit(f"seed{seed}", spec)
    local.judge = lambda name, row: os.kill(pid(local), signal.SIGKILL) or "" if name == "seed0" else ""
    (first, died), (second, folder) = local.finished()
    assert (first, second) == ("seed0", "seed1")
    assert isinstance(died, ImproveError)
    assert "was killed by signal 9" in died.what
    assert run.load_run(folder).status == "finished"
    assert ("seed1", 3) in watcher.epochs


@pytest.mark.backend
def test_two_workers_train_side_by_side_what_each_would_train_alone(write_spec, tmp_path):
    specs = {f"seed{seed}": load_spec(write_spec(TINY), [f"seed={seed}"]) for seed in range(4)}
    watcher = Told()
    (tmp_path / "runs").mkdir()
    both = LocalTrials(tmp_path / "runs", watcher, workers=2)
    for name, spec in specs.items():
        both.submit(name, spec)
    died = []

    def judge(name, row):  # the first epoch of seed0 is the last thing that its process does
        if name == "seed0" and not died:
            died.append(next(number for number, worker in enumerate(both.workers) if worker.name == name))
            os.kill(pid(both, died[0]), signal.SIGKILL)
        return ""

    both.judge = judge
    found = dict(both.finished())
    both.close()
    assert isinstance(found.pop("seed0"), ImproveError)
    assert sorted(found) == ["seed1", "seed2", "seed3"]
    assert watcher.begun_before_any_epoch == 2
    alone = run.load_run(train(specs["seed3"], "alone", tmp_path / "alone", Silent()))
    assert run.load_run(found["seed3"]).summary.state_sha256 == alone.summary.state_sha256


def test_a_signal_stops_both_workers(command):
    process, folder = command("optimizer.learning_rate=1e-3,1e-2", "training.epochs=4000", "--workers", "2")
    for value in ("0.001", "0.01"):  # both have begun: a process that is still importing leaves no run behind
        until(folder, 1, process, f"learning_rate{value}-seed0")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "interrupted\n0 of 2 runs are done; the same command goes on" in err
    stopped = [run.load_run(place) for place in folder.glob("*-seed0")]
    assert [made.summary.signal for made in stopped] == ["SIGTERM"] * 2


def test_a_model_of_the_users_own_that_fails_is_a_failure_with_its_place(trials, write_spec, tmp_path):
    local, _ = trials
    (tmp_path / "mymodel.py").write_text(
        "import keras\n"
        "def build(shape, classes, width=4):\n"
        "    if width > 4: raise ValueError('too wide')\n"
        "    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(classes)])\n"
    )
    text = TINY.replace("{name: mlp, hidden: [8]}", "{name: python, target: 'mymodel.py:build'}")
    text = text.replace("regularization: {dropout: 0.2}\n", "")
    for width in (8, 4):
        spec = load_spec(write_spec(text), [f"model.width={width}", "training.epochs=1"])
        local.submit(f"width{width}", spec)
    (_, failed), (_, folder) = local.finished()
    assert (failed.what, failed.where) == ("build failed: ValueError: too wide", "mymodel.py:3")
    assert run.load_run(folder).status == "finished"
    assert (folder / "mymodel.py").is_file()
