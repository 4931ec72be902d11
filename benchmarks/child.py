"""A process that is measured: its wall time, its CPU time, its memory, and what others took meanwhile. Linux only."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, NamedTuple


class Usage(NamedTuple):
    """What a whole process took; `others` is the CPU that other processes used meanwhile, in cores."""

    wall: float  # seconds
    cpu: float  # seconds, user and system
    memory: float  # peak resident set, MB
    others: float


class ChildError(Exception):
    """A process failed; the message ends in the last line that it printed."""


def run(command: list[object], environment: dict[str, str], work: Path) -> Usage:
    """Run to the end in `work`."""
    words = [str(word) for word in command]
    with tempfile.TemporaryFile() as log:
        usage, code = waited_for(words, clean_environment() | environment, work, log)
        if code:
            log.seek(0)
            raise ChildError(last_line(log.read()) or f"{' '.join(words)} failed with exit code {code}")
    return usage


def waited_for(words: list[str], environment: dict[str, str], work: Path, log: IO[bytes]) -> tuple[Usage, int]:
    """What it took, and its exit code. This process must stay small: a child's peak memory starts from its parent's."""
    busy, began = busy_seconds(), time.perf_counter()
    process = subprocess.Popen(words, cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    _, status, used = os.wait4(process.pid, 0)
    wall, busy = time.perf_counter() - began, busy_seconds() - busy
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = used.ru_utime + used.ru_stime
    return Usage(wall, cpu, used.ru_maxrss * 1024 / 1e6, max(0.0, busy - cpu) / wall), process.returncode


def last_line(printed: bytes) -> str:
    return printed.decode(errors="replace").strip().rpartition("\n")[2]


def clean_environment() -> dict[str, str]:
    """As people have it: TensorFlow with its flags not set (its notes kept short), and Python keeping its bytecode."""
    unset = ("TF_ENABLE_ONEDNN_OPTS", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if key not in unset}
    return kept | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}


def busy_seconds() -> float:
    """CPU-seconds of the whole machine since it started, time stolen by its host included."""
    user, nice, system, _, _, *interrupts_and_stolen = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    ticks = sum(map(int, (user, nice, system, *interrupts_and_stolen)))
    return ticks / os.sysconf("SC_CLK_TCK")
