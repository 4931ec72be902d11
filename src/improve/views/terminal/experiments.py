"""Experiments of many runs as a person watches them and reads them."""

from __future__ import annotations

import statistics
from pathlib import Path

from rich.text import Text

from improve.experiments.learning_curve import CurveWatcher, LearningCurve, span
from improve.experiments.learning_shape import CurvePoint
from improve.experiments.lr_range import METHODS, RateRange, RateSweep, RateWatcher, rate_text
from improve.views.terminal.console import console
from improve.views.terminal.training import TerminalWatcher
from improve.views.text.numbers import duration, percent


class TerminalCurveWatcher(TerminalWatcher, CurveWatcher):
    """One line per run on standard error; the epochs within it are not told."""

    def __init__(self, quiet: bool = False):
        super().__init__(quiet=True)
        self.told = not quiet

    def member(self, done: int, total: int, point: CurvePoint, left: float | None) -> None:
        if not self.told:
            return
        error = "diverged" if point.error is None else f"validation error {percent(point.error):>7}"
        more = f"   about {duration(left)} left" if left else ""
        self.out.print(Text(f"{done:>3}/{total}  {Path(point.folder).name:<16}  {error}{more}"))


def show_curve(curve: LearningCurve, picture: Path) -> None:
    """A row per size, the forecasts, the sentence, the picture."""
    out = console()
    trained = [(point.size, point.train_error) for point in curve.points if point.train_error is not None]
    train = {size: [error for at, error in trained if at == size] for size in curve.errors}
    out.print(Text("  images   validation error       seeds       training error", "bold"))
    for size, errors in curve.errors.items():
        spread = f"{100 * min(errors):.1f}–{100 * max(errors):.1f}"
        mean, fitted = percent(statistics.fmean(errors)), percent(statistics.fmean(train[size]))
        out.print(Text(f"{size:>8,}   {mean:>16}   {spread:>11}   {fitted:>16}"))
    for forecast in curve.forecasts:
        out.print(Text(f"{forecast.size:>8,}   {span(forecast):>16}   {'forecast':>11}"))
    for reason in curve.left_out:
        out.print(Text(f"left out: {reason}"))
    out.print()
    out.print(Text(curve.sentence))
    out.print(Text(f"curve   {picture}"))


class TerminalRateWatcher(TerminalWatcher, RateWatcher):
    """One line per seed on standard error."""

    def __init__(self, quiet: bool = False):
        super().__init__(quiet=True)
        self.told = not quiet

    def sweep(self, done: int, total: int, sweep: RateSweep) -> None:
        if self.told:
            end = (
                f"{len(sweep.rates)} batches, up to a rate of {rate_text(sweep.rates[-1])}"
                if sweep.rates
                else "no loss"
            )
            self.out.print(Text(f"{done:>3}/{total}  seed {sweep.seed}   {end}"))


def show_rates(found: RateRange, picture: Path) -> None:
    """What each method reads from each seed's curve, the sentence, the picture."""
    out = console()
    out.print(Text("seed   " + "".join(f"{method:>10}" for method in METHODS), "bold"))
    for sweep in found.sweeps:
        rates = sweep.suggestions()
        cells = (f"{rate_text(rates[method]) if method in rates else '–':>10}" for method in METHODS)
        out.print(Text(f"{sweep.seed:>4}   {''.join(cells)}"))
    out.print()
    out.print(Text(found.sentence))
    out.print(Text(f"curve   {picture}"))
