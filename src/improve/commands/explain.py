"""Commands that tell what there is and what it means."""

from __future__ import annotations

from typing import Annotated

import typer

from improve.commands.options import Json, print_json


def list_shelf(
    shelf: Annotated[str | None, typer.Argument(metavar="[SHELF]", help="datasets, models, findings …")] = None,
) -> None:
    """What there is."""
    from improve.diagnosis.glossary import summaries
    from improve.spec.spec import SHELVES
    from improve.views.terminal.console import show_names

    if shelf is not None:
        show_names(summaries(shelf))
        return
    for name in (*SHELVES, "findings", "terms"):
        print(f"{name}: {', '.join(summaries(name))}")


def explain(
    name: Annotated[list[str], typer.Argument(metavar="NAME", help="a part, a finding's code or name, a term")],
) -> None:
    """What a part, a finding or a term means."""
    from improve.diagnosis.glossary import explain as explain_name

    print(explain_name(" ".join(name)))


def selftest(as_json: Json = False) -> None:
    """How good the diagnosis is: what it said of runs with a fault put in, and of sound ones."""
    from improve.diagnosis.selftest import left_out_results, not_scored, selftest_results

    found, left_out = selftest_results(), left_out_results()
    if as_json:
        print_json({"left_out": left_out, "worlds": found, "not_scored": not_scored(found)})
    else:
        from improve.views.terminal.selftest import show_selftest

        show_selftest(found, left_out)
