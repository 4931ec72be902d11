"""Runs → a table of what differs and what it brought. Pure, but for reading the run folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from improve.diagnosis.comparison import criteria
from improve.diagnosis.comparison.candidate import (
    Candidate,
    Unpaired,
    candidates,
    fingerprint,
    spec_with_members,
    unpaired_comparison,
)
from improve.diagnosis.comparison.configurations import (
    Against,
    Configuration,
    configuration_difference,
    configurations_of,
)
from improve.diagnosis.comparison.pairwise import Family, Pair, families
from improve.diagnosis.comparison.rules import comparison_findings, luck_of_the_best
from improve.diagnosis.findings.rule import Finding
from improve.errors import ImproveError, UsageError
from improve.runs.run import Run, load_run
from improve.runs.schema import Measured
from improve.runs.test_part import open_test
from improve.spec.reading.flatten import MISSING, chosen_settings, varying_keys
from improve.statistics.paired import Paired

NUMBERS = ("validation", "train", "test", "best_epoch", "parameters", "seconds", "seconds_per_image", "model_bytes")
MANY = 12  # configurations; of more, only the best are put side by side


@dataclass(frozen=True)
class Row:
    """One run: the settings in which the runs differ, and its numbers; None where a run has none. `broken`: the
    conditions that do not hold. `against`: its validation error against that of the table's first run, image by image
    where both were measured on the same. `chosen`: what it was sorted by and what was asked of it."""

    name: str
    status: str
    settings: dict[str, Any]
    validation: Measured | None
    train: Measured | None
    test: Measured | None
    best_epoch: int | None
    parameters: int | None
    seconds: float | None
    seconds_per_image: float | None
    model_bytes: int | None
    chosen: dict[str, Any]
    broken: tuple[str, ...] = ()
    against: Paired | Unpaired | None = None

    def as_json(self, test: bool) -> dict[str, Any]:
        whole = {key: item.as_json() if isinstance(item, Measured) else item for key, item in vars(self).items()}
        value = {**whole, "against": self.against.as_json() if self.against else None}
        return value if test else {key: item for key, item in value.items() if key != "test"}


class Standing(NamedTuple):
    """A configuration over its seeds, against the best one (None for that one, and where nothing can be said)."""

    recipe: Configuration
    against: Against | None

    def as_json(self) -> dict[str, Any]:
        return {**self.recipe.as_json(), "against": self.against.as_json() if self.against else None}


class Images(NamedTuple):
    """The runs that were measured on the same validation images."""

    fingerprint: str | None
    n: int | None
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """All readable runs: those that meet every condition first, sorted; `skipped` names the rest with the reason.
    `optimism`: by how much the best is expected to look better than it is, for having been chosen among many."""

    rows: tuple[Row, ...]
    settings: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    images: tuple[Images, ...]
    pairs: tuple[Pair, ...] = ()
    recipes: tuple[Standing, ...] = ()
    optimism: float = 0.0
    findings: tuple[Finding, ...] = ()

    @property
    def same_validation(self) -> bool:
        return len(self.images) == 1

    def as_json(self, test: bool) -> dict[str, Any]:
        return {
            "runs": [row.as_json(test) for row in self.rows],
            "settings": self.settings,
            "skipped": self.skipped,
            "same_validation": self.same_validation,
            "images": [images._asdict() for images in self.images],
            "pairs": [pair.as_json() for pair in self.pairs],
            "recipes": [standing.as_json() for standing in self.recipes],
            "optimism": self.optimism,
            "findings": [asdict(finding) for finding in self.findings],
        }


def compare(
    folders: Iterable[Path | Run], sort: str = "validation_error", where: Sequence[str] = (), test: bool = False
) -> Comparison:
    """Read the runs and put them side by side: those that meet the conditions `where` first, then by `sort`. With
    `test` their test parts are opened.

    Raises UsageError where no run can be read, a metric is unknown, or the test part is asked for without `test`.
    """
    conditions = [criteria.condition(text) for text in where]
    check_sort(sort)
    runs, skipped = _loaded(folders)
    settings = [chosen_settings(spec_with_members(run)) for run in runs]
    check_opened([sort, *(one.subject for one in conditions)], settings, test)
    differing, names = tuple(varying_keys(settings)), run_labels([run.folder for run in runs])
    rows = [
        row(run, name, own, differing, sort, conditions, test)
        for run, name, own in zip(runs, names, settings, strict=True)
    ]
    pairs = sorted(zip(rows, candidates(runs, names), strict=True), key=lambda pair: _rank(pair[0], sort))
    images = grouped(runs, names)
    return judged(tuple(row for row, _ in pairs), [one for _, one in pairs if one], differing, skipped, images)


def judged(
    rows: tuple[Row, ...], runs: list[Candidate], settings: tuple[str, ...], skipped: Any, images: tuple[Images, ...]
) -> Comparison:
    """What may be said of rows in their order, and of the runs among them that have results, in the same."""
    kin = families(runs)
    seen = against_first(kin, rows[0].name, runs)
    ranked = sorted(runs, key=lambda run: (run.error, run.name))
    return Comparison(
        tuple(replace(one, against=seen.get(one.name)) for one in rows),
        settings,
        skipped,
        images,
        tuple(pair for one in kin for pair in one.pairs()),
        standings(ranked),
        luck_of_the_best(ranked)[2] if len(ranked) > 1 else 0.0,
        comparison_findings(runs),
    )


def against_first(kin: Sequence[Family], first: str, found: Sequence[Candidate]) -> dict[str, Paired | Unpaired]:
    """By name, each run against the run `first`: image by image where that is possible, else by their errors where they
    do the same task."""
    seen: dict[str, Paired | Unpaired] = {}
    for one in (run for run in found if run.name == first):
        seen |= {run.name: unpaired_comparison(run, one) for run in found if on_other_images(run, one)}
    for family in (family for family in kin if first in family.names):
        seen |= {name: family.pair(first, name).seen for name in family.names if name != first}
    return seen


def on_other_images(run: Candidate, one: Candidate) -> bool:
    """Whether both were measured on images of the same kind, but not on the same ones."""
    known = None not in (run.fingerprint, one.fingerprint)
    return known and run.task == one.task and run.fingerprint != one.fingerprint


def standings(ranked: Sequence[Candidate]) -> tuple[Standing, ...]:
    """The configurations, the best first; none where each has but one seed, of which the table tells all there is."""
    found = configurations_of(ranked) if ranked else []
    if all(len(recipe.runs) == 1 for recipe in found):
        return ()
    best, *others = found[:MANY]
    return (Standing(best, None), *(Standing(recipe, configuration_difference(recipe, best)) for recipe in others))


def check_sort(sort: str) -> None:
    if sort != "name" and sort not in criteria.METRICS:
        raise criteria.unknown_subject(sort, (*criteria.METRICS, "name"), "runs cannot be sorted by")


def check_opened(subjects: Iterable[str], settings: Iterable[dict[str, Any]], test: bool) -> None:
    """Every subject is a metric or somebody's setting, and of the test part only where it may be opened."""
    known = {*criteria.METRICS, "name", *(key for one in settings for key in one)}
    for subject in subjects:
        if subject not in known:
            raise criteria.unknown_subject(subject, tuple(sorted(known)), "no run has a number or a setting")
        if criteria.is_sealed(subject) and not test:
            raise UsageError(f"{subject} opens the test part", fix="choose by validation; --test opens it")


def _loaded(folders: Iterable[Path | Run]) -> tuple[list[Run], tuple[tuple[str, str], ...]]:
    """The runs, and the folders that are none with the reason."""
    runs, skipped = [], []
    for folder in folders:
        try:
            runs.append(folder if isinstance(folder, Run) else load_run(folder, history=False))
        except ImproveError as error:
            skipped.append((str(folder), error.what.removeprefix(f"{folder} is ")))
    if not runs:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped)
        raise UsageError(f"none of these is a run: {reasons}", fix="improve train makes runs")
    return runs, tuple(skipped)


def grouped(runs: Sequence[Run], names: Sequence[str]) -> tuple[Images, ...]:
    """The runs by their validation images, in the order given."""
    groups: dict[str | None, list[tuple[str, Run]]] = {}
    for name, run in zip(names, runs, strict=True):
        groups.setdefault(fingerprint(run), []).append((name, run))
    return tuple(Images(key, n_of(group[0][1]), tuple(name for name, _ in group)) for key, group in groups.items())


def n_of(run: Run) -> int | None:
    return run.summary.validation.n if run.summary.validation else None


def run_labels(folders: Sequence[Path]) -> list[str]:
    """The names of the folders, with as much of what they lie in as tells them apart."""
    paths = [folder.absolute() for folder in folders]
    for depth in (1, 2, 3):
        found = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(found)) == len(set(paths)):
            return found
    return [str(path) for path in paths]


def row(
    run: Run,
    name: str,
    settings: dict[str, Any],
    differing: Iterable[str],
    sort: str,
    conditions: Sequence[criteria.Condition],
    test: bool,
) -> Row:
    summary = run.summary
    if test and run.has_test:
        summary = summary.model_copy(update={"test": open_test(run)})
    choice = {
        one: criteria.measured_value(summary, one) if one in criteria.METRICS else settings.get(one)
        for one in (*(condition.subject for condition in conditions), sort)
        if one != "name"
    }
    return Row(
        name,
        run.status,
        {key: settings.get(key, MISSING) for key in differing},
        **{key: getattr(summary, key) for key in NUMBERS},
        chosen=choice,
        broken=tuple(one.text for one in conditions if not one.holds(choice[one.subject])),
    )


def _rank(item: Row, sort: str) -> tuple[int, bool, Any, str]:
    """The place of a row in the table: those that meet most conditions first, then by what is sorted by, then those
    that have no such number."""
    value = item.chosen.get(sort)
    value = -value if value is not None and sort in criteria.MORE_IS_BETTER else value
    return len(item.broken), value is None and sort != "name", value if value is not None else 0, item.name
