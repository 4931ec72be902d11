"""Recipes over seeds: which is better, and how sure is that."""

import numpy as np
import pytest

from improve.diagnosis.comparison.candidate import Candidate
from improve.diagnosis.comparison.configurations import (
    Configuration,
    configuration_difference,
    configurations_of,
    probability_of_fewer_errors,
    seed_by_seed,
)
from improve.spec.spec import Spec


def run(name, wrong, images="a", error=None, **spec):
    missed = None if wrong is None else np.asarray(wrong, bool)
    value = error if missed is None else float(missed.mean())
    return Candidate(name, Spec.model_validate(spec).complete(), value, 100, images, missed)


def missed(*places, n=100):
    return np.isin(np.arange(n), places)


def noisy(rate, seed, n=400):
    return np.random.default_rng(seed).random(n) < rate


def test_runs_that_differ_in_their_seed_only_are_one_recipe():
    runs = [run("a", None, error=0.1), run("a-2", None, error=0.2, seed=1), run("b", None, error=0.12, model="mlp")]
    found = configurations_of(runs)
    assert [(recipe.name, recipe.errors) for recipe in found] == [("b", [0.12]), ("a", [0.1, 0.2])]
    assert found[0].sd is None
    assert found[1].sd == pytest.approx(0.0707, abs=1e-4)


def test_partners_on_the_same_images_are_compared_seed_by_seed():
    """Differences 0.01, 0.02, 0.03: mean 0.02, sd 0.01; t = 4.303 at 2 degrees of freedom: ± 4.303 · 0.01 / √3."""
    seen = seed_by_seed([0.11, 0.22, 0.33], [0.10, 0.20, 0.30])
    assert seen[:3] == pytest.approx((0.02, 0.02 - 0.02484, 0.02 + 0.02484), abs=1e-4)


def test_the_probability_is_one_half_where_both_err_alike_and_one_where_only_one_errs():
    one, other = missed(*range(10))[None], missed(*range(10, 20))[None]
    assert probability_of_fewer_errors([(one, one)]) == 0.5
    assert probability_of_fewer_errors([(one, other)]) == pytest.approx(0.5, abs=0.03)
    assert probability_of_fewer_errors([(missed()[None], one)]) == pytest.approx(1.0)
    assert probability_of_fewer_errors([(one, missed()[None])]) == pytest.approx(0.0)


def test_the_bootstrap_knows_what_the_images_leave_open():
    """Alone wrong: 8 and 2 of 100. The difference has mean −0.06 and sd √0.0964 / 10 = 0.031: P = Φ(1.93) = 0.973."""
    one, other = missed(0, 1)[None], missed(*range(2, 10))[None]
    assert probability_of_fewer_errors([(one, other)]) == pytest.approx(0.973, abs=0.012)


def test_the_bootstrap_knows_what_the_seeds_leave_open():
    """Two seeds of each on the same images: the worst of one is as bad as the best of the other."""
    one = np.stack([missed(*range(4)), missed(*range(10))])
    other = np.stack([missed(*range(10)), missed(*range(16))])
    steady = np.stack([missed(*range(7))] * 2), np.stack([missed(*range(13))] * 2)
    assert probability_of_fewer_errors([(one, other)]) < probability_of_fewer_errors([steady]) - 0.02


def test_one_run_of_each_is_told_apart_by_mcnemar_and_what_would_settle_it_are_images():
    best, rival = Configuration((run("a", missed(0)),)), Configuration((run("b", missed(1, 2, 3), model="mlp"),))
    seen = configuration_difference(rival, best)
    assert (seen.value, seen.verdict, seen.unit) == (pytest.approx(0.02), "not distinguishable", "images")
    assert seen.needed == 784  # 2.8² · 0.04 / 0.02²


def test_seeds_on_their_own_splits_are_paired_by_their_images():
    def seeds(name, rate, **spec):
        return Configuration(
            tuple(run(f"{name}{s}", noisy(rate, 10 * s + len(name)), f"{s}", seed=s, **spec) for s in range(5))
        )

    seen = configuration_difference(seeds("bb", 0.3, model="mlp"), seeds("a", 0.1))
    assert (seen.verdict, seen.better) == ("worse", 0.0)
    close = configuration_difference(seeds("bb", 0.1, model="mlp"), seeds("a", 0.1))
    assert close.verdict == "not distinguishable"
    assert close.unit == "seeds of each"


def test_a_sure_bootstrap_alone_tells_nothing_apart():
    """Two seeds: the bootstrap is sure of itself, Student's t with one degree of freedom is not."""
    pairs = [(missed(*range(4)), missed(*range(2, 14))), (missed(*range(5)), missed(*range(2, 20)))]
    one = Configuration(tuple(run(f"a{s}", a, f"{s}", seed=s) for s, (a, _) in enumerate(pairs)))
    other = Configuration(tuple(run(f"b{s}", b, f"{s}", seed=s, model="mlp") for s, (_, b) in enumerate(pairs)))
    seen = configuration_difference(one, other)
    assert seen.better > 0.975
    assert seen.low < 0 < seen.high
    assert seen.verdict == "not distinguishable"


def test_where_no_images_are_shared_welchs_interval_decides_alone():
    def seeds(name, errors, **spec):
        return Configuration(
            tuple(run(f"{name}{s}", None, f"{name}{s}", error, seed=s, **spec) for s, error in enumerate(errors))
        )

    first, second = seeds("a", [0.10, 0.11, 0.12]), seeds("b", [0.20, 0.21, 0.22], model="mlp")
    seen = configuration_difference(second, first)
    assert (seen.verdict, seen.better) == ("worse", None)
    assert configuration_difference(seeds("c", [0.2], model="mlp"), first) is None
