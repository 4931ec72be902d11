"""One function on many tasks at once, on all cores that this process may use."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from multiprocessing.connection import Connection, wait
from typing import Any, TypeAlias, TypeVar, cast

from improve.errors import ImproveError

Task = TypeVar("Task")
Result = TypeVar("Result")
Pipe: TypeAlias = "Connection[Any, Any]"

AHEAD = 2  # tasks in the hands of each process: one at work, one waiting
THREADED = {"tensorflow", "jax", "torch"}  # they run threads of their own, which Python does not count


def in_parallel(work: Callable[[Task], Result], tasks: Sequence[Task]) -> Generator[Result, None, None]:
    """work(task) of every task, in the order in which they are done. Close it to end what still runs.

    Forked processes, twice as fast as threads where the tasks are short Python; they need no pickled function and no
    `__main__` guard. Threads where a fork could copy a lock that another thread holds. An error of a task is raised.
    """
    workers = min(cores(), len(tasks))
    if workers < 2:
        return (work(task) for task in tasks)
    return _forked(work, tasks, workers) if may_fork() else _threaded(work, tasks, workers)


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def may_fork() -> bool:
    alone = threading.active_count() == 1 and not THREADED & set(sys.modules)
    return sys.platform == "linux" and alone and not multiprocessing.current_process().daemon


def _threaded(work: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Generator[Result, None, None]:
    pool = ThreadPoolExecutor(workers)
    try:
        for future in as_completed([pool.submit(work, task) for task in tasks]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _forked(work: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Generator[Result, None, None]:
    waiting = iter(tasks)
    crew: dict[Pipe, Any] = {}
    try:
        for _ in range(workers):
            pipe, process = _hired(work, [*crew])
            crew[pipe] = process
        busy = dict.fromkeys(crew, 0)
        for _ in range(AHEAD):
            for pipe in crew:
                busy[pipe] += _given(pipe, waiting)
        while any(busy.values()):
            for ready in wait([pipe for pipe, number in busy.items() if number]):
                pipe = cast("Pipe", ready)
                result = _taken(pipe)
                busy[pipe] += _given(pipe, waiting) - 1
                yield result
    finally:
        for pipe, process in crew.items():
            process.kill()  # not terminate: a handler for SIGTERM is inherited
            process.join()
            pipe.close()


def _hired(work: Callable[[Any], Any], others: list[Pipe]) -> tuple[Pipe, Any]:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(work, theirs, [*others, ours]), daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _given(pipe: Pipe, waiting: Iterator[Any]) -> int:
    """Pass on the next task; how many that were, 0 or 1."""
    for task in waiting:
        with _alive():
            pipe.send(task)
        return 1
    return 0


@contextlib.contextmanager
def _alive() -> Iterator[None]:
    try:
        yield
    except (EOFError, ConnectionError) as gone:
        raise ImproveError("a process that read images was killed", fix="was there too little memory?") from gone


def _taken(pipe: Pipe) -> Any:
    with _alive():
        result, error = pipe.recv()
    if error is not None:
        raise error
    return result


def _serve(work: Callable[[Any], Any], pipe: Pipe, inherited: list[Pipe]) -> None:
    """The life of a forked process. Ctrl+C is for its parent, whose end it notices by the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for end in inherited:
        end.close()  # else the parent's end of the pipe would stay open when the parent is gone
    try:
        while True:
            task = pipe.recv()
            try:
                result, failed = work(task), None
            except Exception as error:
                result, failed = None, error
            pipe.send((result, failed))
    except (EOFError, OSError):
        pass
