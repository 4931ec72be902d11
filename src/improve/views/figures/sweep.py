"""The picture of a sweep: a slice for each setting, or parallel axes where there are many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.errors import printable
from improve.experiments.sweep.result import SweepVerdict
from improve.experiments.sweep.sweep import Result
from improve.figure import COLORS, GREY, figure, save, tidy
from improve.lazy import np
from improve.spec.reading.search_space import Knob
from improve.spec.reading.yaml import inline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MANY = 6  # settings; of more, parallel axes
COLUMNS = 3
NAMED = 8  # values of an axis that are written out
BEST = COLORS["validation"]


def draw_sweep(file: Path, verdict: SweepVerdict) -> None:
    """Validation error against each setting; the best point is marked in each slice."""
    if not verdict.plan.knobs:
        draw_seeds(file, verdict)
    elif len(verdict.plan.knobs) > MANY:
        draw_parallel(file, verdict)
    else:
        draw_slices(file, verdict)


def draw_slices(file: Path, verdict: SweepVerdict) -> None:
    knobs = verdict.plan.knobs
    columns = min(COLUMNS, len(knobs))
    rows = -(-len(knobs) // columns)
    height, width = 0.6 + 2.9 * rows, 1.2 + 3.1 * columns
    canvas = figure(height, width)
    sides = {"left": 0.75 / width, "right": 0.98, "top": 1 - 0.75 / height, "bottom": 0.55 / height}
    grid = canvas.add_gridspec(rows, columns, **sides, hspace=0.5, wspace=0.12)
    canvas.suptitle(title(verdict), x=0.02, y=1 - 0.1 / height, ha="left", va="top", fontsize=11)
    canvas.text(0.98, 1 - 0.12 / height, legend(verdict), ha="right", va="top", fontsize=8, color=GREY)
    top, bottom = limits(verdict)
    for place, knob in enumerate(knobs):
        axes = canvas.add_subplot(grid[place // columns, place % columns])
        draw_slice(axes, verdict, place, knob)
        axes.set_ylim(bottom, top)
        if place % columns:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel("validation error, %", fontsize=9)
    save(canvas, file)


def title(verdict: SweepVerdict) -> str:
    error, low, high = (100 * number for number in verdict.validation[:3])
    return f"{len(verdict.results):,} points: the best has {error:.1f} % [{low:.1f}, {high:.1f}]"


def limits(verdict: SweepVerdict) -> tuple[float, float]:
    """What the axis of the error spans: the worst lie at the top, where they would squeeze the others."""
    errors = sorted(100 * one.error for one in verdict.results if one.error is not None)
    low, high, middle = errors[0], errors[-1], errors[len(errors) // 2]
    top = min(high, low + 6 * max(middle - low, 0.5))
    room = max(top - low, 0.5) * 0.08
    return top + room, max(0.0, low - room)


def legend(verdict: SweepVerdict) -> str:
    """What the marks mean that there are."""
    hollow = any(one.status in ("pruned", "diverged") for one in verdict.results)
    high = any((100 if one.error is None else 100 * one.error) > limits(verdict)[0] for one in verdict.results)
    return "   ".join(["hollow: stopped or diverged"] * hollow + ["triangle: beyond the axis"] * high)


def draw_slice(axes: Axes, verdict: SweepVerdict, place: int, knob: Knob) -> None:
    """One setting: finished trials as dots, others hollow, those beyond the axis at its top."""
    top, _ = limits(verdict)
    for one in verdict.results:
        x, error = position(knob, one.values[place]), 100.0 if one.error is None else 100 * one.error
        if one.status == "failed":
            continue
        beyond = error > top
        style: dict[str, Any] = {"color": GREY, "markersize": 5, "alpha": 0.75, "markeredgewidth": 1}
        style |= {"fillstyle": "full" if one.status == "finished" else "none", "clip_on": not beyond}
        axes.plot([x], [min(error, top)], "^" if beyond else "o", **style)
    best = [position(knob, verdict.best.values[place])], [100 * verdict.validation.error]
    axes.plot(*best, "o", color=BEST, markersize=9, zorder=5, markeredgecolor="white")
    share = verdict.importance.shares.get(knob.key) if verdict.importance else None
    matters = "" if share is None else f"   matters {100 * share:.0f} %"
    axes.set_title(printable(knob.key, 34) + matters, loc="left", fontsize=9)
    scale(axes, knob)
    tidy(axes)


def position(knob: Knob, value: Any) -> float:
    return float(value) if knob.numeric else float(knob.values.index(value))


def scale(axes: Axes, knob: Knob) -> None:
    """A logarithmic axis for what is searched in factors; names for what are no numbers."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    if knob.logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    values = knob.listed
    if not knob.numeric or 0 < len(values) <= NAMED:
        names = [printable(short_value(value), 14) for value in values]
        axes.set_xticks([position(knob, value) for value in values], names)
        axes.set_xticks([], minor=True)
    if not knob.numeric:
        axes.set_xlim(-0.5, len(values) - 0.5)


def short_value(value: Any) -> str:
    """A value in short: of a section its name, of a number six digits."""
    if isinstance(value, dict) and "name" in value:
        return str(value["name"])
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else inline(value)


def draw_parallel(file: Path, verdict: SweepVerdict) -> None:
    """One upright axis per setting and one for the error; each trial is a line, the better the darker."""
    knobs = verdict.plan.knobs
    canvas = figure(4.8, max(8.0, 1.35 * (len(knobs) + 1)))
    axes = canvas.add_axes((0.06, 0.2, 0.88, 0.66))
    canvas.suptitle(title(verdict), x=0.02, y=0.98, ha="left", va="top", fontsize=11)
    shown = [one for one in verdict.results if one.error is not None]
    errors = np.array([one.error for one in shown])
    ranks = errors.argsort().argsort() / max(1, len(shown) - 1)
    for rank, one in sorted(zip(ranks, shown, strict=True), key=lambda pair: -pair[0]):
        axes.plot(range(len(knobs) + 1), heights(verdict, one), color=GREY, alpha=0.08 + 0.5 * (1 - rank), linewidth=1)
    axes.plot(range(len(knobs) + 1), heights(verdict, verdict.best), color=BEST, linewidth=2.5, zorder=5)
    for place, knob in enumerate(knobs):
        label_axis(axes, place, knob)
    label_error(axes, len(knobs), errors)
    axes.set(xlim=(-0.2, len(knobs) + 0.4), ylim=(-0.02, 1.02), yticks=[])
    names = [*(printable(str(knob.path[-1]), 18) for knob in knobs), "validation error"]
    axes.set_xticks(range(len(knobs) + 1), names, rotation=20, ha="right", fontsize=8)
    axes.spines[:].set_visible(False)
    save(canvas, file)


def heights(verdict: SweepVerdict, result: Result) -> list[float]:
    """Where the trial crosses each axis, from 0 to 1; the best error is at the top."""
    errors = [one.error for one in verdict.results if one.error is not None]
    low, high = min(errors), max(errors)
    end = 1 - ((result.error or 0.0) - low) / (high - low) if high > low else 1.0
    return [*(height(knob, value) for knob, value in zip(verdict.plan.knobs, result.values, strict=True)), end]


def height(knob: Knob, value: Any) -> float:
    if knob.numeric:
        return knob.share(value)
    return knob.values.index(value) / max(1, len(knob.values) - 1)


def label_axis(axes: Axes, place: int, knob: Knob) -> None:
    axes.axvline(place, color=GREY, linewidth=0.8)
    values: Sequence[Any] = knob.listed if 0 < len(knob.listed) <= NAMED else (min(knob.ends), max(knob.ends))
    for value in values:
        text, at = printable(short_value(value), 12), (place, height(knob, value))
        axes.annotate(text, at, (3, 2), textcoords="offset points", fontsize=7, zorder=6)


def label_error(axes: Axes, place: int, errors: Any) -> None:
    axes.axvline(place, color=BEST, linewidth=0.8)
    for error, at in ((errors.min(), 1.0), (errors.max(), 0.0)):
        axes.annotate(f"{100 * error:.1f} %", (place, at), (4, 0), textcoords="offset points", fontsize=8, color=BEST)


def draw_seeds(file: Path, verdict: SweepVerdict) -> None:
    """Draw the errors of the best point's seeds: what there is to see where no setting varies."""
    made = figure(3.2, 6)
    axes = made.add_axes((0.12, 0.17, 0.84, 0.7))
    axes.set_title(title(verdict), loc="left", fontsize=10)
    errors = [100 * run.validation.error for run in verdict.best.runs]
    axes.plot([str(run.spec["seed"]) for run in verdict.best.runs], errors, "o", color=BEST)
    axes.set(xlabel="seed", ylabel="validation error, %")
    tidy(axes)
    save(made, file)
