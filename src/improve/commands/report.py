"""The command that makes a page of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from improve.commands.options import Output
from improve.errors import UsageError, visible


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="run folders, such as runs/*")],
    output: Output = None,
    test: Annotated[bool, typer.Option("--test", help="open the test sets, and write that down")] = False,
) -> None:
    """One self-contained HTML page: what is wrong with each run, and how they compare."""
    from improve.views.report.page import report as report_runs

    wanted = output or page_file(runs)
    text = report_runs([run for run in runs if run not in (wanted, page_file(runs))], test)
    write_page(wanted, text)
    print(visible(str(wanted)))


def write_page(wanted: Path, text: str) -> None:
    """Write the page to `wanted`, and make its folder. Raises UsageError where that cannot be done."""
    from improve.runs.files import write_text

    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        write_text(wanted, text)
    except OSError as error:
        raise UsageError(f"{wanted} cannot be written: {error.strerror}", fix="give another file with -o") from error


def page_file(runs: list[Path]) -> Path:
    """The default place of the page: in the folder of a single run, beside the folders of several."""
    return (runs[0] if len(runs) == 1 else runs[0].parent) / "report.html"
