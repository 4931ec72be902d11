"""A Comparison as rows of text, as plain numbers for CSV, and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from improve.diagnosis.comparison.candidate import Unpaired
from improve.diagnosis.comparison.compare import NUMBERS, Comparison, Images, Row, Standing
from improve.diagnosis.comparison.pairwise import TOLD
from improve.errors import visible
from improve.spec.reading.flatten import MISSING
from improve.statistics.paired import Paired
from improve.views.text.numbers import duration, interval, luck, percent, size

SHOWN = ("validation_error", "train_error", "test_error", "best_epoch", "parameters", "seconds")  # have a column
GROUPS = 4  # of validation images, named in the footnote
FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # what a spreadsheet takes for the start of one (OWASP, CSV injection)
MARKUP = re.compile(r"[\\`*<&|$~]|(?<=\])[(\[:]")  # what Markdown takes for code, HTML, a formula, a link


def columns(comparison: Comparison, test: bool) -> list[str]:
    """The header, above each run's `row_cells`: `against the first` only where there is something to tell."""
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
        *extra_columns(comparison),
        *(["against the first"] if _paired(comparison) else []),
    ]


def extra_columns(comparison: Comparison) -> list[str]:
    """What was sorted by and what was asked for, beside the usual columns and the settings that differ."""
    taken = {*SHOWN, *comparison.settings}
    return [name for name in comparison.rows[0].chosen if name not in taken]


def _paired(comparison: Comparison) -> bool:
    return any(row.against for row in comparison.rows)


def row_cells(row: Row, comparison: Comparison, test: bool) -> list[str]:
    """One run as text, a cell for each of `columns`."""
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
        *(quantity(name, row.chosen[name]) for name in extra_columns(comparison)),
        *([difference_text(row.against)] if _paired(comparison) else []),
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


def difference_text(difference: Paired | Unpaired | None) -> str:
    """The difference in points with its interval; what n images could show, where it is within chance."""
    if difference is None:
        return MISSING
    points = f"{100 * difference.value:+.1f} {interval(difference.low, difference.high)}"
    if isinstance(difference, Unpaired):
        if difference.verdict == "not distinguishable":
            return f"not distinguishable ({points}; on other images)"
        return f"{difference.verdict} {points}, on other images"
    if difference.told_apart:
        return f"{difference.verdict} {points} {p_value(difference.p)}"
    if difference.low > 0 or difference.high < 0:  # its interval is that of this pair alone
        return f"not distinguishable ({points} by itself; {p_value(difference.p)} among all pairs)"
    return f"not distinguishable ({points}; {100 * difference.detectable:.1f} needed at this n)"


def p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def recipe_rows(standings: Sequence[Standing]) -> Iterable[list[str]]:
    """Header and rows; nothing where there is no recipe with several seeds."""
    if standings:
        yield ["over seeds", "seeds", "mean error", f"against {standings[0].recipe.name}", "P(better)"]
    for standing in standings:
        yield recipe_cells(standing)


def recipe_cells(standing: Standing) -> list[str]:
    recipe, difference = standing
    spread = f" ± {100 * recipe.sd:.1f}" if recipe.sd is not None else ""
    mean = f"{100 * recipe.mean:.1f}{spread} %"
    if difference is None:
        return [recipe.name, str(len(recipe.runs)), mean, MISSING, MISSING]
    told = f"{100 * difference.value:+.1f} {interval(difference.low, difference.high)}"
    if difference.verdict == "not distinguishable":
        settles = f"; {difference.needed:,} {difference.unit} would settle it" if difference.needed else ""
        told = f"({told}{settles})"
    better = MISSING if difference.better is None else f"{difference.better:.3f}"
    return [recipe.name, str(len(recipe.runs)), mean, f"{difference.verdict} {told}", better]


def footnote(comparison: Comparison) -> str:
    """What has to be known to read the table: on which images, among how many, corrected for what."""
    runs = f"{len(comparison.rows)} run{'s' if len(comparison.rows) != 1 else ''}"
    if not comparison.same_validation:
        return f"{runs} · {different_images(comparison.images)}"
    n = comparison.images[0].n
    notes = [runs + (f" on the same validation images (n={n:,})" if n else ""), "only settings that differ are shown"]
    pairs = len(comparison.pairs)
    if pairs > 1:
        notes.append(f"p for {pairs:,} pairs (Holm)" if pairs < TOLD else "p for all pairs (Holm)")
    if too_good := luck(comparison.optimism):
        notes.append(f"chosen among {len(comparison.rows)}: expect the best to look {too_good}")
    return " · ".join(notes)


def different_images(images: Sequence[Images]) -> str:
    """Runs on different data are never compared silently."""
    groups = [_named_group(group) for group in images[:GROUPS]]
    rest = f" | {len(images) - GROUPS} more" if len(images) > GROUPS else ""
    told = "their validation images are not the same: the errors cannot be compared image by image across"
    return f"{told}   {' | '.join(groups)}{rest}"


def _named_group(group: Images) -> str:
    more = " …" if len(group.runs) > GROUPS else ""
    return f"{', '.join(group.runs[:GROUPS])}{more} (n={group.n or 0:,})"


def text_rows(comparison: Comparison, test: bool) -> Iterable[list[str]]:
    """Header and rows as text, for CSV and Markdown."""
    head = columns(comparison, test)
    yield ["run", *head[1:]]
    for row in comparison.rows:
        yield row_cells(row, comparison, test)


def number_rows(comparison: Comparison, test: bool) -> Iterable[list[str]]:
    """Header and rows as plain numbers, for CSV: errors are shares of 1, times seconds."""
    parts = ["validation", "train", *(["test"] if test else [])]
    numbers = [name for name in NUMBERS if name not in ("validation", "train", "test")]
    errors = [f"{part}_{key}" for part in parts for key in ("error", "low", "high", "n")]
    judged = ["difference", "difference_low", "difference_high", "p", "verdict"]
    yield ["run", "status", *comparison.settings, *errors, *numbers, *extra_columns(comparison), "broken", *judged]
    for row in comparison.rows:
        measured = [getattr(getattr(row, part), key, None) for part in parts for key in ("error", "low", "high", "n")]
        seen = row.against
        versus = [seen.value, seen.low, seen.high, seen.p, seen.verdict] if seen else [None] * len(judged)
        asked = [row.chosen[name] for name in extra_columns(comparison)]
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
    """A text whose characters mean nothing to Markdown."""
    return MARKUP.sub(r"\\\g<0>", visible(text))
