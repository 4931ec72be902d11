"""A Comparison as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from improve.diagnosis.comparison.compare import Comparison, Standing
from improve.diagnosis.findings.rule import Finding
from improve.errors import printable
from improve.spec.reading.yaml import inline
from improve.views.terminal.console import console
from improve.views.text.comparison import columns, footnote, recipe_rows, row_cells

MOST = 100  # rows on a terminal


def show_comparison(comparison: Comparison, test: bool) -> None:
    """Print the table of the runs, with test errors where `test`, and what was found."""
    out = console()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in columns(comparison, test):
        table.add_column(Text(printable(name)), no_wrap=True)
    for row in comparison.rows[:MOST]:
        table.add_row(*(Text(printable(cell)) for cell in row_cells(row, comparison, test)))
    out.print(table, soft_wrap=True)
    if len(comparison.rows) > MOST:
        out.print(f"… {len(comparison.rows) - MOST:,} more: --csv, --md and --json have all of them")
    show_recipes(comparison.recipes, out)
    out.print(Text(printable(footnote(comparison), 2000)))
    if test:
        out.print("choosing by the test error makes it a validation error: choose by validation, report test once")
    for finding in comparison.findings:
        show_finding(finding, out)
    for name, reason in comparison.skipped:
        out.print(Text(f"skipped  {printable(name)} ({printable(reason)})"))


def show_recipes(standings: Sequence[Standing], out: Console) -> None:
    """Mean ± standard deviation over seeds, and what may be said of each recipe against the best."""
    if not standings:
        return
    head, *rows = recipe_rows(standings)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in head:
        table.add_column(Text(printable(name)), no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    out.print()
    out.print(table, soft_wrap=True)
    out.print()


def show_finding(finding: Finding, out: Console) -> None:
    """One line for what is seen, one for what to do about it."""
    out.print(Text.assemble((f"{finding.code}  {finding.title}: ", "bold"), printable(finding.says, 400)))
    changes = [f"{change.path}: {inline(change.value)}" for change in finding.changes]
    if changes or finding.confirm:
        word = "change   " if changes else "to decide"
        out.print(Text(f"    {word}  {'   or   '.join(changes) or finding.confirm}"))
