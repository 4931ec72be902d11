"""Trials in worker processes beside this one, which live as long as the sweep and train one trial after another; what a
process says comes through a queue."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from improve.errors import ImproveError
from improve.experiments.sweep.trials import Judge, Outcome, SweepWatcher
from improve.spec.spec import Spec

Process = subprocess.Popen[str]
Heard = SimpleQueue[tuple[Process, dict[str, Any] | None]]  # None: the process has died
COMMAND = ("-P", "-m", "improve.experiments.sweep.worker_process")
PATIENCE = 20.0  # seconds for the process to end once it is killed
GROWING = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # else the first takes all


class Worker:
    """Keras is imported once, data that trials share are read once. `name` of the trial in hand, "" where there is
    none."""

    def __init__(self, runs: Path, heard: Heard):
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
            command = [sys.executable, *COMMAND, str(self.runs)]
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # Ctrl+C reaches this process only, which passes it on
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


def listen(process: Process, heard: Heard) -> None:
    """Pass on whole lines of JSON until the process has died."""
    assert process.stdout
    with process.stdout as lines:
        for line in lines:
            if line.endswith("\n"):
                heard.put((process, json.loads(line)))
    heard.put((process, None))


class LocalTrials:
    """Processes on this machine. Where one dies, its trial has failed and another one takes over."""

    def __init__(self, runs: Path, watcher: SweepWatcher, workers: int = 1):
        self.watcher, self.at_once, self.stopping = watcher, workers, False
        self.judge: Judge | None = None
        self.waiting: deque[tuple[str, Spec]] = deque()
        self.heard: Heard = SimpleQueue()
        self.workers = [Worker(runs, self.heard) for _ in range(workers)]

    def submit(self, name: str, spec: Spec) -> None:
        self.waiting.append((name, spec))

    def finished(self) -> Iterator[Outcome]:
        while self.busy():
            worker, event = self.next_event()
            name, kind = worker.name, event.pop("event") if event else "died"
            if event and kind in ("reading", "epoch"):
                self.told(worker, kind, event)
                continue
            worker.name = ""
            if event and kind == "done":
                yield name, Path(event["folder"])
                continue
            failed = ImproveError(**event) if event else worker.died()
            worker.end()  # another one takes over: what is left of its memory may be in pieces
            if event or not self.stopping:  # else it left as it was told to
                yield name, failed

    def busy(self) -> bool:
        """Whether any trial is in hand; who has none begins the next one."""
        for worker in self.workers:
            if self.waiting and not worker.name and not self.stopping:
                name, spec = self.waiting.popleft()
                code = str(spec.model.code) if spec.model.code else None
                worker.begin(name, {"spec": spec.complete(), "judged": self.judge is not None, "code": code})
                self.watcher.begun(name)
        return any(worker.name for worker in self.workers)

    def next_event(self) -> tuple[Worker, dict[str, Any] | None]:
        """The next event of a trial in hand, with its worker: what processes say that are given up already does not
        count."""
        while True:
            process, event = self.heard.get()
            worker = next((one for one in self.workers if one.process is process), None)
            if worker and worker.name:
                return worker, event
            if worker and event is None:
                worker.end()  # it died with nothing to do

    def told(self, worker: Worker, kind: str, event: dict[str, Any]) -> None:
        if kind == "reading":
            self.watcher.reading(event["done"], event["total"])
            return
        self.watcher.trial_epoch(worker.name, event["row"])
        if self.judge is not None:
            worker.say({"reason": self.judge(worker.name, event["row"])})

    def stop(self, number: int) -> None:
        self.stopping = True
        for worker in self.workers:
            worker.signal(number)

    def close(self) -> None:
        self.waiting.clear()
        for worker in self.workers:
            worker.end()
