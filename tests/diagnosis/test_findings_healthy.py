"""A healthy run, with all its evidence: no rule speaks."""

import pytest

from evidence_data import RULES, SGD, answers, bad, healthy, look
from improve.diagnosis.diagnose import diagnose


def test_a_healthy_run_with_all_its_evidence_gets_no_finding(make_run):
    evidence = healthy(predictions={"validation": answers(range(8)), "train": answers(range(5))})
    diagnosis = diagnose(make_run(train=0.005, validation=0.008, n=10_000, spec=SGD, evidence=evidence))
    assert (diagnosis.verdict, diagnosis.findings, diagnosis.unchecked) == ("ok", (), ())


@pytest.mark.parametrize("code", RULES)
def test_no_rule_speaks_on_a_healthy_run_even_alone(make_run, code):
    evidence = healthy(predictions={"validation": answers(range(8)), "train": answers(range(5))})
    assert look(make_run(train=0.005, validation=0.008, n=10_000, spec=SGD, evidence=evidence), code) is None


def test_a_high_training_error_with_healthy_evidence_is_said_to_be_just_that(make_run):
    assert {finding.code for finding in diagnose(make_run(**bad())).findings if finding.status == "found"} <= {
        "T17",
        "T19",
    }
