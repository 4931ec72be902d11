"""Commands that train several runs to answer one question."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from improve.commands.options import RUNS, Json, Name, NoCode, Overrides, Quiet, Runs, SpecFile, print_json

if TYPE_CHECKING:
    from improve.experiments.learning_curve import LearningCurve
    from improve.experiments.lr_range import RateRange

Answer = TypeVar("Answer", "LearningCurve", "RateRange")
Seeds = Annotated[int, typer.Option("--seeds", min=2, max=100, metavar="N", help="how often each is repeated")]


def learning_curve(
    spec: SpecFile,
    overrides: Overrides = None,
    runs: Runs = RUNS,
    name: Name = None,
    seeds: Seeds = 3,
    no_code: NoCode = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Would more data help? Trains with an eighth, a quarter, half and all of it."""
    from improve.spec.reading.load import load_spec

    experiment = load_spec(spec, overrides, code=not no_code)
    from improve.experiments.learning_curve import learning_curve as measure_curve
    from improve.runs.begin import checked_name
    from improve.views.figures.experiments import draw_learning_curve
    from improve.views.terminal.experiments import TerminalCurveWatcher, show_curve

    folder = runs / checked_name(f"{name or spec.stem}_learning_curve")
    curve = measure_curve(experiment, folder, seeds, TerminalCurveWatcher(quiet))
    show_answer(curve, folder, "learning_curve.png", draw_learning_curve, show_curve, as_json)


def learning_rate(
    spec: SpecFile,
    overrides: Overrides = None,
    runs: Runs = RUNS,
    name: Name = None,
    seeds: Seeds = 3,
    no_code: NoCode = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Which learning rates work? A hint: the rate rises from batch to batch, and the loss tells."""
    from improve.spec.reading.load import load_spec

    experiment = load_spec(spec, overrides, code=not no_code)
    from improve.experiments.lr_range import rate_range
    from improve.runs.begin import checked_name
    from improve.views.figures.experiments import draw_rate_range
    from improve.views.terminal.experiments import TerminalRateWatcher, show_rates

    folder = runs / checked_name(f"{name or spec.stem}_lr")
    rates = rate_range(experiment, folder, seeds, TerminalRateWatcher(quiet))
    show_answer(rates, folder, "lr_range.png", draw_rate_range, show_rates, as_json)


def show_answer(
    answer: Answer,
    folder: Path,
    picture: str,
    draw: Callable[[Path, Answer], None],
    show: Callable[[Answer, Path], None],
    as_json: bool,
) -> None:
    """Draw the answer's picture in `folder`, and print what it says."""
    draw(folder / picture, answer)
    if as_json:
        print_json({"folder": str(folder), **answer.as_json()})
    else:
        show(answer, folder / picture)
