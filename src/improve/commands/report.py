"""The command that makes a page of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from improve.commands.diagnose import opened
from improve.commands.options import Output
from improve.errors import ImproveError, UsageError, visible


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="run folders, such as runs/*")],
    output: Output = None,
    test: Annotated[bool, typer.Option("--test", help="open the test sets, and write that down")] = False,
) -> None:
    """One self-contained HTML page: what is wrong with each run, and how they compare."""
    from improve.views.report.page import report as report_runs

    wanted = output or place(runs)
    text = report_runs([run for run in runs if run not in (wanted, place(runs))], test)
    if test:
        open_tests(runs)
    write(wanted, text)
    print(visible(str(wanted)))


def write(wanted: Path, text: str) -> None:
    from improve.runs.run import write_text

    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        write_text(wanted, text)
    except OSError as error:
        raise UsageError(f"{wanted} cannot be written: {error.strerror}", fix="give another file with -o") from error


def place(runs: list[Path]) -> Path:
    """In the folder of a single run; beside several."""
    return (runs[0] if len(runs) == 1 else runs[0].parent) / "report.html"


def open_tests(runs: list[Path]) -> None:
    """Write down the look at every test set that is shown."""
    from improve.runs.run import load
    from improve.views.report.auto import shown_of

    for folder in (shown for one in runs for shown in shown_of(one)):
        try:
            run = load(folder)
        except ImproveError:  # it is none, or damaged: the page says so
            continue
        if run.has_test:
            opened(run)
