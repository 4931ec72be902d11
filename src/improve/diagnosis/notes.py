"""What a diagnosis says beside its findings: of the human level, of costs, of how the run came about."""

from __future__ import annotations

from shlex import quote
from typing import Any

from improve.diagnosis import advice_log
from improve.diagnosis.findings.rule import Case, error_text
from improve.diagnosis.run_errors import source_of
from improve.errors import printable
from improve.runs.ensemble import best_member
from improve.runs.run import Run

MOST_CLASSES = 10  # told with the cost
HUMAN_UNKNOWN = (
    "the human level is not known, so the avoidable bias is at most the training error: set diagnosis.human_error"
)
HUMAN_OF_SOURCE = "the human level of {title} is {percent:.1f} % ({reference}); diagnosis.human_error sets another"
TARGET_REACHED = "the target of {:.1f} % is reached: {}"
HUMAN_PASSED = (
    "the training error is below the human level: the training set is memorised or leaked, or people can do better "
    "than this level says"
)


def human_notes(case: Case) -> tuple[str, ...]:
    """What to say about the levels that the errors are held against: the target, where it is reached; else the human
    level, where it is missing or makes no sense."""
    if case.errors is None:
        return ()
    if case.errors.reached:
        return (
            TARGET_REACHED.format(100 * (case.errors.target or 0.0), error_text("validation", case.errors.validation)),
        )
    if case.errors.human is None:
        return (HUMAN_UNKNOWN,)
    passed = (HUMAN_PASSED,) if case.errors.train.interval()[1] < case.errors.human.value else ()
    source = source_of(case.run) if case.run and case.setting("diagnosis.human_error") is None else None
    if source is None or source.human_level is None:
        return passed
    value, reference = source.human_level
    return (HUMAN_OF_SOURCE.format(title=source.title, percent=100 * value, reference=reference), *passed)


def cost_notes(run: Run) -> list[str]:
    """The cost-weighted error, and the error of each class that has a price."""
    costs, part = run.spec.get("diagnosis", {}).get("cost"), run.summary.validation
    if not costs or part is None or part.cost is None:
        return []
    cost, low, high = (100 * share for share in (part.cost, *part.cost_interval))
    told = f"validation cost {cost:.1f} % [{low:.1f} %, {high:.1f} %]"
    seen, names = run.evidence.best("validation"), run.environment.data.classes
    by_class = [
        f"{printable(name, 40)} (counts {costs.get(name, 1):g}) {100 * seen.wrong[seen.label == label].mean():.1f} %"
        for label, name in enumerate(names)
        if seen is not None and (seen.label == label).any()
    ]
    return [f"{told}: the best epoch was chosen by it; errors: {', '.join(by_class[:MOST_CLASSES])}"]


def missing_evidence(run: Run) -> list[str]:
    """The files of a run with results that cannot be read, or only in part, though a run leaves them."""
    if run.summary.members or run.status == "running" or not run.has_result or not run.evidence.start:
        return []
    epochs, parts = run.summary.epochs, ("train", "validation")
    missing = [f"predictions/{part}.npz" for part in parts if run.summary.part(part) and not run.evidence.best(part)]
    missing += ["metrics.csv"] if len(run.history) != epochs else []
    missing += ["evidence/images.npz"] if not run.evidence.images else []
    if run.spec.get("evidence") == "full":
        measured = max((row["epoch"] for row in run.evidence.layers), default=0)
        missing += ["evidence/layers.csv"] if run.evidence.layers and measured != epochs else []
        missing += ["evidence/epochs.csv"] if len(run.evidence.epochs.get("epoch", ())) != epochs else []
    return missing


def notes_of(run: Run, advised: dict[str, Any] | None) -> tuple[str, ...]:
    notes = [advice_log.sentence(advised)] if advised else []
    if run.status not in ("finished", "running"):
        notes.append(f"the run {run.status}: these are the errors of its best epoch so far")
    if run.summary.members:
        members, best = len(run.summary.members), quote(str(best_member(run)))
        notes.append(f"an ensemble of {members}; how a member trained, its diagnosis tells: improve diagnose {best}")
    if missing := missing_evidence(run):
        notes.append(f"missing or damaged: {', '.join(missing)}; what they would show was not looked at")
    notes += cost_notes(run)
    for pair, count in run.environment.data.duplicates.items():
        notes.append(f"{count:,} images of {pair.replace(' in ', ' are also in ')}, pixel for pixel")
    return tuple(notes)
