"""The command that lets several runs answer together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from improve.commands.options import RUNS, Json, Runs, print_json


def ensemble(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="two run folders or more")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="name of the ensemble")] = "ensemble",
    folder: Runs = RUNS,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="select the members, and their weights, by the validation cross-entropy")
    ] = False,
    test: Annotated[bool, typer.Option("--test", help="show the test error as well, and write that down")] = False,
    as_json: Json = False,
) -> None:
    """Average the probabilities of several runs: an ensemble, which is a run itself."""
    from improve.runs.ensemble import ensemble as average_runs

    print_ensemble(average_runs(runs, folder, name, greedy, test), test, as_json)


def print_ensemble(made: Path, test: bool, as_json: bool) -> None:
    """The ensemble beside its members."""
    from improve.diagnosis.comparison.ensembles import ensemble_report
    from improve.runs.run import load_run, summary_as_written

    found = ensemble_report(load_run(made), test)
    if as_json:
        summary = {key: value for key, value in summary_as_written(made).items() if test or key != "test"}
        print_json({"folder": str(made), **summary, "report": found.as_json()})
    else:
        from improve.views.terminal.ensemble import show_ensemble

        show_ensemble(found)
