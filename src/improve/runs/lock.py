"""One process at a time in a run folder. The system frees the lock when that process ends, however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from improve.errors import UsageError

try:
    import fcntl
except ImportError:  # Windows has another kind of lock; there, nothing is locked
    fcntl = None  # type: ignore[assignment]

FILE = ".lock"


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[dict[str, Any]]:
    """Hold the folder; gives who does: pid, host, since. Raises UsageError where another process holds it."""
    with opened(folder / FILE) as file:
        if not taken(file):
            raise UsageError(f"{folder} is in use: {owner(file)}", fix="wait for it, or stop it there")
        me = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        file.truncate(0)
        file.write(json.dumps(me))
        file.flush()
        yield me


def opened(file: Path) -> IO[str]:
    """A link is not followed: what it names would be written over."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    try:
        return open(os.open(file, flags, 0o666), "a+", encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{file} cannot be opened: {reason}", fix="remove it, or see who may write there") from error


def taken(file: IO[str]) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def owner(file: IO[str]) -> str:
    file.seek(0)
    try:
        found = json.loads(file.read())
        return f"process {found['pid']} on {found['host']} has been at it since {found['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process is at it"


def held(folder: Path) -> bool:
    """Whether a process is at work in the folder, this one included."""
    try:
        with (folder / FILE).open(encoding="utf-8") as file:
            if fcntl is None:
                return True
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
            return False
    except OSError:
        return False
