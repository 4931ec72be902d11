"""Rich's console as every view uses it, and an error as a person reads it. Results go to standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from improve.errors import ImproveError, SpecError, printable, visible

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


def show_names(entries: dict[str, str]) -> None:
    """Print one line per entry: its name and what it means."""
    out, width = console(), max(map(len, entries), default=0)
    for name, meaning in entries.items():
        out.print(Text.assemble((f"{name:<{width}}", "bold"), f"   {meaning}"))
