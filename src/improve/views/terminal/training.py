"""Training as a person watches it: on a terminal a table and a curve that grow, and a bar; plain lines elsewhere."""

from __future__ import annotations

import time
from pathlib import Path
from shlex import quote
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from improve.engine.data.prepare import PreparedData
from improve.engine.training.watcher import Announcement, Watcher
from improve.runs.run import Run, read_metrics
from improve.spec.spec import Spec
from improve.views.terminal.console import console
from improve.views.terminal.live_curve import LiveCurve
from improve.views.text.numbers import duration, interval, percent, rate

REFRESH = 0.25  # seconds between redraws of the bar


class TimeLeft(ProgressColumn):
    """Rich's own estimate, in words."""

    def render(self, task: Task) -> Text:
        return Text(f"{duration(task.time_remaining)} left" if task.time_remaining else "")


class TerminalWatcher(Watcher):
    """Writes to standard error; `train` tells it what happens."""

    def __init__(self, quiet: bool = False):
        self.out: Console = console(stderr=True)
        self.quiet = quiet
        self.bar: Progress | None = None
        self.live: Live | None = None
        self.curve = LiveCurve(None)
        self.drawn = 0.0

    def reading(self, done: int, total: int) -> None:
        """Images are being decoded into the cache."""
        if self.bar is None and self.out.is_terminal and not self.quiet:
            self.show_bar(total, TimeLeft())
        if self.bar is not None:
            self.update_bar(done, f"reading images {done:,}/{total:,}")

    def preparing(self) -> None:
        if self.out.is_terminal and not self.quiet:
            self.close()
            self.show_bar(1)
            self.update_bar(0, "building the network and looking into it, before the first step")

    def show_bar(self, total: int, *more: ProgressColumn) -> None:
        """Below the curve, and both below what is printed from now on."""
        columns = BarColumn(bar_width=32), TextColumn("{task.description}"), *more
        self.bar = Progress(*columns, console=self.out, auto_refresh=False)
        self.task = self.bar.add_task("", total=total)
        self.live = Live(Group(self.curve, self.bar), console=self.out, auto_refresh=False, transient=True)
        self.live.start(refresh=True)

    def update_bar(self, done: int, words: str) -> None:
        if self.bar is not None and self.live is not None:
            self.bar.update(self.task, completed=done, description=words)
            self.live.refresh()

    def started(self, folder: Path, spec: Spec, data: PreparedData, announcement: Announcement) -> None:
        self.close()
        if self.quiet:
            return
        self.epochs, self.steps = spec.training.epochs, announcement.steps_per_epoch
        self.out.print(Text(heading(folder, spec, data, announcement)))
        if spec.model.code:
            self.out.print(Text(f"note: this runs your own code, {spec.model.code}"))
        for pair, count in data.duplicates.items():
            self.out.print(Text(f"note: {count:,} images of {pair.replace(' in ', ' are also in ')}, pixel for pixel"))
        for note in announcement.notes:
            self.out.print(Text(f"note: {note}"))
        for warning in announcement.warnings:
            self.out.print(Text(f"warning: {warning}"))
        if data.skipped:
            self.out.print(Text(f"note: {len(data.skipped):,} files are no good images and were skipped"))
        self.out.print()
        train_dev = "train-dev   " if "train_dev" in data.parts else ""
        self.out.print(Text(f"epoch    loss    train   {train_dev}validation               rate      time", "bold"))
        if self.out.is_terminal:
            self.curve = LiveCurve(spec.diagnosis.human_error, read_metrics(folder / "metrics.csv"))
            self.show_bar(self.epochs * self.steps, TimeLeft(), TextColumn("Ctrl+C stops"))

    def step(self, epoch: int, step: int) -> None:
        now = time.monotonic()
        if self.bar is None or (now - self.drawn < REFRESH and step < self.steps):
            return
        self.drawn = now
        doing = f"step {step}/{self.steps}" if step < self.steps else "measuring"
        self.update_bar((epoch - 1) * self.steps + step, f"{epoch}/{self.epochs}  {doing}")

    def epoch(self, row: dict[str, Any], best: int) -> None:
        if not self.quiet:
            self.curve.rows.append(row)
            self.out.print(Text(epoch_line(row, best)))

    def warn(self, message: str) -> None:
        self.out.print(Text(f"warning: {message}"))

    def stopping(self) -> None:
        if not self.quiet:
            self.out.print(Text("stopping: what is in hand is finished and saved; Ctrl+C once more stops at once"))

    def trained(self, number: int, total: int, run: Run) -> None:
        self.close()
        if not self.quiet:
            self.out.print(Text(f"member {number}/{total}  {run.name}: {closing_line(run)}"))
            self.out.print()

    def close(self) -> None:
        """Take the bar away, and leave the curve as it is now; safe to call twice."""
        if self.live is not None:
            self.live.stop()
            self.out.print(self.curve, end="")
        self.bar = self.live = None


def heading(folder: Path, spec: Spec, data: PreparedData, announcement: Announcement) -> str:
    counts = " / ".join(
        f"{len(data.parts[part]):,}" for part in ("train", "train_dev", "validation", "test") if part in data.parts
    )
    source = spec.data.source.label + (f" subset {spec.data.subset:,}" if spec.data.subset else "")
    if spec.data.target and spec.data.target.source:
        source += f" → {spec.data.target.source.label}"
    model = f"{spec.model.name} {announcement.parameters:,} parameters"
    return f"{folder.name} → {folder}     {source} · {counts} · {model} · {announcement.device}"


def epoch_line(row: dict[str, Any], best: int) -> str:
    """One epoch. The bar is the validation error: eight blocks are 100 %."""
    train_dev = f"{percent(row['train_dev_error']):>9}   " if "train_dev_error" in row else ""
    error = row["validation_error"]
    time_taken = duration(row["seconds"])
    mark = f"   best {best}" if best != row["epoch"] else ""
    return (
        f"{row['epoch']:>5}  {row['loss']:>6.3f}  {percent(row['train_error']):>7}   {train_dev}"
        f"{percent(error):>10}  {blocks(error):<8}  {rate(row['learning_rate']):>9}  {time_taken:>8}{mark}"
    )


def blocks(share: float) -> str:
    eighths = round(share * 64)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def show_trained(run: Run) -> None:
    """The closing lines: what was reached, where the picture is, what to type next."""
    out, summary = console(), run.summary
    out.print(Text(closing_line(run)))
    if summary.best_epoch:
        out.print(Text(f"curves  {run.folder / 'curves.png'}"))
    if run.status in ("stopped", "diverged"):
        out.print(Text(f"go on   {resume_command(run)}"))
    if summary.best_epoch or run.status == "diverged":
        out.print(Text(f"next    improve diagnose {quote(str(run.folder))}"))


def resume_command(run: Run) -> str:
    """What to type to go on: as it was, or with a lower rate."""
    lower = f"optimizer.learning_rate={run.spec['optimizer']['learning_rate'] / 10:g}"
    command = f"improve resume {quote(str(run.folder))}"
    if run.spec["training"]["members"] > 1:
        return command
    return f"{command} {lower}" if run.status == "diverged" else f"{command}     or changed: {command} {lower}"


def closing_line(run: Run) -> str:
    """How it ended, and the error at its best epoch."""
    if run.spec["training"]["members"] > 1:
        return f"{run.status} after {run.summary.done} of {run.spec['training']['members']} members"
    best = run.summary.best_epoch
    if not best:
        return how_it_ended(run)
    part = run.validation
    reached = f"{percent(part.error)} {interval(part.low, part.high)} (n={part.n:,})"
    cost = f" · cost {percent(part.cost)} {interval(*part.cost_interval)}" if part.cost is not None else ""
    return f"{how_it_ended(run)} · best epoch {best}: validation error {reached}{cost}"


def how_it_ended(run: Run) -> str:
    """How a run ended (by itself, early, by a signal, or by a loss that is no number), and after how many epochs."""
    epochs, best = run.summary.epochs, run.summary.best_epoch
    if run.status == "diverged":
        return f"the loss became NaN or infinite in epoch {epochs + 1}: stopped, what was reached is kept"
    if run.status == "finished" and epochs < run.spec["training"]["epochs"]:
        return f"stopped early after epoch {epochs} (no better for {epochs - (best or 0)})"
    if run.status == "stopped" and (within := run.summary.within) and within[0]:
        return f"stopped in epoch {epochs + 1}, after step {within[0]:,} of {within[1]:,}"
    return f"{run.status} after epoch {epochs}" if run.status in ("finished", "stopped") else run.status
