"""What trackers are told, and when: with a tracker that keeps it in memory, and fails when it should."""

from pathlib import Path

import pytest

from improve.commands import train
from improve.engine.trackers import tracker as tracking
from improve.engine.trackers.tracker import Follower, epoch_ends, trackers_for
from improve.engine.training.resources import OutOfMemoryError
from improve.errors import UsageError
from improve.runs.run import Run
from improve.spec.reading.flatten import scalar_settings
from improve.spec.spec import Spec


class Recorder:
    """Keeps what it is told since it was begun last; a call fails while its name is in `broken`."""

    name, package, install = "Recorder", "recorder", "recorder"

    def __init__(self):
        self.broken, self.calls, self.epochs, self.ended = set(), [], [], None

    def called(self, what):
        self.calls.append(what)
        if what in self.broken:
            raise ConnectionError(f"no {what} at https://me:secret@host/\x1b[2J\nmore")

    def begin(self, found):
        self.called("begin")
        self.epochs = []

    def log(self, rows, times):
        self.epochs += [int(row["epoch"]) for row in rows]  # half of a call that fails may have arrived
        self.called("log")

    def end(self, found):
        self.called("end")
        self.ended = found.status


@pytest.fixture
def followed(make_run, monkeypatch):
    """A run folder of three epochs whose metrics.csv grows by `epoch`; gives recorder, follower, warnings, that."""
    found: Run = make_run(history=[0.3, 0.2, 0.1])
    file = found.folder / "metrics.csv"
    lines, told = file.read_text().splitlines(keepends=True), []
    monkeypatch.setattr(tracking, "PATIENCE", 0.0)
    monkeypatch.setattr(tracking, "SLOW", 0)
    recorder = Recorder()
    follower = Follower(recorder, told.append)

    def epoch(number):
        file.write_text("".join(lines[: number + 1]))
        follower.epoch()

    file.write_text(lines[0])
    return recorder, follower, told, epoch, found.folder


def test_each_epoch_is_told_once_and_then_the_end(followed):
    recorder, follower, told, epoch, folder = followed
    follower.follow(folder)
    for number in (1, 2, 3):
        epoch(number)
    follower.close()
    follower.close()
    assert (recorder.epochs, recorder.ended, told) == ([1, 2, 3], "finished", [])
    assert recorder.calls == ["begin", "log", "log", "log", "end"]


@pytest.mark.parametrize("step", ["begin", "log"])
def test_what_failed_for_a_while_is_made_up_for_and_warned_of_once(followed, step):
    recorder, follower, told, epoch, folder = followed
    recorder.broken = {step}
    follower.follow(folder)
    epoch(1)
    epoch(2)
    recorder.broken = set()
    epoch(3)
    follower.close()
    assert (recorder.epochs, recorder.ended) == ([1, 2, 3], "finished")
    assert told == [
        "Recorder is not told from epoch 1 on; the training goes on, and it is tried again: "
        f"ConnectionError: no {step} at https://…@host/·[2J"
    ]


def test_what_failed_to_the_end_is_named(followed):
    recorder, follower, told, epoch, folder = followed
    follower.follow(folder)
    epoch(1)
    recorder.broken = {"begin", "log"}
    epoch(2)
    epoch(3)
    follower.close()
    assert told[0].startswith("Recorder is not told from epoch 2 on; ")
    assert told[1:] == [f"Recorder was told 1 epochs of this run and not its end; all of it is in {folder}"]


def test_an_end_that_fails_is_told(followed):
    recorder, follower, told, epoch, folder = followed
    recorder.broken = {"end"}
    follower.follow(folder)
    epoch(3)
    follower.close()
    assert len(told) == 2
    assert "was told 3 epochs of this run and not its end" in told[1]


def test_attempts_that_fail_take_a_small_share_of_the_time(followed, monkeypatch):
    recorder, follower, _, epoch, folder = followed
    clock = [100.0]
    monkeypatch.setattr(tracking, "SLOW", 20)
    monkeypatch.setattr(tracking, "PATIENCE", 10.0)
    monkeypatch.setattr(tracking.time, "monotonic", lambda: clock[0])

    def hangs(found):
        recorder.calls.append("begin")
        clock[0] += 5.0
        raise TimeoutError

    recorder.begin = hangs
    follower.follow(folder)  # until 105
    clock[0] = 204.0
    epoch(1)
    assert recorder.calls == ["begin"]
    clock[0] = 205.0
    epoch(2)
    assert recorder.calls == ["begin", "begin"]


def test_ctrl_c_while_a_tracker_is_told_is_still_ctrl_c(followed):
    recorder, follower, *_, folder = followed

    def pressed(found):
        raise KeyboardInterrupt

    recorder.begin = pressed
    with pytest.raises(KeyboardInterrupt):
        follower.follow(folder)


def test_nothing_is_told_of_a_run_that_did_not_begin():
    recorder = Recorder()
    Follower(recorder, print).close()
    assert recorder.calls == []


def test_epochs_that_were_before_ended_as_long_ago_as_they_took():
    rows = [{"epoch": 1, "seconds": 30.0}, {"epoch": 2, "seconds": 20.0}, {"epoch": 3, "seconds": 10.0}]
    assert list(epoch_ends(rows, 1000.0)) == [970.0, 990.0, 1000.0]


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
@pytest.mark.parametrize("command", ["train", "resume"])
def test_what_is_not_installed_is_told_before_anything_is_started(
    improve, write_spec, make_run, monkeypatch, tmp_path, name, command
):
    monkeypatch.setattr(tracking.importlib.util, "find_spec", lambda package: None)
    target = write_spec("seed: 1") if command == "train" else make_run().folder
    code, out, err = improve(
        command, target, f"--{name}", *(["--runs", tmp_path / "new"] if command == "train" else [])
    )
    assert (code, out) == (2, "")
    assert f"--{name} needs" in err
    assert f"pip install {wanted_install(name)}" in err
    assert not (tmp_path / "new").exists()


def wanted_install(name):
    return {"tensorboard": "tensorboard", "mlflow": "mlflow-skinny sqlalchemy alembic"}[name]


def test_a_process_that_goes_on_with_smaller_batches_tells_the_same_trackers(monkeypatch, tmp_path):
    flags = []
    monkeypatch.setattr(train, "start_smaller", lambda error, given: flags.extend(given))

    def work(watcher):
        raise OutOfMemoryError(tmp_path, Spec())

    with pytest.raises(OutOfMemoryError):
        train.train_and_show(work, [Recorder()], as_json=False, quiet=True)
    assert flags == ["--quiet", "--recorder"]


def test_nothing_has_to_be_installed_where_nothing_is_asked_for(monkeypatch):
    monkeypatch.setattr(tracking.importlib.util, "find_spec", lambda package: None)
    assert trackers_for(False, False) == []
    with pytest.raises(UsageError):
        trackers_for(True, False)


def test_settings_are_flat():
    spec = {
        "seed": 1, "data": {"source": {"name": "digits"}, "subset": None}, "augmentation": [{"name": "flip"}],
        "training": {"class_weights": {"cat": 2}}, "model": {"hidden": [8, 8], "batch_norm": False, "table": {}},
    }  # fmt: skip
    assert scalar_settings(spec) == {
        "seed": 1, "data.source.name": "digits", "data.subset": "null", "augmentation": "[{name: flip}]",
        "training.class_weights": "{cat: 2}", "model.hidden": "[8, 8]", "model.batch_norm": False, "model.table": "{}",
    }  # fmt: skip


def test_keys_stay_what_mlflow_takes():
    deep: dict = {"x": 1}
    for _ in range(40):
        deep = {"a" * 79: deep}
    settings = scalar_settings({"options": {"<b>\n": 1}, "deep": deep})
    assert "\n" not in settings.pop("options")
    (key,) = settings
    assert key == f"deep.{'a' * 79}"


def test_a_whole_spec_is_flat():
    settings = scalar_settings(Spec().complete())
    assert settings["optimizer.learning_rate"] == Spec().optimizer.learning_rate
    assert settings["data.split"] == Spec().complete()["data"]["split"]
    assert all(isinstance(value, bool | int | float | str) for value in settings.values())
    assert all(Path(key).name == key for key in settings)
