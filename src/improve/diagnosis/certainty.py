"""How sure a finding is: found, likely, or a guess, by how likely the cause is that it names.

Facts are counted, and gaps between two errors have intervals of their own: both stand as their rules say. What is
weighed are causes that keep the training set from being fitted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from improve.diagnosis.bias_variance import Verdict
from improve.diagnosis.findings import CAUSES
from improve.diagnosis.findings.rule import Case, Finding
from improve.diagnosis.forest import Forest
from improve.diagnosis.weighing import WORTH_A_GUESS, Weighed

LIKELY = 0.5
WORTH_A_RIVAL = 0.02
TRAINING = "training"
COUNTED = {"R1", "T16"}  # a loss that is no number, and answers that are never given, are not weighed
WEIGHED = frozenset(rule.code for rule in CAUSES) - COUNTED


def graded(seen: Iterable[Finding], weighed: Weighed, forest: Forest) -> list[Finding]:
    """What the rules have found, each with the probability of its cause; a cause that is weighed is found only where
    that is high enough, and has the signs that speak for it."""
    told = [
        with_probability(without_idle_rivals(one, weighed), weighed.likely.get(one.code), forest.found) for one in seen
    ]
    return [replace(one, signs=weighed.signs.get(one.code, ())) if is_weighed(one) else one for one in told]


def is_weighed(finding: Finding) -> bool:
    return finding.probability is not None and finding.code in WEIGHED


def without_idle_rivals(finding: Finding, weighed: Weighed) -> Finding:
    """Without the rivals that are hardly likely."""
    rivals = tuple(code for code in finding.rivals if weighed.likely.get(code, 1.0) >= WORTH_A_RIVAL)
    return replace(finding, rivals=rivals)


def follows_from_a_cause(finding: Finding) -> bool:
    """A class that is never answered, where all have as many images."""
    return finding.code == "T16" and not finding.fact and not finding.changes


def with_probability(finding: Finding, probability: float | None, surely: float) -> Finding:
    if follows_from_a_cause(finding):
        return replace(finding, status="not_enough_evidence")
    if finding.fact or probability is None or finding.status != "found":
        return finding
    finding = replace(finding, probability=round(probability, 3))
    if finding.code not in WEIGHED or probability >= surely:
        return finding
    return replace(finding, status="likely" if probability >= LIKELY else "not_enough_evidence")


def without_idle_guesses(case: Case, findings: list[Finding]) -> list[Finding]:
    """A guess is told where the training set is not fitted and no cause stands: then it says what to try."""
    known = any(one.stands and one.link == TRAINING and one.probability is not None for one in findings)
    told = case.fits_badly and not known and not any(one.fact and one.stands for one in findings)
    return [one for one in findings if not one.is_guess or (told and (one.probability or 0.0) >= WORTH_A_GUESS)]


def no_surer(concluded: Verdict, findings: Iterable[Finding]) -> Verdict:
    """The verdict, where what is said of the run is more than likely."""
    told = {one.status for one in findings if one.stands}
    return "not_enough_evidence" if told == {"likely"} else concluded
