"""One run, trained from where it stands as far as it is to go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from improve.engine.data.prepare import LastPrepared
from improve.engine.training.resume import resume
from improve.engine.training.train import not_stopped, train
from improve.engine.training.watcher import Relay, Watcher
from improve.errors import ImproveError
from improve.runs import run
from improve.runs.begin import remove_husk
from improve.runs.run import Run
from improve.spec.spec import Spec


class PausingWatcher(Relay):
    """Passes on what it is told of runs, and ends the one in hand after the epoch `pause`, where it is not 0. `last`:
    the data of the run before."""

    def __init__(self, watcher: Watcher):
        super().__init__(watcher)
        self.pause, self.last = 0, LastPrepared()

    def epoch(self, row: dict[str, Any], best: int) -> str | None:
        self.watcher.epoch(row, best)
        return f"paused after epoch {row['epoch']}" if row["epoch"] == self.pause else None


def trained_run(parent: Path, name: str, spec: Spec, watcher: PausingWatcher, pause: int = 0) -> Run:
    """The run of this name in the folder `parent`, at its end or after `pause` epochs. Raises BrokenOff where a signal
    stops it."""
    folder = parent / name
    remove_husk(folder, spec)
    watcher.pause = pause if pause < spec.training.epochs else 0
    if folder.exists() and far_enough(run.load_run(folder), watcher.pause):
        return run.load_run(folder)
    try:
        data = watcher.last.of(spec, watcher.reading)
        if folder.exists():
            resume(folder, [], watcher, data=data)
        else:
            train(spec, name, parent, watcher, data=data)
    except ImproveError:
        if not (folder / "summary.json").is_file() or run.load_run(folder).status != "failed":
            raise
    return not_stopped(run.load_run(folder))


def far_enough(made: Run, pause: int) -> bool:
    return made.is_done or made.status == "failed" or 0 < pause <= len(made.history)
