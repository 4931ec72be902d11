"""An ensemble beside its members on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from improve.diagnosis.comparison.ensembles import Report, Standing
from improve.runs.ensemble import Score
from improve.statistics.paired import Paired
from improve.views.terminal.console import console
from improve.views.text.numbers import interval, luck, percent

WORDS = {"validation": "validation error", "test": "test error"}


def show_ensemble(report: Report) -> None:
    """A table for each part, the ensemble against the best member, and what that does not mean."""
    out, made = console(), report.run
    out.print(Text(f"{made.name} → {made.folder}     the mean of {answering(report)} members' probabilities", "bold"))
    for name, standing in report.parts.items():
        out.print()
        show_standing(report, name, standing, out)
    out.print()
    for line in notes(report):
        out.print(Text(f"note    {line}"))
    out.print(Text(f"next    improve diagnose {quote(str(made.folder))}"))


def answering(report: Report) -> int:
    return sum(weight > 0 for weight in report.weights)


def show_standing(report: Report, part: str, standing: Standing, out: Console) -> None:
    table = Table(box=None, padding=(0, 3, 0, 0))
    for name in ("", WORDS[part], "95 %", "cross-entropy", *(["weight"] if report.selected else [])):
        table.add_column(Text(name), justify="left" if name in ("", "95 %") else "right", no_wrap=True)
    for cells in rows(report, standing):
        table.add_row(*(Text(cell) for cell in cells))
    out.print(table)
    out.print(Text(f"against {report.names[report.best]}: {verdict(standing.against)}   (n={standing.ensemble.n:,})"))


def rows(report: Report, standing: Standing) -> Iterator[list[str]]:
    """Every member, the best one named, then the mean and the ensemble."""
    for place, (name, weight, one) in enumerate(zip(report.names, report.weights, standing.members, strict=True)):
        best = " (best on validation)" if place == report.best else ""
        yield [name + best, *cells(one), *([f"{weight:.2f}"] if report.selected else [])]
    more = [""] if report.selected else []
    yield ["mean member", *cells(standing.mean), *more]
    yield ["ensemble", *cells(standing.ensemble), *more]


def cells(found: Score) -> list[str]:
    return [percent(found.error), interval(found.low, found.high), f"{found.cross_entropy:.3f}"]


def verdict(seen: Paired) -> str:
    """The difference in words: in points, by McNemar's test on the same images."""
    if not seen.disagreement:
        return "the same images are wrong"
    told = f"{100 * seen.value:+.1f} {interval(seen.low, seen.high)}, p = {seen.p:.3f}"
    if seen.told_apart:
        return f"{'better' if seen.value < 0 else 'worse'}, {told}"
    return f"not distinguishable, {told}; {100 * seen.detectable:.1f} points needed at this n"


def notes(report: Report) -> Iterator[str]:
    yield (
        "by Jensen's inequality the ensemble's cross-entropy is at most its members' mean; nothing is promised of its "
        "error, nor that it beats the best member"
    )
    if too_good := luck(report.optimism):
        chosen = f"the best member was chosen on these validation images among {len(report.names)}"
        yield f"{chosen}: expect it to look {too_good} there"
    if report.selected:
        yield (
            f"{answering(report)} of {len(report.names)} members answer, selected by their validation cross-entropy: "
            "the ensemble's validation error was chosen as well; the test part took no part in it"
        )
