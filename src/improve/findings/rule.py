"""What a finding is made of."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from improve.recipe import Components, Errors, Gap
from improve.run import Run
from improve.statistics import Rate

Link = Literal["readable", "training", "validation", "test", "real world"]


@dataclass(frozen=True)
class Change:
    """An edit of the spec: the dotted `path`, its new `value`, and the reason."""

    path: str
    value: Any
    because: str


@dataclass(frozen=True)
class Finding:
    """What is wrong, with the numbers that say so. `harm` is what it costs at most, as a fraction of the examples;
    `changes` are alternatives, the most promising first; `confirm` is the cheapest experiment that would decide."""

    code: str
    name: str
    title: str
    link: Link
    says: str
    evidence: dict[str, Any]
    harm: float
    status: Literal["found", "not_enough_evidence"] = "found"
    changes: tuple[Change, ...] = ()
    confirm: str = ""


@dataclass(frozen=True)
class Case:
    """What the rules look at. `run` is None where only bare numbers are known."""

    errors: Errors | None
    gaps: Components | None
    run: Run | None = None

    def setting(self, path: str) -> Any:
        """A value of the run's spec by its dotted path; None where there is no run or no such key."""
        value: Any = self.run.spec if self.run else None
        for step in path.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        return value


class Rule:
    """One finding: its docstring is what `improve explain CODE` prints."""

    code: ClassVar[str]
    name: ClassVar[str]
    title: ClassVar[str]
    link: ClassVar[Link]

    def look(self, case: Case) -> Finding | None:
        raise NotImplementedError

    def found(self, says: str, harm: float, **details: Any) -> Finding:
        return Finding(self.code, self.name, self.title, self.link, says, harm=harm, **details)

    @classmethod
    def explanation(cls) -> str:
        return inspect.getdoc(cls) or ""


def above(part: str, rate: Rate, gap: Gap, what: str) -> str:
    """The sentence of a gap that is there: the error with its n, the gap with its interval, what it is above."""
    size = f" (n={rate.n:,})" if rate.n else ""
    return f"{part} error {100 * rate.value:.1f} %{size} is {points(gap)} above {what}"


def points(gap: Gap) -> str:
    """The gap in percentage points, with its interval."""
    return f"{100 * gap.value:.1f} points [{100 * gap.low:.1f}, {100 * gap.high:.1f}]"
