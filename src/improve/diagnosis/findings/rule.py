"""What a finding is made of."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from improve.diagnosis.bias_variance import Components, Errors, Gap
from improve.runs.evidence import Evidence
from improve.runs.run import Run
from improve.runs.schema import DataFacts, Measured
from improve.spec.reading.flatten import setting
from improve.statistics.intervals import Rate

Link = Literal["readable", "training", "validation", "test", "real world", "comparison"]
Status = Literal["found", "likely", "cannot_tell_yet", "not_enough_evidence", "refuted"]
NOTHING = Evidence(Path(os.devnull))


@dataclass(frozen=True)
class Change:
    """An edit of the spec: the dotted `path`, its new `value`, and the reason; `also` what it does not work without."""

    path: str
    value: Any
    because: str
    also: tuple[tuple[str, Any], ...] = ()

    @property
    def edits(self) -> tuple[tuple[str, Any], ...]:
        """All paths with their new values."""
        return ((self.path, self.value), *self.also)


@dataclass(frozen=True)
class Speaks:
    """A number that speaks for a cause: what it is, its value, where nine of ten sound runs lie, and what it adds to
    the share of the trees that name the cause."""

    what: str
    value: float
    low: float
    high: float
    adds: float


@dataclass(frozen=True)
class Finding:
    """What is wrong, with the numbers that say so. `harm` is what it costs at most, as a fraction of the examples;
    `changes` are alternatives, the most promising first; `rivals` the codes that the evidence does not exclude;
    `confirm` is the cheapest experiment that would decide; `waits` says why it cannot be told yet; a `fact` was
    counted, and is true whatever the network did: nothing hides it. `probability`: that its cause is there, where
    signs are weighed for it (weighing.py); `signs`: those that say most; `tried`: what an experiment says of it."""

    code: str
    name: str
    title: str
    link: Link
    says: str
    evidence: dict[str, Any]
    harm: float
    status: Status = "found"
    changes: tuple[Change, ...] = ()
    confirm: str = ""
    rivals: tuple[str, ...] = ()
    waits: str = ""
    fact: bool = False
    probability: float | None = None
    signs: tuple[Speaks, ...] = ()
    tried: str = ""

    @property
    def stands(self) -> bool:
        """Whether it is told as a cause: found, or at least likelier than not."""
        return self.status in ("found", "likely")

    @property
    def is_told(self) -> bool:
        """Whether it is told whole: it neither waits nor is refuted."""
        return self.status not in ("cannot_tell_yet", "refuted")

    @property
    def is_guess(self) -> bool:
        """Whether its check speaks, and its cause is less likely than not."""
        return self.status == "not_enough_evidence" and self.probability is not None


@dataclass(frozen=True)
class Case:
    """What the rules look at. `run` is None where only bare numbers are known; `end` are the errors of the last epoch,
    where it is not the best one."""

    errors: Errors | None
    gaps: Components | None
    run: Run | None = None
    end: Errors | None = None

    @property
    def evidence(self) -> Evidence:
        return self.run.evidence if self.run else NOTHING

    @property
    def data(self) -> DataFacts:
        """What the run knows of its images; nothing where there is no run."""
        return self.run.environment.data if self.run else DataFacts()

    @property
    def trained(self) -> Measured | None:
        """The clean error on the training set, where a run has measured it."""
        return self.run.summary.train if self.run else None

    @property
    def validated(self) -> Measured | None:
        """The clean error on the validation set, where a run has measured it."""
        return self.run.summary.validation if self.run else None

    def setting(self, path: str) -> Any:
        """A value of the run's spec by its dotted path; None where there is no run or no such key."""
        return setting(self.run.spec, path) if self.run else None

    def column(self, name: str) -> list[float]:
        """A column of metrics.csv."""
        history = self.run.history if self.run else []
        return [row[name] for row in history if name in row]

    @property
    def human(self) -> float:
        """The human error, 0 where it is not known."""
        return self.errors.human.value if self.errors and self.errors.human else 0.0

    @property
    def to_win(self) -> float:
        """What a better fit of the training set could win at most: training error − human error."""
        return self.errors.train.value - self.human if self.errors else 1.0

    @property
    def to_gain(self) -> float:
        """What all errors together cost: validation error − human error."""
        return self.errors.validation.value - self.human if self.errors else 1.0

    @property
    def fits_badly(self) -> bool:
        """The training error is too high. Before the first epoch it may be: what is looked at then is a warning."""
        return self.errors is None or self.too_high(self.errors.train)

    @property
    def errs(self) -> bool:
        """The validation error is too high, or may be."""
        return self.errors is None or self.too_high(self.errors.validation)

    def too_high(self, rate: Rate) -> bool:
        """Whether an error is above the human level by what matters, and not by chance."""
        tau = self.errors.tau if self.errors else 0.0
        return rate.value - self.human >= tau and rate.interval()[0] > self.human

    @property
    def at_chance(self) -> bool:
        """The training error is no better than always answering the commonest class, or nearly so."""
        part = self.trained
        if self.errors is None or part is None or part.majority_error is None:
            return False
        return self.errors.train.interval()[1] >= 0.97 * part.majority_error


class Rule:
    """One finding: its docstring is what `improve explain CODE` prints."""

    code: ClassVar[str]
    name: ClassVar[str]
    title: ClassVar[str]
    link: ClassVar[Link]
    #: the probes that it cannot do without: start, layers, kernels, modes
    needs: ClassVar[tuple[str, ...]] = ()
    #: what it says follows from another finding of its link, where there is one
    symptom: ClassVar[bool] = False
    #: it says something before the first epoch as well
    early: ClassVar[bool] = False

    def look(self, case: Case) -> Finding | None:
        raise NotImplementedError

    def remedies(self, case: Case) -> Iterable[Change]:
        """What mends it, the most promising first, whatever it was seen by."""
        return ()

    def found(self, says: str, harm: float, **details: Any) -> Finding:
        details["changes"] = tuple(details.get("changes", ()))
        return Finding(self.code, self.name, self.title, self.link, says, harm=max(0.0, harm), **details)

    @classmethod
    def explanation(cls) -> str:
        return inspect.getdoc(cls) or ""

    @classmethod
    def unseen(cls, case: Case) -> Iterator[str]:
        """The evidence that it needs and the run has not."""
        have = {
            "start": "head" in case.evidence.start,
            "layers": bool(case.evidence.layers),
            "kernels": bool(case.evidence.kernels),
            "modes": "initial_cross_entropy" in case.evidence.start,
        }
        yield from (need for need in cls.needs if not have[need])


def gap_sentence(part: str, rate: Rate, gap: Gap, what: str) -> str:
    """The sentence of a gap that is there: the error with its n, the gap with its interval, what it is above."""
    return f"{error_text(part, rate)} is {gap_points(gap)} above {what}"


def error_text(part: str, rate: Rate) -> str:
    """The error of a part with its n and interval, in words."""
    size = f" (n={rate.n:,})" if rate.n else ""
    return f"{part} error {100 * rate.value:.1f} %{size}"


def gap_points(gap: Gap) -> str:
    """The gap in percentage points, with its interval."""
    return f"{100 * gap.value:.1f} points [{100 * gap.low:.1f}, {100 * gap.high:.1f}]"


def fit_text(case: Case) -> str:
    """How badly the training set is fitted, for a sentence."""
    if case.errors is None:
        return "nothing is trained yet"
    low, high = case.errors.train.interval()
    return f"{error_text('training', case.errors.train)} [{100 * low:.1f}, {100 * high:.1f}]"
