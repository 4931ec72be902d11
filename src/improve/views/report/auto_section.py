"""Story → what the template shows of it: words, figures, the tree of its runs, the spec that it ended with."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from improve.experiments.auto.conclusion import doubt, optimism
from improve.experiments.auto.journal import DROPPED, FAILED, KEPT, AutoStep
from improve.experiments.auto.proposals import advice_for_people
from improve.runs.run import Run
from improve.spec.reading import yaml as yamlfile
from improve.statistics.intervals import Rate
from improve.views.figures import auto as plot_story
from improve.views.figures.auto import Bar, Point
from improve.views.figures.svg import inline
from improve.views.report.auto import Told, advice, against_the_start, spending, still_open, tree
from improve.views.terminal.auto import won
from improve.views.terminal.comparison import against
from improve.views.terminal.console import duration, interval, percent

SIGNS = {KEPT: "✓ kept", DROPPED: "✗ not kept", FAILED: "! failed", "": "… in hand"}
CLASSES = {KEPT: "kept", FAILED: "failed"}
DEEPEST = 8  # steps to the right: a phone has no room for more
OPEN = 8  # proposals that are told
LOST = 20  # runs that are named


def chapters(told: Told, test: bool) -> dict[str, Any]:
    """What the template shows. `test`: the test error of the best may be told, though it was not opened before."""
    opened = told.opened or int(test)
    return {
        "verdict": verdict(told), "facts": list(facts(told)), "notes": list(notes(told)), "path": path(told),
        "ends": ends(told, opened > 0), "change": change(told), "opened": opened,
        "steps": [shown(place.step, place.depth, told) for place in tree(told.story)],
        "advice": advice(told), "spec": final_spec(told),
        "diff": diff(told), "open": open_proposals(told), "people": people(told),
    }  # fmt: skip


def verdict(told: Told) -> str:
    """The story in one sentence."""
    changes = f"{told.kept} of {len(told.tried)} changes {'was' if told.kept == 1 else 'were'} kept"
    first, last = measured(told.start), measured(told.best)
    if last is None:
        return "no run that can be read has a result"
    if told.best is told.start:
        return f"validation error {error(last)} from the start to the end; {changes}"
    begun = f"{error(first)} at the start, " if first else ""
    return f"validation error {begun}{error(last)} at the end; {changes}"


def measured(run: Run | None) -> dict[str, Any] | None:
    found: dict[str, Any] | None = run.summary.validation if run else None
    return found


def error(part: dict[str, Any]) -> str:
    return f"{percent(part['error'])} {interval(part['low'], part['high'])}"


def rate(part: dict[str, Any]) -> Rate:
    return Rate(part["error"], part["n"])


def facts(told: Told) -> Iterator[tuple[str, str]]:
    yield "spent", f"{told.epochs:,} epochs on {len(told.runs)} run{'' if len(told.runs) == 1 else 's'}"
    yield "time of the epochs", duration(told.seconds)
    yield "changes tried", str(len(told.tried))
    if told.best:
        yield "best run", told.best.name
        if told.story.winner and (unsure := doubt(told.story.winner)):
            yield "how sure", unsure
        yield "luck", f"the best of so many looks about {100 * optimism(told.story):.1f} points too good"


def notes(told: Told) -> Iterator[str]:
    """What is missing."""
    begun = [step.run for step in told.story.open]
    if begun:
        yield f"Not at its end, not decided yet: {', '.join(begun)}. The same command goes on from here."
    if told.lost:
        yield f"Not there, or damaged: {', '.join(told.lost[:LOST])}{' …' if len(told.lost) > LOST else ''}"


def path(told: Told) -> str:
    """Errors against epochs, of the runs that the steps are about."""
    spent = spending(told)
    points = [Point(step.run, spent[step.run], rate(part), step.verdict == KEPT)
              for step in told.story.steps if (part := measured(told.runs.get(step.run)))]  # fmt: skip
    if not points:
        return ""
    points.sort(key=lambda one: one.spent)
    says = "; ".join(f"{one.name} {percent(one.rate.value)} after {one.spent}, {'' if one.kept else 'not '}kept"
                     for one in points)  # fmt: skip
    return inline(plot_story.path(points, told.epochs), "story-path", f"Validation error by epochs spent: {says}")


def ends(told: Told, opened: bool) -> str:
    """The start against the best; the test error where it was opened."""
    both = {"start, validation": measured(told.start), "best, validation": measured(told.best)}
    if told.best is told.start:
        del both["start, validation"]
    if opened and told.best:
        both["best, test"] = told.best.sealed_test
    bars = [Bar(name, rate(part)) for name, part in both.items() if part]
    says = "; ".join(f"{bar.name} {percent(bar.rate.value)}" for bar in bars)
    return inline(plot_story.ends(bars), "story-ends", f"Errors of the start and of the best: {says}") if bars else ""


def change(told: Told) -> str:
    """The best against the start."""
    seen = against_the_start(told)
    return f"On the same {seen.n:,} images the best is {against(seen)}" if seen else ""


def shown(step: AutoStep, depth: int, told: Told) -> dict[str, Any]:
    """A line of the tree."""
    part = measured(told.runs.get(step.run))
    return {
        "run": step.run, "depth": min(depth, DEEPEST), "sign": SIGNS.get(step.verdict, step.verdict),
        "kind": CLASSES.get(step.verdict, "open" if not step.verdict else "dropped"),
        "edits": edits_of(step.edits), "why": why(step),
        "error": error(part) if part else "", "won": won(step) if step.verdict else "", "spent": step.spent,
        "expected": f"{100 * step.expected:.1f}" if step.code and step.expected else "", "parent": step.parent,
    }  # fmt: skip


def why(step: AutoStep) -> str:
    """The finding, and what the change was to do about it."""
    return ": ".join(word for word in (f"{step.code} {step.title}".strip(), step.because) if word)


def edits_of(edits: tuple[tuple[str, Any], ...]) -> str:
    return ", ".join(f"{path}: {yamlfile.inline(value)}" for path, value in edits)


def final_spec(told: Told) -> dict[str, Any]:
    """best.yaml with its receipt, line by line; before the end of the walk, the spec of the best so far."""
    if told.best is None:
        return {}
    file = told.story.folder / "best.yaml"
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        file, text = told.best.folder / "spec.yaml", yamlfile.write(told.best.spec)
    return {"file": str(file), "lines": text.splitlines()}


def diff(told: Told) -> list[str] | None:
    """What the best has become, against what was begun with; None where that cannot be read."""
    if told.best is None:
        return None
    try:
        before = (told.story.folder / "start.yaml").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    after = yamlfile.write(told.best.spec).splitlines()
    lines = list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]
    return ["⋯" if line.startswith("@@") else line for line in lines]


def open_proposals(told: Told) -> list[dict[str, Any]]:
    """What a bigger budget would try next."""
    return [
        {"finding": f"{one.code} {one.title}", "edits": edits_of(one.edits), "because": one.because,
         "epochs": one.epochs, "expected": f"{100 * one.expected:.1f}", "chance": f"{100 * one.chance:.0f} %"}
        for one in still_open(told)[:OPEN]
    ]  # fmt: skip


def people(told: Told) -> list[dict[str, Any]]:
    """Advice that changes what the runs are judged by."""
    if told.diagnosis is None:
        return []
    return [
        {"finding": f"{finding.code} {finding.title}", "edits": edits_of(one.edits), "because": one.because}
        for finding, one in advice_for_people(told.diagnosis)
    ]  # fmt: skip
