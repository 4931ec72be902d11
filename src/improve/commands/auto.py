"""The command that walks the loop."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from improve.commands.options import RUNS, Json, Name, NoCode, Overrides, Quiet, Runs, SpecFile, print_json
from improve.commands.report import write_page
from improve.errors import UsageError, visible


def auto(
    spec: SpecFile,
    overrides: Overrides = None,
    epochs: Annotated[int | None, typer.Option(min=1, metavar="N", help="epochs that may be trained in all")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, metavar="M", help="or minutes")] = None,
    trials: Annotated[int | None, typer.Option(min=1, metavar="K", help="or runs, second seeds counted")] = None,
    runs: Runs = RUNS,
    name: Name = None,
    no_code: NoCode = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train, diagnose, change one thing, train again; keep what is better beyond seed noise."""
    from improve.spec.reading.load import load_spec

    if sum(given is not None for given in (epochs, minutes, trials)) != 1:
        raise UsageError("auto needs one budget", fix="--epochs 400, --minutes 30 or --trials 20")
    experiment = load_spec(spec, overrides, code=not no_code)
    if epochs is not None and epochs < experiment.training.epochs:
        raise UsageError(
            f"{epochs} epochs are fewer than one run takes ({experiment.training.epochs})",
            fix=f"--epochs {10 * experiment.training.epochs}, or a lower training.epochs",
        )
    from improve.experiments.auto.budget import Budget
    from improve.experiments.auto.conclusion import conclusion_of
    from improve.experiments.auto.loop import auto as improve_spec
    from improve.views.report.page import report
    from improve.views.terminal.auto import TerminalAutoWatcher, show_ending
    from improve.views.text.auto import ending_json

    budget, watcher = Budget(epochs, minutes, trials, time.monotonic()), TerminalAutoWatcher(quiet)
    try:
        journal = improve_spec(experiment, name or f"{spec.stem}_auto", runs, budget, watcher)
    finally:
        watcher.close()
    end, page = conclusion_of(journal), journal.folder / "report.html"
    write_page(page, report([journal.folder]))
    if as_json:
        print_json({**ending_json(journal, end), "page": str(page)})
    else:
        show_ending(journal, end, budget)
        print(visible(f"page     {page}"))
