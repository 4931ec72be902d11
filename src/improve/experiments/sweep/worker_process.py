"""The process that trains the trials of a sweep, one after another, until its standard input ends.

Lines of JSON: trials to train, and the verdict on each epoch where they are judged, come in; what happens goes out.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from improve.engine.data.prepare import LastPrepared, PreparedData
from improve.engine.training.resume import resume
from improve.engine.training.train import train
from improve.engine.training.watcher import Watcher
from improve.errors import ImproveError
from improve.interrupt import BrokenOff, interruptible
from improve.runs.begin import checked_name, remove_husk
from improve.spec.spec import Spec


class Line:
    """The line between a worker and the process that leads the sweep, in both directions."""

    def __init__(self, incoming: IO[str], outgoing: IO[str]):
        self.incoming, self.outgoing = incoming, outgoing
        self.waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        """Take in what the leading process says. Where it is gone, killed perhaps, nobody wants the training in hand:
        the process ends, and what it has saved stays."""
        for line in self.incoming:
            self.waiting.put(line)
        os._exit(0)

    def heard(self) -> dict[str, Any]:
        return dict(json.loads(self.waiting.get()))

    def say(self, event: str, **more: Any) -> None:
        self.outgoing.write(json.dumps({"event": event, **more}) + "\n")
        self.outgoing.flush()


class LineReporter(Watcher):
    """A watcher that passes on what it is told."""

    def __init__(self, line: Line, judged: bool):
        self.line, self.judged = line, judged

    def reading(self, done: int, total: int) -> None:
        self.line.say("reading", done=done, total=total)

    def epoch(self, row: dict[str, Any], best: int) -> str | None:
        self.line.say("epoch", row=row)
        return str(self.line.heard()["reason"]) if self.judged else None


def main() -> None:
    """Serve the sweep whose folder is the first argument."""
    line = Line(sys.stdin, os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)  # whatever else prints does not get between the events
    runs, last = Path(sys.argv[1]), LastPrepared()
    with contextlib.suppress(BrokenOff), interruptible():
        while True:
            serve(line, runs, last)


def serve(line: Line, runs: Path, last: LastPrepared) -> None:
    """One trial, and what came of it."""
    order = line.heard()
    reporter = LineReporter(line, order["judged"])

    def work() -> Path:
        spec = spec_from(order["spec"], order["code"])
        return train_trial(spec, order["name"], runs, reporter, lambda: last.of(spec, reporter.reading))

    line.say(**outcome_event(work))


def outcome_event(work: Callable[[], Path]) -> dict[str, Any]:
    """The folder that `work` gives, or why there is none, as an event."""
    try:
        return {"event": "done", "folder": str(work())}
    except ImproveError as error:
        return {"event": "failed", "what": error.what, "where": error.where, "fix": error.fix}
    except Exception as error:
        traceback.print_exc()
        return {"event": "failed", "what": f"{type(error).__name__}: {error}"}


def spec_from(plain: dict[str, Any], code: str | None) -> Spec:
    """A complete spec names the file of a model of the user's own without its folder."""
    if code:
        plain["model"]["target"] = f"{code}:{plain['model']['target'].partition(':')[2]}"
    return Spec.model_validate(plain)


def train_trial(spec: Spec, name: str, runs: Path, watcher: Watcher, read: Callable[[], PreparedData]) -> Path:
    """Train it, or go on with it; as in a process of its own, whatever was trained before. `read` gives its data."""
    data, folder = read(), runs / checked_name(name)
    remove_husk(folder, spec)
    if folder.is_dir():
        return resume(folder, [], watcher, data=data)
    return train(spec, name, runs, watcher, data=data)


if __name__ == "__main__":
    main()
