"""The state of a run on disk: whole or not there, whatever happens while it is written."""

import json
import os
import resource
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from conftest import FIXTURES
from improve.engine.training import checkpoint as keeping
from improve.errors import ImproveError, UsageError
from improve.runs import begin, lock, run
from improve.runs import generations as store
from improve.spec.spec import Spec

FIXTURE = FIXTURES / "state_v1"
OPERATIONS = ("mkdir", "rename", "fsync", "rmdir", "unlink", "open", "close")


def generation(number):
    """About 10 kB that name their number in every file."""
    return {"arrays.npz": store.packed({"w": np.full(1000, number)}), "state.json": store.json_bytes({"step": number})}


def step_of(files):
    step = json.loads(files["state.json"])["step"]
    assert (store.unpacked(files["arrays.npz"])["w"] == step).all()
    return step


def loaded(folder):
    return store.load(folder, step_of)


def in_child(work):
    """Run `work` in a forked process; gives how it ended: an exit code, or minus a signal."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work() or 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextmanager
def killed_before(count):
    """SIGKILL in place of the operation number `count` on the disk."""
    left = [count]
    for name in OPERATIONS:
        real = getattr(os, name)

        def counting(*arguments, real=real, **options):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        setattr(os, name, counting)
    yield


def save_and_die(folder, number, count):
    def work():
        with killed_before(count):
            store.save(folder, generation(number))

    return in_child(work)


def test_what_was_saved_is_read(tmp_path):
    store.save(tmp_path, generation(1))
    assert loaded(tmp_path) == (1, [])


def test_two_generations_are_kept(tmp_path):
    for number in range(5):
        store.save(tmp_path, generation(number))
    assert [path.name for path in store.generations(tmp_path)] == ["000005", "000004"]
    assert loaded(tmp_path) == (4, [])


def test_kill_9_at_every_operation_on_the_disk_leaves_a_whole_state(tmp_path):
    ended = []
    for count in range(1, 100):
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in (1, 2):
            store.save(folder, generation(number))
        ended.append(save_and_die(folder, 3, count))
        step, wrong = loaded(folder)
        assert (step in (2, 3), wrong) == (True, [])
        store.save(folder, generation(step + 1))  # goes on, over what was left behind
        assert loaded(folder) == (step + 1, [])
        assert not list(folder.glob(".*")), "a killed save is cleaned up by the next one"
        if ended[-1] == 0:
            break
    assert ended == [-signal.SIGKILL] * (len(ended) - 1) + [0]
    assert len(ended) > 15  # the operations that were there to be killed at


def test_killed_within_a_write(tmp_path, monkeypatch):
    store.save(tmp_path, generation(1))

    def half(file, data):
        file.write_bytes(data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(store, "write", half)
    assert in_child(lambda: store.save(tmp_path, generation(2))) == -signal.SIGKILL
    assert loaded(tmp_path) == (1, [])


@pytest.mark.parametrize("name", ["arrays.npz", "state.json", "MANIFEST.json"])
@pytest.mark.parametrize("harm", ["flip", "cut", "zero", "remove", "empty"])
def test_a_damaged_file_is_named_and_the_generation_before_is_used(tmp_path, name, harm):
    for number in (1, 2):
        store.save(tmp_path, generation(number))
    file = tmp_path / "000002" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    harmed = {"flip": data, "cut": data[:-1], "zero": bytes(len(data)), "empty": b""}
    file.unlink() if harm == "remove" else file.write_bytes(harmed[harm])
    step, wrong = loaded(tmp_path)
    assert step == 1
    assert len(wrong) == 1
    assert wrong[0].startswith(f"{tmp_path / '000002'} is damaged: ")


def test_no_whole_state_is_an_error_and_never_a_silent_start_from_zero(tmp_path):
    for number in (1, 2):
        store.save(tmp_path, generation(number))
        (tmp_path / f"00000{number}" / "arrays.npz").write_bytes(b"nothing")
    with pytest.raises(ImproveError, match=r"no state of this run is whole: .*000002.*000001"):
        loaded(tmp_path)


def test_a_state_of_a_newer_version_is_refused(tmp_path):
    made = store.save(tmp_path, generation(1))
    manifest = json.loads((made / "MANIFEST.json").read_text())
    (made / "MANIFEST.json").write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(ImproveError, match="written by a newer version of improve"):
        loaded(tmp_path)


def test_a_state_of_the_first_version_is_read():
    """Kept as it was written then; it must never be written anew."""
    kept, wrong = keeping.read(FIXTURE)
    assert wrong == []
    assert (len(kept.meta["history"]["rows"]), kept.meta["passes"]) == (1, 1)
    assert kept.arrays["network/0000 hidden1/kernel"].shape == (64, 4)
    assert [len(part.loss) for part in kept.passes] == [5]
    assert kept.best["weights/0000 hidden1/kernel"].shape == (64, 4)


def test_a_full_disk_leaves_the_old_state_and_nothing_half_written(tmp_path):
    store.save(tmp_path, generation(1))

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        try:
            store.save(tmp_path, generation(2))
        except OSError:
            return 7
        return 0

    assert in_child(work) == 7
    assert loaded(tmp_path) == (1, [])
    assert [path.name for path in tmp_path.iterdir()] == ["000001"]


def test_everything_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    """Power loss: write, fsync the file, fsync its folder, rename, fsync the folder above."""
    told = []
    real = {name: getattr(os, name) for name in ("fsync", "rename")}
    names = {}

    def opened(path, flags, *rest, real=os.open):
        handle = real(path, flags, *rest)
        names[handle] = Path(path).name
        return handle

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(
        os, "fsync", lambda handle: (told.append(("fsync", names.get(handle, "a file"))), real["fsync"](handle))
    )
    monkeypatch.setattr(
        os, "rename", lambda old, new: (told.append(("rename", Path(new).name)), real["rename"](old, new))
    )
    store.save(tmp_path, generation(1))
    folder = ("fsync", ".000001.tmp")
    assert told == [("fsync", "a file")] * 3 + [folder, ("rename", "000001"), ("fsync", tmp_path.name)]


def test_a_second_process_is_refused_and_told_who_is_at_it(tmp_path):
    with lock.folder_lock(tmp_path) as owner:
        assert lock.held(tmp_path)
        with pytest.raises(UsageError) as refused, lock.folder_lock(tmp_path):
            pass
        assert f"process {os.getpid()} on {owner['host']} has been at it since {owner['since']}" in refused.value.what
    assert not lock.held(tmp_path)


def test_kill_9_frees_the_lock_and_the_run_says_that_it_stopped(tmp_path):
    folder = begin.create(tmp_path, "r", Spec())

    def work():
        with lock.folder_lock(folder):
            os.kill(os.getpid(), signal.SIGKILL)

    with lock.folder_lock(folder):
        assert run.load_run(folder).status == "running"
    assert in_child(work) == -signal.SIGKILL
    assert run.load_run(folder).status == "stopped"


def test_twenty_processes_that_name_runs_at_once_get_twenty_names(tmp_path):
    start = time.time() + 0.3

    def work():
        time.sleep(max(0.0, start - time.time()))
        for _ in range(5):
            begin.create(tmp_path, "same", Spec())

    children = []
    for _ in range(20):
        child = os.fork()
        if child == 0:
            try:
                work()
            finally:
                os._exit(0)
        children.append(child)
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    expected = {"same", *(f"same-{number}" for number in range(2, 101))}
    assert {path.name for path in tmp_path.iterdir()} == expected
    assert all((folder / "summary.json").is_file() for folder in tmp_path.iterdir())
