"""Every two of many models on the same images: who errs alone, and whether that is more than luck."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.diagnosis.comparison.candidate import Candidate
from improve.lazy import np
from improve.statistics.paired import Paired, paired_from_counts
from improve.statistics.significance import holm, mcnemar_all

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLD = 1000  # pairs; of more, those with the first run only


class Pair(NamedTuple):
    """Two runs by name; `seen` is the second's error − the first's."""

    first: str
    second: str
    seen: Paired

    def as_json(self) -> dict[str, Any]:
        return {"first": self.first, "second": self.second, "verdict": self.seen.verdict, **self.seen.as_json()}


@dataclass(frozen=True, eq=False)
class Family:
    """k models on the same n images. `alone[i, j]`: images that i gets wrong and j gets right; `p[i, j]`: McNemar's,
    adjusted for all pairs of the family (Holm, 1979)."""

    names: tuple[str, ...]
    alone: NDArray[np.int64]
    p: NDArray[np.float64]
    n: int

    def pair(self, first: str, second: str) -> Pair:
        i, j = self.names.index(first), self.names.index(second)
        seen = paired_from_counts(int(self.alone[j, i]), int(self.alone[i, j]), self.n, float(self.p[i, j]))
        return Pair(first, second, seen)

    def pairs(self) -> Iterator[Pair]:
        """All of them where they are few, the first run's where they are many."""
        k = len(self.names)
        firsts = self.names if k * (k - 1) // 2 <= TOLD else self.names[:1]
        for place, first in enumerate(firsts, start=1):
            yield from (self.pair(first, second) for second in self.names[place:])


def families(runs: Sequence[Candidate]) -> list[Family]:
    """The runs whose wrong images are known, by the images that they were measured on; no family of one."""
    groups: dict[tuple[str | None, int], list[Candidate]] = defaultdict(list)
    for run in runs:
        if run.wrong is not None:
            groups[run.fingerprint, len(run.wrong)].append(run)
    return [family(group) for group in groups.values() if len(group) > 1]


def family(runs: Sequence[Candidate]) -> Family:
    wrong = np.stack([run.wrong for run in runs if run.wrong is not None])
    as_floats = wrong.astype(np.float32)  # a product of floats is 50 times as fast, and exact up to 2²⁴
    alone = (as_floats @ (1 - as_floats).T).astype(np.int64)
    above = np.triu_indices(len(runs), 1)
    p = np.ones(alone.shape)
    p[above] = holm(mcnemar_all(alone[above], alone.T[above]))
    return Family(tuple(run.name for run in runs), alone, np.minimum(p, p.T), wrong.shape[1])
