"""Student's t and the slope of a line, by hand and against SciPy."""

import math

import numpy as np
import pytest

from improve.statistics.student_t import slope, students_p, students_t


def test_the_slope_of_a_line_with_its_p():
    """Student's t = 0.6 / 0.2828 = 2.1213 at 3 degrees of freedom."""
    assert slope([1, 2, 3, 4, 5], [2, 4, 5, 4, 5]) == pytest.approx((0.6, 0.28284, 0.12403), abs=1e-5)
    assert slope([0, 1, 2], [1, 3, 5]) == (2.0, 0.0, 0.0)
    assert slope([0, 1, 2], [1, 1, 1]) == (0.0, 0.0, 1.0)
    assert slope([0, 1], [1, 3]) == (2.0, math.inf, 1.0)


def test_students_t_and_p_are_those_of_scipy():
    from scipy.special import stdtr, stdtrit

    for freedom in (1, 2, 3, 4, 5, 30, 99, 1000, 5001):
        assert students_t(freedom) == pytest.approx(stdtrit(freedom, 0.975), rel=1e-3)
        for t in (0, 0.1, 1, 3, 50):
            assert students_p(t, freedom) == pytest.approx(2 * stdtr(freedom, -t), abs=1e-12)
    for freedom in (1.3, 2.7, 8.25, 40.9):  # Welch's
        assert students_t(freedom) == pytest.approx(stdtrit(freedom, 0.975), rel=1e-3)


@pytest.mark.parametrize("count", [3, 4, 11, 60])
def test_the_slope_is_that_of_scipy(count):
    from scipy.stats import linregress

    random = np.random.default_rng(count)
    x, y = random.normal(size=count), random.normal(size=count)
    theirs = linregress(x, y)
    assert slope(x, y) == pytest.approx((theirs.slope, theirs.stderr, theirs.pvalue), rel=1e-9)
