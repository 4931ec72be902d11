"""Tasks on all cores: every result once, errors passed on, threads where a fork would be unsafe."""

import os
import subprocess
import sys
import threading
from textwrap import dedent

import pytest

from improve import parallel

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


@pytest.fixture(params=[1, 2, 5])
def cores(request, monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: request.param)
    return request.param


@pytest.mark.parametrize("count", [0, 1, 3, 100])
def test_every_task_is_done_once(cores, count):
    assert sorted(parallel.in_parallel(lambda task: task * task, range(count))) == [
        task * task for task in range(count)
    ]


def fail_at_seven(task):
    if task == 7:
        raise ValueError("seven")
    return task


@pytest.mark.parametrize("fork", [True, False])
def test_the_error_of_a_task_is_raised(cores, monkeypatch, fork):
    may_fork = parallel.may_fork
    monkeypatch.setattr(parallel, "may_fork", lambda: fork and may_fork())
    with pytest.raises(ValueError, match="seven"):
        list(parallel.in_parallel(fail_at_seven, range(20)))


def alone(body):
    """What a new process prints: in this one another test may have loaded TensorFlow, and then nothing is forked."""
    code = "import os, sys, multiprocessing\nfrom improve import parallel\nparallel.cores = lambda: 2\n" + dedent(body)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@linux
def test_short_tasks_are_done_by_other_processes():
    assert alone("print(os.getpid() in set(parallel.in_parallel(lambda task: os.getpid(), range(20))))") == ["False"]


@linux
def test_beside_tensorflow_nothing_is_forked():
    assert alone("""
        print(parallel.may_fork())
        sys.modules["tensorflow"] = None
        print(parallel.may_fork())
    """) == ["True", "False"]  # fmt: skip


@linux
def test_closing_ends_the_processes():
    assert alone("""
        results = parallel.in_parallel(lambda task: task, range(100))
        next(results)
        print(len(multiprocessing.active_children()))
        results.close()
        print(len(multiprocessing.active_children()))
    """) == ["2", "0"]  # fmt: skip


def test_beside_other_threads_nothing_is_forked(monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert set(parallel.in_parallel(lambda task: os.getpid(), range(20))) == {os.getpid()}
    finally:
        stop.set()
        thread.join()
