"""The words of a step of `improve auto`: what it changed, and what came of it."""

from __future__ import annotations

from typing import Any

from improve.errors import printable
from improve.experiments.auto.conclusion import Conclusion
from improve.experiments.auto.journal import FAILED, KEPT, AutoStep, Journal
from improve.runs.schema import Measured
from improve.spec.reading.yaml import inline
from improve.views.text.numbers import interval, percent

SIGNS = {KEPT: "✓", FAILED: "!", "": "…"}


def change_text(step: AutoStep) -> str:
    """The change in words."""
    if step.parent is None:
        return "the start"
    edits = ", ".join(f"{path}: {inline(value)}" for path, value in step.edits)
    return printable(f"{step.code} {edits}".strip(), 200)


def step_line(journal: Journal, step: AutoStep) -> str:
    """One step: its sign, run, change, error, what it won with interval, and on how many seeds that rests."""
    run = journal.load(step.run) if (journal.folder / step.run / "summary.json").is_file() else None
    part = run.summary.validation if run else None
    reached = f"{percent(part.error)} {interval(part.low, part.high)}" if part else ""
    words = (f"{SIGNS.get(step.verdict, '✗')} {step.run}", change_text(step), reached, gain_text(step))
    return "   ".join(word for word in words if word)


def gain_text(step: AutoStep) -> str:
    """What the step won, in points of error with its interval, or why that cannot be told."""
    if step.verdict == FAILED:
        return printable(f"failed: {step.why}", 100)
    if step.recovered is None or step.low is None or step.high is None:
        return step.why
    seeds = f", {step.seeds} seeds" if step.seeds > 1 else ""
    return f"{-100 * step.recovered:+.1f} {interval(-step.high, -step.low)} (P(better) {step.better:.3f}{seeds})"


def error_text(part: Measured) -> str:
    """The error of a part of `summary.json`, with interval and n."""
    return f"{percent(part.error)} {interval(part.low, part.high)} (n={part.n:,})"


def ending_json(journal: Journal, end: Conclusion) -> dict[str, Any]:
    """What `improve auto --json` prints: folder, ending and every step."""
    steps = [{**vars(step), "edits": dict(step.edits)} for step in journal.steps]
    return {"folder": str(journal.folder), **end.as_json(), "steps": steps}
