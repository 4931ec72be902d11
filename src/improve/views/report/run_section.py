"""RunView → what the template shows of a run: words, figures, the edits to try, what its answers say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from improve.diagnosis.diagnose import Diagnosis
from improve.diagnosis.error_analysis import by_class, calibration, confusions, most_confused, names_of, surest_mistakes
from improve.diagnosis.findings.rule import Change, Finding
from improve.diagnosis.next_spec import revised_yaml, spec_diff
from improve.runs.predictions import Predictions
from improve.spec.reading import yaml
from improve.views.figures.report import Rung, curves_figure, ladder_figure, reliability_figure
from improve.views.figures.svg import svg_element
from improve.views.report.run import RunView, error_levels, evidence_text, ladder_steps, run_facts, verdict_sentence
from improve.views.report.thumbnails import thumbnails
from improve.views.text.diagnosis import (
    GAPS,
    checks_text,
    open_lines,
    sign_text,
    told_findings,
    unchecked_line,
    worth_text,
)
from improve.views.text.numbers import percent

MISTAKES = 12
TABLE = 20  # classes: of more, a table of confusions cannot be read
LISTED = 10  # pairs of classes


def section(view: RunView, anchor: str) -> dict[str, Any]:
    """What the template shows of one run."""
    return {
        "anchor": anchor,
        "name": view.label,
        "status": view.status,
        "verdict": verdict_sentence(view),
        "facts": list(run_facts(view)),
        "changes": view.changes,
        "curves": curves_svg(view, anchor),
        "uncurved": view.uncurved,
        "spec": yaml.write(view.run.spec).splitlines() if view.run.spec else [],
        **(said(view, view.diagnosis, anchor) if view.diagnosis else UNSAID),
        "answers": answers(view, anchor),
    }


UNSAID: dict[str, Any] = {
    "ladder": "",
    "steps": [],
    "notes": (),
    "chain": (),
    "findings": [],
    "checks": "",
    "more": [],
}


def said(view: RunView, diagnosis: Diagnosis, anchor: str) -> dict[str, Any]:
    """The diagnosis."""
    return {
        "ladder": ladder_svg(diagnosis, anchor),
        "steps": list(ladder_steps(view)),
        "notes": diagnosis.notes,
        "chain": diagnosis.chain,
        "findings": [finding_of(view, one) for one in told_findings(diagnosis)],
        "checks": checks_text(diagnosis),
        "more": [line for line in (*open_lines(diagnosis), unchecked_line(diagnosis)) if line],
    }


def ladder_svg(diagnosis: Diagnosis, anchor: str) -> str:
    drawn = list(rungs(diagnosis))
    if not drawn:
        return ""
    says = "; ".join(f"{rung.name} {percent(rung.rate.value)}" for rung in drawn)
    return svg_element(ladder_figure(drawn), f"{anchor}-ladder", f"Errors from human level to test: {says}")


def rungs(diagnosis: Diagnosis) -> Iterator[Rung]:
    """The errors that are known; the first one has nothing above it to be compared with."""
    first = True
    for name, rate, gap_name in error_levels(diagnosis):
        if rate is not None:
            gap = getattr(diagnosis.gaps, gap_name) if gap_name and not first else None
            word = gap.verdict if gap and gap.verdict in ("high", "low") else ""
            yield Rung(name, rate, GAPS[gap_name] if gap else "", word)
            first = False


def curves_svg(view: RunView, anchor: str) -> str:
    if not view.rows:
        return ""
    best = view.rows[view.best - 1]
    says = (
        f"Training and validation error and the learning rate over {len(view.rows)} epochs; at the best epoch, "
        f"{view.best}: training {percent(best['train_error'])}, validation {percent(best['validation_error'])}"
    )
    return svg_element(curves_figure(view.rows, view.best, view.human, view.changes), f"{anchor}-curves", says)


def finding_of(view: RunView, finding: Finding) -> dict[str, Any]:
    return {
        "finding": finding,
        "worth": worth_text(finding) if view.diagnosis and view.diagnosis.errors else "",
        "evidence": [(key.replace("_", " "), evidence_text(value)) for key, value in finding.evidence.items()],
        "signs": [(sign_text(one), f"+{100 * one.adds:.0f} points") for one in finding.signs],
        "changes": [
            (", ".join(f"{path}: {yaml.inline(value)}" for path, value in change.edits), change.because)
            for change in finding.changes
        ],
        "diff": edit_of(view, finding.changes[0]) if finding.changes else [],
    }


def edit_of(view: RunView, change: Change) -> list[str]:
    """What the change does to the spec, line by line; nothing where it does not make a valid one."""
    try:
        lines = spec_diff(view.run.spec, revised_yaml(view.run.spec, change)).splitlines()[3:]
    except ValueError:  # of Pydantic
        return []
    return ["⋯" if line.startswith("@@") else line for line in lines]


def answers(view: RunView, anchor: str) -> dict[str, Any]:
    """What the predictions on the validation images say: empty where there are none."""
    predictions = view.run.evidence.best("validation")
    if predictions is None:
        return {}
    names, counts, sure = names_of(predictions, view.classes), confusions(predictions), calibration(predictions)
    says = f"Share of right answers against confidence; expected calibration error {percent(sure.error)}"
    return {
        "n": len(predictions.label),
        "wrong": int(predictions.wrong.sum()),
        "names": names,
        "small": len(names) <= TABLE,
        "counts": [(names[row], int(line.sum()), line.tolist()) for row, line in enumerate(counts)],
        "confused": list(most_confused(counts, names, LISTED)),
        "by_class": by_class(counts, names)[: 2 * TABLE],
        "sure": sure,
        "reliability": svg_element(reliability_figure(sure), f"{anchor}-calibration", says),
        **mistakes(view, predictions, names),
    }


def mistakes(view: RunView, seen: Predictions, names: list[str]) -> dict[str, Any]:
    """The surest ones, each with its picture, or why there is none."""
    missed = surest_mistakes(seen, names, seen.id, MISTAKES)
    if not missed or not view.run.spec:
        return {"mistakes": [(one, "") for one in missed], "missing": "the spec cannot be read" if missed else ""}
    found = thumbnails(view.run, "validation", [one.place for one in missed])
    return {"mistakes": list(zip(missed, found.addresses or [""] * len(missed), strict=True)), "missing": found.missing}
