"""The recipe on bare numbers: the course's cases and Ng's worked examples."""

import pytest

from improve.diagnosis.bias_variance import Errors, components
from improve.diagnosis.diagnose import diagnose_numbers
from improve.errors import UsageError
from improve.statistics.intervals import Rate
from worked_examples import EXAMPLES


@pytest.mark.parametrize("n", ["", " n=10000", " n=50000"])
@pytest.mark.parametrize(("numbers", "verdict"), EXAMPLES)
def test_a_worked_example_gets_its_verdict(numbers, verdict, n):
    assert diagnose_numbers(numbers + n).verdict == verdict


def test_bias_and_mismatch_are_both_called_high():
    gaps = diagnose_numbers("human=0 train=10% train_dev=11% validation=20% n=10000").gaps
    assert (gaps.avoidable_bias.verdict, gaps.variance.verdict, gaps.data_mismatch.verdict) == ("high", "low", "high")


def gap(train, validation, n, human=0.0, **more):
    errors = Errors(Rate(train, n), Rate(validation, n), None if human is None else Rate(human), **more)
    return components(errors)


@pytest.mark.parametrize(("validation", "verdict"), [(0.0199, "low"), (0.02, "high"), (0.0201, "high")])
def test_a_gap_matters_from_two_points_on(validation, verdict):
    assert gap(0.0, validation, None).variance.verdict == verdict


def test_a_gap_matters_from_half_the_way_to_the_target_on():
    assert gap(0.05, 0.06, None, human=0.05, target=0.045).variance.verdict == "high"
    assert gap(0.05, 0.06, None, human=0.05).variance.verdict == "low"


@pytest.mark.parametrize(
    ("human", "tau"), [(None, 0.02), (0.0, 0.02), (0.0005, 0.01), (0.001, 0.01), (0.0015, 0.015), (0.01, 0.02)]
)
def test_where_people_hardly_err_a_smaller_gap_matters(human, tau):
    errors = Errors(Rate(0.02), Rate(0.021), None if human is None else Rate(human))
    assert errors.tau == pytest.approx(tau)


def test_nineteen_times_the_human_error_comes_first():
    assert diagnose_numbers("human=0.1% train=2% validation=2.1% n=250000").verdict == "high_bias"


@pytest.mark.parametrize(("train", "verdict"), [(0.0599, "high"), (0.0601, "minor")])
def test_a_gap_under_a_third_of_the_excess_is_minor(train, verdict):
    assert gap(train, 0.09, None).variance.verdict == verdict


@pytest.mark.parametrize(("n", "verdict"), [(30, "not_enough_evidence"), (300, "not_enough_evidence"), (3000, "high")])
def test_a_gap_is_high_only_where_its_interval_excludes_nothing(n, verdict):
    assert gap(0.05, 0.083, n, human=0.05).variance.verdict == verdict


@pytest.mark.parametrize(("n", "verdict"), [(100, "not_enough_evidence"), (2000, "low")])
def test_a_gap_is_low_only_where_its_interval_says_so(n, verdict):
    assert gap(0.05, 0.055, n, human=0.05).variance.verdict == verdict


def test_what_would_settle_it_does_settle_it():
    undecided = gap(0.05, 0.083, 30, human=0.05).variance
    assert undecided.verdict == "not_enough_evidence"
    assert 300 < undecided.needed < 600
    assert gap(0.05, 0.083, round(undecided.needed * 1.1), human=0.05).variance.verdict == "high"


@pytest.mark.parametrize(("validation", "verdict"), [(0.4, "unknown"), (0.401, "unknown"), (0.406, "high")])
def test_where_the_human_level_is_unknown_a_gap_matters_that_is_surely_ten_points(validation, verdict):
    """Its interval reaches 0.4 points down; a third of the validation error is 13 points."""
    assert gap(0.3, validation, 100_000, human=None).variance.verdict == verdict


def test_an_unknown_human_level_is_not_taken_for_nothing():
    unknown = gap(0.08, 0.09, 10_000, human=None)
    assert (unknown.avoidable_bias.verdict, unknown.avoidable_bias.low) == ("unknown", 0.0)
    diagnosis = diagnose_numbers("train=8% validation=9% n=10000")
    assert diagnosis.verdict == "not_enough_evidence"
    assert "human level is not known" in diagnosis.notes[0]


@pytest.mark.parametrize(("n", "verdict"), [(None, "high"), (10_000, "high"), (60, "unknown")])
def test_a_training_error_that_surely_is_ten_points_is_bias_until_somebody_says_that_people_do_no_better(n, verdict):
    assert gap(0.15, 0.16, n, human=None).avoidable_bias.verdict == verdict
    assert gap(0.15, 0.16, n, human=0.14).avoidable_bias.verdict != "high"


def test_it_is_told_as_likely():
    diagnosis = diagnose_numbers("train=23% validation=23% n=1000")
    assert diagnosis.verdict == "high_bias"
    [bias] = diagnosis.findings
    assert (bias.code, bias.status) == ("T19", "not_enough_evidence")
    assert "unless people do no better" in bias.says


@pytest.mark.parametrize(("simple", "verdict"), [(0.02, "high"), (0.06, "unknown"), (0.075, "unknown")])
def test_a_network_that_fits_worse_than_something_simple_answers_on_new_images_is_biased(simple, verdict):
    assert gap(0.08, 0.09, 500, human=None, simple=Rate(simple, 500)).avoidable_bias.verdict == verdict


def test_without_a_human_level_a_tiny_training_error_is_low_all_the_same():
    assert gap(0.001, 0.11, 10_000, human=None).avoidable_bias.verdict == "low"
    assert diagnose_numbers("train=0.1% validation=11% n=10000").verdict == "high_variance"


def test_a_training_error_below_the_human_level_is_remarked_on():
    assert "below the human level" in diagnose_numbers("human=15% train=1% validation=11%").notes[0]
    assert diagnose_numbers("human=1% train=1% validation=11%").notes == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("train=1%", "validation is missing"),
        ("train=1% train=2% validation=3%", "train is given twice"),
        ("", "train and validation are missing"),
        ("train=1% validation=x", "validation=x is not an error"),
        ("train=1% validation=101%", "is not an error between 0 and 100 %"),
        ("train=1% dev=2%", "'dev=2%' is not one of"),
        ("train=1% validation=2% n=0", "n=0 is not a number of examples"),
        ("train=1% validation=2% n=many", "n=many is not a number of examples"),
    ],
)
def test_numbers_that_make_no_sense_are_named(text, what):
    with pytest.raises(UsageError, match=what):
        diagnose_numbers(text)
