"""Where the trials of a sweep run: one after another in one worker process that lives as long as the sweep."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

from improve.errors import ImproveError
from improve.spec import Spec

Outcome = tuple[str, Path | ImproveError]
Judge = Callable[[str, dict[str, Any]], str]
WORKER = ("-P", "-m", "improve.trials_worker")
PATIENCE = 20.0  # seconds for the worker to end by itself
FRESH = 40  # trials, then another worker: TensorFlow keeps 3 to 6 MB of each (benchmarks/RESULTS.md)


class Trials(Protocol):
    """Trains specs into run folders; equal specs give the same runs wherever they are trained."""

    at_once: int  # trials that are trained side by side
    judge: Judge | None  # asked after every epoch of a run, by its name, for a reason to stop it

    def submit(self, name: str, spec: Spec) -> None:
        """`name` of the run folder to be made, or to go on with where it is there."""

    def finished(self) -> Iterator[Outcome]:
        """Run folders and failures as they come, until nothing is left, or the trials were told to stop."""

    def stop(self, number: int) -> None:
        """The trials in hand stop as `improve train` does at the signal `number`, and no other begins."""

    def close(self) -> None: ...


class Watcher(Protocol):
    """Told of the trial in hand."""

    def reading(self, done: int, total: int) -> None: ...
    def begun(self, name: str) -> None: ...
    def epoch(self, name: str, row: dict[str, Any]) -> None: ...


class LocalTrials:
    """A process of its own: Keras is imported once, data that trials share are read once. Where it dies, its trial has
    failed and another one takes over."""

    at_once = 1

    def __init__(self, runs: Path, watcher: Watcher):
        self.runs, self.watcher = runs, watcher
        self.judge: Judge | None = None
        self.waiting: deque[tuple[str, Spec]] = deque()
        self.process: subprocess.Popen[str] | None = None
        self.errors: IO[bytes] | None = None
        self.stopping, self.served = False, 0

    def submit(self, name: str, spec: Spec) -> None:
        self.waiting.append((name, spec))

    def finished(self) -> Iterator[Outcome]:
        while self.waiting and not self.stopping:
            name, spec = self.waiting.popleft()
            outcome = self.trained(name, spec)
            if outcome is not None:
                yield name, outcome

    def trained(self, name: str, spec: Spec) -> Path | ImproveError | None:
        """None: it was told to stop before there was anything to tell."""
        if self.served == FRESH:
            self.end()
        self.served += 1
        order = {"name": name, "spec": spec.complete(), "judged": self.judge is not None}
        self.say({**order, "code": str(spec.model.code) if spec.model.code else None})
        self.watcher.begun(name)
        while (event := self.heard()) is not None:
            kind = event.pop("event")
            if kind == "done":
                return Path(event["folder"])
            if kind == "failed":
                self.end()  # what is left of its memory may be in pieces
                return ImproveError(**event)
            self.told(name, kind, event)
        return None if self.stopping else self.died()

    def told(self, name: str, kind: str, event: dict[str, Any]) -> None:
        if kind == "reading":
            self.watcher.reading(event["done"], event["total"])
            return
        self.watcher.epoch(name, event["row"])
        if self.judge is not None:
            self.say({"reason": self.judge(name, event["row"])})

    def say(self, message: dict[str, Any]) -> None:
        process = self.started()
        assert process.stdin
        with contextlib.suppress(OSError):  # it has died: what there is to hear of it says so
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()

    def heard(self) -> dict[str, Any] | None:
        """The worker's next words; None where it has died."""
        assert self.process
        assert self.process.stdout
        line = self.process.stdout.readline()
        return dict(json.loads(line)) if line.endswith("\n") else None

    def started(self) -> subprocess.Popen[str]:
        if self.process is None:
            self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
            # a session of its own: Ctrl+C reaches this process only, which passes it on
            self.process = subprocess.Popen(
                [sys.executable, *WORKER, str(self.runs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=self.errors, text=True, encoding="utf-8", start_new_session=True,
            )  # fmt: skip
        return self.process

    def died(self) -> ImproveError:
        """Why, as far as it is known."""
        assert self.process
        assert self.errors
        code = self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        self.end()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}: {last.strip()[:300]}"
        return ImproveError(f"the process that trains {how}", fix="it may have run out of memory" if code == -9 else "")

    def stop(self, number: int) -> None:
        self.stopping = True
        if self.process is not None:
            self.process.send_signal(number)

    def end(self) -> None:
        """Let the worker go, wherever it is."""
        process, self.process, self.served = self.process, None, 0
        if process is None:
            return
        process.kill()
        process.wait(PATIENCE)
        for stream in (process.stdin, process.stdout, self.errors):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was still to be written has nowhere to go
                    stream.close()

    def close(self) -> None:
        self.waiting.clear()
        self.end()
