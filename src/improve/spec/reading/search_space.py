"""The search space of a sweep: which settings vary, and over what."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from improve.spec.reading.merge import tree_at
from improve.spec.reading.yaml import Path, Place, Tree

SEARCHES = ("grid", "random", "tpe", "hyperband")
MOST = 10_000  # values of one setting, trials, and points of a grid
DIGITS = 4  # significant, of a number that is drawn: it has to be read and typed
LOGARITHMIC = 30  # values that reach from 1 to so many are shown in factors


@dataclass(frozen=True)
class Knob:
    """A setting that varies: among `values`, or from `low` to `high`, both included, where `kind` is no "values".
    `words`: as it was written; `keys` and `places`: where, for messages."""

    path: Path
    words: str
    kind: str
    values: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    keys: dict[Path, Place] = field(default_factory=dict, compare=False)
    places: tuple[Place, ...] = field(default=(), compare=False)

    @property
    def key(self) -> str:
        return ".".join(map(str, self.path))

    @property
    def listed(self) -> tuple[Any, ...]:
        """Every value, where they can be counted; else none."""
        return tuple(range(int(self.low), int(self.high) + 1)) if self.kind == "int" else self.values

    @property
    def ends(self) -> tuple[Any, ...]:
        """What has to be valid for all of it to be."""
        return self.values or (self.low, self.high)

    @property
    def numeric(self) -> bool:
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.ends)

    @property
    def logarithmic(self) -> bool:
        """Whether its values are further apart in factors than in steps."""
        if self.kind != "values":
            return self.kind == "log"
        return self.numeric and min(self.values) > 0 and max(self.values) / min(self.values) >= LOGARITHMIC

    def drawn(self, share: float) -> Any:
        """The value at `share` of the way, from 0 to below 1."""
        if self.kind == "values":
            return self.values[int(share * len(self.values))]
        if self.kind == "int":
            return int(self.low) + int(share * (self.high - self.low + 1))
        ratio = self.high / self.low if self.kind == "log" else 0.0
        return self.rounded(self.low * ratio**share if ratio else self.low + share * (self.high - self.low))

    def rounded(self, value: float) -> float:
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)

    def share(self, value: float) -> float:
        """How far `value` is from the low end to the high one: from 0 to 1."""
        low, high = min(self.ends), max(self.ends)
        if self.logarithmic:
            return math.log(value / low) / math.log(high / low)
        return float((value - low) / (high - low))

    def change(self, value: Any) -> Tree:
        """What turns a spec into one with this value."""
        at = self.values.index(value) if value in self.values else 0
        return tree_at(self.path, Tree(value, {(): self.places[at]}), self.keys)


class Asked(NamedTuple):
    """What a spec file's section says; None: nothing."""

    search: str | None = None
    trials: int | None = None
    seeds: int | None = None
    knobs: tuple[Knob, ...] = ()
    cpus: float = 1  # of one trial, on a cluster
    gpus: float = 0
