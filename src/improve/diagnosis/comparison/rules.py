"""What several runs say together: which differences are there, and which only seem to be."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean
from typing import Any, NamedTuple

from improve.diagnosis.comparison.candidate import (
    Candidate,
    binomial_noise,
    noise_among_equals,
    unpaired_comparison,
)
from improve.diagnosis.comparison.configurations import (
    Against,
    Configuration,
    configuration_difference,
    configurations_of,
)
from improve.diagnosis.findings.rule import Change, Finding, Rule
from improve.spec.reading.flatten import with_setting
from improve.spec.spec import Spec
from improve.statistics.intervals import Z
from improve.statistics.paired import Paired
from improve.statistics.significance import expected_optimism

MANY = 5  # specs on one validation set: from here on the luck of the best counts
OPTIMISM = 0.005
TRIED = 3  # values that make a range
FAR = 0.1  # surely so far apart: no matter of seeds
SEEDS = 3  # the fewest that say anything about their spread
RATES = ("learning_rate", "weight_decay", "decay", "l1", "l2", "activity_l1")  # tried in factors, not in steps


class Comparing(Rule):
    """A finding about several runs at once."""

    link = "comparison"

    def weigh(self, runs: Sequence[Candidate]) -> Finding | None:
        """`runs`: those with a validation error, the best first."""
        raise NotImplementedError


def _points(seen: Paired | Against) -> str:
    return f"{100 * seen.value:.1f} points [{100 * seen.low:.1f}, {100 * seen.high:.1f}]"


class NotDistinguishable(Comparing):
    """The best two runs differ by less than this validation set can show.

    Seen as: on the images that only one of the two gets wrong, neither is wrong clearly more often (McNemar's exact
    test, p ≥ 0.05). The difference comes with its 95 % interval (Agresti and Min, 2005), and with what n images can
    show in 80 % of the cases: 2.8 · √(d / n), where d is the share of images on which the two disagree. Fix: take the
    simpler one, or measure both on more images. It says nothing about the recipes: that takes seeds (C2).
    """

    code, name, title = "C1", "not_distinguishable", "the best two cannot be told apart"

    def weigh(self, runs: Sequence[Candidate]) -> Finding | None:
        pairs = ((best, rival, seen) for best, rival in combinations(runs, 2) if (seen := rival.against(best)))
        best, rival, seen = next(pairs, (None, None, None))
        if best is None or rival is None or seen is None or seen.told_apart:
            return None
        more = seen.images_needed
        return self.found(
            f"{rival.name} has {_points(seen)} more errors than {best.name} (p = {seen.p:.2f}, n={seen.n:,}); only one "
            f"of them errs on {100 * seen.disagreement:.1f} %, so {100 * seen.detectable:.1f} points would be needed",
            harm=max(0.0, -seen.low),
            evidence={"runs": [best.name, rival.name], **seen.as_json()},
            confirm=f"{more:,} validation images would show this difference, if it is one" if more else "",
        )


class WithinSeedNoise(Comparing):
    """The best two recipes differ by no more than the same recipe does from seed to seed.

    Seen as: runs that differ in nothing but `seed` are one recipe; the 95 % interval of the difference between the two
    best means contains 0 (Welch's t, 1947; paired where the seeds share their validation images, and then the bootstrap
    over images and seeds has to agree). 16 · (sd / difference)² seeds of each would show it in 80 % of the cases
    (Lehr, 1992). With one seed of a recipe nobody knows how far its results spread: McNemar's test tells two trained
    models apart, not two recipes. It is not said of two that surely are ten points apart: so far no sound recipe
    spreads. Fix: train both with 3 seeds or more, the seed of the split included.
    """

    code, name, title = "C2", "within_seed_noise", "seeds alone may make this difference"

    def weigh(self, runs: Sequence[Candidate]) -> Finding | None:
        ranked = configurations_of(runs)
        if len(ranked) < 2:
            return None
        best, second = ranked[:2]
        if min(len(best.errors), len(second.errors)) < 2:
            far = unpaired_comparison(second.runs[0], best.runs[0]).low >= FAR
            return None if far else self._single(best, second)
        seen = configuration_difference(second, best)
        if seen is None or seen.verdict == "worse":
            return None
        return self.found(
            f"{second.name} ({len(second.errors)} seeds) has {_points(seen)} more errors than {best.name} "
            f"({len(best.errors)} seeds); one recipe spreads by {100 * max(best.sd or 0, second.sd or 0):.1f} points",
            harm=max(0.0, -seen.low),
            evidence={"recipes": [best.as_json(), second.as_json()], **seen.as_json()},
            confirm=f"{seen.needed:,} {seen.unit} would show this difference, if it is one" if seen.needed else "",
        )

    def _single(self, best: Configuration, second: Configuration) -> Finding:
        alone = [recipe.name for recipe in (best, second) if len(recipe.errors) < 2]
        return self.found(
            f"{alone[0]} has one seed only" if len(alone) == 1 else f"{' and '.join(alone)} have one seed each",
            harm=abs(second.mean - best.mean),
            status="not_enough_evidence",
            evidence={"recipes": [best.as_json(), second.as_json()]},
            confirm=f"train each with {SEEDS} seeds or more: seed=1, seed=2 …",
        )


class WinnersCurse(Comparing):
    """The best of many runs was also the luckiest: on new images it will do worse.

    Seen as: 5 or more specs measured on one validation set, and the expected luck of the best of those that chance
    could have put first is 0.5 points or more. Luck = the expected maximum of k standard normals (1.16 for 5, 1.87 for
    20) times the noise of equals: √(d / 2n) where d is how often two of them disagree on the same images, else at most
    √(e(1 − e) / n). It is an expectation among equals, so read it as the most to expect. Fix: report the test error of
    the one that was chosen, once; choose on more validation images.
    """

    code, name, title = "C3", "winners_curse", "the best of many looks better than it is"

    def weigh(self, runs: Sequence[Candidate]) -> Finding | None:
        if not runs or runs[0].fingerprint is None:
            return None
        best, (k, equals, optimism) = runs[0], luck_of_the_best(runs)
        if k < MANY or optimism < OPTIMISM:
            return None
        return self.found(
            f"{best.name} is the best of {k}, {equals} of them within chance: expect about "
            f"{100 * (best.error + optimism):.1f} % on new images, not {100 * best.error:.1f} %",
            harm=optimism,
            evidence={"k": k, "equals": equals, "optimism": optimism, "expected": best.error + optimism},
            confirm="measure the one that you choose on the test set, once",
        )


def luck_of_the_best(runs: Sequence[Candidate]) -> tuple[int, int, float]:
    """How many specs were measured on the images of the best, how many of them chance could have put first, and by how
    much the best of those is expected to look better than it is. `runs`: the best first."""
    best = runs[0]
    specs = {(run.recipe, run.seed): run for run in runs[::-1] if run.fingerprint == best.fingerprint}
    widest = Z * math.sqrt(2) * binomial_noise(best)
    equals = [run for run in specs.values() if run.error - best.error <= widest]
    return len(specs), len(equals), expected_optimism(len(equals)) * noise_among_equals(best, equals)


class BestAtTheEdge(Comparing):
    """The best value of a setting is the smallest or the largest that was tried, so a better one may lie beyond.

    Seen as: three values or more of a number, all other settings being those of the best run, and the lowest error at
    one end (Godbole et al., Deep Learning Tuning Playbook, 2023). Fix: widen the range on that side: by the same factor
    for rates, by the same step for anything else. Amounts of data are left out: more is better.
    """

    code, name, title = "C4", "best_at_the_edge", "the best value lies at the edge of what was tried"

    def weigh(self, runs: Sequence[Candidate]) -> Finding | None:
        groups: dict[str, list[Candidate]] = defaultdict(list)
        for run in runs:
            groups[run.recipe].append(run)
        edges = [edge for path in _numbers(runs) if (edge := edge_of([*groups.values()], path))]
        if not edges:
            return None
        return self.found(
            "; ".join(edge.sentence() for edge in edges),
            harm=max(edge.gain for edge in edges),
            evidence={edge.path: {f"{value:g}": error for value, error in edge.tried.items()} for edge in edges},
            changes=tuple(Change(edge.path, edge.next, "the next value on that side") for edge in edges),
        )


class Edge(NamedTuple):
    """The best value of a range when it is at its end; `tried`: value → mean error, ascending; `gain`: what the last
    step towards it won."""

    path: str
    value: float
    tried: dict[float, float]
    next: float
    gain: float

    def sentence(self) -> str:
        end = "smallest" if self.value == min(self.tried) else "largest"
        error = 100 * self.tried[self.value]
        return f"{self.path} {self.value:g} ({error:.1f} %) is the {end} of {len(self.tried)} values"


def _numbers(runs: Sequence[Candidate]) -> list[str]:
    settings = runs[0].settings if runs else {}
    return [path for path, value in settings.items() if _is_number(value) and not path.startswith("data.")]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def edge_of(groups: Sequence[Sequence[Candidate]], path: str) -> Edge | None:
    """Where the best run's value of `path` stands among those tried with its other settings; None inside the range.
    `groups`: the runs by configuration, the best first."""
    errors: dict[float, list[float]] = {}
    best_run = groups[0][0]
    for group in groups:
        value = group[0].settings.get(path)
        if value is not None and _is_number(value) and same_but_for(path, group[0], best_run):
            errors.setdefault(value, []).extend(run.error for run in group)
    tried = {value: fmean(errors[value]) for value in sorted(errors)}
    best = min(tried, key=tried.__getitem__)
    if len(tried) < TRIED or best not in (min(tried), max(tried)):
        return None
    neighbour = [*tried][1 if best == min(tried) else -2]
    gain, beyond = tried[neighbour] - tried[best], next_value(best_run.spec, path, best, neighbour)
    return Edge(path, best, tried, beyond, gain) if gain > 0 and beyond is not None else None


def same_but_for(path: str, one: Candidate, other: Candidate) -> bool:
    mine, theirs = one.settings, other.settings
    return mine.keys() == theirs.keys() and all(mine[key] == theirs[key] for key in theirs if key != path)


def next_value(spec: dict[str, Any], path: str, best: float, neighbour: float) -> float | None:
    """One step further, or half of one where that makes no valid spec; None at a natural end, such as dropout 0."""
    if path.rpartition(".")[2] in RATES:
        steps = [best * best / neighbour] if best and neighbour else []
    else:
        steps = [best + (best - neighbour), best + (best - neighbour) / 2]
    for step in steps:
        value = round(step) if isinstance(best, int) else float(f"{step:.3g}")
        if value != best and _valid(with_setting(spec, path, value)):
            return value
    return None


def _valid(spec: dict[str, Any]) -> bool:
    try:
        Spec.model_validate(spec)
    except ValueError:  # pydantic's ValidationError is one
        return False
    return True


COMPARISON: tuple[type[Comparing], ...] = (NotDistinguishable, WithinSeedNoise, WinnersCurse, BestAtTheEdge)


def comparison_findings(runs: Sequence[Candidate]) -> tuple[Finding, ...]:
    """Every finding about these runs, in the order of the codes."""
    ranked = sorted(runs, key=lambda run: (run.error, run.name))
    return tuple(found for rule in COMPARISON if len(ranked) > 1 and (found := rule().weigh(ranked)))
