"""What the diagnosis cannot tell yet, as a hypothesis with a probability. Nobody should be told a guess; `improve auto`
may try one, for it finds out."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist
from typing import NamedTuple

from improve.diagnosis.bias_variance import Gap
from improve.diagnosis.diagnose import Diagnosis
from improve.diagnosis.findings.rule import Case, Finding, gap_points
from improve.diagnosis.findings.variance import Variance, strong_change_left, variance_changes
from improve.statistics.intervals import Z

MAYBE = "it may not carry over to new images"


class Hypothesis(NamedTuple):
    """`chance`: that it is real. What comes of its changes counts in the ledger as any advice of its code."""

    finding: Finding
    chance: float


def hypothesis_of(diagnosis: Diagnosis) -> Hypothesis | None:
    """A variance that was not found, but may be there. None where anything is found, for that comes first; nor where
    what usually lowers a variance is done: more data may be all that helps then."""
    case = Case(diagnosis.errors, diagnosis.gaps, diagnosis.run)
    found = any(finding.stands for finding in diagnosis.findings)
    if found or case.gaps is None or case.errors is None or not strong_change_left(case):
        return None
    gap = case.gaps.variance
    doubt = f"the gap of {gap_points(gap)} may be chance, or have another cause"
    changes = [replace(change, because=f"{change.because}; a guess: {doubt}") for change in variance_changes(case)]
    finding = Variance().found(doubt, gap.value, status="not_enough_evidence", evidence=gap._asdict(), changes=changes)
    return Hypothesis(replace(finding, title=MAYBE), probability_above(gap, case.errors.tau))


def probability_above(gap: Gap, limit: float) -> float:
    """P(the gap is above `limit`), by the normal approximation behind the lower end of its interval."""
    sd = (gap.value - gap.low) / Z
    return 1 - NormalDist(gap.value, sd).cdf(limit) if sd > 0 else float(gap.value > limit)
