"""A Comparison as a table: on the terminal, as CSV, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from improve.compare import MISSING, Comparison, Row
from improve.errors import printable, visible
from improve.findings.rule import Finding
from improve.paired import Paired
from improve.show import console, duration, interval, percent, size
from improve.yamlfile import inline

FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # what a spreadsheet takes for the start of one (OWASP, CSV injection)
MARKUP = re.compile(r"[\\`*<&|$~]|(?<=\])[(\[:]")  # what Markdown takes for code, HTML, a formula, a link


def columns(comparison: Comparison, test: bool) -> list[str]:
    """`against the first` only where there is something to tell."""
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
        *(["against the first"] if _paired(comparison) else []),
    ]


def _paired(comparison: Comparison) -> bool:
    return any(row.against for row in comparison.rows)


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
        *([against(row.against)] if _paired(comparison) else []),
    ]


def against(seen: Paired | None) -> str:
    """The difference in points with its interval; what n images could show, where it is within chance."""
    if seen is None:
        return MISSING
    told = f"{100 * seen.value:+.1f} {interval(seen.low, seen.high)}"
    if seen.told_apart:
        return f"{'better' if seen.value < 0 else 'worse'} {told} {p_value(seen.p)}"
    return f"not distinguishable ({told}; {100 * seen.detectable:.1f} needed at this n)"


def p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def show_comparison(comparison: Comparison, test: bool) -> None:
    out = console()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in columns(comparison, test):
        table.add_column(Text(printable(name)), no_wrap=True)
    for row in comparison.rows:
        table.add_row(*(Text(printable(cell)) for cell in cells(row, comparison, test)))
    out.print(table, soft_wrap=True)
    out.print(Text(footnote(comparison)))
    if test:
        out.print("choosing by the test error makes it a validation error: choose by validation, report test once")
    for finding in comparison.findings:
        show_finding(finding, out)
    for name, reason in comparison.skipped:
        out.print(Text(f"skipped  {printable(name)} ({printable(reason)})"))


def show_finding(finding: Finding, out: Console) -> None:
    """One line for what is seen, one for what to do about it."""
    out.print(Text.assemble((f"{finding.code}  {finding.title}: ", "bold"), printable(finding.says, 400)))
    changes = [f"{change.path}: {inline(change.value)}" for change in finding.changes]
    if changes or finding.confirm:
        word = "change   " if changes else "to decide"
        out.print(Text(f"    {word}  {'   or   '.join(changes) or finding.confirm}"))


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


def csv_cell(text: str) -> str:
    """A text that a spreadsheet would take for a formula gets a ' in front; a number does not."""
    return f"'{visible(text)}" if text.startswith(FORMULA) and not _is_number(text) else visible(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isprintable()


def markdown_cell(text: str) -> str:
    return MARKUP.sub(r"\\\g<0>", visible(text))
