"""The run folder."""

import json
import signal
import threading

import numpy as np
import pytest

from improve.errors import ImproveError, UsageError
from improve.interrupt import BrokenOff
from improve.runs import begin, files, run
from improve.spec.spec import Spec


@pytest.mark.parametrize(
    "name", ["a/b", "..", "../x", ".hidden", "", "a b", "x" * 101, "a\0b", "é", "-x", "a..b", "a\n"]
)
def test_a_name_that_could_leave_the_runs_folder_is_refused(name):
    with pytest.raises(UsageError, match="cannot name a run"):
        begin.checked_name(name)


def test_a_taken_name_is_counted_up(tmp_path):
    names = [begin.create(tmp_path, "lenet", Spec()).name for _ in range(3)]
    assert names == ["lenet", "lenet-2", "lenet-3"]


def test_twenty_runs_named_at_once_get_twenty_folders(tmp_path):
    made = []
    threads = [
        threading.Thread(target=lambda: made.append(begin.create(tmp_path, "x", Spec()).name)) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 20


def test_a_runs_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="nothing can be written") as caught:
        begin.writable(tmp_path / "file" / "runs")
    assert "--runs" in caught.value.fix


def test_a_torn_last_line_of_the_metrics_is_ignored(tmp_path):
    whole = "epoch,train_error,validation_error\n1,0.5,0.6\n2,0.4,0.55\n"
    file = tmp_path / "metrics.csv"
    for cut in range(len(whole) + 1):
        file.write_text(whole[:cut])
        rows = run.read_metrics(file)
        assert len(rows) == max(0, whole[:cut].count("\n") - 1)
    assert rows[1] == {"epoch": 2, "train_error": 0.4, "validation_error": 0.55}


def test_a_damaged_run_is_named(make_run):
    made = make_run()
    (made.folder / "spec.yaml").write_text("a: [1")
    with pytest.raises(ImproveError):
        run.load_run(made.folder)


def test_numbers_of_numpy_are_written_as_numbers(tmp_path):
    files.write_json(tmp_path / "x.json", {"a": np.uint8(7), "b": [np.float32("nan"), np.bool_(True)]})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 7, "b": [None, True]}


def test_numbers_that_are_not_finite_become_null(tmp_path):
    files.write_json(tmp_path / "x.json", {"a": float("nan"), "b": [float("inf"), 1.0]})
    assert (tmp_path / "x.json").read_text().split() == ["{", '"a":', "null,", '"b":', "[", "null,", "1.0", "]", "}"]


def test_arrays_are_written_whole(tmp_path):
    files.write_arrays(tmp_path / "a.npz", {"x": np.arange(3)})
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert list(arrays["x"]) == [0, 1, 2]


def test_half_a_pair_of_surrogates_in_a_damaged_summary_is_written_as_it_was_read(tmp_path):
    files.write_json(tmp_path / "x.json", json.loads('{"status": "\\ud800"}'))
    assert json.loads((tmp_path / "x.json").read_text()) == {"status": "\ud800"}


def test_a_run_that_is_broken_off_does_not_tell_an_earlier_failure(make_run):
    folder = make_run("r").folder
    run.write_failure(folder, ValueError("no room"))
    assert run.load_run(folder).summary.error == "ValueError: no room"
    run.write_failure(folder, BrokenOff(signal.SIGINT))
    found = run.load_run(folder).summary
    assert (found.status, found.error) == ("stopped", None)
