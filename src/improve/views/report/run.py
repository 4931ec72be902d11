"""Run → what a page shows of it: nothing here knows of HTML, and a run that is not whole still gets what there is."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from improve.diagnosis.bias_variance import Gap
from improve.diagnosis.diagnose import Diagnosis, diagnose
from improve.errors import ImproveError, UsageError
from improve.runs.run import Run, load_run, read_environment, read_metrics, read_record, read_spec, sealed
from improve.runs.schema import Environment, Summary
from improve.runs.test_part import open_test
from improve.spec.reading import yaml
from improve.statistics.intervals import Rate
from improve.views.text.diagnosis import GAP_WORDS, GAPS, VERDICTS, exact_text
from improve.views.text.numbers import duration, interval, percent, size

Value = TypeVar("Value")
CURVES = ("train_error", "validation_error", "learning_rate")  # what every row must have to be drawn


class Step(NamedTuple):
    """A line of the ladder: an error, or the gap between two of them."""

    name: str
    value: str
    interval: str
    says: str
    is_gap: bool


@dataclass(frozen=True)
class RunView:
    """A run, what keeps it from being whole, its diagnosis or why there is none. `test`: its test error may be told."""

    run: Run
    label: str
    damage: str
    diagnosis: Diagnosis | None
    trouble: str
    test: bool

    @property
    def status(self) -> str:
        return "damaged" if self.damage else self.run.status

    @cached_property
    def changes(self) -> list[dict[str, Any]]:
        """What was changed on the way, where it can be read: after how many epochs, which setting, from, to."""
        written = self.run.summary.changes
        found = [one for one in written if isinstance(one, dict)] if isinstance(written, list) else []
        return [one for one in found if _number(one.get("epoch")) and {"path", "to"} <= one.keys()]

    @property
    def rows(self) -> list[dict[str, float]]:
        """The epochs, where all of them can be drawn; nothing otherwise."""
        whole = all(math.isfinite(row.get(name, math.nan)) for row in self.run.history for name in CURVES)
        in_order = [row["epoch"] for row in self.run.history] == list(range(1, len(self.run.history) + 1))
        return self.run.history if whole and in_order else []

    @property
    def uncurved(self) -> str:
        """Why there is nothing to draw."""
        if self.run.summary.members:
            return "an ensemble is put together, not trained"
        return "the rows of metrics.csv cannot all be read" if self.run.history else "no epoch was recorded"

    @property
    def best(self) -> int:
        """The best epoch; the one with the lowest validation error where the run has not told."""
        best_epoch = self.run.summary.best_epoch
        if best_epoch and best_epoch <= len(self.rows):
            return int(best_epoch)
        return 1 + min(range(len(self.rows)), key=lambda place: self.rows[place]["validation_error"])

    @property
    def human(self) -> float | None:
        human_error = self.run.spec.get("diagnosis", {}).get("human_error")
        return None if human_error is None else float(human_error)

    @property
    def classes(self) -> list[str]:
        return list(self.run.environment.data.classes)


def run_view(folder: Path, label: str, test: bool, again: bool = False) -> RunView:
    """`test` opens the test part; `again`: it was shown before. Raises UsageError where `folder` is no run at all."""
    if os.path.isdir(folder) and not os.path.isfile(folder / "summary.json"):
        raise UsageError(f"{folder} is not a run", fix="a run is a folder that improve train has made")
    damage = ""
    try:
        run = load_run(folder)
    except ImproveError as error:
        if not os.path.isdir(folder):
            raise
        run, damage = salvaged(folder), error.what
    if damage:
        return RunView(run, label, damage, None, "", test)
    try:
        opened = open_test(run, again) if test and run.has_test else None
        return RunView(run, label, "", diagnose(run, opened), "", test)
    except ImproveError as error:
        return RunView(run, label, "", None, f"{error.what}; {error.fix}", test)


def salvaged(folder: Path) -> Run:
    """What can be read of a damaged run: each file for itself."""
    summary = _or(lambda: read_record(folder / "summary.json", Summary), Summary())
    return Run(
        folder,
        _or(lambda: read_spec(folder / "spec.yaml"), {}),
        sealed(summary),
        _or(lambda: read_metrics(folder / "metrics.csv"), []),
        _or(lambda: read_environment(folder), Environment()),
        summary.test,
    )


def _or(read: Callable[[], Value], nothing: Value) -> Value:
    try:
        return read()
    except (ImproveError, OSError, ValueError):
        return nothing


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def verdict_sentence(view: RunView) -> str:
    """The run in one sentence: what is wrong with it, its error, and what to change first."""
    if view.damage:
        return f"damaged: {view.damage.removeprefix(f'the run {view.run.folder} is damaged: ')}"
    if view.diagnosis is None:
        return f"no verdict: {view.trouble}"
    verdict = VERDICTS[view.diagnosis.verdict]
    errors = view.diagnosis.errors
    if errors is not None:
        low, high = errors.validation.interval()
        n = f" (n={errors.validation.n:,})" if errors.validation.n else ""
        verdict += f"; validation error {percent(errors.validation.value)} {interval(low, high)}{n}"
    first = next(
        (one for one in view.diagnosis.findings if one.changes and one.is_told),
        None,
    )
    if first is None:
        return verdict
    edits = ", ".join(f"{path}: {yaml.inline(value)}" for path, value in first.changes[0].edits)
    return f"{verdict}; to change first: {edits}"


def run_facts(view: RunView) -> Iterator[tuple[str, str]]:
    """What the run is, in a few terms."""
    summary = view.run.summary
    if view.run.spec:
        yield from _settings(view.run)
    if summary.members is not None:
        yield "members", ", ".join(summary.members)
    if "epochs" in summary.model_fields_set:
        yield "epochs", _epochs(view.run)
    if summary.seconds:
        yield "time", duration(summary.seconds)
    if view.run.environment.device:
        yield "device", str(view.run.environment.device)
    if summary.origin:
        yield "weights from", str(summary.origin)


def _settings(run: Run) -> Iterator[tuple[str, str]]:
    spec, parameters = run.spec, run.summary.parameters
    found = run.environment.data.examples
    sizes = " / ".join(f"{found[part]:,}" for part in ("train", "validation", "test") if part in found)
    yield "data", spec["data"]["source"]["name"] + (f", {sizes} images" if sizes else "")
    yield "network", spec["model"]["name"] + (f", {size(parameters)} parameters" if parameters else "")
    yield "optimizer", f"{spec['optimizer']['name']}, rate {spec['optimizer']['learning_rate']:g}"
    yield "seed", str(spec["seed"])


def _epochs(run: Run) -> str:
    best = run.summary.best_epoch
    planned = f" of {run.spec['training']['epochs']}" if run.spec else ""
    return f"{run.summary.epochs}{planned}" + (f", best {best}" if best else "")


def ladder_steps(view: RunView) -> Iterator[Step]:
    """The ladder from human to test: the errors, and between them the gaps."""
    diagnosis = view.diagnosis
    if diagnosis is None or diagnosis.errors is None or diagnosis.gaps is None:
        return
    for name, rate, gap_name in error_levels(diagnosis):
        gap: Gap | None = getattr(diagnosis.gaps, gap_name) if gap_name else None
        if gap is not None:
            at_most = "≤ " if gap.verdict in ("unknown", "high") and gap.low == 0 else ""
            points = f"{at_most}{100 * gap.value:.1f} points"
            yield Step(GAPS[gap_name], points, interval(gap.low, gap.high), GAP_WORDS[gap.verdict], True)
        if rate is not None:
            seen = exact_text(diagnosis) if rate.n is None else interval(*rate.interval())
            yield Step(name, percent(rate.value), seen, "" if rate.n is None else f"n={rate.n:,}", False)
        elif name in ("human", "test"):
            yield Step(name, "–", "", _missing(name, view.run), False)


def error_levels(diagnosis: Diagnosis) -> Sequence[tuple[str, Rate | None, str]]:
    """The errors by name, each with the gap that lies above it."""
    errors = diagnosis.errors
    if errors is None:
        return ()
    return (
        ("human", errors.human, ""),
        ("training", errors.train, "avoidable_bias"),
        ("train-dev", errors.train_dev, "variance" if errors.train_dev else ""),
        ("validation", errors.validation, "data_mismatch" if errors.train_dev else "variance"),
        ("test", errors.test, "validation_overfit"),
    )


def _missing(name: str, run: Run) -> str:
    if name == "human":
        return "not known: set diagnosis.human_error"
    return "not opened" if run.has_test else "there is none"


def evidence_text(value: Any) -> str:
    """A number, text or list of a finding's evidence, in a few digits."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {evidence_text(item)}" for key, item in value.items()) or "–"
    if isinstance(value, list | tuple):
        shown = ", ".join(evidence_text(item) for item in value[:12])
        return f"[{shown}{', …' if len(value) > 12 else ''}]"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "–" if value is None else str(value)
