"""How sure a finding is told: found, likely, or as a guess."""

import pytest

from evidence_data import bad, healthy, kernels, part_of, start, steps
from improve.diagnosis.certainty import with_probability
from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.findings.rule import Finding
from improve.views.text.diagnosis import next_step, worth_text
from tree_data import cause, forest

SLOW = bad(
    {"optimizer": {"name": "sgd", "learning_rate": 0.01}}, kernels=kernels(update=1e-5), steps=steps([2.3] * 100)
)


def finding(code="T2", **details):
    return Finding(code, "name", "title", "training", "says", {}, 0.2, **details)


def odds(probability):
    """A forest by which a rate that is seen to be too low is so likely, and else a leak, which nobody sees."""
    seen, other = ("seen:T2", 0.5, cause("leak"), cause("rate_too_low")), cause("leak")
    named = round(100 * probability)
    return forest(*[seen] * named, *[other] * (100 - named))


@pytest.mark.parametrize(
    ("probability", "status"),
    [(0.95, "found"), (0.9, "found"), (0.89, "likely"), (0.5, "likely"), (0.49, "not_enough_evidence")],
)
def test_it_is_found_from_a_high_probability_on_and_likely_from_one_half_on(probability, status):
    told = with_probability(finding(), probability, surely=0.9)
    assert (told.status, told.probability) == (status, probability)
    assert told.stands is (probability >= 0.5)
    assert told.is_guess is (probability < 0.5)


def test_a_fact_a_measured_gap_and_what_a_rule_itself_doubts_stay_as_they_are():
    counted, doubted = finding(fact=True), finding(status="not_enough_evidence")
    assert with_probability(counted, 0.01, 0.9) == counted
    assert with_probability(doubted, 0.99, 0.9) == doubted
    assert with_probability(finding("V1"), 0.01, 0.9).status == "found"
    assert with_probability(finding(), None, 0.9).probability is None, "no signs are weighed for it"


def test_a_likely_cause_comes_first_and_leaves_the_bias_that_was_measured(make_run):
    diagnosis = diagnose(make_run(**SLOW), forest=odds(0.73))
    first, *rest = diagnosis.findings
    assert (first.code, first.status, first.probability) == ("T2", "likely", pytest.approx(0.73, abs=0.01))
    assert [one.code for one in rest if one.stands] == ["T19"]
    assert diagnosis.verdict == "high_bias"
    assert worth_text(first).startswith("likely, about 73 %, up to ")
    assert next_step(diagnosis).startswith("improve next ")


def test_a_run_with_nothing_but_a_likely_cause_has_not_enough_evidence(make_run):
    """Without a human level nobody knows whether the training error is a bias."""
    unknown = {**SLOW, "spec": {"optimizer": {"name": "sgd", "learning_rate": 0.01}}, "train": 0.08, "validation": 0.08}
    diagnosis = diagnose(make_run(**unknown), forest=odds(0.73))
    assert [(one.code, one.status) for one in diagnosis.findings if one.stands] == [("T2", "likely")]
    assert diagnosis.verdict == "not_enough_evidence"


def test_a_guess_is_told_with_its_chance_where_nothing_explains_a_bad_fit(make_run):
    diagnosis = diagnose(make_run(**SLOW), forest=odds(0.27))
    assert [one.code for one in diagnosis.findings[:2]] == ["T2", "T19"]
    assert worth_text(diagnosis.findings[0]) == "a guess, about 27 %"
    assert "(a guess)" in next_step(diagnosis)


def test_a_guess_is_not_told_where_it_is_idle(make_run):
    """Below a tenth; beside a fact; and where the training set is fitted."""
    assert "T2" not in [one.code for one in diagnose(make_run("a", **SLOW), forest=odds(0.05)).findings]
    missing = {"train": part_of(classes=[100] * 7 + [0] + [100] * 2), "validation": part_of()}
    counted = make_run("b", **bad(start=start(parts=missing), kernels=kernels(update=1e-5)))
    assert "T2" not in [one.code for one in diagnose(counted, forest=odds(0.27)).findings if one.is_guess]
    fitted = make_run("c", train=0.0, validation=0.0, evidence=healthy(kernels=kernels(update=1e-5)))
    assert not diagnose(fitted, forest=odds(0.27)).findings
