"""What all signs together say: findings of causes that no check of their own has seen, and what else it may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

from improve.diagnosis.causes import CAUSES
from improve.diagnosis.certainty import LIKELY, WEIGHED
from improve.diagnosis.findings import ORDER
from improve.diagnosis.findings.rule import Case, Finding, fit_text
from improve.diagnosis.weighing import Weighed

RULES = {rule.code: rule() for rule in ORDER}
EXACT = {"V6", "R8", "R10", "T16", "T20"}  # what these look for is counted: it is there, or it is not
SURE = 0.95  # from there on nothing else is told
SHOWN, LEAST = 3, 0.02  # other causes that it may be, and how likely they are


class Possible(NamedTuple):
    """A cause that it may be instead of what is told, by its finding, and how likely it is."""

    code: str
    title: str
    probability: float


def suspects(case: Case, seen: Sequence[Finding], weighed: Weighed) -> list[Finding]:
    """A finding for each cause that is likelier than not, that none in `seen` names, and that could be looked for; none
    beside a fact."""
    if any(one.fact and one.stands for one in seen):
        return []
    named = {one.code for one in seen}
    likely = [name for name, probability in weighed.causes.items() if name in CAUSES and probability >= LIKELY]
    codes = [CAUSES[name].codes for name in likely if not named.intersection(CAUSES[name].codes)]
    return [
        suspect(case, first, weighed) for first, *_ in codes if first in WEIGHED and not any(RULES[first].unseen(case))
    ]


def suspect(case: Case, code: str, weighed: Weighed) -> Finding:
    """What the rule with this code would say, by the signs alone."""
    rule = RULES[code]
    return rule.found(
        f"no sign is beyond its limit, but together they say so; {fit_text(case)}",
        harm=case.to_win if case.fits_badly else case.to_gain,
        evidence={"signs": [asdict(one) for one in weighed.signs.get(code, ())]},
        changes=rule.remedies(case),
    )


def possible(case: Case, findings: Sequence[Finding], weighed: Weighed) -> tuple[Possible, ...]:
    """The likeliest causes that are not told, where something is wrong and nothing surely explains it."""
    told = {one.code for one in findings if one.is_told}
    sure = any(one.stands and (one.fact or (one.probability or 0.0) >= SURE) for one in findings)
    if sure or not case.errs:
        return ()
    others = {cause.codes[0] for cause in CAUSES.values() if not told.intersection(cause.codes)}
    others -= {code for code in EXACT if not any(RULES[code].unseen(case))}
    likely = sorted(others.intersection(weighed.likely), key=lambda code: -weighed.likely[code])
    return tuple(
        Possible(code, RULES[code].title, round(weighed.likely[code], 3))
        for code in likely[:SHOWN]
        if weighed.likely[code] >= LEAST
    )
