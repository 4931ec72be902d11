"""Commands that train."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from improve.commands.ensemble import print_ensemble
from improve.commands.options import (
    RUNS,
    STOPPED,
    TERMINATED,
    Json,
    Name,
    NoCode,
    Overrides,
    Quiet,
    RunFolder,
    Runs,
    SpecFile,
    print_json,
)

if TYPE_CHECKING:
    from improve.engine.trackers.tracker import Tee, Tracker
    from improve.engine.training.resources import OutOfMemoryError
    from improve.runs.run import Run

From = Annotated[
    Path | None, typer.Option("--from", metavar="RUN", help="start from the weights of this run's best epoch")
]
ForTensorBoard = Annotated[bool, typer.Option("--tensorboard", help="write event files for TensorBoard as well")]
ForMLflow = Annotated[bool, typer.Option("--mlflow", help="log to MLflow as well")]


def train(
    spec: SpecFile,
    overrides: Overrides = None,
    runs: Runs = RUNS,
    name: Name = None,
    weights: From = None,
    no_code: NoCode = False,
    tensorboard: ForTensorBoard = False,
    mlflow: ForMLflow = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a spec into a new run folder."""
    from improve.spec.reading.load import load_spec

    experiment = load_spec(spec, overrides, code=not no_code)
    from improve.engine.trackers.tracker import trackers_for
    from improve.engine.training.members import train_run

    trackers = trackers_for(tensorboard, mlflow)
    train_and_show(
        lambda watcher: train_run(experiment, name or spec.stem, runs, watcher, weights), trackers, as_json, quiet
    )


def resume(
    run: RunFolder,
    overrides: Overrides = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="kept with what changes")] = "",
    no_code: NoCode = False,
    tensorboard: ForTensorBoard = False,
    mlflow: ForMLflow = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run: after a crash or a stop, or with other settings (training.epochs=+20: 20 more)."""
    from improve.engine.trackers.tracker import trackers_for
    from improve.engine.training.members import go_on

    trackers = trackers_for(tensorboard, mlflow)
    train_and_show(lambda watcher: go_on(run, overrides or [], watcher, reason, not no_code), trackers, as_json, quiet)


def start_smaller(error: OutOfMemoryError, flags: list[str]) -> None:
    """Go on with smaller batches in a fresh process: this one's memory is in pieces. Returns where that is no way."""
    if not error.overrides:
        return
    print(f"{error.what}: going on with {' '.join(error.overrides)}, the same updates", file=sys.stderr, flush=True)
    command = [
        "-P",
        "-m",
        "improve",
        "resume",
        str(error.folder),
        *error.overrides,
        "--reason",
        "out of memory",
        *flags,
    ]
    os.execv(sys.executable, [sys.executable, *command])


def train_and_show(work: Callable[[Tee], Path], trackers: Sequence[Tracker], as_json: bool, quiet: bool) -> None:
    """Train, and say what came of it."""
    from improve.engine.trackers.tracker import Tee
    from improve.engine.training.resources import OutOfMemoryError
    from improve.runs.run import load_run
    from improve.views.terminal.training import TerminalWatcher

    terminal = TerminalWatcher(quiet)
    watcher = Tee(terminal, trackers, terminal.warn)
    try:
        run = load_run(work(watcher))
    except OutOfMemoryError as error:
        terminal.close()
        watcher.close()
        given = {"--json": as_json, "--quiet": quiet} | {f"--{tracker.package}": True for tracker in trackers}
        start_smaller(error, [flag for flag in given if given[flag]])
        raise
    finally:
        terminal.close()
        watcher.close()
    show_outcome(run, as_json)
    if run.status == "stopped":
        raise typer.Exit(TERMINATED if run.summary.signal == "SIGTERM" else STOPPED)
    if run.status != "finished":
        raise typer.Exit(1)


def show_outcome(run: Run, as_json: bool) -> None:
    """The closing lines; of an ensemble, and of the snapshots of a run, the table."""
    from improve.runs.run import summary_as_written
    from improve.views.terminal.training import show_trained

    if run.summary.members:
        print_ensemble(run.folder, test=False, as_json=as_json)
    elif as_json:
        print_json({"folder": str(run.folder), **summary_as_written(run.folder)})
    else:
        show_trained(run)
        if run.summary.snapshots is not None:
            print()
            print_ensemble(run.folder.parent / str(run.summary.snapshots), test=False, as_json=False)
