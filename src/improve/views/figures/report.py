"""Figures of the report. Each is about as wide as a phone, so that its text can be read there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.diagnosis.error_analysis import Calibration
from improve.engine.training.curves import draw_changes, draw_errors, draw_rate
from improve.errors import printable
from improve.figure import BLACK, COLORS, GREY, PURPLE, figure, tidy
from improve.statistics.intervals import Rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 4.7  # inches
#: of more runs than these the rest is drawn in grey
HUES = (COLORS["train"], COLORS["validation"], COLORS["train_dev"], PURPLE, BLACK)
SHORT = 20  # letters of a name: two such fit beside each other
DASHES = ("-", "--", ":")


class Rung(NamedTuple):
    """An error of the ladder, and the gap below it: its name and what is said of it."""

    name: str
    rate: Rate
    gap: str = ""
    verdict: str = ""


RUNG_COLORS = {"human": GREY, "training": COLORS["train"], "train-dev": COLORS["validation"], "test": PURPLE}


def curves_figure(
    rows: list[dict[str, Any]], best: int, human_error: float | None, changes: Sequence[Mapping[str, Any]]
) -> Figure:
    """Errors and the learning rate over the epochs, as in curves.png."""
    canvas: Figure = figure(4.8, WIDTH)
    grid = canvas.add_gridspec(2, 1, height_ratios=(3.2, 1), left=0.17, right=0.72, top=0.97, bottom=0.11, hspace=0.14)
    above = canvas.add_subplot(grid[0])
    below = canvas.add_subplot(grid[1], sharex=above)
    draw_errors(above, rows, best, human_error)
    above.set_title("", loc="left")
    draw_changes((above, below), [dict(change) for change in changes])
    draw_rate(below, [row["epoch"] for row in rows], [row["learning_rate"] for row in rows])
    above.tick_params(labelbottom=False)
    return canvas


def ladder_figure(rungs: Sequence[Rung]) -> Figure:
    """The errors from human to test as bars, each with what it adds to the one above it and its 95 % interval."""
    canvas: Figure = figure(0.55 + 0.72 * len(rungs), WIDTH)
    height = canvas.get_figheight()
    axes = canvas.add_axes((0.19, 0.45 / height, 0.79, 1 - 0.5 / height))
    top = max(100 * rung.rate.interval()[1] for rung in rungs) or 1.0
    axes.set(xlim=(0, 1.25 * top), ylim=(len(rungs) - 0.4, -0.72), xlabel="error, %")
    before = 0.0
    for place, rung in enumerate(rungs):
        color = RUNG_COLORS.get(rung.name, _validation_color(rungs))
        _bar(axes, place, before, rung, color)
        if rung.gap:
            _name_gap(axes, place, before, rung, color)
        before = 100 * rung.rate.value
    axes.set_yticks(range(len(rungs)), [rung.name for rung in rungs])
    tidy(axes)
    axes.grid(False)
    axes.tick_params(axis="y", length=0, labelsize=10)
    axes.spines["left"].set_visible(False)
    return canvas


def _validation_color(rungs: Sequence[Rung]) -> str:
    """Variance is orange, data mismatch green: with a train-dev set it is the latter that the validation error adds."""
    return COLORS["train_dev" if any(rung.name == "train-dev" for rung in rungs) else "validation"]


def _bar(axes: Axes, place: int, before: float, rung: Rung, color: str) -> None:
    value, (low, high) = 100 * rung.rate.value, rung.rate.interval()
    axes.barh(place, min(before, value), height=0.44, color=GREY, alpha=0.25, linewidth=0)
    if value > before:
        axes.barh(place, value - before, left=before, height=0.44, color=color, linewidth=0)
    elif value < before:  # less than above it: an empty frame
        axes.barh(place, before - value, left=value, height=0.44, fill=False, edgecolor=color, linestyle=":")
    if rung.rate.n is not None:
        axes.plot([100 * low, 100 * high], [place, place], color=BLACK, linewidth=1.4)
        axes.plot([100 * low, 100 * high], [place, place], "|", color=BLACK, markersize=7)
    style: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 10}
    axes.annotate(f"{value:.1f} %", (max(100 * high, before), place), (6, 0), **style)


def _name_gap(axes: Axes, place: int, before: float, rung: Rung, color: str) -> None:
    """Write a gap's name over its own stretch of the bar, on the side where there is room."""
    value = 100 * rung.rate.value
    middle = (before + value) / 2 > 0.45 * axes.get_xlim()[1]
    text = f"{rung.gap} {value - before:+.1f}" + (f": {rung.verdict}" if rung.verdict else "")
    side, x = ("right", max(before, value)) if middle else ("left", min(before, value))
    axes.annotate(text, (x, place - 0.29), fontsize=9, color=color, ha=side, va="bottom")


def reliability_figure(calibration: Calibration) -> Figure:
    """The share of right answers against the confidence, by bin, with 95 % intervals; below, how many answers."""
    canvas: Figure = figure(4.2, WIDTH)
    grid = canvas.add_gridspec(2, 1, height_ratios=(3.4, 1), left=0.14, right=0.97, top=0.97, bottom=0.13, hspace=0.12)
    above = canvas.add_subplot(grid[0])
    below = canvas.add_subplot(grid[1], sharex=above)
    above.plot([0, 100], [0, 100], "--", color=GREY, linewidth=1)
    above.annotate("as sure as it is right", (50, 54), rotation=32, fontsize=9, color=GREY, ha="center")
    for one in calibration.bins:
        low, high = one.right.interval()
        above.plot([100 * one.confidence] * 2, [100 * low, 100 * high], color=COLORS["train"], linewidth=1.2)
        below.bar(100 * one.confidence, one.n, width=3.5, color=COLORS["train"], linewidth=0)
    shares = [100 * one.right.value for one in calibration.bins]
    above.plot([100 * one.confidence for one in calibration.bins], shares, "o", color=COLORS["train"], markersize=5)
    above.set(xlim=(0, 102), ylim=(0, 102), ylabel="right, %")
    below.set(xlabel="confidence, %", ylabel="images")
    above.tick_params(labelbottom=False)
    for axes in (above, below):
        tidy(axes)
    return canvas


def overlay_figure(histories: Mapping[str, Sequence[tuple[int, float]]]) -> Figure:
    """The validation errors of several runs (epoch, fraction) over the epochs, each with its name where there is room
    for that many."""
    columns = 2 if max(map(len, histories)) <= SHORT else 1
    key = 0.2 * math.ceil(len(histories) / columns)  # inches
    canvas: Figure = figure(4.1 + key, WIDTH)
    axes = canvas.add_axes((0.13, (0.55 + key) / (4.1 + key), 0.84, 3.4 / (4.1 + key)))
    for number, (name, points) in enumerate(histories.items()):
        color, dash = hue(number)
        epochs, errors = zip(*((epoch, 100 * error) for epoch, error in points), strict=True)
        style: dict[str, Any] = {"linewidth": 1.6, "marker": "o" if len(points) < 3 else None, "markersize": 4}
        axes.plot(epochs, errors, dash, color=color, label=printable(name, 2 * SHORT), **style)
    axes.set(xlabel="epoch", ylabel="validation error, %")
    axes.set_ylim(bottom=0)
    whole_numbers(axes)
    tidy(axes)
    axes.legend(
        loc="upper left", bbox_to_anchor=(-0.1, -0.14), ncols=columns, frameon=False, fontsize=9, borderaxespad=0
    )
    return canvas


def hue(number: int) -> tuple[str, str]:
    """Colour and dash of the curve of that number: fifteen that differ, then grey."""
    if number >= len(HUES) * len(DASHES):
        return GREY, "-"
    return HUES[number % len(HUES)], DASHES[number // len(HUES)]


def whole_numbers(axes: Axes) -> None:
    """Let the x axis have ticks at whole numbers only, ten steps at most."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
