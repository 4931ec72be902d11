"""Two models on the same images, by hand and against statsmodels."""

import math

import numpy as np
import pytest

from improve.statistics.intervals import Z
from improve.statistics.paired import paired_comparison, paired_difference, paired_from_counts


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


@pytest.mark.parametrize(("first", "second", "n"), [(0, 0, 9), (10, 3, 100), (3, 10, 100), (0, 40, 40), (70, 60, 5000)])
def test_the_paired_interval_is_that_of_the_mean_of_statsmodels_with_half_an_example_in_each_cell(first, second, n):
    from statsmodels.stats.weightstats import DescrStatsW

    cells = DescrStatsW([1, -1, 0], weights=[first + 0.5, second + 0.5, n - first - second + 1])
    half = Z * math.sqrt(cells.var / cells.sum_weights)
    theirs = max(-1, cells.mean - half), min(1, cells.mean + half)
    assert paired_difference(first, second, n) == pytest.approx(theirs, abs=1e-12)


def test_two_models_are_compared_by_the_images_that_only_one_gets_wrong():
    from statsmodels.stats.contingency_tables import mcnemar

    random = np.random.default_rng(0)
    first, second = random.random(400) < 0.2, random.random(400) < 0.1
    table = [[int((mine & other).sum()) for other in (second, ~second)] for mine in (first, ~first)]
    found = paired_comparison(first, second)
    assert found.p == pytest.approx(mcnemar(table, exact=True).pvalue, rel=1e-9)
    assert found == paired_from_counts(table[0][1], table[1][0], 400, found.p)
    assert found.value == pytest.approx(first.mean() - second.mean())
    assert found.disagreement == pytest.approx((first != second).mean())
    assert found.verdict == "worse"


def test_what_is_detectable_and_the_images_needed_have_the_power_of_80_percent_by_statsmodels():
    from statsmodels.stats.power import normal_power

    seen = paired_from_counts(30, 18, 1000, 0.1)
    deviation = math.sqrt(seen.disagreement)
    assert normal_power(seen.detectable / deviation, seen.n, 0.05) == pytest.approx(0.8, abs=0.001)
    assert normal_power(seen.value / deviation, seen.images_needed, 0.05) == pytest.approx(0.8, abs=0.001)
    assert paired_from_counts(20, 20, 1000, 1.0).images_needed is None
