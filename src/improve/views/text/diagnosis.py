"""The words of a Diagnosis: its verdict, gaps and chain, what was looked for, and what is to be won."""

from __future__ import annotations

from shlex import quote

from improve.diagnosis.bias_variance import Gap
from improve.diagnosis.diagnose import Diagnosis, Link
from improve.diagnosis.findings.rule import Finding, Speaks
from improve.diagnosis.next_spec import mended_outside
from improve.diagnosis.notes import missing_evidence
from improve.spec.reading.flatten import setting
from improve.spec.reading.yaml import inline
from improve.views.text.numbers import interval

TRIALS = 10  # of the loop, as it is proposed
NAMED = 8  # codes in the line on what was not looked at
GAP_WORDS = {
    "high": "high",
    "minor": "over the limit, but the smaller part",
    "low": "low",
    "not_enough_evidence": "not enough evidence",
    "unknown": "unknown without the human level",
}
VERDICTS = {
    "ok": "ok: no gap is high",
    "high_bias": "high bias: it does not fit its own training set",
    "high_variance": "high variance: it does not carry over to new images",
    "high_bias_and_variance": "high bias and high variance",
    "data_mismatch": "data mismatch: validation images are of another kind",
    "validation_overfit": "the validation set was fitted by choosing",
    "broken": "broken: it did not learn, or is wired wrongly",
    "not_enough_evidence": "not enough evidence",
}
GAPS = {
    "avoidable_bias": "avoidable bias",
    "variance": "variance",
    "data_mismatch": "data mismatch",
    "validation_overfit": "validation overfit",
}
BELOW_HALF = 0.49  # a guess is never told as likely as not


def headline(diagnosis: Diagnosis) -> str:
    """The run, its best epoch or its members, and on how many images it was judged."""
    run = diagnosis.run
    if run is None or diagnosis.errors is None:
        return run.name if run else "bare numbers"
    reached = f"best epoch {run.summary.best_epoch} of {run.summary.epochs}"
    if run.summary.members:
        reached = f"ensemble of {len(run.summary.members)}"
    return f"{run.name} · {reached} · validation set {diagnosis.errors.validation.n:,} images"


def missing_test_note(diagnosis: Diagnosis) -> str:
    """Why no test error is shown."""
    run = diagnosis.run
    if run is None:
        return "not given"
    return "not opened (improve diagnose --test opens it)" if run.has_test else "there is none"


def exact_text(diagnosis: Diagnosis) -> str:
    """Where an error without an interval comes from: from who asks, or, of people, from what is known of the data."""
    run = diagnosis.run
    of_source = run is not None and setting(run.spec, "diagnosis.human_error") is None
    return "of the data set" if of_source else "as given"


def gap_cells(gap: Gap) -> tuple[str, str, str]:
    """Points, 95 % interval in points, verdict in words."""
    at_most = "≤ " if gap.verdict in ("unknown", "high") and gap.low == 0 else ""
    return f"{at_most}{100 * gap.value:.1f}", interval(gap.low, gap.high), GAP_WORDS[gap.verdict]


def link_text(link: Link) -> str:
    """One link of the chain, and whether it holds."""
    words = {"real world": "works in the real world"}.get(link.link, f"fits {link.link}")
    return f"{words} {'?' if link.holds is None else '✓' if link.holds else '✗'}"


def checks_text(diagnosis: Diagnosis) -> str:
    """What was looked for, where nothing was found."""
    if diagnosis.run is None or diagnosis.verdict != "ok" or missing_evidence(diagnosis.run):
        return "see the notes" if diagnosis.notes else "the numbers are all there is"
    made, left = diagnosis.checks - len(diagnosis.unchecked), len(diagnosis.unchecked)
    return f"{made} checks, {left} not made" if left else f"every check had the evidence it needed ({made} checks)"


def worth_text(finding: Finding) -> str:
    """How sure it is, where it is not found, and what is to be won at most."""
    if finding.status == "not_enough_evidence":
        return f"a guess, {chance_text(finding)}" if finding.is_guess else "not enough evidence"
    return ", ".join(
        filter(None, [f"likely, {chance_text(finding)}" * (finding.status == "likely"), points_text(finding)])
    )


def chance_text(finding: Finding) -> str:
    """The probability of its cause, in words."""
    return chance(min(finding.probability or 0.0, BELOW_HALF if finding.is_guess else 1.0))


def sign_text(one: Speaks) -> str:
    """ "path of the weights, Σ‖Δw‖/‖w‖: 0.4; nine of ten sound runs: 2 to 9"."""
    low, high = f"{one.low:.2g}", f"{one.high:.2g}"
    return f"{one.what}: {one.value:.2g}; nine of ten sound runs: {low if low == high else f'{low} to {high}'}"


def points_text(finding: Finding) -> str:
    points = round(100 * finding.harm)
    if points == 0:
        return "less than a point to win" if finding.harm > 0 else ""
    return f"up to {points} point{'s' if points > 1 else ''} to win"


def told_findings(diagnosis: Diagnosis) -> list[Finding]:
    """Those that are told whole; of the others a line says why not."""
    return [one for one in diagnosis.findings if one.is_told]


def chance(probability: float) -> str:
    """In words: at most 99 % of what was not counted."""
    return f"about {min(99, round(100 * probability))} %"


def open_lines(diagnosis: Diagnosis) -> list[str]:
    """What else it may be; findings that an experiment has refuted; those that cannot be told yet, by the reason
    why."""
    others = ", ".join(f"{one.code} {one.title} ({chance(one.probability)})" for one in diagnosis.possible)
    return ([f"it may also be   {others}"] if others else []) + waiting_lines(diagnosis)


def waiting_lines(diagnosis: Diagnosis) -> list[str]:
    """Findings that an experiment has refuted, and those that cannot be told yet, by the reason why."""
    reasons: dict[str, list[str]] = {}
    possible = {one.code for one in diagnosis.possible}
    for finding in diagnosis.findings:
        if finding.status == "cannot_tell_yet" and finding.code not in possible:
            reasons.setdefault(finding.waits, []).append(f"{finding.code} {finding.name}")
    refuted = [
        f"{one.code} {one.name}   {one.changes[0].path}: {inline(one.changes[0].value)}   {one.tried}"
        for one in diagnosis.findings
        if one.status == "refuted"
    ]
    return refuted + [f"cannot tell yet   {', '.join(names)}: {reason}" for reason, names in reasons.items()]


def next_step(diagnosis: Diagnosis) -> str:
    """What to do next. The command that goes on from here: the change of the best finding; a guess, the change of one
    that waits; the loop, where nothing is proposed and it is not ok. Where no edit of the spec mends the first finding,
    what to look at. Nothing for bare numbers and for ensembles."""
    run = diagnosis.run
    if run is None or run.summary.members:
        return ""
    folder, name = quote(str(run.folder)), quote(f"{run.name}_next.yaml")
    if outside := mended_outside(diagnosis):
        return f"{outside.confirm or 'mend it'}: no edit of the spec mends {outside.code}"
    able = [one for one in diagnosis.findings if one.changes and one.status != "refuted"]
    able.sort(key=lambda one: one.status == "cannot_tell_yet")
    if not able:
        return (
            f"improve auto {quote(str(run.folder / 'spec.yaml'))} --trials {TRIALS}"
            if diagnosis.verdict != "ok"
            else ""
        )
    waits = able[0].status == "cannot_tell_yet"
    chosen = f" --finding {able[0].code}" if waits else ""
    doubt = "   (a guess)" if waits or able[0].is_guess else ""
    return f"improve next {folder}{chosen} -o {name}   &&   improve train {name}{doubt}"


def unchecked_line(diagnosis: Diagnosis) -> str:
    """Findings that the run leaves no evidence for."""
    if diagnosis.run is None or not diagnosis.unchecked:
        return ""
    codes = [code for code, _ in diagnosis.unchecked]
    more = f" and {len(codes) - NAMED} more" if len(codes) > NAMED else ""
    why = "the run has not left the evidence they need"
    if diagnosis.run.summary.members:
        why = "only its members could have left the evidence they need"
    elif diagnosis.run.spec.get("evidence") == "light":
        why = "evidence: light switched the probes off"
    return f"not looked at     {', '.join(codes[:NAMED])}{more} ({why})"
