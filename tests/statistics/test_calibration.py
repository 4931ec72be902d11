"""The expected calibration error and the temperature, by hand and against SciPy."""

import numpy as np
import pytest

from improve.statistics.calibration import calibrated_error, calibration_error, temperature


def test_the_calibration_error_of_two_bins():
    """Confidence 0.9 with 3 of 4 right, 0.6 with 1 of 1 right: (4 · 0.15 + 1 · 0.4) / 5."""
    confidence, right = np.array([0.9, 0.9, 0.9, 0.9, 0.6]), np.array([1, 1, 1, 0, 1])
    assert calibration_error(confidence, right) == pytest.approx(0.2)
    assert calibration_error(np.ones(3), np.ones(3)) == 0.0


def test_a_perfectly_calibrated_model_shows_an_error_all_the_same():
    random = np.random.default_rng(3)
    confidence = random.uniform(0.5, 1, 500)
    expected = calibrated_error(confidence)
    fair = calibration_error(confidence, random.random(500) < confidence)
    sure = calibration_error(confidence, random.random(500) < confidence - 0.2)
    assert 0.02 < expected.mean < expected.high < 0.1
    assert fair < expected.high < sure
    assert calibrated_error(confidence) == expected


@pytest.mark.parametrize("true", [0.5, 1.0, 2.0])
def test_the_temperature_that_was_put_in_is_found(true):
    random = np.random.default_rng(4)
    logits = 2 * random.normal(size=(5000, 4))
    fair = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (random.random((5000, 1)) > fair.cumsum(axis=1)).sum(axis=1)
    shown = fair**true / (fair**true).sum(axis=1, keepdims=True)  # logits · T: overconfident where T > 1
    found, cross_entropy = temperature(shown.astype("float32"), labels)
    assert found == pytest.approx(true, rel=0.08)
    assert cross_entropy <= -np.log(fair[np.arange(5000), labels]).mean() + 1e-6


def test_the_temperature_of_a_model_without_errors_stays_in_its_range():
    assert temperature(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1]))[0] == pytest.approx(0.05, rel=0.01)
    assert temperature(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1, 0]))[0] == pytest.approx(20, rel=0.01)


def test_the_calibration_error_is_that_of_scipys_bins():
    from scipy.stats import binned_statistic

    random = np.random.default_rng(5)
    confidence = random.random(600)
    right = random.random(600) < confidence**2
    bins = {"bins": 15, "range": (0, 1)}
    gaps = binned_statistic(confidence, right - confidence, "sum", **bins).statistic
    assert calibration_error(confidence, right) == pytest.approx(np.abs(gaps).sum() / 600)


def test_the_error_by_chance_in_one_bin_is_that_of_scipys_binomial():
    from scipy.stats import binom

    n, sure = 400, 0.83
    right = np.arange(n + 1)
    error, chance = np.abs(right / n - sure), binom.pmf(right, n, sure)
    order = np.argsort(error)
    high = error[order][np.searchsorted(np.cumsum(chance[order]), 0.95)]
    found = calibrated_error(np.full(n, sure), draws=4000)
    assert found == pytest.approx((float(error @ chance), high), abs=0.001)


@pytest.mark.parametrize("sharper", [0.4, 1.0, 3.0])
def test_the_temperature_is_where_scipy_finds_the_lowest_cross_entropy(sharper):
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    random = np.random.default_rng(6)
    logits, labels = random.normal(size=(300, 5)), random.integers(0, 5, 300)
    logits[np.arange(300), labels] += 1
    probability = np.exp(log_softmax(sharper * logits, axis=1))

    def cross_entropy(t):
        return -log_softmax(np.log(probability) / t, axis=1)[np.arange(300), labels].mean()

    theirs = minimize_scalar(cross_entropy, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-6})
    assert temperature(probability, labels) == pytest.approx((theirs.x, theirs.fun), rel=1e-3)
