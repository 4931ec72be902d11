"""A Diagnosis on the terminal: the ladder of errors, the findings with their changes, the chain."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from improve.diagnosis.diagnose import Diagnosis
from improve.diagnosis.findings.rule import Finding
from improve.spec.reading.flatten import MISSING
from improve.spec.reading.yaml import inline
from improve.views.terminal.console import console
from improve.views.text.diagnosis import (
    GAPS,
    VERDICTS,
    checks_text,
    exact_text,
    gap_cells,
    headline,
    link_text,
    missing_test_note,
    next_step,
    open_lines,
    sign_text,
    told_findings,
    unchecked_line,
    worth_text,
)
from improve.views.text.numbers import interval, percent

SHOWN = 3  # findings told to the reader; all of them are in diagnosis.json


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
    out.print(Text("chain    " + "   ".join(link_text(link) for link in diagnosis.chain)))
    if diagnosis.knobs:
        out.print(Text(f"knobs    {', '.join(diagnosis.knobs)}"))
    if diagnosis.run is not None:
        if diagnosis.run.summary.best_epoch:
            out.print(Text(f"curves   {diagnosis.run.folder / 'curves.png'}"))
        if step := next_step(diagnosis):
            out.print(Text(f"next     {step}"))


def ladder(diagnosis: Diagnosis) -> Table:
    """Errors from human to test, with the gaps between them."""
    table = Table(box=None, padding=(0, 3, 0, 0))
    for name in ("", "error", "95 %", "gap", "points", "", ""):
        table.add_column(Text(name), justify="right" if name in ("error", "points") else "left", no_wrap=True)
    errors, gaps = diagnosis.errors, diagnosis.gaps
    if errors is None or gaps is None:
        return table
    rows = [
        ("human", errors.human, "not known", None),
        ("train", errors.train, "", "avoidable_bias"),
        ("train-dev", errors.train_dev, "", "variance" if errors.train_dev else None),
        ("validation", errors.validation, "", "data_mismatch" if errors.train_dev else "variance"),
        ("test", errors.test, missing_test_note(diagnosis), "validation_overfit"),
        ("field", diagnosis.field, "", None),
    ]
    for name, measured, missing, gap_name in rows:
        if gap_name and (gap := getattr(gaps, gap_name)) is not None:
            table.add_row("", "", "", GAPS[gap_name], *(Text(cell) for cell in gap_cells(gap)))
        if measured is None:
            if name in ("human", "test"):
                table.add_row(name, MISSING, Text(missing))
            continue
        seen = exact_text(diagnosis) if measured.n is None else interval(*measured.interval())
        table.add_row(name, percent(measured.value), Text(seen))
    return table


def show_findings(diagnosis: Diagnosis, out: Console) -> None:
    told = told_findings(diagnosis)
    if not diagnosis.findings:
        out.print(Text(f"nothing to report: no finding; {checks_text(diagnosis)}"))
    out.print()
    for number, finding in enumerate(told[:SHOWN], start=1):
        worth = worth_text(finding) if diagnosis.errors else ""
        show_finding(number, finding, worth, out)
    if len(told) > SHOWN:
        out.print(Text(f"{len(told) - SHOWN} more in diagnosis.json"))
    for line in (*open_lines(diagnosis), unchecked_line(diagnosis)):
        if line:
            out.print(Text(line))


def show_finding(number: int, finding: Finding, worth: str, out: Console) -> None:
    title = (f"{finding.code}  {finding.title}", "bold")
    out.print(Text.assemble(f"{number}  ", title, f"   {worth}" if worth else ""))
    out.print(Text(f"   {finding.says}"))
    if finding.signs:
        out.print(Text(f"   for it  {sign_text(finding.signs[0])}"))
    for place, change in enumerate(finding.changes):
        word = "change " if place == 0 else "or     "
        edits = ", ".join(f"{path}: {inline(value)}" for path, value in change.edits)
        out.print(Text(f"   {word}  {edits}   {change.because}"))
    if finding.tried:
        out.print(Text(f"   tried  {finding.tried}"))
    if finding.rivals:
        out.print(Text(f"   not excluded  {', '.join(finding.rivals)}"))
    if finding.confirm:
        out.print(Text(f"   to decide  {finding.confirm}"))
    out.print()
