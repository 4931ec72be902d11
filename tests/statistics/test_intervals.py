"""Intervals and tests against published values, or counted out."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.special import bdtrc, stdtr

from improve.statistics.intervals import (
    Rate,
    auroc,
    binomial_tail,
    calibrated_error,
    calibration_error,
    difference,
    expected_optimism,
    fisher_greater,
    holm,
    mann_whitney,
    mcnemar,
    needed,
    paired_difference,
    temperature,
)
from improve.statistics.student_t import slope, students_p


@pytest.mark.parametrize(
    ("error", "n", "low", "high"),
    [(0.05, 100, 0.022, 0.112), (0.10, 100, 0.055, 0.174), (0.01, 1000, 0.005, 0.018), (0.05, 1000, 0.038, 0.065),
     (0.10, 1000, 0.083, 0.120), (0.01, 10_000, 0.008, 0.012), (0.10, 10_000, 0.094, 0.106), (0.0, 100, 0.0, 0.037)],
)  # fmt: skip
def test_wilsons_interval(error, n, low, high):
    assert Rate(error, n).interval() == pytest.approx((low, high), abs=0.0005)


def test_newcombes_own_example():
    """56/70 − 48/80 = 0.2: [0.0524, 0.3339] (Newcombe, 1998, table II, method 10)."""
    assert difference(Rate(56 / 70, 70), Rate(48 / 80, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_an_exact_rate_has_no_interval():
    assert Rate(0.1).interval() == (0.1, 0.1)
    assert difference(Rate(0.3), Rate(0.1)) == pytest.approx((0.2, 0.2))


@pytest.mark.parametrize(
    ("train", "validation", "about"), [(0.01, 0.11, 50), (0.005, 0.01, 2000), (0.15, 0.16, 10_000)]
)
def test_the_examples_needed_for_ngs_gaps_with_50000_training_images(train, validation, about):
    n = needed(Rate(validation, 1000), Rate(train, 50_000), validation - train)
    assert about / 2.2 < n < about * 1.1


def test_the_number_needed_really_settles_it():
    n = needed(Rate(0.10, 100), Rate(0.067, 100), 0.033)
    low, _ = difference(Rate(0.10, n), Rate(0.067, n))
    assert low == pytest.approx(0, abs=0.002)
    assert needed(Rate(0.1), Rate(0.2), 0.1) is None
    assert needed(Rate(0.1, 10), Rate(0.1, 10), 0.0) is None


def test_the_interval_of_a_difference_covers_as_often_as_it_says():
    random = np.random.default_rng(0)
    p1, p2, n1, n2 = 0.12, 0.08, 300, 200
    draws = zip(random.binomial(n1, p1, 2000) / n1, random.binomial(n2, p2, 2000) / n2, strict=True)
    covered = [low <= p1 - p2 <= high for low, high in (difference(Rate(a, n1), Rate(b, n2)) for a, b in draws)]
    assert 0.935 < np.mean(covered) < 0.965


def test_the_test_against_chance():
    assert binomial_tail(10, 10, 0.5) == pytest.approx(2**-10)
    assert binomial_tail(0, 10, 0.5) == 1.0
    assert binomial_tail(5, 10, 0.5) == pytest.approx(0.623, abs=0.001)
    assert (binomial_tail(3, 5, 0.0), binomial_tail(0, 5, 0.0), binomial_tail(3, 5, 1.0)) == (0.0, 1.0, 1.0)


def test_the_tails_are_those_of_scipy():
    for freedom in (1, 2, 3, 4, 5, 30, 99, 1000, 5001):
        for t in (0, 0.1, 1, 3, 50):
            assert students_p(t, freedom) == pytest.approx(2 * stdtr(freedom, -t), abs=1e-12)
    for n, chance in ((1, 0.1), (60, 0.1), (1000, 0.5), (10_000, 0.999)):
        for right in (1, int(n * chance) + 1, n):
            assert binomial_tail(right, n, chance) == pytest.approx(bdtrc(right - 1, n, chance), abs=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [(0, 0, 1.0), (4, 4, 1.0), (0, 5, 0.0625), (6, 0, 0.03125), (10, 3, 2 * 378 / 8192)],
)
def test_mcnemars_exact_p_is_counted_out(first, second, p):
    """P(at most 3 of 13 coins) = (1 + 13 + 78 + 286) / 8192."""
    assert mcnemar(first, second) == pytest.approx(p)
    assert mcnemar(second, first) == pytest.approx(p)


def test_mcnemars_p_of_many_examples_is_neither_slow_nor_nothing():
    p = mcnemar(24_000, 26_000)  # z = 2,000 / √50,000 = 8.94
    assert p == pytest.approx(math.erfc((2000 - 1) / math.sqrt(50_000) / math.sqrt(2)), rel=0.02)
    assert 0 < mcnemar(0, 1000) < 1e-300


def test_the_paired_interval_is_walds_with_half_an_example_in_each_cell():
    """(10.5 − 3.5) / 102 ± 1.96 · √(14 − 7² / 102) / 102 (Agresti and Min, 2005)."""
    half = 1.959964 * math.sqrt(14 - 49 / 102) / 102
    assert paired_difference(10, 3, 100) == pytest.approx((7 / 102 - half, 7 / 102 + half))
    assert paired_difference(3, 10, 100) == pytest.approx((-7 / 102 - half, -7 / 102 + half))


@pytest.mark.parametrize(("first", "second", "n"), [(0.08, 0.05, 100), (0.02, 0.02, 300), (0.03, 0.01, 1200)])
def test_the_paired_interval_covers_as_often_as_it_says(first, second, n):
    counts = np.random.default_rng(0).multinomial(n, [first, second, 1 - first - second], 3000)
    intervals = [paired_difference(b, c, n) for b, c, _ in counts]
    covered = np.mean([low <= first - second <= high for low, high in intervals])
    assert 0.94 < covered < 0.98


def test_fishers_lady_tasting_tea():
    """3 of her 4 cups were right: p = 17 / 70 (Fisher, 1935)."""
    assert fisher_greater(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert fisher_greater(4, 4, 0, 4) == pytest.approx(1 / 70)


def test_fishers_p_at_its_ends_and_for_50000_examples():
    assert fisher_greater(0, 5, 0, 10) == 1.0
    assert fisher_greater(5, 5, 10, 10) == 1.0
    assert fisher_greater(300, 5000, 2000, 45_000) == pytest.approx(9.35e-7, rel=0.001)


def test_holm_adjusts_in_the_given_order_and_never_falls():
    """Holm, 1979: 4 · 0.005, 3 · 0.01, then 2 · 0.03, and the last may not be below the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_auroc_is_the_share_of_pairs_in_order():
    random = np.random.default_rng(1)
    scores, positive = random.integers(0, 6, 40).astype(float), random.random(40) < 0.4
    above = scores[positive][:, None] - scores[~positive][None]
    assert auroc(scores, positive) == pytest.approx(np.mean((above > 0) + 0.5 * (above == 0)))
    assert auroc(np.arange(4.0), np.array([False, False, True, True])) == 1.0
    assert math.isnan(auroc(np.arange(3.0), np.ones(3, bool)))


@pytest.mark.parametrize(
    ("first", "second"), [([5, 6, 7], [1, 2, 3]), ([5, 6, 7, 1.5], [1, 2, 3, 4]), ([1, 2, 2], [2, 2, 3, 1])]
)
def test_mann_whitneys_p_counts_the_divisions_in_which_the_first_wins_as_many_pairs(first, second):
    def won(some, rest):
        return sum((a > b) + 0.5 * (a == b) for a in some for b in rest)

    pooled = [*first, *second]
    divisions = [set(chosen) for chosen in combinations(range(len(pooled)), len(first))]
    scores = [
        won([pooled[i] for i in chosen], [pooled[i] for i in range(len(pooled)) if i not in chosen])
        for chosen in divisions
    ]
    assert mann_whitney(first, second) == pytest.approx(np.mean([score >= won(first, second) for score in scores]))


def test_mann_whitneys_p_of_larger_samples_is_normal():
    """U = 1,532 (1,510 pairs won, 44 tied) against 1,250 ± 145.06, 50 in each: z = 281.5 / 145.06 = 1.94."""
    assert mann_whitney(range(10, 60), range(4, 54)) == pytest.approx(0.0261, abs=0.0001)
    assert mann_whitney([1] * 50, [1] * 50) == 1.0
    random = np.random.default_rng(2)
    p = [mann_whitney(random.normal(size=20), random.normal(size=25)) for _ in range(400)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.03)


def test_the_slope_of_a_line_with_its_p():
    """Student's t = 0.6 / 0.2828 = 2.1213 at 3 degrees of freedom."""
    assert slope([1, 2, 3, 4, 5], [2, 4, 5, 4, 5]) == pytest.approx((0.6, 0.28284, 0.12403), abs=1e-5)
    assert slope([0, 1, 2], [1, 3, 5]) == (2.0, 0.0, 0.0)
    assert slope([0, 1, 2], [1, 1, 1]) == (0.0, 0.0, 1.0)
    assert slope([0, 1], [1, 3]) == (2.0, math.inf, 1.0)


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


@pytest.mark.parametrize(
    ("k", "maximum"), [(1, 0.0), (2, 0.5642), (5, 1.1630), (10, 1.5388), (20, 1.8675), (100, 2.5076)]
)
def test_the_expected_maximum_of_k_normals(k, maximum):
    """Harter (1961), table 1; for 2 it is 1/√π."""
    assert expected_optimism(k) == pytest.approx(maximum, abs=1e-4)
