"""Would more data help? Runs with an eighth, a quarter, half and all of the training images, and what they foretell."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from improve.engine.training.train import not_stopped, train
from improve.engine.training.watcher import Watcher
from improve.errors import ImproveError, UsageError
from improve.experiments.learning_shape import WORTH, CurvePoint, by_size, judge, rising, starved
from improve.interrupt import goes_on
from improve.runs import begin, files, run
from improve.spec.identity import curve_identity
from improve.spec.partition import part_sizes
from improve.spec.spec import Spec
from improve.statistics.power_law import Trend, trend

PARTS = (8, 4, 2, 1)  # the sizes are the training set divided by these
LEAST_SIZES = 3  # of which a law with three unknowns can be fitted
FORWARD = (2, 4)  # forecasts are for this many times the training images


class CurveMember(NamedTuple):
    """One run to train."""

    size: int
    spec: Spec

    @property
    def name(self) -> str:
        return f"n{self.size}_seed{self.spec.seed}"


class CurveWatcher(Watcher):
    """Told of each run of a learning curve as well."""

    def member(self, done: int, total: int, point: CurvePoint, left: float | None) -> None:
        """`done` of `total` runs are, with this one; `left` is in seconds, None where nothing was trained yet."""


NOBODY = CurveWatcher()  # watches


@dataclass(frozen=True)
class Forecast:
    """The 95 % range of the validation error with `size` training images."""

    size: int
    low: float
    high: float


@dataclass(frozen=True)
class LearningCurve:
    """The whole experiment. `gain` is what four times the images take off the error, `outcome` one of help, no_help,
    cannot_tell."""

    digest: str
    points: tuple[CurvePoint, ...]
    left_out: tuple[str, ...]
    trend: Trend
    forecasts: tuple[Forecast, ...]
    gain: tuple[float, float]
    outcome: str
    sentence: str

    @property
    def errors(self) -> dict[int, list[float]]:
        """Validation errors by size."""
        return by_size(self.points)

    def as_json(self) -> dict[str, Any]:
        floor, plain = self.trend.with_floor.best, self.trend.plain.best
        return {
            "digest": self.digest,
            "sizes": list(self.errors),
            "seeds": sorted({point.seed for point in self.points}),
            "errors": list(self.errors.values()),
            "members": [asdict(point) for point in self.points],
            "left_out": self.left_out,
            "fit": {"with_floor": floor._asdict(), "plain": plain._asdict()},
            "forecasts": [asdict(forecast) for forecast in self.forecasts],
            "gain": {"low": self.gain[0], "high": self.gain[1]},
            "outcome": self.outcome,
            "sentence": self.sentence,
        }


def learning_curve(spec: Spec, folder: Path, seeds: int, watcher: CurveWatcher = NOBODY) -> LearningCurve:
    """Train what is not trained yet in `folder`, fit, forecast, and write learning_curve.json there.

    Raises UsageError where there are too few images.
    """
    members, left_out = plan(spec, seeds)
    folder = begin.writable(folder)
    points = tuple(trained_points(members, folder, watcher))
    diverged = [f"{Path(point.folder).name}: it diverged" for point in points if point.error is None]
    curve = conclude(points, curve_identity(spec.complete()), (*left_out, *diverged))
    files.write_json(folder / "learning_curve.json", curve.as_json())
    return curve


def plan(spec: Spec, seeds: int) -> tuple[list[CurveMember], tuple[str, ...]]:
    """The runs, small ones first, and the sizes that are left out, with the reason."""
    whole = part_sizes(spec.data).train
    classes = spec.data.source.facts().classes or 0
    sizes, left_out = [], []
    for part in PARTS:
        size = whole // part
        why = too_small(size, spec.training.batch_size, classes)
        if why:
            left_out.append(f"{size:,} images: {why}")
        else:
            sizes.append(size)
    if len(sizes) < LEAST_SIZES:
        what = f"{whole:,} training images are too few for a learning curve: {'; '.join(left_out)}"
        raise UsageError(what, fix=f"a smaller training.batch_size, at most {whole // PARTS[1]}, or more images")
    return [CurveMember(size, member_spec(spec, size, seed)) for size in sizes for seed in range(seeds)], tuple(
        left_out
    )


def too_small(size: int, batch_size: int, classes: int) -> str:
    if size < batch_size:
        return f"fewer than a batch of {batch_size}"
    return "fewer than 2 per class" if size < 2 * classes else ""


def member_spec(spec: Spec, size: int, seed: int) -> Spec:
    data = spec.data.model_copy(update={"train_size": size})
    return spec.model_copy(update={"data": data, "seed": spec.seed + seed})


def trained_points(members: Sequence[CurveMember], folder: Path, watcher: CurveWatcher) -> Iterator[CurvePoint]:
    """Each member's result, from its run where there is one already."""
    before = [finished_run(folder, member.name, member.spec) for member in members]
    costs: list[tuple[int, float]] = []
    for number, (member, found) in enumerate(zip(members, before, strict=True)):
        made = found
        if made is None:
            began = time.monotonic()
            with goes_on(f"{number} of {len(members)} runs are done; the same command goes on"):
                made = not_stopped(run.load_run(train(member.spec, member.name, folder, watcher)))
            costs.append((member.size, time.monotonic() - began))
        point = point_of(member, made)
        missing = [other.size for other, done in zip(members, before, strict=True) if done is None]
        left = time_left(costs, missing[len(costs) :])
        watcher.member(number + 1, len(members), point, left)
        yield point


def finished_run(folder: Path, name: str, spec: Spec) -> run.Run | None:
    """The run of exactly this spec that is done, under `name` or name-2, -3 …, if there is one."""
    for place in begin.folders(folder, name):
        try:
            made = run.load_run(place)
        except ImproveError:
            continue
        if made.is_done and made.spec == spec.complete() and begin.same_code(place, spec):
            return made
    return None


def time_left(costs: Sequence[tuple[int, float]], sizes: Sequence[int]) -> float | None:
    """Seconds for runs of these sizes, from (size, seconds) of those that were trained: a straight line through the
    smallest and the largest. None where they are of one size and the others are not: building the model takes time as
    well, so a proportion would be far off."""
    (small, quick), (large, slow) = (min(costs), max(costs)) if costs else ((0, 0.0), (0, 0.0))
    if small == large and any(size != small for size in sizes):
        return None
    slope = (slow - quick) / max(1, large - small)
    return sum(max(quick, quick + slope * (size - small)) for size in sizes)


def point_of(member: CurveMember, made: run.Run) -> CurvePoint:
    errors = [part.error if part else None for part in (made.summary.validation, made.summary.train)]
    return CurvePoint(member.size, member.spec.seed, str(made.folder), *errors)


def conclude(points: tuple[CurvePoint, ...], digest: str, left_out: tuple[str, ...] = ()) -> LearningCurve:
    """Fit and judge. Raises ImproveError where too few runs have a result."""
    errors = by_size(points)
    if len(errors) < LEAST_SIZES:
        raise ImproveError("too few of the runs have a result", fix="improve diagnose says why a run diverged")
    law, largest = trend(list(errors), list(errors.values())), max(errors)
    forecasts = tuple(Forecast(factor * largest, *law.error(factor * largest)) for factor in FORWARD)
    gain = law.gain(largest, FORWARD[-1] * largest)
    outcome, sentence = judge(gain, starved(points)), ""
    if rise := rising(points):
        outcome, sentence = "cannot_tell", not_monotone(errors, *rise)
    sentence = sentence or say(outcome, errors[largest], largest, forecasts, gain, law, starved(points))
    return LearningCurve(digest, points, left_out, law, forecasts, gain, outcome, sentence)


def say(
    outcome: str,
    errors: Sequence[float],
    largest: int,
    forecasts: Sequence[Forecast],
    gain: tuple[float, float],
    law: Trend,
    too_short: float,
) -> str:
    """The result in one sentence, and what to do about it in another."""
    now = f"{100 * statistics.fmean(errors):.1f} %"
    double, far = forecasts
    if outcome == "no_help":
        return (
            f"more data would not help: from {now} at {largest:,} to {span(far)} at {far.size:,} images, "
            f"less than {100 * WORTH:.0f} points"
        )
    if outcome == "help":
        return (
            f"more data would help: from {now} at {largest:,} to {span(double)} at {double.size:,} and {span(far)} at "
            f"{far.size:,} images (falls as n^-{law.plain.best.b:.2f}); collect in rounds: double them, measure again"
        )
    if too_short:
        return (
            f"cannot tell whether more data would help: the smallest runs fit their own images {100 * too_short:.1f} "
            "points worse than the largest, so they were trained too short; more epochs would tell "
            "(training.epochs=…)"
        )
    return (
        f"cannot tell whether more data would help: {far.size:,} images would take {100 * gain[0]:.1f} to "
        f"{100 * gain[1]:.1f} points off {now}; more seeds would tell (--seeds)"
    )


def not_monotone(errors: dict[int, list[float]], small: int, large: int) -> str:
    before, after = (f"{100 * statistics.fmean(errors[size]):.1f} %" for size in (small, large))
    return (
        f"cannot tell whether more data would help: from {small:,} to {large:,} images the error rises, from {before} "
        f"to {after}, so no law that falls fits it; more sizes would tell, or a look at what the added images are"
    )


def span(forecast: Forecast) -> str:
    """ "33–35 %"; with a decimal where the errors are small."""
    digits = 0 if forecast.high >= 0.1 and forecast.high - forecast.low >= 0.01 else 1
    return f"{100 * forecast.low:.{digits}f}–{100 * forecast.high:.{digits}f} %"
