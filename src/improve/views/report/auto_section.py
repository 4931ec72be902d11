"""A walk of `improve auto` → what the template shows: words, figures, the tree of its runs, its last spec."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from improve.experiments.auto.conclusion import doubt_sentence, optimism
from improve.experiments.auto.journal import DROPPED, FAILED, KEPT, AutoStep
from improve.experiments.auto.proposals import advice_for_people
from improve.runs.run import Run
from improve.runs.schema import Measured
from improve.runs.test_part import open_test
from improve.spec.reading import yaml
from improve.statistics.intervals import Rate
from improve.views.figures.auto import Bar, Point, error_path, start_and_best
from improve.views.figures.svg import svg_element
from improve.views.report.auto import (
    AutoView,
    advice_by_finding,
    difference_from_start,
    epochs_spent,
    step_tree,
    untried_proposals,
)
from improve.views.text.auto import gain_text
from improve.views.text.comparison import difference_text
from improve.views.text.numbers import duration, interval, luck, percent

SIGNS = {KEPT: "✓ kept", DROPPED: "✗ not kept", FAILED: "! failed", "": "… in hand"}
CLASSES = {KEPT: "kept", FAILED: "failed"}
DEEPEST = 8  # steps to the right: a phone has no room for more
OPEN = 8  # proposals that are told
LOST = 20  # runs that are named


def auto_section(view: AutoView, test: bool) -> dict[str, Any]:
    """What the template shows. `test`: the test error of the best may be told, though it was not opened before."""
    opened = view.opened or int(test)
    return {
        "verdict": verdict(view),
        "facts": list(facts(view)),
        "notes": list(notes(view)),
        "path": path_svg(view),
        "ends": ends_svg(view, opened > 0),
        "change": change(view),
        "opened": opened,
        "steps": [shown(place.step, place.depth, view) for place in step_tree(view.journal)],
        "advice": advice_by_finding(view),
        "spec": final_spec(view),
        "diff": diff(view),
        "open": open_proposals(view),
        "people": people(view),
    }


def verdict(view: AutoView) -> str:
    """The walk in one sentence."""
    changes = f"{view.kept} of {len(view.tried)} changes {'was' if view.kept == 1 else 'were'} kept"
    first, last = measured(view.start), measured(view.best)
    if last is None:
        return "no run that can be read has a result"
    if view.best is view.start:
        return f"validation error {error(last)} from the start to the end; {changes}"
    begun = f"{error(first)} at the start, " if first else ""
    return f"validation error {begun}{error(last)} at the end; {changes}"


def measured(run: Run | None) -> Measured | None:
    return run.summary.validation if run else None


def error(part: Measured) -> str:
    return f"{percent(part.error)} {interval(part.low, part.high)}"


def rate(part: Measured) -> Rate:
    return Rate(part.error, part.n)


def facts(view: AutoView) -> Iterator[tuple[str, str]]:
    yield "spent", f"{view.epochs:,} epochs on {len(view.runs)} run{'' if len(view.runs) == 1 else 's'}"
    yield "time of the epochs", duration(view.seconds)
    yield "changes tried", str(len(view.tried))
    if view.best:
        yield "best run", view.best.name
        if view.journal.winner and (unsure := doubt_sentence(view.journal.winner)):
            yield "how sure", unsure
        if too_good := luck(optimism(view.journal)):
            yield "luck", f"the best of so many looks about {too_good}"


def notes(view: AutoView) -> Iterator[str]:
    """What is missing."""
    begun = [step.run for step in view.journal.open]
    if begun:
        yield f"Not at its end, not decided yet: {', '.join(begun)}. The same command goes on from here."
    if view.lost:
        yield f"Not there, or damaged: {', '.join(view.lost[:LOST])}{' …' if len(view.lost) > LOST else ''}"


def path_svg(view: AutoView) -> str:
    """Errors against epochs, of the runs that the steps are about."""
    spent = epochs_spent(view)
    points = [
        Point(step.run, spent[step.run], rate(part), step.verdict == KEPT)
        for step in view.journal.steps
        if (part := measured(view.runs.get(step.run)))
    ]
    if not points:
        return ""
    points.sort(key=lambda point: point.spent)
    says = "; ".join(point_text(point) for point in points)
    return svg_element(error_path(points, view.epochs), "story-path", f"Validation error by epochs spent: {says}")


def point_text(point: Point) -> str:
    return f"{point.name} {percent(point.rate.value)} after {point.spent}, {'' if point.kept else 'not '}kept"


def ends_svg(view: AutoView, opened: bool) -> str:
    """The start against the best; the test error where it was opened."""
    both = {"start, validation": measured(view.start), "best, validation": measured(view.best)}
    if view.best is view.start:
        del both["start, validation"]
    if opened and view.best and view.best.has_test:
        both["best, test"] = open_test(view.best, again=True)
    bars = [Bar(name, rate(part)) for name, part in both.items() if part]
    says = "; ".join(f"{bar.name} {percent(bar.rate.value)}" for bar in bars)
    return (
        svg_element(start_and_best(bars), "story-ends", f"Errors of the start and of the best: {says}") if bars else ""
    )


def change(view: AutoView) -> str:
    """The best against the start."""
    seen = difference_from_start(view)
    return f"On the same {seen.n:,} images the best is {difference_text(seen)}" if seen else ""


def shown(step: AutoStep, depth: int, view: AutoView) -> dict[str, Any]:
    """A line of the tree."""
    part = measured(view.runs.get(step.run))
    return {
        "run": step.run,
        "depth": min(depth, DEEPEST),
        "sign": SIGNS.get(step.verdict, step.verdict),
        "kind": CLASSES.get(step.verdict, "open" if not step.verdict else "dropped"),
        "edits": edits_of(step.edits),
        "why": why(step),
        "error": error(part) if part else "",
        "won": gain_text(step) if step.verdict else "",
        "spent": step.spent,
        "expected": f"{100 * step.expected:.1f}" if step.code and step.expected else "",
        "parent": step.parent,
    }


def why(step: AutoStep) -> str:
    """The finding, and what the change was to do about it."""
    return ": ".join(word for word in (f"{step.code} {step.title}".strip(), step.because) if word)


def edits_of(edits: tuple[tuple[str, Any], ...]) -> str:
    return ", ".join(f"{path}: {yaml.inline(value)}" for path, value in edits)


def final_spec(view: AutoView) -> dict[str, Any]:
    """best.yaml with its receipt, line by line; before the end of the walk, the spec of the best so far."""
    if view.best is None:
        return {}
    file = view.journal.folder / "best.yaml"
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        file, text = view.best.folder / "spec.yaml", yaml.write(view.best.spec)
    return {"file": str(file), "lines": text.splitlines()}


def diff(view: AutoView) -> list[str] | None:
    """What the best has become, against what was begun with; None where that cannot be read."""
    if view.best is None:
        return None
    try:
        before = (view.journal.folder / "start.yaml").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    after = yaml.write(view.best.spec).splitlines()
    lines = list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]
    return ["⋯" if line.startswith("@@") else line for line in lines]


def open_proposals(view: AutoView) -> list[dict[str, Any]]:
    """What a bigger budget would try next."""
    return [
        {
            "finding": f"{one.code} {one.title}",
            "edits": edits_of(one.edits),
            "because": one.because,
            "epochs": one.epochs,
            "expected": f"{100 * one.expected:.1f}",
            "chance": f"{100 * one.chance:.0f} %",
        }
        for one in untried_proposals(view)[:OPEN]
    ]


def people(view: AutoView) -> list[dict[str, Any]]:
    """Advice that changes what the runs are judged by."""
    if view.diagnosis is None:
        return []
    return [
        {"finding": f"{finding.code} {finding.title}", "edits": edits_of(one.edits), "because": one.because}
        for finding, one in advice_for_people(view.diagnosis)
    ]
