"""Runs + their diagnoses → one page of HTML that loads nothing and runs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve import __version__, evidence, plot_report, revise, yamlfile
from improve.answers import by_class, calibration, confusions, most_confused, names_of, surest_mistakes
from improve.compare import compare
from improve.errors import ImproveError, UsageError, printable, visible
from improve.findings.rule import Change, Finding
from improve.lazy import np
from improve.pictures import pictures
from improve.plot_svg import inline
from improve.portrait import Portrait, facts, levels, plain, portrait, steps, verdict
from improve.show import interval, percent
from improve.show_comparison import comparison_rows
from improve.show_diagnosis import GAPS, checks, label, unseen, waiting

if TYPE_CHECKING:
    from jinja2 import Environment

MISTAKES = 12
TABLE = 20  # classes: of more, a table of confusions cannot be read
LISTED = 20


def report(folders: Sequence[Path], test: bool = False) -> str:
    """The page. `test`: the test errors may be told. Raises UsageError where none of the folders is a run."""
    shown, skipped = portraits(folders, test)
    if not shown:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped)
        raise UsageError(f"none of these is a run: {reasons}", fix="improve train makes runs")
    whole = [one.run.folder for one in shown if not one.damage]
    page = environment().get_template("report.html.j2")
    return page.render(
        title=f"{len(shown)} runs" if len(shown) > 1 else shown[0].label,
        runs=[section(one, number) for number, one in enumerate(shown, start=1)],
        comparison=side_by_side(whole, test) if len(whole) > 1 else None,
        overlay=overlay(shown) if len(shown) > 1 else "",
        skipped=skipped,
        version=__version__,
    )


def portraits(folders: Sequence[Path], test: bool) -> tuple[list[Portrait], list[tuple[str, str]]]:
    """The runs, each with a name that no other has, and what is none with the reason."""
    count = Counter(folder.name for folder in folders)
    shown, skipped = [], []
    for folder in folders:
        name = folder.name if count[folder.name] == 1 else f"{folder.parent.name}/{folder.name}"
        try:
            shown.append(portrait(folder, name or str(folder.resolve().name), test))
        except ImproveError as error:
            skipped.append((str(folder), error.what.removeprefix(f"{folder} is ")))
    return shown, skipped


def side_by_side(folders: Sequence[Path], test: bool) -> dict[str, Any]:
    """The table of `improve compare` and what it says of these runs."""
    found = compare(folders)
    head, *rows = comparison_rows(found, test)
    return {"head": head, "rows": rows, "findings": found.as_json(test).get("findings", [])}


def overlay(shown: Sequence[Portrait]) -> str:
    """The validation errors of all runs that have any."""
    drawn = {one.label: [(int(row["epoch"]), row["validation_error"]) for row in one.rows] for one in shown if one.rows}
    if not drawn:
        return ""
    ends = "; ".join(f"{name} ends at {percent(points[-1][1])}" for name, points in drawn.items())
    return inline(plot_report.overlay(drawn), "overlay", f"Validation error over the epochs: {ends}")


def section(shown: Portrait, number: int) -> dict[str, Any]:
    """What the template shows of one run."""
    anchor, told = f"run-{number}", shown.diagnosis
    return {
        "anchor": anchor, "name": shown.label, "status": shown.status, "verdict": verdict(shown),
        "facts": list(facts(shown)), "changes": shown.changes, "steps": list(steps(shown)),
        "ladder": ladder(shown, anchor), "curves": curves(shown, anchor),
        "notes": told.notes if told else (), "chain": told.chain if told else (),
        "findings": [finding_of(shown, one) for one in told.findings if one.status != "cannot_tell_yet"] if told else [],
        "checks": checks(told) if told else "",
        "more": [line for line in (waiting(told), unseen(told)) if line] if told else [],
        "answers": answers(shown, anchor),
        "spec": yamlfile.write(shown.run.spec).splitlines() if shown.run.spec else [],
    }  # fmt: skip


def ladder(shown: Portrait, anchor: str) -> str:
    told = shown.diagnosis
    if told is None or told.errors is None or told.gaps is None:
        return ""
    rungs = []
    for name, rate, gap_name in levels(told):
        gap = getattr(told.gaps, gap_name) if gap_name else None
        if rate is not None:
            words = {"high": "high", "low": "low"}.get(gap.verdict, "") if gap else ""
            known = rungs and gap is not None
            rungs.append(plot_report.Rung(name, rate, GAPS[gap_name] if known else "", words))
    says = "; ".join(f"{rung.name} {percent(rung.rate.value)}" for rung in rungs)
    return inline(plot_report.ladder(rungs), f"{anchor}-ladder", f"Errors from human level to test: {says}")


def curves(shown: Portrait, anchor: str) -> str:
    rows = shown.rows
    if not rows:
        return ""
    best = rows[shown.best - 1]
    says = (
        f"Training and validation error and the learning rate over {len(rows)} epochs; at the best epoch, {shown.best}: "
        f"training {percent(best['train_error'])}, validation {percent(best['validation_error'])}"
    )
    return inline(plot_report.curves(rows, shown.best, shown.human, shown.changes), f"{anchor}-curves", says)


def finding_of(shown: Portrait, finding: Finding) -> dict[str, Any]:
    return {
        "finding": finding,
        "worth": label(finding) if shown.diagnosis and shown.diagnosis.errors else "",
        "evidence": [(key.replace("_", " "), plain(value)) for key, value in finding.evidence.items()],
        "changes": [(", ".join(f"{path}: {yamlfile.inline(value)}" for path, value in change.edits), change.because)
                    for change in finding.changes],
        "diff": edit_of(shown, finding.changes[0]) if finding.changes else [],
    }  # fmt: skip


def edit_of(shown: Portrait, change: Change) -> list[str]:
    """What the change does to the spec, line by line; nothing where it does not make a valid one."""
    try:
        return revise.edit(shown.run.spec, revise.revise(shown.run.spec, change)).splitlines()[2:]
    except ValueError:  # of Pydantic
        return []


def answers(shown: Portrait, anchor: str) -> dict[str, Any]:
    """What the predictions on the validation images say: empty where there are none."""
    seen = shown.run.evidence.best("validation")
    if seen is None:
        return {}
    names, counts, sure = names_of(seen, shown.classes), confusions(seen), calibration(seen)
    ids = evidence.load(shown.run.folder / "predictions" / "validation.npz").get("id")
    ids = ids if ids is not None and ids.shape == seen.label.shape else None
    missed = surest_mistakes(seen, names, ids, MISTAKES)
    found = pictures(shown.run, "validation", [one.place for one in missed]) if missed and shown.run.spec else None
    says = f"Share of right answers against confidence; expected calibration error {percent(sure.error)}"
    return {
        "n": len(seen.label), "names": names, "small": len(names) <= TABLE,
        "counts": [(names[row], int(line.sum()), line.tolist()) for row, line in enumerate(counts)],
        "confused": list(most_confused(counts, names, LISTED)),
        "by_class": by_class(counts, names)[: 2 * LISTED],
        "sure": sure, "reliability": inline(plot_report.reliability(sure), f"{anchor}-calibration", says),
        "mistakes": list(zip(missed, found.addresses if found and found.addresses else [""] * len(missed), strict=True)),
        "missing": found.missing if found else "", "wrong": int(np.sum(seen.wrong)),
    }  # fmt: skip


@cache
def environment() -> Environment:
    """Everything that is put into the page is escaped, and freed of what could change how the rest of it is read."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def short(value: Any, limit: int) -> str:
        return printable(str(value), limit)

    def harmless(value: Any) -> Any:
        return value if isinstance(value, Markup) else visible(str(value))

    made = Environment(
        loader=PackageLoader("improve"), autoescape=True, undefined=StrictUndefined, finalize=harmless,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    filters: dict[str, Callable[..., Any]] = {"percent": percent, "short": short, "svg": Markup}
    made.filters |= filters
    made.globals["interval"] = interval
    return made

