"""Intervals of error rates against published values, counted out, and against statsmodels."""

import numpy as np
import pytest

from improve.statistics.intervals import Z_ONE_SIDED, Rate, Z, difference, examples_needed


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
    n = examples_needed(Rate(validation, 1000), Rate(train, 50_000), validation - train)
    assert about / 2.2 < n < about * 1.1


def test_the_number_needed_really_settles_it():
    n = examples_needed(Rate(0.10, 100), Rate(0.067, 100), 0.033)
    low, _ = difference(Rate(0.10, n), Rate(0.067, n))
    assert low == pytest.approx(0, abs=0.002)
    assert examples_needed(Rate(0.1), Rate(0.2), 0.1) is None
    assert examples_needed(Rate(0.1, 10), Rate(0.1, 10), 0.0) is None


def test_the_interval_of_a_difference_covers_as_often_as_it_says():
    random = np.random.default_rng(0)
    p1, p2, n1, n2 = 0.12, 0.08, 300, 200
    draws = zip(random.binomial(n1, p1, 2000) / n1, random.binomial(n2, p2, 2000) / n2, strict=True)
    covered = [low <= p1 - p2 <= high for low, high in (difference(Rate(a, n1), Rate(b, n2)) for a, b in draws)]
    assert 0.935 < np.mean(covered) < 0.965


@pytest.mark.parametrize("z", [Z, Z_ONE_SIDED])
@pytest.mark.parametrize(("wrong", "n"), [(0, 1), (0, 50), (1, 50), (7, 100), (350, 1000), (10_000, 10_000)])
def test_wilsons_interval_is_that_of_statsmodels(wrong, n, z):
    from scipy.special import ndtr
    from statsmodels.stats.proportion import proportion_confint

    theirs = proportion_confint(wrong, n, alpha=2 * ndtr(-z), method="wilson")
    assert Rate(wrong / n, n).interval(z) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(
    ("first", "second"), [((56, 70), (48, 80)), ((0, 40), (3, 1000)), ((90, 1000), (40, 300)), ((5, 5), (0, 5))]
)
def test_newcombes_interval_is_that_of_statsmodels(first, second):
    from statsmodels.stats.proportion import confint_proportions_2indep

    theirs = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
    rates = [Rate(wrong / n, n) for wrong, n in (first, second)]
    assert difference(*rates) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(
    ("larger", "smaller", "distance"), [((0.1, 200), (0.06, 200), 0.04), ((0.2, 300), (0.05, 1500), 0.02)]
)
def test_with_the_examples_needed_walds_interval_of_statsmodels_reaches_just_so_far(larger, smaller, distance):
    from statsmodels.stats.proportion import confint_proportions_2indep

    n, ratio = examples_needed(Rate(*larger), Rate(*smaller), distance), smaller[1] / larger[1]
    halves = []
    for count in (n - 1, n):
        rows = (larger[0] * count, count, smaller[0] * count * ratio, count * ratio)
        low, high = confint_proportions_2indep(*rows, method="wald", compare="diff")
        halves.append((high - low) / 2)
    assert halves[0] > distance >= halves[1]
