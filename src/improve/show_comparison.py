"""A Comparison as a table: on the terminal, as CSV, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from improve.compare import MISSING, Comparison, Row
from improve.errors import printable
from improve.show import console, duration, interval, percent, size


def columns(comparison: Comparison, test: bool) -> list[str]:
    names = [key.removeprefix("data.").removeprefix("regularization.") for key in comparison.settings]
    return [
        "",
        *names,
        "validation error",
        *(["test error"] if test else []),
        "train error",
        "best",
        "parameters",
        "time",
    ]


def cells(row: Row, comparison: Comparison, test: bool) -> list[str]:
    errors = [row.validation, *([row.test] if test else [])]
    measured = [
        f"{percent(part['error'])} {interval(part['low'], part['high'])}" if part else row.status for part in errors
    ]
    name = row.name if row.status == "finished" else f"{row.name} ({row.status})"
    return [
        name,
        *(str(row.settings[key]) for key in comparison.settings),
        *measured,
        percent(row.train["error"]) if row.train else MISSING,
        str(row.best_epoch or MISSING),
        size(row.parameters) if row.parameters else MISSING,
        duration(row.seconds) if row.seconds else MISSING,
    ]


def show_comparison(comparison: Comparison, test: bool) -> None:
    out = console()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in columns(comparison, test):
        table.add_column(Text(name), no_wrap=True)
    for row in comparison.rows:
        table.add_row(*(Text(cell) for cell in cells(row, comparison, test)))
    out.print(table, soft_wrap=True)
    out.print(Text(footnote(comparison)))
    if test:
        out.print("choosing by the test error makes it a validation error: choose by validation, report test once")
    for name, reason in comparison.skipped:
        out.print(Text(f"skipped  {printable(name)} ({printable(reason)})"))


def footnote(comparison: Comparison) -> str:
    counts = {row.validation["n"] for row in comparison.rows if row.validation}
    runs = f"{len(comparison.rows)} run{'s' if len(comparison.rows) != 1 else ''}"
    if not comparison.same_validation:
        return f"{runs} · their validation images are not the same: the errors cannot be compared image by image"
    images = f" on the same validation images (n={counts.pop():,})" if len(counts) == 1 else ""
    return f"{runs}{images} · only settings that differ are shown"


def comparison_rows(comparison: Comparison, test: bool) -> Iterable[list[str]]:
    """Header and rows as text, for CSV and Markdown."""
    head = columns(comparison, test)
    yield ["run", *head[1:]]
    for row in comparison.rows:
        yield cells(row, comparison, test)
