"""A Comparison as a table: on the terminal, as CSV, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from improve.diagnosis.comparison.candidate import Unpaired
from improve.diagnosis.comparison.compare import NUMBERS, Comparison, Images, Row, Standing
from improve.diagnosis.comparison.pairwise import TOLD
from improve.diagnosis.findings.rule import Finding
from improve.errors import printable, visible
from improve.spec.reading.flatten import MISSING
from improve.spec.reading.yaml import inline
from improve.statistics.paired import Paired
from improve.views.terminal.console import console, duration, interval, percent, size

SHOWN = ("validation_error", "train_error", "test_error", "best_epoch", "parameters", "seconds")  # have a column
MOST = 100  # rows on a terminal
GROUPS = 4  # of validation images, named in the footnote
FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # what a spreadsheet takes for the start of one (OWASP, CSV injection)
MARKUP = re.compile(r"[\\`*<&|$~]|(?<=\])[(\[:]")  # what Markdown takes for code, HTML, a formula, a link


def columns(comparison: Comparison, test: bool) -> list[str]:
    """`against the first` only where there is something to tell."""
    names = [key.removeprefix("data.").removeprefix("regularization.") for key in comparison.settings]
    return [
        "",
        *names,
        "validation error",
        *(["test error"] if test else []),
        "train error",
        "best",
        "parameters",
        "time",
        *more(comparison),
        *(["against the first"] if _paired(comparison) else []),
    ]


def more(comparison: Comparison) -> list[str]:
    """What was sorted by and what was asked for, beside the usual columns and the settings that differ."""
    taken = {*SHOWN, *comparison.settings}
    return [name for name in comparison.rows[0].chosen if name not in taken]


def _paired(comparison: Comparison) -> bool:
    return any(row.against for row in comparison.rows)


def cells(row: Row, comparison: Comparison, test: bool) -> list[str]:
    errors = [row.validation, *([row.test] if test else [])]
    measured = [f"{percent(part.error)} {interval(part.low, part.high)}" if part else row.status for part in errors]
    return [
        title(row),
        *(str(row.settings[key]) for key in comparison.settings),
        *measured,
        percent(row.train.error) if row.train else MISSING,
        str(row.best_epoch or MISSING),
        size(row.parameters) if row.parameters else MISSING,
        duration(row.seconds) if row.seconds else MISSING,
        *(quantity(name, row.chosen[name]) for name in more(comparison)),
        *([against(row.against)] if _paired(comparison) else []),
    ]


def title(row: Row) -> str:
    """The name, what became of it, and what it does not satisfy."""
    status = "" if row.status == "finished" else f" ({row.status})"
    return f"{row.name}{status}" + "".join(f"  ✗ {text}" for text in row.broken)


def quantity(name: str, value: object) -> str:
    """A metric with its unit."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return MISSING if value is None else str(value)
    if name.endswith("_error"):
        return percent(value)
    if name == "seconds_per_image":
        return f"{1000 * value:.3g} ms"
    return f"{value / 1e6:.3g} MB" if name == "model_bytes" else f"{value:.4g}"


def against(seen: Paired | Unpaired | None) -> str:
    """The difference in points with its interval; what n images could show, where it is within chance."""
    if seen is None:
        return MISSING
    if isinstance(seen, Unpaired):
        told = f"{100 * seen.value:+.1f} {interval(seen.low, seen.high)}"
        clear = seen.verdict != "not distinguishable"
        return f"{seen.verdict} {told}, on other images" if clear else f"{seen.verdict} ({told}; on other images)"
    told = f"{100 * seen.value:+.1f} {interval(seen.low, seen.high)}"
    if seen.told_apart:
        return f"{seen.verdict} {told} {p_value(seen.p)}"
    return f"not distinguishable ({told}; {100 * seen.detectable:.1f} needed at this n)"


def p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def show_comparison(comparison: Comparison, test: bool) -> None:
    out = console()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in columns(comparison, test):
        table.add_column(Text(printable(name)), no_wrap=True)
    for row in comparison.rows[:MOST]:
        table.add_row(*(Text(printable(cell)) for cell in cells(row, comparison, test)))
    out.print(table, soft_wrap=True)
    if len(comparison.rows) > MOST:
        out.print(f"… {len(comparison.rows) - MOST:,} more: --csv, --md and --json have all of them")
    show_recipes(comparison.recipes, out)
    out.print(Text(printable(footnote(comparison), 2000)))
    if test:
        out.print("choosing by the test error makes it a validation error: choose by validation, report test once")
    for finding in comparison.findings:
        show_finding(finding, out)
    for name, reason in comparison.skipped:
        out.print(Text(f"skipped  {printable(name)} ({printable(reason)})"))


def show_recipes(standings: Sequence[Standing], out: Console) -> None:
    """Mean ± standard deviation over seeds, and what may be said of each recipe against the best."""
    if not standings:
        return
    head, *rows = recipe_rows(standings)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in head:
        table.add_column(Text(printable(name)), no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    out.print()
    out.print(table, soft_wrap=True)
    out.print()


def recipe_rows(standings: Sequence[Standing]) -> Iterable[list[str]]:
    """Header and rows; nothing where there is no recipe with several seeds."""
    if standings:
        yield ["over seeds", "seeds", "mean error", f"against {standings[0].recipe.name}", "P(better)"]
    for standing in standings:
        yield recipe_cells(standing)


def recipe_cells(standing: Standing) -> list[str]:
    recipe, seen = standing
    spread = f" ± {100 * recipe.sd:.1f}" if recipe.sd is not None else ""
    mean = f"{100 * recipe.mean:.1f}{spread} %"
    if seen is None:
        return [recipe.name, str(len(recipe.runs)), mean, MISSING, MISSING]
    told = f"{100 * seen.value:+.1f} {interval(seen.low, seen.high)}"
    if seen.verdict == "not distinguishable":
        settles = f"; {seen.needed:,} {seen.unit} would settle it" if seen.needed else ""
        told = f"({told}{settles})"
    better = MISSING if seen.better is None else f"{seen.better:.3f}"
    return [recipe.name, str(len(recipe.runs)), mean, f"{seen.verdict} {told}", better]


def show_finding(finding: Finding, out: Console) -> None:
    """One line for what is seen, one for what to do about it."""
    out.print(Text.assemble((f"{finding.code}  {finding.title}: ", "bold"), printable(finding.says, 400)))
    changes = [f"{change.path}: {inline(change.value)}" for change in finding.changes]
    if changes or finding.confirm:
        word = "change   " if changes else "to decide"
        out.print(Text(f"    {word}  {'   or   '.join(changes) or finding.confirm}"))


def footnote(comparison: Comparison) -> str:
    runs = f"{len(comparison.rows)} run{'s' if len(comparison.rows) != 1 else ''}"
    if not comparison.same_validation:
        return f"{runs} · {different_images(comparison.images)}"
    n = comparison.images[0].n
    notes = [runs + (f" on the same validation images (n={n:,})" if n else ""), "only settings that differ are shown"]
    pairs = len(comparison.pairs)
    if pairs > 1:
        notes.append(f"p for {pairs:,} pairs (Holm)" if pairs < TOLD else "p for all pairs (Holm)")
    if comparison.optimism >= 0.0005:
        points = f"{100 * comparison.optimism:.1f} points"
        notes.append(f"chosen among {len(comparison.rows)}: expect the best to look {points} too good")
    return " · ".join(notes)


def different_images(images: Sequence[Images]) -> str:
    """Runs on different data are never compared silently."""
    groups = [f"{', '.join(one.runs[:GROUPS])}{' …' if len(one.runs) > GROUPS else ''} (n={one.n or 0:,})"
              for one in images[:GROUPS]]  # fmt: skip
    rest = f" | {len(images) - GROUPS} more" if len(images) > GROUPS else ""
    told = "their validation images are not the same: the errors cannot be compared image by image across"
    return f"{told}   {' | '.join(groups)}{rest}"


def comparison_rows(comparison: Comparison, test: bool) -> Iterable[list[str]]:
    """Header and rows as text, for CSV and Markdown."""
    head = columns(comparison, test)
    yield ["run", *head[1:]]
    for row in comparison.rows:
        yield cells(row, comparison, test)


def table_rows(comparison: Comparison, test: bool) -> Iterable[list[str]]:
    """Header and rows as plain numbers, for CSV: errors are shares of 1, times seconds."""
    parts = ["validation", "train", *(["test"] if test else [])]
    numbers = [name for name in NUMBERS if name not in ("validation", "train", "test")]
    errors = [f"{part}_{key}" for part in parts for key in ("error", "low", "high", "n")]
    judged = ["difference", "difference_low", "difference_high", "p", "verdict"]
    yield ["run", "status", *comparison.settings, *errors, *numbers, *more(comparison), "broken", *judged]
    for row in comparison.rows:
        measured = [getattr(getattr(row, part), key, None) for part in parts for key in ("error", "low", "high", "n")]
        seen = row.against
        versus = [seen.value, seen.low, seen.high, seen.p, seen.verdict] if seen else [None] * len(judged)
        asked = [row.chosen[name] for name in more(comparison)]
        plain = [getattr(row, name) for name in numbers]
        values = [row.name, row.status, *row.settings.values(), *measured, *plain, *asked, "; ".join(row.broken)]
        yield ["" if value is None or value == MISSING else str(value) for value in (*values, *versus)]


def csv_cell(text: str) -> str:
    """A text that a spreadsheet would take for a formula gets a ' in front; a number does not."""
    return f"'{visible(text)}" if text.startswith(FORMULA) and not _is_number(text) else visible(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isprintable()


def markdown_cell(text: str) -> str:
    return MARKUP.sub(r"\\\g<0>", visible(text))
