"""A random forest (Breiman, 2001) that tells causes by their signs, read from forest.json and walked without
scikit-learn.

Each tree asks for one sign after the other; its leaf names a cause. How likely a cause is, is the share of the trees
that name it. A sign that is missing says nothing: such a question goes both ways, each as often as in the runs that the
trees were grown on (Quinlan, 1993). What a sign adds to a cause is the change of its share along the ways through the
trees, where they ask for it (Saabas, 2014): with what each cause has before any question, that adds up to the share.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).with_name("forest.json")
LEAF = -1
Span = tuple[int, int]  # a node and all below it: the first one, and the one after the last


class Step(NamedTuple):
    """From a node that asks for a sign, by its number, to one that follows; `share`: which part of the run came here.
    A sign of −1: the run ends here, in a leaf."""

    sign: int
    at: Span
    to: Span
    share: float


@dataclass(frozen=True, eq=False)
class Forest:
    """`signs` and `causes` have their place as their number. A node and all below it stand side by side, first what
    lies left: where the sign is at most `value`. Of a node that asks, `sign` is the number of its sign and `after` the
    node to the right; of a leaf `sign` is −1, `value` the weight of the runs that ended there, `after` the number of
    the cause. `roots` are the first nodes of the trees.

    `sharpness`, an exponent, and `sound`, a factor for sound runs, make shares of trees probabilities; both were fitted
    on sources that were left out. `found`: how likely a cause has to be to be told as found. `usual`: between which
    values of a sign nine of ten sound runs lie. `curves`: by cause and sign, how the share of the cause goes with the
    sign, where nothing else is known: pairs of a value and a share; of the signs that say most."""

    signs: list[str] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    sign: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    sharpness: float = 1.0
    sound: float = 1.0
    found: float = 1.0
    usual: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    curves: Mapping[str, Mapping[str, list[tuple[float, float]]]] = field(default_factory=dict)

    @cached_property
    def weight(self) -> list[float]:
        """Of all runs that ended before each node."""
        return self.summed(self.value)

    def weight_of(self, cause: str) -> list[float]:
        """Of the runs with this cause that ended before each node."""
        number = self.causes.index(cause)
        return self.summed(
            value if named == number else 0.0 for value, named in zip(self.value, self.after, strict=True)
        )

    def summed(self, values: Iterable[float]) -> list[float]:
        """What the leaves have before each node."""
        leaves = (value if sign == LEAF else 0.0 for value, sign in zip(values, self.sign, strict=True))
        return list(accumulate(leaves, initial=0.0))

    def steps(self, values: Mapping[str, float]) -> list[Step]:
        """The ways of a run through all trees."""
        known = [values.get(name) for name in self.signs]
        waiting = [((root, end), 1.0) for root, end in zip(self.roots, [*self.roots[1:], len(self.sign)], strict=True)]
        found = []
        while waiting:
            at, share = waiting.pop()
            if self.sign[at[0]] == LEAF:
                found.append(Step(LEAF, at, at, share))
                continue
            for to, part in self.answers(at, known[self.sign[at[0]]]):
                found.append(Step(self.sign[at[0]], at, to, share * part))
                waiting.append((to, share * part))
        return found

    def answers(self, at: Span, value: float | None) -> list[tuple[Span, float]]:
        """Where a node leads to, and which part of the run goes there."""
        node, end = at
        left, right = (node + 1, self.after[node]), (self.after[node], end)
        if value is not None:
            return [(left if value <= self.value[node] else right, 1.0)]
        part = within(self.weight, left) / within(self.weight, at)
        return [(left, part), (right, 1.0 - part)]


NONE = Forest()  # the rules in their order


@lru_cache(maxsize=1)
def shipped() -> Forest:
    return read(json.loads(FILE.read_text(encoding="utf-8")))


def read(found: Mapping[str, Any]) -> Forest:
    """A forest from the content of forest.json."""
    return Forest(**{one.name: found[one.name] for one in fields(Forest)})


def shares(forest: Forest, values: Mapping[str, float]) -> dict[str, float]:
    """By cause, the share of the trees that name it, at these values of the signs."""
    named = [0.0] * len(forest.causes)
    for step in forest.steps(values):
        if step.sign == LEAF:
            named[forest.after[step.at[0]]] += step.share
    return {cause: share / len(forest.roots) for cause, share in zip(forest.causes, named, strict=True)}


def added(forest: Forest, values: Mapping[str, float], cause: str) -> dict[str, float]:
    """What each sign that is known and asked for adds to the share of a cause, or takes from it."""
    of_cause, said = forest.weight_of(cause), defaultdict[str, float](float)
    for step in forest.steps(values):
        if step.sign != LEAF and forest.signs[step.sign] in values:
            after, before = (within(of_cause, span) / within(forest.weight, span) for span in (step.to, step.at))
            said[forest.signs[step.sign]] += step.share * (after - before) / len(forest.roots)
    return dict(said)


def within(weights: list[float], span: Span) -> float:
    return weights[span[1]] - weights[span[0]]
