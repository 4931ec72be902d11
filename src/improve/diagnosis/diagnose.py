"""Run → Diagnosis. Pure: it reads the run, its evidence and its neighbourhood, each once, and asks nothing else."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from improve.diagnosis import advice_log
from improve.diagnosis.bias_variance import Components, Errors, Verdict, components, verdict
from improve.diagnosis.certainty import LIKELY, graded, no_surer, without_idle_guesses
from improve.diagnosis.confirmed import trials_of, with_proof, with_trials
from improve.diagnosis.findings import ALWAYS, BROKEN, CAUSES, GAPS, ORDER
from improve.diagnosis.findings.capacity import fits_later
from improve.diagnosis.findings.deployment import field_gap, field_rate
from improve.diagnosis.findings.readable import at_chance
from improve.diagnosis.findings.rule import Case, Finding, Rule
from improve.diagnosis.findings.variance import late_gap, surely_matters
from improve.diagnosis.forest import Forest, shipped
from improve.diagnosis.levels import error_rate
from improve.diagnosis.notes import human_notes, notes_of
from improve.diagnosis.precedence import counted, explained, in_order, led, likeliest_first, mended_first
from improve.diagnosis.run_errors import errors_at_end, errors_of
from improve.diagnosis.suspects import Possible, possible, suspects
from improve.diagnosis.weighing import weigh
from improve.errors import ImproveError, UsageError
from improve.runs.run import Run
from improve.runs.schema import Measured
from improve.statistics.intervals import Rate

LINKS = {
    "training": ("a bigger network", "training longer", "a better optimizer (Adam)", "less regularisation"),
    "validation": ("regularisation", "a bigger training set", "training images like those that count"),
    "test": ("a bigger validation set",),
    "real world": ("another validation and test set", "another metric"),
}
LINK_OF_VERDICT = {"high_variance": "validation", "data_mismatch": "validation", "validation_overfit": "test"}
BARE_NUMBERS = ("human", "train", "train_dev", "validation", "test", "target")


class Link(NamedTuple):
    """One link of the chain: fits training, fits validation, fits test, works in the real world. None: not known."""

    link: str
    holds: bool | None
    knobs: tuple[str, ...]


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong and what to change. `findings` in the order of what they cost; `possible`: causes that it may be
    instead; `run` None for bare numbers."""

    verdict: Verdict
    errors: Errors | None
    gaps: Components | None
    chain: tuple[Link, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    unchecked: tuple[tuple[str, str], ...]
    checks: int
    run: Run | None = None
    advised: dict[str, Any] | None = None
    field: Rate | None = None
    possible: tuple[Possible, ...] = ()

    @property
    def knobs(self) -> tuple[str, ...]:
        """What to turn: the knobs of the link that the verdict is about, else of the first one that does not hold; none
        where a cause is known, which has changes of its own."""
        first = next((one for one in self.findings if one.stands), None)
        if first and (first.fact or first.signs or first.tried):
            return ()
        broken = [link for link in self.chain if link.holds is False]
        about = LINK_OF_VERDICT.get(self.verdict)
        return next((link.knobs for link in [*(link for link in broken if link.link == about), *broken]), ())

    def as_json(self) -> dict[str, Any]:
        """The content of diagnosis.json."""
        gaps = self.gaps._asdict() if self.gaps else {}
        return {
            "verdict": self.verdict,
            "run": self.run.name if self.run else None,
            "components": {name: gap._asdict() if gap else None for name, gap in gaps.items()},
            "chain": [link._asdict() for link in self.chain],
            "findings": [told(finding) for finding in self.findings],
            "possible": [one._asdict() for one in self.possible],
            "notes": list(self.notes),
            "advice": self.advised,
            "field": self.field._asdict() if self.field else None,
            "unchecked": [{"code": code, "needs": needs} for code, needs in self.unchecked],
            "test_opened": bool(self.errors and self.errors.test),
        }


def told(finding: Finding) -> dict[str, Any]:
    """A finding for diagnosis.json; `also` stands only with changes that need it."""
    changes = [asdict(change) for change in finding.changes]
    for change in changes:
        change["also"] = dict(change["also"])
    return {**asdict(finding), "changes": [{k: v for k, v in change.items() if k != "also" or v} for change in changes]}


def check_diagnosable(run: Run) -> None:
    """Raises ImproveError where nothing can be said of a run: no error was measured, and it did not diverge."""
    if run.has_result or run.status == "diverged":
        return
    if run.status == "running":
        raise ImproveError(f"{run.folder} has no results yet", fix="it is still training, or it was killed")
    reason = run.summary.error or "it stopped before its first epoch ended"
    raise ImproveError(f"{run.folder} has no results: {reason}", fix=f"improve resume {run.folder}")


def diagnose(run: Run, test: Measured | None = None, forest: Forest | None = None) -> Diagnosis:
    """Apply the recipe to a run's clean errors at its best epoch; `test`: what `test_part.open_test` gives; `forest`
    that weighs the signs, else the one that is shipped."""
    check_diagnosable(run)
    advised = advice_log.outcome(run)
    found = conclude(case_of(run, test), notes_of(run, advised), forest)
    return replace(found, advised=advised, findings=advice_log.without_circles(found.findings, run, advised))


def case_of(run: Run, test: Measured | None = None) -> Case:
    """What the rules look at, of a run; `test` where it was opened."""
    errors = errors_of(run, test) if run.has_result else None
    return Case(errors, components(errors) if errors else None, run, errors_at_end(run, errors))


def diagnose_numbers(text: str) -> Diagnosis:
    """The recipe on bare numbers, such as "human=0% train=1% validation=11% n=10000"; without n they are exact."""
    numbers: dict[str, Any] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if name in numbers:
            raise UsageError(f"{name} is given twice", fix="one error rate for each part")
        if not equals or name not in (*BARE_NUMBERS, "n"):
            raise UsageError(
                f"'{word}' is not one of {', '.join(BARE_NUMBERS)}, n", fix="write train=1% validation=11%"
            )
        numbers[name] = _bare_count(value) if name == "n" else error_rate(name, value)
    missing = [name for name in ("train", "validation") if name not in numbers]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise UsageError(f"{' and '.join(missing)} {verb} missing", fix="at least train=… and validation=… are needed")
    n, target, human = numbers.pop("n", None), numbers.pop("target", None), numbers.pop("human", None)
    rates = {name: Rate(value, n) for name, value in numbers.items()}
    errors = Errors(**rates, human=None if human is None else Rate(human), target=target)
    return conclude(Case(errors, components(errors)), ())


def _bare_count(value: str) -> int:
    if not value.isdigit() or int(value) < 1:
        raise UsageError(f"n={value} is not a number of examples", fix="such as n=10000")
    return int(value)


def conclude(case: Case, notes: tuple[str, ...], forest: Forest | None = None) -> Diagnosis:
    """Let every rule look. Facts stand whatever else is found. Of what remains the likeliest cause explains the rest:
    what it may have brought about waits until it is mended, and where the model is broken its gaps mean nothing."""
    seen, gaps, forest = look(CAUSES, case), look(GAPS, case), forest or shipped()
    weighed = weigh(case, seen + gaps, forest)
    seen += suspects(case, seen + gaps, weighed)
    trials, note = trials_of(case.run)
    seen, gaps = (with_trials(graded(each, weighed, forest), trials) for each in (seen, gaps))
    likely = with_proof(weighed.likely, seen + gaps, trials)
    facts = counted([*seen, *gaps])
    causes = explained(likeliest_first(seen, likely))
    broken = is_broken(case, facts, causes)
    gaps = [one for one in gaps if not one.fact and (not broken or likely.get(one.code, 0.0) >= LIKELY)]
    causes, leading = led([mended_first(one, facts) for one in causes], gaps, likely)
    findings = in_order(case, facts + causes, gaps + ([] if broken else look(ALWAYS, case)), leading)
    findings = without_idle_guesses(case, findings)
    concluded = "broken" if broken or case.gaps is None else judged(case, held_up(case, causes))
    if concluded == "high_variance" and any(one.code == "M1" and one.stands for one in findings):
        concluded = "data_mismatch"  # no train-dev set tells them apart, but the looks do
    return Diagnosis(
        verdict=no_surer(concluded, findings),
        errors=case.errors,
        gaps=told_gaps(case),
        chain=chain(case, broken, causes),
        findings=tuple(findings),
        notes=notes + human_notes(case) + ((note,) if note else ()),
        unchecked=unchecked(case),
        checks=len(ORDER),
        run=case.run,
        field=field_rate(case),
        possible=possible(case, findings, weighed),
    )


def is_broken(case: Case, facts: list[Finding], causes: list[Finding]) -> bool:
    """It did not learn, or was wired wrongly, so that its gaps mean nothing."""
    unlearned = case.fits_badly and not fits_later(case)
    wired_wrongly = unlearned and any(one.code in BROKEN for one in [*facts, *causes[:1]] if one.status == "found")
    return wired_wrongly or (case.run is not None and at_chance(case) is not None and not fits_later(case))


def told_gaps(case: Case) -> Components | None:
    """The gaps as they are told: a variance is no surer than V1."""
    gaps = case.gaps
    if gaps is None or gaps.variance.verdict != "high" or surely_matters(case, gaps.variance):
        return gaps
    return gaps._replace(variance=gaps.variance._replace(verdict="not_enough_evidence"))


def judged(case: Case, held_up: bool) -> Verdict:
    """The recipe's word for the run. It says high variance only where V1 is sure of it, of the best epoch or of the
    last one; what fits its training set at the end has no high bias, whatever its best epoch was."""
    assert case.gaps is not None
    concluded = verdict(case.gaps, held_up)
    sure, late = surely_matters(case, case.gaps.variance), late_gap(case) is not None
    if late and not sure and not held_up and (concluded != "high_bias" or fits_later(case)):
        return "high_variance"
    if concluded == "high_variance" and not sure:
        return "not_enough_evidence"
    return "high_bias" if concluded == "high_bias_and_variance" and not sure else concluded


def look(rules: tuple[type[Rule], ...], case: Case) -> list[Finding]:
    seen = (rule().look(case) for rule in rules if not any(rule.unseen(case)))
    return [finding for finding in seen if finding]


def held_up(case: Case, causes: list[Finding]) -> bool:
    """A cause was found that keeps the training set from being fitted."""
    return any(finding.status == "found" and finding.link == "training" for finding in causes) and case.fits_badly


def unchecked(case: Case) -> tuple[tuple[str, str], ...]:
    """Findings that could not be looked for, and the evidence that they need."""
    if case.run is None:
        return ()
    return tuple((rule.code, ", ".join(missing)) for rule in ORDER if (missing := list(rule.unseen(case))))


def chain(case: Case, broken: bool, causes: list[Finding]) -> tuple[Link, ...]:
    """Which links hold. A link after one that is broken is not known."""
    holds: dict[str, bool | None] = dict.fromkeys(LINKS)
    gaps = told_gaps(case)
    if broken or gaps is None:
        holds["training"] = False
    else:
        holds["training"] = False if held_up(case, causes) else _holds(gaps.avoidable_bias.verdict)
        parts = [_holds(gap.verdict) for gap in (gaps.variance, gaps.data_mismatch) if gap is not None]
        if late_gap(case) is not None:
            parts.append(False)
            holds["training"] = True if fits_later(case) else holds["training"]
        holds["validation"] = False if False in parts else None if None in parts else True
        holds["test"] = _holds(gaps.validation_overfit.verdict) if gaps.validation_overfit else None
        in_the_field = field_gap(case)
        holds["real world"] = _holds(in_the_field.verdict) if in_the_field else None
    return tuple(Link(link, holds[link], knobs) for link, knobs in LINKS.items())


def _holds(judged: str) -> bool | None:
    """A link holds only where its gap is surely small."""
    return {"high": False, "low": True, "minor": False}.get(judged)
