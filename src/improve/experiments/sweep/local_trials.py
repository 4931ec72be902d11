"""Where the trials of a sweep run: in worker processes that live as long as the sweep, in each one after another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from improve.errors import ImproveError
from improve.experiments.sweep.trials import Judge, Outcome, SweepWatcher
from improve.experiments.sweep.worker import Events, Worker
from improve.spec.spec import Spec


class LocalTrials:
    """Processes on this machine. Where one dies, its trial has failed and another one takes over."""

    def __init__(self, runs: Path, watcher: SweepWatcher, workers: int = 1):
        self.watcher, self.at_once, self.stopping = watcher, workers, False
        self.judge: Judge | None = None
        self.waiting: deque[tuple[str, Spec]] = deque()
        self.heard: Events = SimpleQueue()
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
        """Of a trial in hand: what processes say that are given up already does not count."""
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
