"""Every finding has a test under, at and over its limit; what it proposes is a valid spec; it explains itself."""

import pytest
import test_comparison_rules as several_runs

from improve.diagnosis import findings
from improve.diagnosis.comparison.configurations import over_seeds
from improve.diagnosis.comparison.rules import COMPARISON, MANY, TRIED
from improve.diagnosis.diagnose import diagnose
from improve.spec.reading.flatten import with_setting
from improve.spec.spec import Spec
from improve.statistics.significance import mcnemar
from test_findings_causes import READABLE, TRAINING, counts_from, counts_under
from test_findings_evidence import RULES, look
from test_findings_gaps import AFTERWARDS, VALIDATION

TOLD_APART = next(k for k in range(9, 100) if mcnemar(k, 9) < 0.05)
SEEDS = (0.10, 0.11, 0.12)
WIDTH = -over_seeds(SEEDS, SEEDS).low  # of the interval to either side


def two_runs(rival_alone):
    """9 images only the best gets wrong, so many only its rival."""
    best, rival = several_runs.missed(500, (0, 9)), several_runs.missed(500, (9, 9 + rival_alone))
    return [several_runs.run("best", wrong=best), several_runs.run("rival", wrong=rival, seed=1)]


def two_recipes(worse):
    other = {"optimizer": {"name": "sgd", "learning_rate": 0.5}}
    return several_runs.seeds("a", SEEDS) + several_runs.seeds("b", [error + worse for error in SEEDS], **other)


def rates_tried(count):
    """The larger the rate, the better."""
    return several_runs.rates({10.0**power: 0.5 - 0.1 * power for power in range(count)})


COMPARING = {
    "C1": (two_runs, counts_under(TOLD_APART)),
    "C2": (two_recipes, ((0.99 * WIDTH, True), (WIDTH - 1e-9, True), (1.01 * WIDTH, False))),
    "C3": (lambda count: several_runs.several(count, 0.3, 1000), counts_from(MANY)),
    "C4": (rates_tried, counts_from(TRIED)),
}
SWEEPS = {**READABLE, **TRAINING, **VALIDATION, **AFTERWARDS}
CASES = [
    (code, sweep, value, found) for code, sweeps in SWEEPS.items() for sweep in sweeps for value, found in sweep.seen
]
IDS = [f"{code} {sweep.what} {value}" for code, sweep, value, _ in CASES]


@pytest.mark.parametrize(("code", "sweep", "value", "found"), CASES, ids=IDS)
def test_a_finding_speaks_on_one_side_of_its_limit_only(make_run, code, sweep, value, found):
    finding = look(make_run(**sweep.run(value)), code, sweep.test)
    assert (finding is not None and finding.status in said(code)) is found, finding


def said(code):
    """The status that a rule has when it is sure: R9 and S3 say that a set is too small to tell."""
    return ("not_enough_evidence",) if code in ("R9", "S3") else ("found",)


@pytest.mark.parametrize(("code", "sweep", "value", "found"), CASES, ids=IDS)
def test_every_change_that_is_proposed_is_a_valid_spec(make_run, code, sweep, value, found):
    run = make_run(**sweep.run(value))
    finding = look(run, code, sweep.test)
    for change in finding.changes if finding else ():
        Spec.model_validate(with_setting(run.spec, change.path, change.value))


@pytest.mark.parametrize(("code", "sweep"), [(code, sweep) for code, sweeps in SWEEPS.items() for sweep in sweeps])
def test_under_at_and_over_the_limit_are_there_and_not_all_alike(code, sweep):
    assert len(sweep.seen) == 3
    assert {found for _, found in sweep.seen} == {True, False}


def test_every_finding_has_a_limit_that_is_tested():
    assert set(SWEEPS) == {rule.code for rule in findings.ORDER}
    assert set(COMPARING) == {rule.code for rule in COMPARISON}


def test_no_two_findings_share_a_code_or_a_name():
    rules = [*findings.ORDER, *COMPARISON]
    assert len({rule.code for rule in rules}) == len({rule.name for rule in rules}) == len(rules)


@pytest.mark.parametrize(
    ("code", "runs", "value", "found"),
    [(code, runs, value, found) for code, (runs, seen) in COMPARING.items() for value, found in seen],
)
def test_a_comparison_speaks_on_one_side_of_its_limit_only(code, runs, value, found):
    assert (code in several_runs.codes(runs(value))) is found


@pytest.mark.parametrize("rule", [*findings.ORDER, *COMPARISON], ids=lambda rule: rule.code)
def test_every_finding_explains_itself(rule):
    assert rule.code[0] in "RTVMSWC"
    assert "Seen as" in rule.explanation()
    assert rule.name == rule.name.lower().replace(" ", "_")


SAID = [(code, sweep, value) for code, sweep, value, found in CASES if found]


@pytest.mark.parametrize(
    ("code", "sweep", "value"), SAID, ids=[f"{code} {sweep.what} {value}" for code, sweep, value in SAID]
)
def test_what_a_rule_finds_is_in_the_diagnosis_unless_it_follows_from_another_one(make_run, code, sweep, value):
    diagnosis = diagnose(make_run(**sweep.run(value)), sweep.test)
    said = [finding.code for finding in diagnosis.findings]
    assert code in said or RULES[code].symptom, said
    first = next((finding for finding in diagnosis.findings if finding.status == "found"), None)
    assert first is None or diagnosis.findings[0] == first


@pytest.mark.parametrize(
    ("code", "sweep", "value"), SAID, ids=[f"{code} {sweep.what} {value}" for code, sweep, value in SAID]
)
def test_a_finding_says_its_numbers_and_costs_no_more_than_everything(make_run, code, sweep, value):
    finding = look(make_run(**sweep.run(value)), code, sweep.test)
    assert finding.says
    assert 0 <= finding.harm <= 1
    assert finding.evidence
    assert not set(finding.rivals) - set(RULES)
    assert "nan" not in finding.says.lower().split()
