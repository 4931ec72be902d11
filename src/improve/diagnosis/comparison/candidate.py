"""One run among others: its settings, its validation error, and how it stands to another run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np
from improve.runs.run import Run
from improve.spec.identity import EXPERIMENT
from improve.spec.reading.flatten import given_settings
from improve.statistics.intervals import Rate, difference
from improve.statistics.paired import POWER, Paired, paired_comparison

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Candidate:
    """One run among others: its whole spec, its validation error on n images, and which of them it gets wrong (n,),
    in the same order for all runs with this fingerprint; None where that is not known."""

    name: str
    spec: dict[str, Any]
    error: float
    n: int
    fingerprint: str | None = None
    wrong: NDArray[np.bool_] | None = None

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Everything that makes it another configuration, by dotted path; without null, which is what older specs left
        out."""
        return {
            path: value
            for path, value in given_settings(self.spec)
            if path not in EXPERIMENT and path.partition(".")[0] not in EXPERIMENT
        }

    @cached_property
    def recipe(self) -> str:
        """The settings as one text, equal for runs of the same configuration."""
        return repr(sorted(self.settings.items()))

    @property
    def task(self) -> tuple[Any, Any]:
        """Where its validation images come from."""
        data = self.spec.get("data", {})
        return data.get("source"), data.get("target")

    @property
    def seed(self) -> Any:
        return self.spec.get("seed")

    def against(self, other: Candidate) -> Paired | None:
        """This run's error − the other's; None where they were not measured on the same images."""
        if self.wrong is None or other.wrong is None or self.fingerprint != other.fingerprint:
            return None
        return paired_comparison(self.wrong, other.wrong) if len(self.wrong) == len(other.wrong) else None


class Unpaired(NamedTuple):
    """First − second error rate on other images of the same kind, with its 95 % interval (Newcombe, 1998)."""

    value: float
    low: float
    high: float
    detectable: float
    p: None = None

    @property
    def verdict(self) -> str:
        """What the first is beside the second: better, worse, or not distinguishable."""
        return "not distinguishable" if self.low <= 0 <= self.high else "better" if self.value < 0 else "worse"

    def as_json(self) -> dict[str, Any]:
        return self._asdict()


def unpaired_comparison(first: Candidate, second: Candidate) -> Unpaired:
    """The first run's error − the second's, as a fraction with its 95 % interval, and what could be told apart: of runs
    that were measured on different images."""
    rates = Rate(first.error, first.n), Rate(second.error, second.n)
    noise = math.sqrt(sum(run.error * (1 - run.error) / run.n for run in (first, second)))
    return Unpaired(first.error - second.error, *difference(*rates), POWER * noise)


def binomial_noise(run: Candidate) -> float:
    """The standard deviation of a run's error (a fraction) that its number of images alone brings."""
    return math.sqrt(run.error * (1 - run.error) / run.n)


def noise_among_equals(best: Candidate, equals: Sequence[Candidate]) -> float:
    """Standard deviation of one run's error among equals, without what the same images do to all of them alike."""
    pairs = [seen.disagreement for run in equals if run is not best and (seen := run.against(best))]
    return math.sqrt(fmean(pairs) / 2 / best.n) if pairs else binomial_noise(best)


def candidates(runs: Sequence[Run], names: Sequence[str]) -> list[Candidate | None]:
    """The runs as the findings see them; None for one without results. Predictions are read only where there are
    others on the same images."""
    measured = [run for run in runs if run.summary.validation]
    shared = Counter(fingerprint(run) for run in measured)
    ids: dict[str | None, Any] = {}
    found: list[Candidate | None] = []
    for name, run in zip(names, runs, strict=True):
        part = run.summary.validation
        missed = _missed(run, ids) if part and fingerprint(run) and shared[fingerprint(run)] > 1 else None
        found.append(
            Candidate(name, spec_with_members(run), part.error, part.n, fingerprint(run), missed) if part else None
        )
    return found


def _missed(run: Run, ids: dict[str | None, Any]) -> Any:
    """Which validation images (n,) the run gets wrong, by id; None where that cannot be read or the ids are others."""
    seen = run.evidence.best("validation")
    if seen is None:
        return None
    own, missed = seen.wrong_by_id
    return missed if np.array_equal(ids.setdefault(fingerprint(run), own), own) else None


def fingerprint(run: Run) -> str | None:
    """The digest of the run's validation images; None in a run that has not told."""
    value = run.environment.data.fingerprint.get("validation")
    return None if value is None else str(value)


def spec_with_members(run: Run) -> dict[str, Any]:
    """The spec; of an ensemble with how many answer together, where the spec does not say."""
    members = len(run.summary.members or ())
    return {**run.spec, "members": members} if members and run.spec["training"]["members"] == 1 else run.spec
