"""The command that puts runs side by side."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from improve.commands.options import Json, print_json
from improve.commands.report import page_file

if TYPE_CHECKING:
    from improve.diagnosis.comparison.compare import Comparison


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="run folders, such as runs/*")],
    sort: Annotated[
        str, typer.Option(metavar="METRIC", help="such as validation_error, seconds_per_image, model_bytes or name")
    ] = "validation_error",
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="CONDITION", help="what has to hold, such as 'model_bytes<=10MB'; can be repeated"),
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="open the test sets, and write that down")] = False,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="print CSV")] = False,
    markdown: Annotated[bool, typer.Option("--md", help="print a Markdown table")] = False,
) -> None:
    """Put runs side by side: only the settings that differ, and what they brought."""
    from improve.diagnosis.comparison.compare import compare as compare_runs

    page = page_file(runs)  # of an earlier improve report
    comparison = compare_runs([run for run in runs if run != page], sort, where or (), test)
    if as_json:
        print_json(comparison.as_json(test))
    elif as_csv:
        print_csv(comparison, test)
    elif markdown:
        print_markdown(comparison, test)
    else:
        from improve.views.terminal.comparison import show_comparison

        show_comparison(comparison, test)


def print_csv(comparison: Comparison, test: bool) -> None:
    from improve.views.text.comparison import csv_cell, number_rows

    rows = ([csv_cell(cell) for cell in cells] for cells in number_rows(comparison, test))
    csv.writer(sys.stdout, lineterminator="\n").writerows(rows)


def print_markdown(comparison: Comparison, test: bool) -> None:
    from improve.views.text.comparison import markdown_cell, text_rows

    head, *body = ([markdown_cell(cell) for cell in cells] for cells in text_rows(comparison, test))
    for cells in (head, ["---"] * len(head), *body):
        print(f"| {' | '.join(cells)} |")
