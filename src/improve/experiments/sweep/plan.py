"""A spec and a search space → the points of a sweep, each a valid Spec before anything starts."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice, product
from pathlib import Path
from typing import Any, NamedTuple

from improve.errors import Problem, SpecError, UsageError
from improve.randomness import keyed_generator
from improve.spec.identity import identity
from improve.spec.reading.load import overlaid_tree, resolve_code, spec_and_problems
from improve.spec.reading.merge import merge
from improve.spec.reading.search_space import MOST, SEARCHES, Asked, Knob
from improve.spec.reading.search_space_syntax import SECTION, from_override, take_sweep_section
from improve.spec.reading.yaml import Tree, inline
from improve.spec.spec import Spec

TRIALS = 20  # unless said
CORNERS = 512  # of a space that are looked at
UNSAFE = re.compile(r"[^A-Za-z0-9.]+|\.{2,}")
LONGEST = 70  # characters of a name


class SweepPoint(NamedTuple):
    """One value for each knob, and the spec that makes; `wrong`: why it cannot be trained, in a space too large for
    every corner to be looked at."""

    values: tuple[Any, ...]
    spec: Spec
    wrong: str = ""


class Trial(NamedTuple):
    """A point to train, under a name for its runs."""

    number: int
    name: str
    point: SweepPoint


@dataclass(frozen=True)
class Plan:
    """What is to be tried. `tree` is the spec without the space; `base` its Spec, where that is valid by itself, else
    the first point's; `trials` None: every point of a grid."""

    file: Path
    tree: Tree
    base: Spec
    knobs: tuple[Knob, ...]
    search: str
    trials: int | None
    seeds: int
    code: bool = True
    cpus: float = 1  # of one trial, on a cluster
    gpus: float = 0

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(knob.key for knob in self.knobs)

    def point(self, values: Sequence[Any]) -> SweepPoint:
        """The point with these values. Raises SpecError, each mistake with the point that has it."""
        spec, problems = self.tried(values)
        if problems:
            raise SpecError([replace(one, what=f"{one.what}, at {self.told(values)}") for one in problems])
        return SweepPoint(tuple(values), spec)

    def tried(self, values: Sequence[Any]) -> tuple[Spec, list[Problem]]:
        tree = Tree(self.tree.value, dict(self.tree.values), dict(self.tree.keys), list(self.tree.problems))
        for knob, value in sorted(zip(self.knobs, values, strict=True), key=lambda pair: len(pair[0].path)):
            change = knob.change(value)
            resolve_code(change, self.file.parent)
            merge(tree, change)
        return spec_and_problems(tree, self.code)

    def told(self, values: Sequence[Any]) -> str:
        """The point in words."""
        pairs = zip(self.keys, values, strict=True)
        return ", ".join(f"{key}={inline(value)}" for key, value in pairs) or "the spec itself"

    def section(self) -> dict[str, Any]:
        """The plan as a spec file's section has it."""
        space = {knob.key: knob.words.strip() for knob in self.knobs}
        trials = {} if self.trials is None else {"trials": self.trials}
        sizes = {"cpus": self.cpus} if self.cpus != 1 else {}
        sizes |= {"gpus": self.gpus} if self.gpus else {}
        return {"search": self.search, **trials, "seeds": self.seeds, "space": space, **sizes}


def plan(
    file: Path,
    words: Sequence[str],
    code: bool = True,
    search: str | None = None,
    trials: int | None = None,
    seeds: int | None = None,
) -> Plan:
    """Read a spec, its section `sweep` and the words of the command line, which come first.

    Raises SpecError with all mistakes of the spec and of the words, UsageError where they contradict each other.
    """
    fixed, varied, problems = sorted_out(words)
    tree = overlaid_tree(file, fixed)
    given = take_sweep_section(tree)
    settled = {text.partition("=")[0].strip() for text in fixed}
    chosen = {knob.key: knob for knob in (*given.knobs, *varied) if knob.key not in settled}
    problems += tree.problems
    if problems:
        raise SpecError(problems)
    return made(file, tree, tuple(chosen.values()), Asked(search, trials, seeds), given, code)


def plan_in(file: Path, overrides: Sequence[str], code: bool = True) -> Plan | None:
    """The plan that a spec file brings, its points checked; None where it has no section `sweep`."""
    if SECTION not in overlaid_tree(file, list(overrides)).value:
        return None
    found = plan(file, overrides, code)
    check(found)
    return found


def sorted_out(words: Sequence[str]) -> tuple[list[str], list[Knob], list[Problem]]:
    """Words that fix a setting, words that let it vary, and what is wrong with the latter."""
    fixed, varied, problems = [], dict[str, Knob](), list[Problem]()
    for word in words:
        try:
            knob = from_override(word)
        except SpecError as error:
            problems += error.problems
            continue
        if knob is None:
            fixed.append(word)
        elif knob.key in varied:
            problems.append(knob.places[0].problem(f"{knob.key} varies twice", "keep one of the two"))
        else:
            varied[knob.key] = knob
    return fixed, [*varied.values()], problems


def made(file: Path, tree: Tree, knobs: tuple[Knob, ...], wanted: Asked, given: Asked, code: bool) -> Plan:
    """The plan, once it is clear how to search."""
    trials, seeds = wanted.trials or given.trials, wanted.seeds or given.seeds or 1
    search = wanted.search or given.search or usual(knobs, trials)
    check_search(search, knobs, trials, seeds)
    if search != "grid":
        trials = trials or TRIALS
    spec, problems = spec_and_problems(Tree(tree.value, dict(tree.values), dict(tree.keys), []), code)
    first = Plan(file, tree, spec, knobs, search, trials, seeds, code, given.cpus, given.gpus)
    if not problems:
        return first
    return replace(first, base=first.tried([knob.ends[0] for knob in knobs])[0])


def usual(knobs: Sequence[Knob], trials: int | None) -> str:
    return "grid" if trials is None and all(knob.listed for knob in knobs) else "random"


def check_search(search: str, knobs: Sequence[Knob], trials: int | None, seeds: int) -> None:
    """Raises UsageError where the search cannot walk this space."""
    if search not in SEARCHES:
        raise UsageError(f"there is no search '{search}'", fix=f"one of {', '.join(SEARCHES)}")
    if not knobs and (search != "grid" or seeds == 1):
        raise UsageError("there is nothing to vary", fix="such as optimizer.learning_rate=log(1e-4,1e-1), or --seeds 3")
    if search == "grid":
        check_grid(knobs, trials)
    if search == "hyperband" and seeds > 1:
        fix = "give the best one more seeds afterwards: improve sweep best.yaml --seeds 3"
        raise UsageError("hyperband judges single runs, epoch by epoch: it knows no seeds", fix=fix)


def check_grid(knobs: Sequence[Knob], trials: int | None) -> None:
    for knob in knobs:
        if not knob.listed:
            fix = f"{knob.key}={knob.words.strip().removesuffix(')')},4) takes four values of it; or --search random"
            raise UsageError(f"a grid needs values to count, and {knob.key}={knob.words.strip()} has none", fix=fix)
    size = math.prod(len(knob.listed) for knob in knobs)
    if size > MOST:
        raise UsageError(
            f"a grid of {size:,} points is too large", fix="--search random --trials 50 draws some of them"
        )
    if trials is not None and trials < size:
        fix = "leave --trials out, or --search random"
        raise UsageError(f"a grid has all its {size:,} points, not {trials:,} of them", fix=fix)


def grid(plan: Plan) -> list[SweepPoint]:
    """Every point, the last knob fastest. Raises SpecError where some are no valid specs."""
    return valid(plan, product(*(knob.listed for knob in plan.knobs)))


def random_values(plan: Plan, number: int) -> tuple[Any, ...]:
    """The values of random trial `number`: they depend on the seed and the number, on nothing else."""
    chance = keyed_generator(plan.base.seed, "sweep", number)
    return tuple(knob.drawn(float(chance.random())) for knob in plan.knobs)


def corners(plan: Plan) -> Iterator[tuple[Any, ...]]:
    """The ends of every range with every value of the others; of very many, those that differ from one in one knob."""
    if math.prod(len(knob.ends) for knob in plan.knobs) <= CORNERS:
        yield from product(*(knob.ends for knob in plan.knobs))
        return
    first = [knob.ends[0] for knob in plan.knobs]
    yield tuple(first)
    yield tuple(knob.ends[-1] for knob in plan.knobs)
    for place, knob in enumerate(plan.knobs):
        for value in islice(knob.ends, 1, None):
            yield (*first[:place], value, *first[place + 1 :])


def check(plan: Plan) -> list[SweepPoint]:
    """The points of a grid, or the corners of another space. Raises SpecError where some are no valid specs."""
    return grid(plan) if plan.search == "grid" else valid(plan, corners(plan))


def valid(plan: Plan, rows: Iterable[tuple[Any, ...]]) -> list[SweepPoint]:
    """The points with these values; of a mistake that many share the first is named, and how many there are."""
    points, wrong, first = [], dict[tuple[str, str], int](), dict[tuple[str, str], tuple[Problem, str]]()
    for values in rows:
        spec, problems = plan.tried(values)
        points.append(SweepPoint(values, spec))
        for problem in problems:
            key = problem.where, problem.what
            wrong[key] = wrong.get(key, 0) + 1
            first.setdefault(key, (problem, plan.told(values)))
    if wrong:
        raise SpecError([named(problem, at, wrong[key], len(points)) for key, (problem, at) in first.items()])
    return points


def named(problem: Problem, at: str, count: int, total: int) -> Problem:
    """The mistake with the point that has it; in every point, it is the spec's."""
    if count == total > 1:
        return problem
    more = f" and {count - 1:,} more of {total:,} points" if count > 1 else ""
    return replace(problem, what=f"{problem.what}, at {at}{more}")


def names(plan: Plan, points: Sequence[SweepPoint]) -> list[str]:
    """A name for each: its settings in few words, with a digest where they do not tell it from the others."""
    told = [slug(plan, point.values) for point in points]
    often = Counter(told)
    pairs = zip(told, points, strict=True)
    return [one if often[one] == 1 else f"{one}-{digest(point.spec)}" for one, point in pairs]


def numbered_trial(plan: Plan, number: int, point: SweepPoint) -> Trial:
    """Trials that come in an order bear their number."""
    return Trial(number, f"{number:03d}-{names(plan, [point])[0]}", point)


def slug(plan: Plan, values: Sequence[Any]) -> str:
    words = [
        f"{knob.path[-1]}{'' if knob.numeric else '_'}{UNSAFE.sub('_', inline(value).strip('[]{}'))}"
        for knob, value in zip(plan.knobs, values, strict=True)
    ]
    text = "-".join(words) or "base"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}-{sha256(text.encode()).hexdigest()[:8]}"


def digest(spec: Spec) -> str:
    """A few digits that tell specs apart."""
    return identity(spec.complete())[:8]
