"""A Diagnosis on the terminal: the ladder of errors, the findings with their changes, the chain."""

from __future__ import annotations

from shlex import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from improve.diagnosis.bias_variance import Gap
from improve.diagnosis.diagnose import Diagnosis, Link, symptom
from improve.diagnosis.findings.rule import Finding
from improve.spec.reading.flatten import MISSING
from improve.spec.reading.yaml import inline
from improve.views.terminal.console import console, interval, percent

SHOWN = 3  # findings told to the reader; all of them are in diagnosis.json
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
    "broken": "broken: it did not learn",
    "not_enough_evidence": "not enough evidence",
}
GAPS = {
    "avoidable_bias": "avoidable bias",
    "variance": "variance",
    "data_mismatch": "data mismatch",
    "validation_overfit": "validation overfit",
}


def show_diagnosis(diagnosis: Diagnosis) -> None:
    out = console()
    out.print(Text(headline(diagnosis), "bold"))
    out.print()
    if diagnosis.errors is not None:
        out.print(ladder(diagnosis))
        out.print()
    out.print(Text.assemble("verdict  ", (VERDICTS[diagnosis.verdict], "bold")))
    for note in diagnosis.notes:
        out.print(Text(f"note     {note}"))
    show_findings(diagnosis, out)
    out.print(Text("chain    " + "   ".join(_link(link) for link in diagnosis.chain)))
    knobs = next((link.knobs for link in diagnosis.chain if link.holds is False), ())
    if knobs:
        out.print(Text(f"knobs    {', '.join(knobs)}"))
    if diagnosis.run is not None:
        if diagnosis.run.summary.best_epoch:
            out.print(Text(f"curves   {diagnosis.run.folder / 'curves.png'}"))
        if any(finding.changes for finding in diagnosis.findings) and not diagnosis.run.summary.members:
            folder, name = quote(str(diagnosis.run.folder)), quote(f"{diagnosis.run.name}_next.yaml")
            out.print(Text(f"next     improve next {folder} -o {name}   &&   improve train {name}"))


def headline(diagnosis: Diagnosis) -> str:
    run = diagnosis.run
    if run is None or diagnosis.errors is None:
        return run.name if run else "bare numbers"
    reached = f"best epoch {run.summary.get('best_epoch')} of {run.summary.get('epochs')}"
    if run.summary.members:
        reached = f"ensemble of {len(run.summary['members'])}"
    return f"{run.name} · {reached} · validation set {diagnosis.errors.validation.n:,} images"


def ladder(diagnosis: Diagnosis) -> Table:
    """Errors from human to test, with the gaps between them."""
    table = Table(box=None, padding=(0, 3, 0, 0))
    for name, justify in (("", "left"), ("error", "right"), ("95 %", "left"), ("gap", "left"), ("points", "right"),
                          ("", "left"), ("", "left")):  # fmt: skip
        table.add_column(Text(name), justify=justify, no_wrap=True)  # type: ignore[arg-type]
    errors, gaps = diagnosis.errors, diagnosis.gaps
    if errors is None or gaps is None:
        return table
    rows = [
        ("human", errors.human, "not known", None),
        ("train", errors.train, "", "avoidable_bias"),
        ("train-dev", errors.train_dev, "", "variance" if errors.train_dev else None),
        ("validation", errors.validation, "", "data_mismatch" if errors.train_dev else "variance"),
        ("test", errors.test, _test_note(diagnosis), "validation_overfit"),
        ("field", diagnosis.field, "", None),
    ]
    for name, measured, missing, gap_name in rows:
        if gap_name and (gap := getattr(gaps, gap_name)) is not None:
            table.add_row("", "", "", GAPS[gap_name], *(Text(cell) for cell in _gap_cells(gap)))
        if measured is None:
            if name in ("human", "test"):
                table.add_row(name, MISSING, Text(missing))
            continue
        seen = "as given" if measured.n is None else interval(*measured.interval())
        table.add_row(name, percent(measured.value), Text(seen))
    return table


def _test_note(diagnosis: Diagnosis) -> str:
    run = diagnosis.run
    if run is None:
        return "not given"
    return "not opened (improve diagnose --test opens it)" if run.has_test else "there is none"


def _gap_cells(gap: Gap) -> tuple[str, str, str]:
    at_most = "≤ " if gap.verdict == "unknown" and gap.low == 0 else ""
    return f"{at_most}{100 * gap.value:.1f}", interval(gap.low, gap.high), GAP_WORDS[gap.verdict]


def _link(link: Link) -> str:
    words = {"real world": "works in the real world"}.get(link.link, f"fits {link.link}")
    return f"{words} {'?' if link.holds is None else '✓' if link.holds else '✗'}"


def show_findings(diagnosis: Diagnosis, out: Console) -> None:
    told = [finding for finding in diagnosis.findings if finding.status != "cannot_tell_yet"]
    if not diagnosis.findings:
        out.print(Text(f"nothing to report: no finding; {checks(diagnosis)}"))
    out.print()
    for number, finding in enumerate(told[:SHOWN], start=1):
        worth = label(finding) if diagnosis.errors else ""
        show_finding(number, finding, worth, out)
    if len(told) > SHOWN:
        out.print(Text(f"{len(told) - SHOWN} more in diagnosis.json"))
    for line in (waiting(diagnosis), unseen(diagnosis)):
        if line:
            out.print(Text(line))


def checks(diagnosis: Diagnosis) -> str:
    """What was looked for, where nothing was found."""
    if diagnosis.run is None or diagnosis.verdict != "ok":
        return "see the notes" if diagnosis.notes else "the numbers are all there is"
    made, left = diagnosis.checks - len(diagnosis.unchecked), len(diagnosis.unchecked)
    return f"{made} checks, {left} not made" if left else f"every check had the evidence it needed ({made} checks)"


def show_finding(number: int, finding: Finding, worth: str, out: Console) -> None:
    title = (f"{finding.code}  {finding.title}", "bold")
    out.print(Text.assemble(f"{number}  ", title, f"   {worth}" if worth else ""))
    out.print(Text(f"   {finding.says}"))
    for place, change in enumerate(finding.changes):
        word = "change " if place == 0 else "or     "
        edits = ", ".join(f"{path}: {inline(value)}" for path, value in change.edits)
        out.print(Text(f"   {word}  {edits}   {change.because}"))
    if finding.rivals:
        out.print(Text(f"   not excluded  {', '.join(finding.rivals)}"))
    if finding.confirm:
        out.print(Text(f"   to decide  {finding.confirm}"))
    out.print()


def label(finding: Finding) -> str:
    """What is to be won at most, or that it is not certain."""
    if finding.status == "not_enough_evidence":
        return "not enough evidence"
    points = round(100 * finding.harm)
    if points == 0:
        return "less than a point to win" if finding.harm > 0 else ""
    return f"about {points} point{'s' if points > 1 else ''} to win"


def waiting(diagnosis: Diagnosis) -> str:
    """Findings that may be brought about by another one, and that one."""
    waits = [f"{one.code} {one.name}" for one in diagnosis.findings if one.status == "cannot_tell_yet"]
    causes = [one.code for one in diagnosis.findings if one.status == "found" and not symptom(one)]
    first = f": mend {causes[0]} first" if causes else ""
    return f"cannot tell yet   {', '.join(waits)}{first}" if waits else ""


def unseen(diagnosis: Diagnosis) -> str:
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
