"""Processes that tests end: forked from one that has Keras imported already, so that each costs only what it does."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from improve.cli import main

PRELOADED = ("keras", "matplotlib.figure", "matplotlib.backends.backend_agg",
             "improve.engine.training.members", "improve.engine.training.resume", "processes")  # fmt: skip


def ended(work: Callable[..., None], said: Path, *arguments: Any) -> int:
    """The exit status of a process that has done this, below 0 where a signal has ended it; what it says goes to the
    file `said`."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(list(PRELOADED))
    process = processes.Process(target=spoken, args=(work, said, arguments))
    process.start()
    process.join(280)
    process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def spoken(work: Callable[..., None], said: Path, arguments: tuple[Any, ...]) -> None:
    with said.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    work(*arguments)


def command(*words: object) -> None:
    """`improve` with these words, as the shell runs it."""
    sys.argv = ["improve", *map(str, words)]
    main()


def killed(place: str, count: int, settings: dict[str, object], words: tuple[object, ...]) -> None:
    """`improve` with these words and settings ("module:NAME"), killed when the function at `place` is called for the
    count-th time."""
    for name, value in settings.items():
        setattr(*owner_and_name(name), value)
    owner, name = owner_and_name(place)
    real, left = getattr(owner, name), count

    def kill(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)

    setattr(owner, name, kill)
    command(*words)


def owner_and_name(place: str) -> tuple[Any, str]:
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    return owner, name
