"""Sweeps on a real Ray cluster on this machine: `ray start --head`, and a second node that joins by address."""

import os
import signal
import socket
import sys
import time
from collections import Counter
from functools import partial

import pytest

from conftest import CONFIGS, Silent
from improve.engine.training.train import train
from improve.errors import ImproveError, UsageError
from improve.experiments.ray import cluster as ray_cluster
from improve.experiments.ray.cluster import Cluster
from improve.experiments.ray.trials import RayTrials
from improve.experiments.ray.worker import installed_versions
from improve.experiments.sweep.plan import grid, names, plan
from improve.experiments.sweep.sweep import sweep
from improve.interrupt import BrokenOff
from improve.runs import run
from improve.spec.reading.load import load_spec

sys.path.insert(0, str(CONFIGS.parent / "benchmarks"))
import cluster
from cluster import log_of, raylets

pytest.importorskip("ray")
pytestmark = pytest.mark.trains

TINY = """\
data: {source: digits, subset: 300, split: 50/25/25}
model: {name: mlp, hidden: [8]}
regularization: {dropout: 0.2}
optimizer: {name: adam, learning_rate: 0.003}
training: {epochs: 3, batch_size: 32}
evidence: light
"""
GRID = "optimizer.learning_rate=1e-3,1e-2", "model.hidden=[4],[8]"


class Told:
    """A watcher that remembers; `press`, at the first epoch, is called once."""

    def __init__(self, press=None):
        self.names, self.epochs, self.press = [], [], press

    def reading(self, done, total): ...

    def begun(self, name):
        self.names.append(name)

    def trial_epoch(self, name, row):
        self.epochs.append((name, row["epoch"]))
        if self.press:
            self.press, press = None, self.press
            press()

    def member(self, done, total, name, made): ...


@pytest.fixture(scope="module")
def address():
    with cluster.head() as address:
        yield address


@pytest.fixture
def second(address):
    with cluster.second(address):
        yield


@pytest.fixture
def swept(address, write_spec, tmp_path):
    def run_it(*words, watcher=None, text=TINY, **sizes):
        made = plan(write_spec(text), words)
        wanted = Cluster(**{"address": address, "cpus": 1, "gpus": 0, **sizes})
        folder = tmp_path / "runs" / "s"
        return made, sweep(made, folder, watcher or Told(), partial(RayTrials, cluster=wanted)), folder

    return run_it


def test_a_sweep_on_two_nodes_gives_each_run_as_train_would(swept, second, tmp_path):
    made, results, folder = swept(*GRID)
    assert [one.status for one in results] == ["finished"] * 4
    for point, name in zip(grid(made)[::3], names(made, grid(made))[::3], strict=True):
        alone = run.load_run(train(point.spec, "alone", tmp_path / "alone", Silent()))
        there = run.load_run(folder / f"{name}-seed0")
        assert there.summary.state_sha256 == alone.summary.state_sha256
        assert there.fingerprint == alone.fingerprint
    rows = log_of(folder)
    assert Counter(row["event"] for row in rows) == {"driver": 1, "there": 1, "begun": 4, "done": 4}
    assert len((folder / ".evaluations.csv").read_text().splitlines()) == 1 + 4


def test_a_node_that_is_killed_costs_time_and_no_trial(swept, second, tmp_path):
    folder = tmp_path / "runs" / "s"

    def kill():
        theirs = next(row["node"][-8:] for row in log_of(folder) if row["event"] == "there")
        os.kill(raylets()[theirs], signal.SIGKILL)

    class Kills(Told):
        def trial_epoch(self, name, row):
            there = next(row["node"] for row in log_of(folder) if row["event"] == "there")
            begun = [row["run"] for row in log_of(folder) if (row["event"], row["node"]) == ("begun", there)]
            if name in begun and self.press:
                self.press, press = None, self.press
                press()

    watcher = Kills(kill)
    made, results, _ = swept(*GRID, "training.epochs=12", watcher=watcher)
    assert watcher.press is None, "no trial was on the node"
    assert [one.status for one in results] == ["finished"] * 4
    rows = [row for row in log_of(folder) if row["run"]]
    done = Counter(row["run"] for row in rows if row["event"] == "done")
    assert sorted(done) == sorted(f"{name}-seed0" for name in names(made, grid(made)))
    assert set(done.values()) == {1}
    begun = Counter(row["run"] for row in rows if row["event"] == "begun")
    assert max(begun.values()) > 1, "nothing was tried again"
    moved = next(name for name, times in begun.items() if times > 1)
    places = [row["node"] for row in rows if row["run"] == moved]
    assert places[0] != places[-1]


def test_a_node_that_died_just_before_is_left_out(swept, address):
    """Ray lists it as alive for some seconds more."""
    with cluster.second(address) as joined:
        os.kill(raylets()[joined], signal.SIGKILL)
        _, results, folder = swept(GRID[0])
    assert [one.status for one in results] == ["finished"] * 2
    assert [row["event"] for row in log_of(folder)].count("there") == 0


def test_a_signal_stops_it_and_the_same_command_goes_on(swept, tmp_path):
    folder = tmp_path / "runs" / "s"
    words = GRID[0], "training.epochs=40"
    with pytest.raises(BrokenOff) as stop:
        swept(*words, watcher=Told(lambda: os.kill(os.getpid(), signal.SIGINT)))
    assert stop.value.__notes__ == ["0 of 2 runs are done; the same command goes on"]
    assert not list(folder.glob("*/summary.json"))
    _, results, _ = swept(*words)
    assert [one.status for one in results] == ["finished"] * 2


def test_hyperband_judges_epochs_that_are_trained_elsewhere(swept):
    pytest.importorskip("optuna")
    text = TINY.replace("epochs: 3", "epochs: 9")
    text += "sweep: {search: hyperband, trials: 6, space: {optimizer.learning_rate: 'log(1e-5,1e-1)'}}\n"
    _, results, _ = swept(text=text)
    pruned = [one for one in results if one.status == "pruned"]
    assert pruned
    assert {one.status for one in results} == {"finished", "pruned"}
    assert all(len(one.runs[0].history) < 9 and one.cause.startswith("Hyperband") for one in pruned)


def test_a_trial_that_waits_for_a_verdict_keeps_its_cpu(address, write_spec, tmp_path):
    """Ray lends the CPU of a task that waits; the cluster has one."""
    (tmp_path / "runs").mkdir()
    told = Told()
    trials = RayTrials(tmp_path / "runs", told, Cluster(address, 1, 0))
    begun_at_epoch = []

    def judge(name, row):
        if row["epoch"] == 1 and not begun_at_epoch:
            time.sleep(10)  # seconds, in which another one could begin
        begun_at_epoch.append(len(told.names))
        return ""

    trials.judge = judge
    try:
        for seed in range(2):
            trials.submit(f"seed{seed}", load_spec(write_spec(TINY), [f"seed={seed}"]))
        found = dict(trials.finished())
    finally:
        trials.close()
    assert {run.load_run(folder).status for folder in found.values()} == {"finished"}
    assert begun_at_epoch == [1, 1, 1, 2, 2, 2]


def test_a_model_of_the_users_own_goes_along_and_its_mistake_comes_back(address, write_spec, tmp_path):
    (tmp_path / "mymodel.py").write_text(
        "import keras\n"
        "def build(shape, classes, width=4):\n"
        "    if width > 4: raise ValueError('too wide')\n"
        "    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(classes)])\n"
    )
    text = TINY.replace("{name: mlp, hidden: [8]}", "{name: python, target: 'mymodel.py:build'}")
    text = text.replace("regularization: {dropout: 0.2}\n", "")
    (tmp_path / "runs").mkdir()
    trials = RayTrials(tmp_path / "runs", Told(), Cluster(address, 1, 0))
    try:
        for width in (8, 4):
            trials.submit(f"width{width}", load_spec(write_spec(text), [f"model.width={width}", "training.epochs=1"]))
        found = dict(trials.finished())
    finally:
        trials.close()
    assert isinstance(found["width8"], ImproveError)
    assert (found["width8"].what, found["width8"].where) == ("build failed: ValueError: too wide", "mymodel.py:3")
    assert run.load_run(found["width4"]).status == "finished"
    assert (found["width4"] / "mymodel.py").is_file()


def test_a_node_with_other_versions_is_refused_by_name(swept, monkeypatch, tmp_path):
    monkeypatch.setattr(ray_cluster, "installed_versions", lambda: {**installed_versions(), "keras": "3.99"})
    with pytest.raises(UsageError, match=rf"{socket.gethostname()} .* has keras 3\.[0-9.]+, here 3.99"):
        swept(*GRID)
    assert not list((tmp_path / "runs" / "s").glob("*/summary.json"))


def test_a_trial_that_no_node_has_room_for_is_refused(swept):
    with pytest.raises(UsageError, match="a trial needs 64 CPUs and 0 GPUs"):
        swept(*GRID, cpus=64)
