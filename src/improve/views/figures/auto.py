"""Figures of a walk of `improve auto`: errors against epochs spent, and the start against the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.errors import printable
from improve.figure import BLACK, COLORS, GREY, figure, tidy
from improve.statistics.intervals import Rate
from improve.views.figures.report import WIDTH, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 12  # kept runs; of more, only the last ones have their names in the figure
LINE, OPEN = COLORS["train"], COLORS["validation"]


class Point(NamedTuple):
    """A run: its validation error, and how many epochs were spent in all when it ended."""

    name: str
    spent: int
    rate: Rate
    kept: bool


class Bar(NamedTuple):
    """An error, and which one it is."""

    name: str
    rate: Rate


def error_path(points: Sequence[Point], total: int) -> Figure:
    """Every run's error with its 95 % interval; kept ones are dots, joined by the best so far, the others crosses."""
    canvas: Figure = figure(4.0, WIDTH)
    axes = canvas.add_axes((0.13, 0.13, 0.84, 0.78))
    for one in points:
        color, mark = (LINE, "o") if one.kept else (GREY, "x")
        low, high = one.rate.interval()
        axes.plot([one.spent] * 2, [100 * low, 100 * high], color=color, linewidth=1, alpha=0.55)
        axes.plot([one.spent], [100 * one.rate.value], mark, color=color, markersize=6, zorder=4)
    _best_so_far(axes, [one for one in points if one.kept], total)
    top = max(100 * one.rate.interval()[1] for one in points)
    axes.set(xlim=(0, 1.04 * max(total, 1)), xlabel="epochs spent in all")
    axes.set(ylim=(0, 1.08 * top), ylabel="validation error, %")
    canvas.text(0.13, 0.95, "● kept, — the best so far", fontsize=10, color=LINE)
    canvas.text(0.97, 0.95, "× not kept", fontsize=10, color=GREY, ha="right")
    whole_numbers(axes)
    tidy(axes)
    return canvas


def _best_so_far(axes: Axes, kept: Sequence[Point], total: int) -> None:
    if not kept:
        return
    spent, errors = [one.spent for one in kept], [100 * one.rate.value for one in kept]
    axes.step([*spent, max(total, spent[-1])], [*errors, errors[-1]], where="post", color=LINE, linewidth=1.8)
    for run in kept[-NAMED:]:
        place = (run.spent, 100 * run.rate.value)
        axes.annotate(printable(run.name, 10), place, (6, 5), textcoords="offset points", fontsize=9, color=LINE)


def start_and_best(bars: Sequence[Bar]) -> Figure:
    """The errors as bars with their 95 % intervals, one below the other."""
    height = 0.6 + 0.5 * len(bars)
    canvas: Figure = figure(height, WIDTH)
    axes = canvas.add_axes((0.31, 0.45 / height, 0.67, 1 - 0.5 / height))
    for place, bar in enumerate(bars):
        value, (low, high) = 100 * bar.rate.value, bar.rate.interval()
        axes.barh(place, value, height=0.5, color=GREY if place == 0 else LINE, linewidth=0)
        axes.plot([100 * low, 100 * high], [place, place], color=BLACK, linewidth=1.4)
        axes.plot([100 * low, 100 * high], [place, place], "|", color=BLACK, markersize=7)
        beside: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 10}
        axes.annotate(f"{value:.1f} %", (100 * high, place), (6, 0), **beside)
    top = max(100 * bar.rate.interval()[1] for bar in bars)
    axes.set(xlim=(0, 1.25 * top or 1.0), ylim=(len(bars) - 0.5, -0.5), xlabel="error, %")
    axes.set_yticks(range(len(bars)), [printable(bar.name, 24) for bar in bars])
    tidy(axes)
    axes.grid(False)
    axes.tick_params(axis="y", length=0, labelsize=10)
    axes.spines["left"].set_visible(False)
    return canvas
