"""A sweep as a person watches it and reads it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from improve.diagnosis.comparison.compare import Comparison, Row
from improve.errors import ImproveError, printable
from improve.experiments.sweep.result import BEST, SweepVerdict, spread_text
from improve.experiments.sweep.trials import SweepWatcher
from improve.figure import COLORS
from improve.runs.run import Run
from improve.views.figures.sweep import short_value
from improve.views.terminal.comparison import show_finding, show_recipes
from improve.views.terminal.console import console
from improve.views.text.comparison import columns, footnote, row_cells
from improve.views.text.numbers import duration, luck, percent

REFRESH = 0.25  # seconds between redraws
LEADERS = 8  # shown while it goes on
ROWS = 20  # of the table at the end
SHOWN = ("C1", "C2")  # of the findings; luck and edges have lines of their own


class TerminalSweepWatcher(SweepWatcher):
    """On a terminal the best so far and the run in hand; elsewhere one plain line per run. On standard error."""

    def __init__(self, quiet: bool = False):
        self.out, self.quiet = console(stderr=True), quiet
        self.live: Live | None = None
        self.ranked: list[tuple[float, str]] = []
        self.begin, self.ended = 0.0, 0  # when the first one began, and how many are done since
        self.bar = Progress(BarColumn(bar_width=32), TextColumn("{task.description}"), auto_refresh=False)
        self.task = self.bar.add_task("", total=None)
        self.drawn, self.done, self.doing = 0.0, 0, ""

    def reading(self, done: int, total: int) -> None:
        self.draw(f"reading images {done:,}/{total:,}")

    def begun(self, name: str) -> None:
        self.begin = self.begin or time.monotonic()
        self.draw(name)

    def trial_epoch(self, name: str, row: dict[str, Any]) -> None:
        self.draw(f"{name}   epoch {row['epoch']}: {percent(row['validation_error'])}")

    def member(self, done: int, total: int, name: str, outcome: Run | ImproveError) -> None:
        self.ended += bool(self.begin)
        self.done = done
        self.bar.update(self.task, total=total, completed=done)
        part = None if isinstance(outcome, ImproveError) else outcome.summary.validation
        if part and isinstance(outcome, Run) and outcome.status == "finished":
            self.ranked = sorted([*self.ranked, (part.error, name)])
        self.say(done, total, name, ended(outcome), self.left(total - done))

    def left(self, missing: int) -> str:
        """Several may be trained side by side: the time between two that are done is what counts."""
        if not self.ended or not missing:
            return ""
        return f"about {duration(missing * (time.monotonic() - self.begin) / self.ended)} left"

    def say(self, done: int, total: int, name: str, what: str, left: str) -> None:
        if self.quiet:
            return
        if self.out.is_terminal:
            self.doing = f"{done}/{total}   {left}"
            self.draw("", at_once=True)
        else:
            best = f"   best {percent(self.ranked[0][0])}" if self.ranked else ""
            self.out.print(Text(f"{done:>4}/{total}  {name}   {what}{best}   {left}".rstrip()))

    def draw(self, words: str, at_once: bool = False) -> None:
        """The table and the bar anew, not too often."""
        if self.quiet or not self.out.is_terminal or (not at_once and time.monotonic() - self.drawn < REFRESH):
            return
        if self.live is None:
            self.live = Live(console=self.out, auto_refresh=False, transient=True)
            self.live.start()
        self.drawn = time.monotonic()
        self.bar.update(self.task, description=f"{self.doing}   {printable(words, 100)}")
        self.live.update(Group(self.leaders(), self.bar, Text("Ctrl+C stops; the same command goes on")), refresh=True)

    def leaders(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name in ("the best so far", "validation error"):
            table.add_column(Text(name, "bold"), no_wrap=True)
        for place, (error, name) in enumerate(self.ranked[:LEADERS]):
            table.add_row(*(Text(cell, "" if place else COLORS["validation"]) for cell in (name, percent(error))))
        return table

    def close(self) -> None:
        """Safe to call twice."""
        if self.live is not None:
            self.live.stop()
        self.live = None


def ended(made: Run | ImproveError) -> str:
    """How it went, in few words."""
    if isinstance(made, ImproveError):
        return f"failed: {printable(made.what)}"
    part, reason = made.summary.validation, made.stop_reason
    if made.status == "diverged" or not part:
        return made.status
    error = f"validation error {percent(part.error)}"
    return f"stopped, {reason} ({error})" if reason else error


def show_sweep(verdict: SweepVerdict, comparison: Comparison, folder: Path, picture: Path) -> None:
    """The table of the runs, the winner with its interval, what chance may have done, where to look next."""
    out = console()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in columns(comparison, test=False):
        table.add_column(Text(printable(name)), no_wrap=True)
    points = {made.name: one.values for one in verdict.results for made in one.runs}
    for row in comparison.rows[:ROWS]:
        full = with_values(row, verdict.plan.keys, points[row.name])
        table.add_row(*(Text(printable(cell)) for cell in row_cells(full, comparison, test=False)))
    out.print(table, soft_wrap=True)
    if len(comparison.rows) > ROWS:
        out.print(Text(f"and {len(comparison.rows) - ROWS:,} more: improve compare {folder}/*"))
    show_recipes(comparison.recipes[:ROWS], out)
    out.print(Text(printable(footnote(comparison), 2000)))
    for finding in comparison.findings:
        if finding.code in SHOWN:
            show_finding(finding, out)
    for line in sentences(verdict):
        out.print(Text(printable(line, 600)))
    out.print(Text(f"picture {picture}"))
    out.print(Text(f"next    improve diagnose {verdict.best.runs[0].folder}   or   improve train {folder / BEST}"))


def with_values(row: Row, keys: Sequence[str], values: Sequence[Any]) -> Row:
    """The row with what was tried, also where that is a part's default."""
    known = {key: short_value(value) for key, value in zip(keys, values, strict=True) if key in row.settings}
    return replace(row, settings={**row.settings, **known})


def sentences(verdict: SweepVerdict) -> list[str]:
    """What was found, one line for each thing."""
    plan, best = verdict.plan, verdict.best
    counts = ", ".join(f"{count} {status}" for status, count in verdict.counts.items() if count)
    lines = ["", f"{len(verdict.results)} points by {plan.search}: {counts}"]
    lines += [f"failed  {one.trial.name}: {one.cause}" for one in verdict.results if one.status == "failed"]
    lines.append(f"best    {plan.told(best.values)}: validation error {spread_text(verdict.validation)}")
    if too_good := luck(verdict.optimism):
        among = f"the best of {verdict.tried}, {verdict.equals} of them within chance"
        lines.append(f"luck    {among}: expect it to look about {too_good}")
    if verdict.test:
        lines.append(f"test    {spread_text(verdict.test)}, opened once, for this one: it has chosen nothing")
    return lines + hints(verdict)


def hints(verdict: SweepVerdict) -> list[str]:
    """Which setting mattered, and where the space was too small."""
    lines = [f"warning {edge.sentence}" for edge in verdict.edges]
    if verdict.importance is None and len(verdict.plan.knobs) > 1:
        lines.insert(0, "matters it cannot be told which setting mattered: too few trials, or too much chance in them")
    elif verdict.importance:
        told = ", ".join(f"{key} {100 * share:.0f} %" for key, share in verdict.importance.shares.items())
        foretold = f"a forest foretells {100 * verdict.importance.foretold:.0f} % of the errors' variance"
        lines.insert(0, f"matters {told} ({foretold})")
    return lines
