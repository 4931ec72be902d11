"""Which finding comes first, and which of them wait for another one to be mended."""

from __future__ import annotations

from dataclasses import replace

from improve.diagnosis.certainty import LIKELY
from improve.diagnosis.findings import ORDER
from improve.diagnosis.findings.rule import Case, Finding

BEFORE_TEST = ("readable", "training", "validation")  # links whose harm shows in the validation error
STATUSES = ("not_enough_evidence", "cannot_tell_yet", "refuted")
VARIANCE, OF_VARIANCE = ("V1", "V3"), ("M1", "V5", "V6")  # and what may be most of it
SYMPTOMS = {rule.code: rule.symptom for rule in ORDER}


def counted(seen: list[Finding]) -> list[Finding]:
    """The facts. Those about damaged images come first: empty ones are copies of each other, under every label."""
    facts = [one for one in seen if one.fact]
    damaged = [one for one in facts if one.code == "R10"]
    return damaged + [mended_first(one, damaged) for one in facts if one not in damaged]


def mended_first(finding: Finding, facts: list[Finding]) -> Finding:
    """A finding waits for a fact that may explain the better half of it; what is only a symptom, for any fact that
    keeps the training set from being fitted."""
    fact = next((one for one in facts if finding.stands and explains(one, finding)), None)
    return waiting_for(fact, finding) if fact else finding


def explains(fact: Finding, finding: Finding) -> bool:
    same = symptom(finding) and fact.stands and fact.link == finding.link
    return same or fact.harm >= finding.harm / 2 > 0


def likeliest_first(seen: list[Finding], likely: dict[str, float]) -> list[Finding]:
    """What is no fact, by how likely the cause is that it names; alike in the order of the recipe, as are those that
    name none."""
    return sorted((one for one in seen if not one.fact), key=lambda one: -likely.get(one.code, 0.0))


def led(causes: list[Finding], gaps: list[Finding], likely: dict[str, float]) -> tuple[list[Finding], Finding | None]:
    """Where something between training and new images is likelier than what keeps it from fitting, the causes wait for
    it. It is given as well."""
    leading = likelier_gap(causes, gaps, likely)
    if leading is None:
        return causes, None
    return [waiting_for(leading, one) if one.stands else one for one in causes], leading


def likelier_gap(causes: list[Finding], rest: list[Finding], likely: dict[str, float]) -> Finding | None:
    """What lies between training and new images, where that is likelier than what keeps it from fitting; where nothing
    does, than not."""
    first = next((likely.get(one.code, 0.0) for one in causes if one.stands), LIKELY)
    found = [one for one in rest if one.stands and likely.get(one.code)]
    best = max(found, key=lambda one: likely[one.code], default=None)
    return best if best and likely[best.code] > first else None


def explained(causes: list[Finding]) -> list[Finding]:
    """The first cause that stands explains the others: they cannot be told yet. What is only a symptom is left out
    where the cause is found; beside one that is likely it stands."""
    first = next((place for place, finding in enumerate(causes) if finding.stands), None)
    if first is None:
        return causes
    sure, rest = causes[first].status == "found", causes[first + 1 :]
    others = [waiting_for(causes[first], finding) for finding in rest if not symptom(finding)]
    beside = [] if sure else [finding for finding in rest if symptom(finding)]
    before = causes[:first]
    return [*before, causes[first], *others] if symptom(causes[first]) else [causes[first], *before, *others, *beside]


def waiting(rest: list[Finding], causes: list[Finding]) -> list[Finding]:
    """Symptoms wait where a cause is found, a variance where rare classes or other images make half of it; high bias
    without a known cause does not explain a high variance."""
    causes = [finding for finding in causes + rest if finding.stands and not symptom(finding)]
    first = next((finding for finding in causes if finding.link in BEFORE_TEST), None)
    told = [waiting_for(first, one) if first and symptom(one) and not outlasts(one, first) else one for one in rest]
    gap = next((one for one in told if one.code == "V1" and one.status == "found"), None)
    cause = next((one for one in causes if gap and one.code in OF_VARIANCE and one.harm >= gap.harm / 2), None)
    return [waiting_for(cause, one) if cause and one.code in VARIANCE else one for one in told]


def outlasts(finding: Finding, cause: Finding) -> bool:
    """A variance is measured: it stands beside a cause that is only likely."""
    return finding.code == "V1" and cause.status != "found"


def waiting_for(cause: Finding, finding: Finding) -> Finding:
    """The finding, which cannot be told before what may have brought it about is mended; one that is refuted is told
    already."""
    if finding.status == "refuted":
        return finding
    return replace(finding, status="cannot_tell_yet", waits=f"{cause.code} may bring it about: mend that first")


def symptom(finding: Finding) -> bool:
    """Whether a finding is a symptom: it waits where a cause was found."""
    return SYMPTOMS[finding.code]


def in_order(case: Case, first: list[Finding], rest: list[Finding], leading: Finding | None) -> list[Finding]:
    """What stands before what is open; facts, then what leads, then causes, then what else is there by its harm. A
    guess at what keeps it from fitting comes before the finding that it does not fit."""
    findings = first + waiting(rest, first)
    findings = [replace(one, harm=min(one.harm, most_to_win(case, one))) for one in findings]
    places = {one.code: 0 if one.fact else place for place, one in enumerate(first)}
    biased = any(one.stands and symptom(one) for one in first)

    def place(one: Finding) -> tuple[int, bool, bool, int, float]:
        leads = leading is not None and one.code == leading.code
        return rank(one, biased), not one.fact, not leads, places.get(one.code, len(places)), -one.harm

    return sorted(findings, key=place)


def rank(finding: Finding, biased: bool) -> int:
    """What stands, before what is open, before what waits; a guess stands beside a bias that needs one."""
    return 0 if finding.stands or (biased and finding.is_guess) else 1 + STATUSES.index(finding.status)


def most_to_win(case: Case, finding: Finding) -> float:
    """What mending a finding can win at most: the validation error above the human level. Of test images and of the
    field it is measured there."""
    return max(0.0, case.to_gain) if case.errors and finding.link in BEFORE_TEST else 1.0
