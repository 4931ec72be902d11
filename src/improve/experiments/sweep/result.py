"""What a sweep found: the best point, how sure that is, how it does on the sealed test part, where to look next."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from improve.diagnosis.comparison.candidate import Candidate, candidates
from improve.diagnosis.comparison.rules import edge_of, luck_of_the_best, next_value
from improve.errors import ImproveError, visible
from improve.experiments.sweep.importance import Importance, importance
from improve.experiments.sweep.plan import Plan
from improve.experiments.sweep.sweep import Result
from improve.runs import files
from improve.runs.run import Run
from improve.runs.schema import Measured
from improve.runs.test_part import open_test
from improve.spec.reading import yaml
from improve.spec.reading.search_space import Knob
from improve.statistics.student_t import students_t

RESULT, BEST = "sweep.json", "best.yaml"
EDGE = 0.05  # of a range, on either side
INSIDE = 0.25  # of a range: what "the same step further" is measured by
STATUSES = ("finished", "diverged", "pruned", "failed")


class Spread(NamedTuple):
    """A mean error over seeds with its 95 % interval; of one seed, of `n` images (Wilson)."""

    error: float
    low: float
    high: float
    n: int
    seeds: int


class Edge(NamedTuple):
    """The best value of a setting lies at an end of what was tried; `next`: one further on."""

    key: str
    value: float
    end: str
    next: float

    @property
    def sentence(self) -> str:
        return f"{self.key} {self.value:g} is at the {self.end} end of what was tried: try {self.next:g}"


@dataclass(frozen=True)
class SweepVerdict:
    """`best` is the result with the lowest mean validation error. `optimism`: by how much that is expected to look too
    good, for having been chosen among `tried` points, `equals` of them within chance."""

    plan: Plan
    results: tuple[Result, ...]
    best: Result
    validation: Spread
    test: Spread | None
    tried: int
    equals: int
    optimism: float
    edges: tuple[Edge, ...]
    importance: Importance | None

    @property
    def counts(self) -> dict[str, int]:
        return {status: sum(one.status == status for one in self.results) for status in STATUSES}

    def as_json(self) -> dict[str, Any]:
        return {
            "search": self.plan.search,
            "seeds": self.plan.seeds,
            "settings": self.plan.keys,
            "counts": self.counts,
            "trials": [trial_as_json(self.plan, one) for one in self.results],
            "best": trial_as_json(self.plan, self.best),
            "validation": self.validation._asdict(),
            "test": self.test._asdict() if self.test else None,
            "luck": {"tried": self.tried, "equals": self.equals, "optimism": self.optimism},
            "edges": [edge._asdict() for edge in self.edges],
            "importance": self.importance._asdict() if self.importance else None,
        }


def trial_as_json(plan: Plan, result: Result) -> dict[str, Any]:
    """One trial as plain data."""
    return {
        "name": result.trial.name,
        "point": dict(zip(plan.keys, result.values, strict=True)),
        "status": result.status,
        "error": result.error,
        "runs": [made.name for made in result.runs],
        "cause": result.cause or None,
    }


def sweep_verdict(plan: Plan, folder: Path, results: Sequence[Result]) -> SweepVerdict:
    """Judge, open the winner's test part, and write sweep.json and best.yaml.

    Raises ImproveError where no trial has a result.
    """
    ranked = sorted((one for one in results if one.status == "finished"), key=lambda one: one.error or 0.0)
    if not ranked:
        raise ImproveError(f"no trial of {len(results)} has a result: {why(results)}", fix="improve diagnose says more")
    best, scored = ranked[0], seen(results)
    test = open_tests(folder, best) if all(made.has_test for made in best.runs) else ()
    tried, equals, optimism = chance(best, scored)
    trained = [one for one in results if one.status in ("finished", "diverged")]
    verdict = SweepVerdict(
        plan,
        tuple(results),
        best,
        spread([made.validation for made in best.runs]),
        spread(test) if test else None,
        tried,
        equals,
        optimism,
        tuple(edges(plan, best, scored)),
        importance(plan.knobs, [(one.values, one.error) for one in trained if one.error is not None]),
    )
    files.write_json(folder / RESULT, verdict.as_json())
    write_best(verdict, folder)
    return verdict


def why(results: Sequence[Result]) -> str:
    causes = [one.cause or one.status for one in results]
    return max(set(causes), key=causes.count) if causes else "there is none"


def spread(parts: Sequence[Measured]) -> Spread:
    """The mean error over the seeds' runs on one part, with its 95 % interval."""
    errors, first = [part.error for part in parts], parts[0]
    mean, n = fmean(errors), sum(part.n for part in parts)
    if len(parts) == 1:
        return Spread(mean, first.low, first.high, n, 1)
    half = students_t(len(parts) - 1) * stdev(errors) / math.sqrt(len(parts))
    return Spread(mean, max(0.0, mean - half), min(1.0, mean + half), n, len(parts))


def seen(results: Sequence[Result]) -> dict[str, Candidate]:
    """The runs by name, as the findings see them; those that were pruned were measured as well."""
    runs = {made.name: made for one in results for made in one.runs}
    found = candidates([*runs.values()], [*runs])
    return {one.name: one for one in found if one is not None}


def chance(best: Result, known: dict[str, Candidate]) -> tuple[int, int, float]:
    """`luck` among the points with the first of the winner's seeds: their images are the same. Over several seeds,
    each with its own images, the noise of a mean is smaller by √seeds."""
    first = known[best.runs[0].name]
    rivals = {one.recipe: one for one in known.values() if one.seed == first.seed}
    tried, equals, optimism = luck_of_the_best(sorted(rivals.values(), key=lambda one: one.error))
    return tried, equals, optimism / math.sqrt(len(best.runs))


def edges(plan: Plan, best: Result, known: dict[str, Candidate]) -> list[Edge]:
    """Where the best values lie at an end of what was tried, and more lies beyond."""
    groups: dict[str, list[Candidate]] = {}
    for made in (known[made.name] for made in best.runs):
        groups.setdefault(made.recipe, []).append(made)
    for one in known.values():
        if one.name not in {made.name for made in best.runs}:
            groups.setdefault(one.recipe, []).append(one)
    found = (
        in_grid(knob, [*groups.values()]) if plan.search == "grid" else in_range(knob, value, best.runs[0])
        for knob, value in zip(plan.knobs, best.values, strict=True)
        if knob.numeric
    )
    return [edge for edge in found if edge is not None]


def in_grid(knob: Knob, groups: Sequence[Sequence[Candidate]]) -> Edge | None:
    """The end of a grid at which the best value lies, as finding C4 says it; None inside."""
    found = edge_of(groups, knob.key)
    if found is None:
        return None
    return Edge(knob.key, found.value, "lower" if found.value == min(found.tried) else "upper", found.next)


def in_range(knob: Knob, value: float, made: Run) -> Edge | None:
    """The end of a range in whose last twentieth the best value lies; None inside, and where nothing lies beyond."""
    share = knob.share(value)
    if EDGE < share < 1 - EDGE:
        return None
    inside = min(max(share, INSIDE), 1 - INSIDE) if knob.kind != "values" else abs(share - 1 / len(knob.values))
    neighbour = knob.drawn(min(inside, 1 - 1e-9))
    beyond = next_value(made.spec, knob.key, value, neighbour) if neighbour != value else None
    return None if beyond is None else Edge(knob.key, value, "lower" if share < 0.5 else "upper", beyond)


def open_tests(folder: Path, best: Result) -> list[Measured]:
    """The test errors of the winner's runs; the same command once more shows what it has shown."""
    try:
        shown = json.loads((folder / RESULT).read_text(encoding="utf-8"))["best"]["runs"]
    except (OSError, ValueError, KeyError, TypeError):
        shown = []
    return [open_test(made, again=made.name in shown) for made in best.runs]


def write_best(verdict: SweepVerdict, folder: Path) -> None:
    """The winner's spec, with what it reaches on top."""
    spec, reached = verdict.best.trial.point.spec, spread_text(verdict.validation)
    lines = [f"the best of {len(verdict.results)} points by {verdict.plan.search}: validation error {reached}"]
    if verdict.test:
        lines.append(f"test error {spread_text(verdict.test)}, opened once, for this one")
    lines.append(f"  improve train {folder / BEST}")
    head = "".join(f"# {visible(line)}\n" for line in lines)
    files.write_text(folder / BEST, head + yaml.write(spec.complete()))


def spread_text(found: Spread) -> str:
    """The error in %, its interval, and how many seeds and images it rests on."""
    over = f"{found.seeds} seeds, " if found.seeds > 1 else ""
    return f"{100 * found.error:.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}] ({over}n={found.n:,})"
