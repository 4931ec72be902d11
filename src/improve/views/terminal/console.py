"""Values → terminal. With cli.py, the only place that knows Rich. Results go to standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from shlex import quote

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from improve.errors import ImproveError, SpecError, printable, visible
from improve.runs.run import Run

UNBOUNDED = 4000  # columns
MOST_MISTAKES = 20  # shown


class Terminal(Console):
    """Rich's console; it gives every text as one line, without any control character but Rich's own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        if isinstance(renderable, str):
            renderable = visible(renderable)
        elif isinstance(renderable, Text) and not renderable.plain.isprintable():
            renderable = renderable.copy()
            renderable.plain = visible(renderable.plain)
        return super().render(renderable, options)


def console(stderr: bool = False) -> Console:
    """A pipe or file is as wide as its lines, so that nothing is cut."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else UNBOUNDED
    return Terminal(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True, width=width)


def percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def interval(low: float, high: float) -> str:
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k" if count >= 1e4 else f"{count:,}"


def rate(value: float) -> str:
    return f"{value:.3g}" if value < 1e-3 else f"{value:.4f}"


def show_error(error: ImproveError) -> None:
    out = console(stderr=True)
    if isinstance(error, SpecError):
        show_problems(error)
        return
    where = f"{printable(error.where, 400)}   " if error.where else ""
    first, *others = error.what.splitlines() or [""]
    out.print(Text.assemble((where, "bold"), printable(first, 600)))
    for line in others:  # set in, so that a name with a line break in it cannot begin one
        out.print(Text(f"    {printable(line.strip(), 600)}"))
    if error.fix:
        out.print(Text(f"    {printable(error.fix, 600)}", "dim"))


def show_problems(error: SpecError) -> None:
    """Every mistake: place, what, the source line, a caret, the remedy."""
    out = console(stderr=True)
    for problem in error.problems[:MOST_MISTAKES]:
        out.print(Text.assemble((problem.where, "bold"), f"   {problem.what}"))
        if problem.text:
            out.print(Text.assemble((f"{problem.line:>5} | ", "dim"), problem.text.rstrip()))
            out.print(Text.assemble(" " * (7 + problem.column), ("^" * problem.length, "red"), f"   {problem.fix}"))
        elif problem.fix:
            out.print(Text(f"      {problem.fix}"))
    count = len(error.problems)
    shown = f", the first {MOST_MISTAKES} of which are shown" if count > MOST_MISTAKES else ""
    out.print(f"{count:,} mistake{'s' if count > 1 else ''}{shown}; nothing was started.")


def show_trained(run: Run) -> None:
    """The closing lines: what was reached, where the picture is, what to type next."""
    out, summary = console(), run.summary
    out.print(Text(closing(run)))
    if summary.get("best_epoch"):
        out.print(Text(f"curves  {run.folder / 'curves.png'}"))
    if run.status in ("stopped", "diverged"):
        out.print(Text(f"go on   {going_on(run)}"))
    if summary.get("best_epoch") or run.status == "diverged":
        out.print(Text(f"next    improve diagnose {quote(str(run.folder))}"))


def going_on(run: Run) -> str:
    """What to type to go on: as it was, or with a lower rate."""
    lower = f"optimizer.learning_rate={run.spec['optimizer']['learning_rate'] / 10:g}"
    command = f"improve resume {quote(str(run.folder))}"
    if run.spec["training"]["members"] > 1:
        return command
    return f"{command} {lower}" if run.status == "diverged" else f"{command}     or changed: {command} {lower}"


def closing(run: Run) -> str:
    epochs, best = run.summary.epochs, run.summary.best_epoch
    if run.spec["training"]["members"] > 1:
        return f"{run.status} after {run.summary.get('done', 0)} of {run.spec['training']['members']} members"
    planned = run.spec["training"]["epochs"]
    early = run.status == "finished" and epochs < planned
    how = {
        "finished": f"stopped early after epoch {epochs} (no better for {epochs - (best or 0)})" if early
        else f"finished after epoch {epochs}",
        "diverged": f"the loss became NaN or infinite in epoch {epochs + 1}: stopped, what was reached is kept",
        "stopped": f"stopped after epoch {epochs}",
    }.get(run.status, run.status)  # fmt: skip
    if not best:
        return how
    part = run.summary.validation
    reached = f"{percent(part['error'])} {interval(part['low'], part['high'])} (n={part['n']:,})"
    cost = f" · cost {percent(part['cost'])} {interval(part['cost_low'], part['cost_high'])}" if "cost" in part else ""
    return f"{how} · best epoch {best}: validation error {reached}{cost}"


def show_names(entries: dict[str, str]) -> None:
    out, width = console(), max(map(len, entries), default=0)
    for name, meaning in entries.items():
        out.print(Text.assemble((f"{name:<{width}}", "bold"), f"   {meaning}"))
