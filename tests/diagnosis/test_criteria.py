"""One number to optimise, others to satisfy."""

import pytest

from improve.diagnosis.comparison.criteria import condition, measured_value
from improve.errors import UsageError
from improve.runs.schema import Measured, Summary

SUMMARY = Summary(
    train=Measured(error=0.0, low=0.0, high=0.1, n=50),
    validation=Measured(error=0.1, low=0.0, high=0.2, n=50, cost=0.2),
    train_dev=Measured(error=0.3, low=0.2, high=0.4, n=50),
    seconds_per_image=0.004,
    name="x",
)


@pytest.mark.parametrize(
    ("metric", "value"),
    [("validation_error", 0.1), ("validation_cost", 0.2), ("train_dev_error", 0.3), ("test_error", None),
     ("seconds_per_image", 0.004), ("model_bytes", None), ("epochs", None)],
)  # fmt: skip
def test_a_metric_is_found_in_the_summary(metric, value):
    assert measured_value(SUMMARY, metric) == value


@pytest.mark.parametrize(
    ("text", "subject", "sign", "limit"),
    [
        ("seconds_per_image<=0.01", "seconds_per_image", "<=", 0.01),
        ("seconds_per_image <= 10ms", "seconds_per_image", "<=", 0.01),
        ("model_bytes<10MB", "model_bytes", "<", 1e7),
        ("validation_error < 6%", "validation_error", "<", 0.06),
        ("parameters>=1.5M", "parameters", ">=", 1.5e6),
        ("optimizer=adam", "optimizer", "=", "adam"),
        ("optimizer.learning_rate != 1e-3", "optimizer.learning_rate", "!=", 0.001),
    ],
)
def test_a_condition_is_a_metric_a_sign_and_a_number_with_its_unit(text, subject, sign, limit):
    found = condition(text)
    assert (found.subject, found.sign, found.limit) == (subject, sign, pytest.approx(limit))


@pytest.mark.parametrize("text", ["", "fast", "<=3", "seconds_per_image", "seconds_per_image<=", "a b<3", "x" * 9000])
def test_what_is_no_condition_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match="is no condition"):
        condition(text)


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [("a<=3", 3, True), ("a<3", 3, False), ("a>2", None, False), ("a=adam", "adam", True), ("a!=adam", "sgd", True),
     ("a<adam", "aaa", False), ("a==3", 3.0, True), ("a<=3", "text", False)],
)  # fmt: skip
def test_what_was_not_measured_satisfies_nothing(text, value, holds):
    assert condition(text).holds(value) is holds
