"""Members of one spec and snapshots of one run: reproduced, interrupted, killed, taken up."""

import json
import shutil
import signal
import sys

import numpy as np
import pytest

import processes
from conftest import Silent
from improve.diagnosis.diagnose import diagnose
from improve.engine.training import checkpoint as keeping
from improve.engine.training.members import go_on, train_run
from improve.engine.training.resources import OutOfMemoryError
from improve.engine.training.resume import resume
from improve.engine.training.train import train
from improve.errors import ImproveError, UsageError
from improve.runs.ensemble import members
from improve.runs.run import load_run, summary_as_written
from improve.spec.reading.load import load_spec

pytestmark = pytest.mark.trains

SMALL = """\
data: {source: digits, subset: 400, split: 50/25/25}
model: {name: cnn, filters: [4], hidden: []}
optimizer: {name: adam, learning_rate: 0.01}
training: {epochs: 2, batch_size: 32, members: 2}
evidence: light
"""
RESTARTS = """\
data: {source: digits, subset: 400, split: 50/25/25}
model: {name: cnn, filters: [4], hidden: [], batch_norm: true}
regularization: {dropout: 0.3}
optimizer: {name: adam, learning_rate: 0.01}
schedule: {name: warm_restarts, first_decay_epochs: 2, t_mul: 1}
training: {epochs: 7, batch_size: 32, snapshots: 2}
evidence: light
"""


class Quiet(Silent):
    def trained(self, *told):
        pass


class Stops(Quiet):
    """Presses Ctrl+C, or sends another signal, in an epoch of a member."""

    def __init__(self, number, epoch, sent=signal.SIGINT):
        self.at, self.sent, self.begun = (number, epoch), sent, 0

    def started(self, *told):
        self.begun += 1

    def step(self, epoch, step):
        if (self.begun, epoch, step) == (*self.at, 3):
            signal.raise_signal(self.sent)


@pytest.fixture
def spec(write_spec):
    return load_spec(write_spec(SMALL))


def content(folder):
    """All of an ensemble that does not hang on the clock, and the end states of its members."""
    made = load_run(folder)
    summary = summary_as_written(made.folder)
    kept = {key: summary.get(key) for key in ("status", "members", "train", "validation", "test", "best_member")}
    for part in sorted((folder / "predictions").iterdir()):
        with np.load(part) as arrays:
            kept[part.name] = {name: arrays[name].tolist() for name in arrays.files}
    return kept | {"ends": [load_run(place).summary.state_sha256 for place in members(made)[0]]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    (folder / "spec.yaml").write_text(SMALL)
    return train_run(load_spec(folder / "spec.yaml"), "e", folder / "runs", Quiet())


@pytest.mark.backend
def test_members_differ_in_their_seed_and_are_judged_by_the_same_images(whole):
    made = load_run(whole)
    assert made.summary.members == ["e/members/seed0", "e/members/seed1"]
    found = [load_run(place) for place in members(made)[0]]
    assert [one.spec["seed"] for one in found] == [0, 1]
    assert len({json.dumps(one.fingerprint) for one in (*found, made)}) == 1
    assert len({one.summary.state_sha256 for one in found}) == 2
    means = np.mean([np.load(one.folder / "predictions" / "test.npz")["probability"] for one in found], axis=0)
    with np.load(whole / "predictions" / "test.npz") as arrays:
        assert arrays["probability"] == pytest.approx(means, abs=1e-6)
    assert diagnose(made).errors.validation.n == 100


def test_the_spec_of_a_member_trains_it_again_alone(whole, tmp_path):
    place = whole / "members" / "seed1"
    again = train(load_spec(place / "spec.yaml"), "again", tmp_path / "runs", Silent())
    assert load_run(again).summary.state_sha256 == load_run(place).summary.state_sha256


def test_the_first_member_is_the_run_that_one_network_would_be(whole, spec, tmp_path):
    training = spec.training.model_copy(update={"members": 1})
    alone = train_run(spec.model_copy(update={"training": training}), "alone", tmp_path / "runs", Quiet())
    assert load_run(alone).summary.state_sha256 == load_run(whole / "members" / "seed0").summary.state_sha256
    assert load_run(alone).fingerprint == load_run(whole).fingerprint


@pytest.mark.parametrize("at", [(1, 1), pytest.param((2, 2), marks=pytest.mark.backend)])
def test_stopped_at_any_member_it_goes_on_to_the_identical_end(whole, spec, tmp_path, at_once, at):
    folder = train_run(spec, "e", tmp_path / "runs", Stops(*at, sent=signal.SIGTERM))
    found = load_run(folder)
    assert (found.status, found.summary.signal, found.summary.done) == ("stopped", "SIGTERM", at[0] - 1)
    with pytest.raises(ImproveError, match="has no results"):
        diagnose(found)
    assert content(go_on(folder, [], Quiet())) == content(whole)
    with pytest.raises(UsageError, match="its members are done"):
        go_on(folder, [], Quiet())


def test_the_command_tells_who_stopped_it_and_the_final_table(write_spec, tmp_path, improve, monkeypatch):
    file = write_spec(SMALL)
    code, out, err = improve("train", file, "training.epochs=1", "--runs", tmp_path / "runs", "--name", "e")
    assert code == 0
    told = [line.split(":")[0] for line in err.splitlines() if line.startswith("member ")]
    assert told == ["member 1/2  seed0", "member 2/2  seed1"]
    assert "mean member" in out
    assert "by Jensen's inequality" in out
    code, out, err = improve(
        "train", file, "training.epochs=1", "--runs", tmp_path / "runs", "--from", tmp_path / "runs/e/members/seed1",
        "--json", "--quiet",
    )  # fmt: skip
    found = json.loads(out)
    assert (code, err, found["status"], "test" in found) == (0, "", "finished", False)
    places = members(load_run(found["folder"]))[0]
    assert all(load_run(place).summary.origin.endswith("members/seed1") for place in places)


def kill(place, count, tmp_path, *words):
    end = processes.ended(processes.killed, tmp_path / "said.txt", place, count, {}, (*words, "--quiet"))
    assert end == -signal.SIGKILL, (tmp_path / "said.txt").read_text()


def test_kill_9_and_the_ensemble_goes_on_to_the_identical_end(whole, tmp_path, write_spec):
    folder = tmp_path / "runs" / "e"
    words = ("train", write_spec(SMALL), "--runs", tmp_path / "runs", "--name", "e")
    for place, count in (
        ("improve.runs.files:write_text", 4),  # while the folder of the first member is made
        ("improve.engine.training.train:finish", 2),  # at the end of the second member
        ("improve.runs.ensemble:write", 1),  # when all are done
    ):
        kill(place, count, tmp_path, *words)
        assert load_run(folder).status == "stopped"
        words = ("resume", folder)
    go_on(folder, [], Quiet())
    assert content(folder) == content(whole)


def test_where_memory_runs_out_the_member_goes_on_with_smaller_batches(spec, tmp_path, monkeypatch):
    def without(*arguments):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("improve.engine.training.train.fit", without)
        with pytest.raises(OutOfMemoryError) as error:
            train_run(spec, "e", tmp_path / "runs", Quiet())
    assert error.value.folder == tmp_path / "runs" / "e"
    folder = go_on(error.value.folder, error.value.overrides, Quiet())
    first, second = (load_run(place) for place in members(load_run(folder))[0][:2])
    assert [first.spec["training"]["batch_size"], second.spec["training"]["batch_size"]] == [16, 32]
    assert {change["reason"] for change in first.summary.changes} == {"out of memory"}


def test_members_cannot_change_on_the_way(spec, tmp_path, at_once):
    folder = train_run(spec, "e", tmp_path / "runs", Stops(2, 1))
    with pytest.raises(UsageError, match="they would not be alike"):
        go_on(folder, ["optimizer.learning_rate=0.1"], Quiet())
    with pytest.raises(UsageError, match=r"training.members cannot change on the way"):
        resume(folder / "members" / "seed1", ["training.members=4"], Silent())


def test_what_diverges_is_left_out_and_named(write_spec, tmp_path, monkeypatch):
    real = sys.modules["improve.engine.training.train"].fit

    def diverging(work, interrupt, watcher):
        return "diverged" if work.spec.seed == 1 else real(work, interrupt, watcher)

    monkeypatch.setattr("improve.engine.training.train.fit", diverging)
    three = load_spec(write_spec(SMALL), ["training.members=3", "training.epochs=1"])
    made = load_run(train_run(three, "e", tmp_path / "runs", Quiet()))
    assert (made.status, made.summary.diverged) == ("finished", ["seed1"])
    assert made.summary.members == ["e/members/seed0", "e/members/seed2"]
    monkeypatch.setattr("improve.engine.training.train.fit", lambda *work: "diverged")
    with pytest.raises(ImproveError, match="3 of 3 members diverged"):
        train_run(three, "e", tmp_path / "runs", Quiet())


@pytest.fixture(scope="module")
def snapped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("snapped")
    (folder / "spec.yaml").write_text(RESTARTS)
    return train(load_spec(folder / "spec.yaml"), "r", folder / "runs", Silent())


@pytest.mark.backend
def test_snapshots_are_the_weights_after_the_last_cycles_and_answer_together(snapped, write_spec, tmp_path):
    made = load_run(snapped.parent / load_run(snapped).summary.snapshots)
    assert made.name == "r-snapshots"
    assert made.summary.members == ["r/snapshots/epoch4", "r/snapshots/epoch6"]
    assert made.summary.snapshots_of == "r"
    for place, epochs in zip(members(made)[0], (4, 6), strict=True):
        file = write_spec(RESTARTS.replace("epochs: 7", f"epochs: {epochs}").replace(", snapshots: 2", ""))
        shorter = train(load_spec(file), f"to{epochs}", tmp_path / "runs", Silent())
        last, kept = keeping.read(shorter)[0].arrays, keeping.best_weights(place)
        end = {name.removeprefix("network/"): last[name] for name in last if name.startswith("network/")}
        assert end.keys() == kept.keys()
        assert all(np.array_equal(end[name], kept[name]) for name in kept)
        # what it says of them is what the run has measured then
        row = load_run(snapped).history[epochs - 1]
        assert load_run(place).summary.validation.error == pytest.approx(row["validation_error"])
    means = np.mean([np.load(place / "predictions" / "test.npz")["probability"] for place in members(made)[0]], axis=0)
    with np.load(made.folder / "predictions" / "test.npz") as arrays:
        assert arrays["probability"] == pytest.approx(means, abs=1e-6)
    assert diagnose(made).verdict
    with pytest.raises(UsageError, match="epoch6 is a snapshot"):
        go_on(members(made)[0][1], [], Quiet())
    with pytest.raises(UsageError, match="its members are done"):
        go_on(made.folder, [], Quiet())


def snapshots_of(folder):
    """What the ensemble beside the run is, and the weights of its members."""
    made = load_run(folder.parent / load_run(folder).summary.snapshots)
    weights = [keeping.best_weights(place) for place in members(made)[0]]
    found = {key: value for key, value in content(made.folder).items() if key != "ends"}
    return found | {"weights": [{name: array.tolist() for name, array in one.items()} for one in weights]}


def test_kill_9_and_the_snapshots_are_those_of_a_run_that_never_stopped(snapped, tmp_path, write_spec):
    folder = tmp_path / "runs" / "r"
    words = ("train", write_spec(RESTARTS), "--runs", tmp_path / "runs", "--name", "r")
    for place, count in (
        ("improve.engine.training.curves:Curves.epoch_ended", 4),  # it is written, the state is not
        ("improve.runs.ensemble:write", 1),  # the run is at its end, its snapshots are not together
        ("improve.engine.training.snapshots:measure_test_part", 2),  # some of its snapshots have seen the test part
    ):
        kill(place, count, tmp_path, *words)
        assert load_run(folder).status == "stopped"
        words = ("resume", folder)
    resume(folder, [], Silent())
    assert load_run(folder).summary.state_sha256 == load_run(snapped).summary.state_sha256
    assert snapshots_of(folder) == snapshots_of(snapped)
    assert sorted(place.name for place in folder.parent.iterdir() if place.is_dir()) == ["r", "r-snapshots"]


def test_a_run_that_goes_on_longer_has_later_snapshots_in_the_same_ensemble(snapped, tmp_path):
    shutil.copytree(snapped.parent, tmp_path / "runs")
    folder = tmp_path / "runs" / "r"
    resume(folder, ["training.epochs=+1"], Silent())
    assert load_run(tmp_path / "runs" / "r-snapshots").summary.members == ["r/snapshots/epoch6", "r/snapshots/epoch8"]
    assert not (tmp_path / "runs" / "r-snapshots-2").exists()


def test_the_command_tells_of_the_snapshots(write_spec, tmp_path, improve):
    code, out, _ = improve("train", write_spec(RESTARTS), "--runs", tmp_path / "runs", "--name", "r", "--quiet")
    assert code == 0
    assert out.index("finished after epoch 7") < out.index("r-snapshots → ") < out.index("epoch4 ")
