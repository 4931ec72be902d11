"""Does the validation error hold on the test set?"""

from __future__ import annotations

from improve.findings.readable import larger_validation
from improve.findings.rule import Case, Finding, Rule, above


class ValidationOverfit(Rule):
    """The test error is well above the validation error: the choices made so far fit the validation set by chance.

    Seen as: test error − validation error is high, looked at only with `improve diagnose --test`. Fix: a larger
    validation set; and keep a test set that no choice has seen.
    """

    code, name, title, link = "S1", "validation_overfit", "the validation set was fitted by choosing", "test"

    def look(self, case: Case) -> Finding | None:
        gap = case.gaps.validation_overfit if case.gaps else None
        if case.errors is None or case.errors.test is None or gap is None or gap.verdict != "high":
            return None
        return self.found(
            above("test", case.errors.test, gap, "the validation error"),
            harm=gap.value,
            evidence={"validation_overfit": gap._asdict(), "n": case.errors.test.n},
            changes=larger_validation(case),
        )
