"""Tests of significance against published values, counted out, and against SciPy and statsmodels."""

import math

import numpy as np
import pytest

from improve.statistics.significance import (
    auroc,
    binomial_tail,
    expected_optimism,
    fisher_greater,
    holm,
    mcnemar,
    mcnemar_all,
    ranks,
)


def test_the_test_against_chance():
    assert binomial_tail(10, 10, 0.5) == pytest.approx(2**-10)
    assert binomial_tail(0, 10, 0.5) == 1.0
    assert binomial_tail(5, 10, 0.5) == pytest.approx(0.623, abs=0.001)
    assert (binomial_tail(3, 5, 0.0), binomial_tail(0, 5, 0.0), binomial_tail(3, 5, 1.0)) == (0.0, 1.0, 1.0)


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
    ("k", "maximum"), [(1, 0.0), (2, 0.5642), (5, 1.1630), (10, 1.5388), (20, 1.8675), (100, 2.5076)]
)
def test_the_expected_maximum_of_k_normals(k, maximum):
    """Harter (1961), table 1; for 2 it is 1/√π."""
    assert expected_optimism(k) == pytest.approx(maximum, abs=1e-4)


def test_the_binomial_tail_is_that_of_scipy():
    from scipy.special import bdtrc

    for n, chance in ((1, 0.1), (60, 0.1), (1000, 0.5), (10_000, 0.999)):
        for right in (1, int(n * chance) + 1, n):
            assert binomial_tail(right, n, chance) == pytest.approx(bdtrc(right - 1, n, chance), abs=1e-9)


PAIRS = [(0, 0), (1, 0), (4, 4), (0, 5), (10, 3), (3, 10), (60, 41), (400, 470)]


def test_mcnemars_p_is_that_of_statsmodels_one_by_one_and_all_at_once():
    from statsmodels.stats.contingency_tables import mcnemar as theirs

    tables = [[[9, first], [second, 9]] for first, second in PAIRS]
    expected = [1.0, *(theirs(table, exact=True).pvalue for table in tables[1:])]
    assert [mcnemar(first, second) for first, second in PAIRS] == pytest.approx(expected, rel=1e-9)
    assert mcnemar_all(*np.array(PAIRS).T) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_all(np.array([], int), np.array([], int)).shape == (0,)


@pytest.mark.parametrize("table", [(3, 4, 1, 4), (0, 5, 0, 10), (7, 20, 30, 200), (40, 300, 90, 1000), (5, 5, 1, 9)])
def test_fishers_p_is_that_of_scipy(table):
    from scipy.stats import fisher_exact

    wrong, n, rest_wrong, rest_n = table
    theirs = fisher_exact([[wrong, n - wrong], [rest_wrong, rest_n - rest_wrong]], "greater").pvalue
    assert fisher_greater(*table) == pytest.approx(theirs, rel=1e-9)


def test_holm_adjusts_as_statsmodels_does():
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(3).random(40) ** 3
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], rel=1e-12)


def test_ranks_and_the_area_under_the_curve_are_those_of_scipy():
    from scipy.stats import mannwhitneyu, rankdata

    random = np.random.default_rng(4)
    scores, positive = random.integers(0, 30, 200).astype(float), random.random(200) < 0.3
    assert ranks(scores) == pytest.approx(rankdata(scores))
    won = mannwhitneyu(scores[positive], scores[~positive]).statistic
    assert auroc(scores, positive) == pytest.approx(won / positive.sum() / (~positive).sum())


@pytest.mark.parametrize("k", [1, 3, 7, 50, 1000])
def test_the_expected_maximum_is_what_scipy_integrates(k):
    from scipy.integrate import quad
    from scipy.special import ndtr

    def density(x):
        return k * math.exp(-x * x / 2) / math.sqrt(2 * math.pi) * ndtr(x) ** (k - 1)

    assert expected_optimism(k) == pytest.approx(quad(lambda x: x * density(x), -9, 9)[0], abs=1e-6)
