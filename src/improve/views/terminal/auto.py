"""`improve auto` on the terminal: a tree that grows with every run that is decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from improve.engine.data.prepare import PreparedData
from improve.engine.training.watcher import Announcement
from improve.errors import printable
from improve.experiments.auto.budget import Budget
from improve.experiments.auto.conclusion import Conclusion
from improve.experiments.auto.journal import KEPT, AutoStep, Journal
from improve.experiments.auto.loop import AutoWatcher
from improve.spec.reading.yaml import inline
from improve.spec.spec import Spec
from improve.views.terminal.console import console
from improve.views.text.auto import change_text, error_text, step_line
from improve.views.text.numbers import luck, percent


class TerminalAutoWatcher(AutoWatcher):
    """On a terminal the tree, redrawn; elsewhere one line for each step that is decided."""

    def __init__(self, quiet: bool = False):
        self.out, self.quiet = console(stderr=True), quiet
        self.journal: Journal | None = None
        self.live: Live | None = None
        self.doing = ""

    def reading(self, done: int, total: int) -> None:
        pass

    def started(self, folder: Path, spec: Spec, data: PreparedData, announcement: Announcement) -> None:
        self.say(f"{folder.name}: training")

    def epoch(self, row: dict[str, Any], best: int) -> None:
        self.say(f"epoch {row['epoch']}: validation error {percent(row['validation_error'])}")

    def begun(self, journal: Journal, step: AutoStep) -> None:
        self.journal = journal
        if self.out.is_terminal and not self.quiet and self.live is None:
            self.live = Live(console=self.out, refresh_per_second=4, transient=True)
            self.live.start()
        self.say(f"{step.run}: {change_text(step)}")

    def decided(self, journal: Journal, step: AutoStep) -> None:
        if not self.quiet and self.live is None:
            self.out.print(Text(step_line(journal, step)))
        self.say("")

    def say(self, doing: str) -> None:
        self.doing = doing
        if self.live is not None and self.journal is not None:
            self.live.update(Group(tree(self.journal), Text(self.doing, "dim")))

    def close(self) -> None:
        """Safe to call twice."""
        if self.live is not None:
            self.live.stop()
            self.live = None


def tree(journal: Journal) -> Tree:
    """Each run under the one that it changes."""
    nodes: dict[str, Tree] = {}
    root = Tree(Text(printable(journal.folder.name)))
    for step in journal.steps:
        above = nodes.get(step.parent or "", root)
        nodes[step.run] = above.add(Text(step_line(journal, step), "bold" if step.verdict == KEPT else ""))
    return root


def show_ending(journal: Journal, end: Conclusion, budget: Budget) -> None:
    """Print the tree of a walk, what was spent, and how good its best run is."""
    out, best = console(), end.best
    out.print(tree(journal))
    part, test = best.validation, end.test
    spent = f"{end.epochs} epochs" + (f" of {budget.epochs}" if budget.epochs else "")
    runs = len(list(journal.runs()))
    out.print(Text(f"spent    {spent} on {runs} runs; {end.came_true} of {end.tried} changes were kept"))
    too_good = f"; the best of so many looks about {luck(end.optimism)}" if luck(end.optimism) else ""
    out.print(Text(f"best     {best.name}: validation error {error_text(part)}{too_good}"))
    if end.doubt:
        out.print(Text(f"         {end.doubt}"))
    if test:
        out.print(Text(f"test     {error_text(test)}, opened once, for this run"))
    for finding, change in end.left[:3]:
        told = f"{finding.code} {finding.title}: {change.path}: {inline(change.value)}"
        out.print(Text(f"for you  {printable(told, 200)}; it changes the images that judge the runs"))
    out.print(Text(f"spec     {journal.folder / 'best.yaml'}"))
