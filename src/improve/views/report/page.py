"""Runs + their diagnoses → one page of HTML that loads nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve import __version__
from improve.diagnosis.comparison.compare import compare, run_labels
from improve.errors import ImproveError, UsageError, printable, visible
from improve.experiments.auto.journal import read_journal
from improve.runs.run import Run
from improve.views.figures.report import overlay_figure
from improve.views.figures.svg import svg_element
from improve.views.report.auto import BEST, AutoView, is_auto_folder
from improve.views.report.auto_section import auto_section
from improve.views.report.run import RunView, run_view
from improve.views.report.run_section import section
from improve.views.text.comparison import footnote, recipe_rows, text_rows
from improve.views.text.numbers import interval, percent

if TYPE_CHECKING:
    from jinja2 import Environment


REACHED = "validation error"  # the column from which on a table tells what came of the settings


def report(folders: Sequence[Path], test: bool = False) -> str:
    """The page; of a folder that `improve auto` made, the page of its walk. `test`: the test errors may be told.
    Raises UsageError where none of the folders is a run."""
    if len(folders) == 1 and is_auto_folder(folders[0]):
        return auto_report(AutoView(read_journal(folders[0])), test)
    shown, skipped = run_views(folders, test)
    if not shown:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped)
        raise UsageError(f"none of these is a run: {reasons}", fix="improve train makes runs")
    return page(f"{len(shown)} runs" if len(shown) > 1 else shown[0].label, shown, skipped, test)


def auto_report(view: AutoView, test: bool) -> str:
    """What was tried and what became of it, then the start and the best as runs; the test error of the best is told
    where the end of the walk has opened it."""
    shown, skipped = [], []
    for name, folder in view.ends.items():
        try:
            shown.append(run_view(folder, name, test or (bool(view.opened) and name == BEST), again=not test))
        except ImproveError as error:
            skipped.append((str(folder), error.what.removeprefix(f"{folder} is ")))
    return page(view.journal.folder.absolute().name, shown, skipped, test, auto_section(view, test))


def page(
    title: str,
    shown: Sequence[RunView],
    skipped: Sequence[tuple[str, str]],
    test: bool,
    auto: dict[str, Any] | None = None,
) -> str:
    runs = [section(one, f"run-{number}") for number, one in enumerate(shown, start=1)]
    names = [run["name"] if auto is None else one.run.name for run, one in zip(runs, shown, strict=True)]
    whole = [one.run for one in shown if not one.damage]
    template = environment().get_template("report.html.j2")
    return template.render(
        title=title,
        auto=auto,
        runs=runs,
        anchors={name: run["anchor"] for name, run in zip(names, runs, strict=True)},
        comparison=side_by_side(whole, test) if len(whole) > 1 else None,
        overlay=overlay_svg(shown) if len(shown) > 1 else "",
        skipped=skipped,
        sealed=any(one.run.has_test for one in shown) and not any(one.test for one in shown),
        version=__version__,
    )


def run_views(folders: Sequence[Path], test: bool) -> tuple[list[RunView], list[tuple[str, str]]]:
    """The runs, each with a name that no other has, and what is none with the reason."""
    shown, skipped = [], []
    for folder, name in zip(folders, run_labels(folders), strict=True):
        try:
            shown.append(run_view(folder, name, test))
        except ImproveError as error:
            reason = "improve auto made it: it has a page of its own" if is_auto_folder(folder) else error.what
            skipped.append((str(folder), reason.removeprefix(f"{folder} is ")))
    return shown, skipped


def side_by_side(runs: Sequence[Run], test: bool) -> dict[str, Any]:
    """The table of `improve compare`, what was reached before what was set, and what it says of these runs."""
    found = compare(runs, test=test)
    rows = list(text_rows(found, test))
    first = rows[0].index(REACHED)
    head, *body = ([*row[:1], *row[first:], *row[1:first]] for row in rows)
    recipes = list(recipe_rows(found.recipes))
    return {"head": head, "rows": body, "findings": found.findings, "recipes": recipes, "note": footnote(found)}


def overlay_svg(shown: Sequence[RunView]) -> str:
    """The validation errors of all runs that have any."""
    drawn = {one.label: [(int(row["epoch"]), row["validation_error"]) for row in one.rows] for one in shown if one.rows}
    if not drawn:
        return ""
    ends = "; ".join(f"{name} ends at {percent(points[-1][1])}" for name, points in drawn.items())
    return svg_element(overlay_figure(drawn), "overlay", f"Validation error over the epochs: {ends}")


@cache
def environment() -> Environment:
    """Everything that is put into the page is escaped, and freed of what could change how the rest of it is read."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def short(value: Any, limit: int) -> str:
        return printable(str(value), limit)

    def sentence(value: str, limit: int) -> str:
        said = short(value, limit)
        return said if said.endswith((".", "…", "?", "!")) else f"{said}."

    def harmless(value: Any) -> Any:
        return value if isinstance(value, Markup) else visible(str(value))

    templates = Environment(
        loader=PackageLoader("improve.views.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {"percent": percent, "short": short, "svg": Markup, "sentence": sentence}
    templates.filters |= filters
    templates.globals["interval"] = interval
    return templates
