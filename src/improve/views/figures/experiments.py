"""Figures of experiments: the learning curve, the learning-rate range test."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from improve.experiments.learning_curve import LearningCurve, span
from improve.experiments.lr_range import RateRange, rate_text
from improve.figure import COLORS, GREY, figure, save, tidy
from improve.lazy import np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOR = COLORS["validation"]


def draw_learning_curve(file: Path, curve: LearningCurve) -> None:
    """Validation error against training images: each run, the means, and the 95 % range of the fitted laws."""
    canvas = figure(4.6)
    axes = canvas.add_axes((0.09, 0.13, 0.87, 0.75))
    largest = max(curve.errors)
    tops = [max(errors) for errors in curve.errors.values()] + [forecast.high for forecast in curve.forecasts]
    axes.set(ylim=(0, 115 * max(tops) + 0.5), ylabel="validation error, %", xlabel="training images")
    axes.set_title(TITLES[curve.outcome], loc="left", fontsize=11, y=1.03)
    _law(axes, curve, largest)
    _runs(axes, curve)
    _forecasts(axes, curve, largest)
    _sizes(axes, [*curve.errors, *(forecast.size for forecast in curve.forecasts)])
    save(canvas, file)


TITLES = {
    "help": "More data would help",
    "no_help": "More data would not help",
    "cannot_tell": "It cannot be told whether more data would help",
}


def _law(axes: Axes, curve: LearningCurve, largest: int) -> None:
    """The band of both laws, and the mean of their best fits: dashed beyond the data."""
    ends = min(curve.errors), curve.forecasts[-1].size
    grid = np.geomspace(*ends, 60)
    low, high = zip(*(curve.trend.error(size) for size in grid), strict=True)
    axes.fill_between(grid, 100 * np.array(low), 100 * np.array(high), color=COLOR, alpha=0.15, linewidth=0)
    for start, end, style in ((ends[0], largest, "-"), (largest, ends[1], "--")):
        part = np.geomspace(start, end, 30)
        best = [statistics.fmean(float(family.best.at(size)) for family in curve.trend) for size in part]
        axes.plot(part, 100 * np.array(best), style, color=COLOR, linewidth=1.5)


def _runs(axes: Axes, curve: LearningCurve) -> None:
    for size, errors in curve.errors.items():
        axes.plot([size] * len(errors), [100 * error for error in errors], "o", color=GREY, markersize=3, alpha=0.7)
        mean = 100 * statistics.fmean(errors)
        axes.plot([size], [mean], "o", color=COLOR, markersize=7, zorder=5)
        axes.annotate(f"{mean:.1f} %", (size, mean), (8, 5), textcoords="offset points", fontsize=9, color=COLOR)


def _forecasts(axes: Axes, curve: LearningCurve, largest: int) -> None:
    axes.axvline(largest, color=GREY, linewidth=0.8, linestyle=":")
    for words, side in (("measured   ", "right"), ("   forecast", "left")):
        axes.annotate(words, (largest, 1.0), xycoords=axes.get_xaxis_transform(), ha=side, fontsize=8, color=GREY)
    for forecast in curve.forecasts:
        axes.plot([forecast.size] * 2, [100 * forecast.low, 100 * forecast.high], color=COLOR, linewidth=2.5)
        place = (forecast.size, 100 * forecast.high)
        axes.annotate(span(forecast), place, (0, 6), textcoords="offset points", ha="center", fontsize=9, color=COLOR)


def _sizes(axes: Axes, sizes: Sequence[int]) -> None:
    """A logarithmic axis that names the sizes there are."""
    axes.set_xscale("log")
    axes.set_xlim(min(sizes) / 1.25, max(sizes) * 1.25)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
    axes.set_xticks([], minor=True)
    tidy(axes, label_size=9)


def draw_rate_range(file: Path, rates: RateRange) -> None:
    """The loss of each batch against its rate for every seed, the range that works, and the spec's own rate."""
    from matplotlib.ticker import FuncFormatter

    canvas = figure(4.6)
    axes = canvas.add_axes((0.09, 0.13, 0.87, 0.75))
    for sweep in rates.sweeps:
        axes.plot(sweep.rates, sweep.losses, color=COLORS["train"], linewidth=0.6, alpha=0.3)
        axes.plot(*sweep.smooth(), color=COLORS["train"], linewidth=1.6, alpha=0.9)
    top = 1.25 * max((sweep.losses[0] for sweep in rates.sweeps if sweep.losses), default=1.0)
    axes.set(xscale="log", ylim=(0, top), ylabel="loss of the batch", xlabel="learning rate")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: rate_text(rate)))
    axes.set_title("The loss while the rate rises, one curve per seed", loc="left", fontsize=11, y=1.03)
    across = axes.get_xaxis_transform()
    if rates.low is not None and rates.high is not None:
        axes.axvspan(rates.low, rates.high, color=COLORS["train_dev"], alpha=0.18, linewidth=0)
        words = f"{rate_text(rates.low)} to {rate_text(rates.high)}"
        middle = (rates.low * rates.high) ** 0.5
        axes.annotate(words, (middle, 0.04), xycoords=across, ha="center", fontsize=9, color=COLORS["train_dev"])
    axes.axvline(rates.own, color=COLOR, linewidth=1.5, linestyle="--")
    axes.annotate(f" the spec's {rates.own:g}", (rates.own, 0.95), xycoords=across, fontsize=9, color=COLOR)
    tidy(axes, label_size=9)
    save(canvas, file)
