"""Findings of causes that no check of their own has seen: all signs together say that they are there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from improve.diagnosis.causes import CAUSES
from improve.diagnosis.certainty import LIKELY, WEIGHED
from improve.diagnosis.findings import ORDER
from improve.diagnosis.findings.rule import Case, Finding, fit_text
from improve.diagnosis.weighing import Weighed

RULES = {rule.code: rule() for rule in ORDER}


def suspects(case: Case, seen: Iterable[Finding], weighed: Weighed) -> list[Finding]:
    """A finding for each cause that is likelier than not and that none in `seen` names."""
    named = {one.code for one in seen}
    likely = [name for name, probability in weighed.causes.items() if name in CAUSES and probability >= LIKELY]
    codes = [CAUSES[name].codes for name in likely if not named.intersection(CAUSES[name].codes)]
    return [suspect(case, first, weighed) for first, *_ in codes if first in WEIGHED]


def suspect(case: Case, code: str, weighed: Weighed) -> Finding:
    """What the rule with this code would say, by the signs alone."""
    rule = RULES[code]
    return rule.found(
        f"nothing says so by itself, all signs together do; {fit_text(case)}",
        harm=case.to_win if case.fits_badly else case.to_gain,
        evidence={"signs": [asdict(one) for one in weighed.signs.get(code, ())]},
        changes=rule.remedies(case),
    )
