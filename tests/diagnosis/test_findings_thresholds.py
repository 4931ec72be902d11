"""Every finding under, at and over its limits: when it speaks, what it says, what it proposes; it explains itself."""

import pytest

import candidates
from evidence_data import RULES, look
from improve.diagnosis import findings
from improve.diagnosis.comparison.configurations import over_seeds
from improve.diagnosis.comparison.rules import COMPARISON, MANY, TRIED
from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.forest import NONE
from improve.runs.test_part import open_test
from improve.spec.reading.flatten import with_setting
from improve.spec.spec import Spec
from improve.statistics.significance import mcnemar
from limits import counts_from, counts_under
from limits.causes import READABLE, TRAINING
from limits.gaps import AFTERWARDS, VALIDATION
from run_folder import write_run

TOLD_APART = next(k for k in range(9, 100) if mcnemar(k, 9) < 0.05)
SEEDS = (0.10, 0.11, 0.12)
WIDTH = -over_seeds(SEEDS, SEEDS).low  # of the interval to either side


def two_runs(rival_alone):
    """9 images only the best gets wrong, so many only its rival."""
    best, rival = candidates.missed(500, (0, 9)), candidates.missed(500, (9, 9 + rival_alone))
    return [candidates.run("best", wrong=best), candidates.run("rival", wrong=rival, seed=1)]


def two_recipes(worse):
    other = {"optimizer": {"name": "sgd", "learning_rate": 0.5}}
    return candidates.seeds("a", SEEDS) + candidates.seeds("b", [error + worse for error in SEEDS], **other)


def rates_tried(count):
    """The larger the rate, the better."""
    return candidates.rates({10.0**power: 0.5 - 0.1 * power for power in range(count)})


COMPARING = {
    "C1": (two_runs, counts_under(TOLD_APART)),
    "C2": (two_recipes, ((0.99 * WIDTH, True), (WIDTH - 1e-9, True), (1.01 * WIDTH, False))),
    "C3": (lambda count: candidates.several(count, 0.3, 1000), counts_from(MANY)),
    "C4": (rates_tried, counts_from(TRIED)),
}
SWEEPS = {**READABLE, **TRAINING, **VALIDATION, **AFTERWARDS}
#: the status that a rule has when it is sure: R9 and S3 say that a set is too small to tell
SURE = {"R9": "not_enough_evidence", "S3": "not_enough_evidence"}


@pytest.mark.parametrize("code", SWEEPS)
def test_a_finding_speaks_on_one_side_of_its_limits_only_and_says_what_helps(tmp_path, subtests, code):
    """Each case is one run, alone in its folder, at which all is looked at that a finding promises."""
    for number, sweep in enumerate(SWEEPS[code]):
        for place, (value, found) in enumerate(sweep.seen):
            with subtests.test(f"{code} {sweep.what} {value}"):
                run = write_run(tmp_path / f"{number}.{place}", **sweep.run(value))
                finding = look(run, code, sweep.test)
                assert (finding is not None and finding.status == SURE.get(code, "found")) is found, finding
                for change in finding.changes if finding else ():
                    after = with_setting(run.spec, change.path, change.value)
                    Spec.model_validate(after)
                    assert not found or after != run.spec, change
                if found:
                    assert_it_says_its_numbers(finding)
                    assert_it_is_in_the_diagnosis(
                        finding, diagnose(run, open_test(run) if sweep.test else None, NONE).findings
                    )


def assert_it_says_its_numbers(finding):
    assert finding.says
    assert "nan" not in finding.says.lower().split()
    assert finding.evidence
    assert 0 <= finding.harm <= 1  # no more than everything
    assert not set(finding.rivals) - set(RULES)


def assert_it_is_in_the_diagnosis(finding, findings):
    """Unless it follows from another one."""
    said = [one.code for one in findings]
    assert finding.code in said or RULES[finding.code].symptom, said
    first = next((one for one in findings if one.status == "found"), None)
    assert first is None or findings[0] == first


def test_under_at_and_over_each_limit_are_there_and_not_all_alike():
    for code, sweeps in SWEEPS.items():
        for sweep in sweeps:
            assert len(sweep.seen) == 3, (code, sweep.what)
            assert {found for _, found in sweep.seen} == {True, False}, (code, sweep.what)


def test_every_finding_has_a_limit_that_is_tested():
    assert set(SWEEPS) == {rule.code for rule in findings.ORDER}
    assert set(COMPARING) == {rule.code for rule in COMPARISON}


def test_no_two_findings_share_a_code_or_a_name():
    rules = [*findings.ORDER, *COMPARISON]
    assert len({rule.code for rule in rules}) == len({rule.name for rule in rules}) == len(rules)


@pytest.mark.parametrize("code", COMPARING)
def test_a_comparison_speaks_on_one_side_of_its_limit_only(code):
    runs, seen = COMPARING[code]
    assert {value: code in candidates.codes(runs(value)) for value, _ in seen} == dict(seen)


def test_every_finding_explains_itself():
    for rule in (*findings.ORDER, *COMPARISON):
        assert rule.code[0] in "RTVMSWC", rule.code
        assert "Seen as" in rule.explanation(), rule.code
        assert rule.name == rule.name.lower().replace(" ", "_"), rule.code
