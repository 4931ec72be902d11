"""Commands that look at runs: what is wrong, what to change, which one is better."""

from __future__ import annotations

import contextlib
import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from improve.commands.options import Json, Output, RunFolder, print_json, put
from improve.errors import ImproveError, UsageError

if TYPE_CHECKING:
    from improve.runs.run import Run


def diagnose(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="a run folder, such as runs/lenet_l2")] = None,
    errors: Annotated[
        str | None,
        typer.Option(metavar="NUMBERS", help='bare numbers instead: "human=0% train=1% validation=11% n=10000"'),
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="open the test set, and write that down")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="exit 1 when there is a finding")] = False,
    as_json: Json = False,
) -> None:
    """Why is it bad, and what to change next: the bias/variance recipe."""
    from improve.diagnosis.diagnose import diagnose as diagnose_run
    from improve.diagnosis.diagnose import diagnose_numbers
    from improve.runs.run import load, write_diagnosis

    if (run is None) == (errors is None):
        raise UsageError(
            "diagnose needs a run, or bare numbers", fix='improve diagnose runs/x, or --errors "train=1% …"'
        )
    if errors is not None:
        diagnosis = diagnose_numbers(errors)
    else:
        loaded = load(run or Path())
        diagnosis = diagnose_run(loaded, test)
        write_diagnosis(loaded.folder, diagnosis.as_json())
        if test and loaded.has_test:
            opened(loaded)
    if as_json:
        print_json(diagnosis.as_json())
    else:
        from improve.views.terminal.diagnosis import show_diagnosis

        show_diagnosis(diagnosis)
    if strict and any(finding.status == "found" for finding in diagnosis.findings):
        raise typer.Exit(1)


def opened(run: Run) -> None:
    """Each look at the test set is written down."""
    from improve.runs import ledger

    digests = run.fingerprint.get("test"), ledger.experiment(run.spec)
    ledger.write_down(run.folder.parent, run.name, "test", *digests, run.sealed_test)


def opened_if_measured(folder: Path) -> None:
    """The same for one of many folders, which need not be a run."""
    from improve.runs.run import load

    with contextlib.suppress(ImproveError):
        run = load(folder, history=False)
        if run.has_test:
            opened(run)


def next_spec(run: RunFolder, output: Output = None) -> None:
    """Write the next spec: the diagnosis' best change, applied."""
    from improve.diagnosis.advice_log import remember
    from improve.diagnosis.diagnose import diagnose as diagnose_run
    from improve.diagnosis.next_spec import best_change, edit, revise, revised
    from improve.runs.run import load
    from improve.spec.spec import Spec
    from improve.views.terminal.console import console

    loaded = load(run)
    finding, change = best_change(diagnose_run(loaded))
    text = revise(loaded.spec, change)
    if output is not None and loaded.spec["model"]["name"] == "python":
        bring_own_code(loaded, output.parent)
    out = console(stderr=True)
    remember(loaded, finding, change, Spec.model_validate(revised(loaded.spec, change)).complete())
    out.print(f"{finding.code} {finding.title}: {change.path}: {change.because}")
    for line in edit(loaded.spec, text).splitlines():
        out.print(line)
    put(text, output)


def bring_own_code(run: Run, folder: Path) -> None:
    """Put the file of the user's own model beside the next spec; only one that lies in the run itself."""
    from improve.runs.run import bring_code
    from improve.spec.user_code import located, split

    file, _ = split(located(run.spec["model"]["target"], run.folder))
    if not file.is_file():
        raise UsageError(f"there is no {file.name} in {run.folder}", fix="put it back")
    bring_code(file, folder)


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

    comparison = compare_runs(runs, sort, where or (), test)
    if test:
        for run in runs:
            opened_if_measured(run)
    if as_json:
        print_json(comparison.as_json(test))
        return
    from improve.views.terminal.comparison import comparison_rows, csv_cell, markdown_cell, show_comparison, table_rows

    if as_csv:
        rows = ([csv_cell(cell) for cell in cells] for cells in table_rows(comparison, test))
        csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
    elif markdown:
        head, *body = ([markdown_cell(cell) for cell in cells] for cells in comparison_rows(comparison, test))
        for cells in (head, ["---"] * len(head), *body):
            print(f"| {' | '.join(cells)} |")
    else:
        show_comparison(comparison, test)
