"""A process beside this one that trains trials, one after another; what it says comes through a queue."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from improve.errors import ImproveError

Process = subprocess.Popen[str]
Events = SimpleQueue[tuple[Process, dict[str, Any] | None]]  # None: the process has died
COMMAND = ("-P", "-m", "improve.experiments.sweep.worker_process")
PATIENCE = 20.0  # seconds for the process to end once it is killed
GROWING = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # else the first takes all


class Worker:
    """Keras is imported once, data that trials share are read once. `name` of the trial in hand, "" where there is
    none."""

    def __init__(self, runs: Path, heard: Events):
        self.runs, self.heard, self.name = runs, heard, ""
        self.process: Process | None = None
        self.errors: IO[bytes] | None = None

    def begin(self, name: str, order: dict[str, Any]) -> None:
        self.name = name
        self.say({"name": name, **order})

    def say(self, message: dict[str, Any]) -> None:
        process = self.started()
        assert process.stdin
        with contextlib.suppress(OSError):  # it has died: what there is to hear of it says so
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()

    def started(self) -> Process:
        if self.process is None:
            self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
            # a session of its own: Ctrl+C reaches this process only, which passes it on
            self.process = subprocess.Popen(
                [sys.executable, *COMMAND, str(self.runs)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                text=True,
                encoding="utf-8",
                start_new_session=True,
                env=GROWING | os.environ,
            )
            threading.Thread(target=listen, args=(self.process, self.heard), daemon=True).start()
        return self.process

    def signal(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def died(self) -> ImproveError:
        """Why, as far as it is known."""
        assert self.process
        assert self.errors
        code = self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}: {last.strip()[:300]}"
        return ImproveError(f"the process that trains {how}", fix="it may have run out of memory" if code == -9 else "")

    def end(self) -> None:
        """Let the process go, wherever it is."""
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait(PATIENCE)
        for stream in (process.stdin, self.errors):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was still to be written has nowhere to go
                    stream.close()


def listen(process: Process, heard: Events) -> None:
    """Pass on whole lines of JSON until the process has died."""
    assert process.stdout
    with process.stdout as lines:
        for line in lines:
            if line.endswith("\n"):
                heard.put((process, json.loads(line)))
    heard.put((process, None))
