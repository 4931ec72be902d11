"""Commands that train."""

from __future__ import annotations

import typer

from improve.commands.options import RUNS, STOPPED, Json, Name, NoCode, Overrides, Quiet, Runs, SpecFile, print_json


def train(
    spec: SpecFile,
    overrides: Overrides = None,
    runs: Runs = RUNS,
    name: Name = None,
    no_code: NoCode = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a spec into a new run folder."""
    from improve.specfile import load

    experiment = load(spec, overrides, code=not no_code)
    from improve.progress import TerminalWatcher
    from improve.run import load as load_run
    from improve.show import show_trained
    from improve.train import train as train_spec

    watcher = TerminalWatcher(quiet)
    try:
        run = load_run(train_spec(experiment, name or spec.stem, runs, watcher))
    finally:
        watcher.close()
    if as_json:
        print_json({"folder": str(run.folder), **run.summary})
    else:
        show_trained(run)
    if run.status != "finished":
        raise typer.Exit(STOPPED if run.status == "stopped" else 1)
