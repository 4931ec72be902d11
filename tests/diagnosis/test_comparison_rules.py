"""What several runs say together: every finding at, under and over its threshold."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest

from candidates import codes, missed, only, rates, run, seeds, several
from improve.diagnosis.comparison.configurations import over_seeds, seeds_needed
from improve.diagnosis.comparison.rules import comparison_findings
from improve.statistics.paired import paired_comparison
from improve.statistics.student_t import students_t

# C1


@pytest.mark.parametrize(
    ("only_rival_wrong", "found"),
    [(15, True), (19, True), (20, True), (21, False), (30, False)],
)
def test_c1_speaks_where_mcnemars_p_is_at_least_5_percent(only_rival_wrong, found):
    """9 images only the best gets wrong; 20 : 9 has p = 0.061, 21 : 9 has p = 0.043."""
    best, rival = missed(500, (0, 9)), missed(500, (9, 9 + only_rival_wrong))
    assert ("C1" in codes([run("best", wrong=best), run("rival", wrong=rival, seed=1)])) is found


def test_c1_states_the_difference_the_disagreement_and_what_could_be_seen():
    """40 and 30 of 1,000 alone wrong: d = 7 %, 2.8 · √(0.07 / 1000) = 2.34 points."""
    finding = only([run("b", wrong=missed(1000, (30, 70))), run("a", wrong=missed(1000, (0, 30)))], "C1")
    assert finding.evidence["runs"] == ["a", "b"]
    assert finding.evidence["value"] == pytest.approx(0.01)
    assert finding.evidence["disagreement"] == pytest.approx(0.07)
    assert finding.evidence["detectable"] == pytest.approx(2.8 * math.sqrt(0.07 / 1000))
    assert "b has 1.0 points [-0.6, 2.6] more errors than a (p = 0.28, n=1,000)" in finding.says
    assert "2.3 points would be needed" in finding.says
    assert finding.confirm.startswith("5,488 validation images")  # 2.8² · 0.07 / 0.01²
    assert finding.harm == pytest.approx(-finding.evidence["low"])


def test_c1_says_so_when_both_err_on_the_same_images():
    finding = only([run("a", wrong=missed(100, (0, 9))), run("b", wrong=missed(100, (0, 9)), seed=1)], "C1")
    assert "0.0 points" in finding.says
    assert (finding.evidence["p"], finding.confirm) == (1.0, "")


def test_c1_takes_the_best_two_on_the_same_images():
    other = run("alone", images="other", wrong=missed(100, (0, 1)))
    pair = [run("a", wrong=missed(100, (0, 9))), run("b", wrong=missed(100, (5, 15)), seed=1)]
    worse = run("c", wrong=missed(100, (0, 90)), seed=2)
    assert only([worse, other, *pair], "C1").evidence["runs"] == ["a", "b"]
    assert "C1" not in codes([other, *pair[:1]])
    assert "C1" not in codes([run("x"), run("y", seed=1)])  # nobody knows which images they get wrong


# C2

BIG = {"training": {"batch_size": 256}}


@pytest.mark.parametrize(
    ("gap", "found"),
    [(0.0, True), (0.0220, True), (0.0230, False), (0.05, False)],
)
def test_c2_speaks_where_the_seeds_make_the_difference(gap, found):
    """Three seeds each with sd 0.01: t = 2.776 at 4 degrees of freedom, so 2.776 · 0.01 · √(2/3) = 0.02267."""
    runs = seeds("a", [0.09, 0.10, 0.11]) + seeds("b", [0.09 + gap, 0.10 + gap, 0.11 + gap], **BIG)
    assert ("C2" in codes(runs)) is found


def test_c2_says_how_many_seeds_would_settle_it():
    """16 · (0.01 / 0.01)² = 16."""
    finding = only(seeds("a", [0.09, 0.10, 0.11]) + seeds("b", [0.10, 0.11, 0.12], **BIG), "C2")
    assert (finding.evidence["needed"], finding.evidence["unit"]) == (16, "seeds of each")
    assert finding.evidence["recipes"][0]["sd"] == pytest.approx(0.01)
    assert finding.confirm.startswith("16 seeds of each")
    assert finding.status == "found"
    assert "b0 (3 seeds) has 1.0 points [-1.3, 3.3] more errors than a0 (3 seeds)" in finding.says


def test_c2_cannot_tell_from_one_seed_of_a_recipe():
    finding = only([run("a", 0.1), run("b", 0.2, **BIG)], "C2")
    assert finding.status == "not_enough_evidence"
    assert finding.says == "a and b have one seed each"
    assert "3 seeds or more" in finding.confirm
    half = only([*seeds("a", [0.1, 0.11]), run("b", 0.2, **BIG)], "C2")
    assert half.says == "b has one seed only"


@pytest.mark.parametrize(("error", "found"), [(0.2, True), (0.25, False), (0.91, False)])
def test_c2_is_not_said_of_two_that_surely_are_ten_points_apart(error, found):
    """n = 1,000: 15 points have [11.7, 18.3]."""
    assert ("C2" in codes([run("a", 0.1), run("b", error, **BIG)])) is found


def test_c2_needs_two_recipes_for_the_same_task():
    assert "C2" not in codes(seeds("a", [0.1, 0.2, 0.3]))
    assert "C2" not in codes([run("a"), run("b", data={"source": "mnist"})])


def test_c2_does_not_count_one_seed_twice_nor_what_the_result_is_judged_by():
    twice = [run("a", 0.1), run("again", 0.1, diagnosis={"human_error": 0.01})]
    assert only([*twice, run("b", 0.2, **BIG)], "C2").status == "not_enough_evidence"
    assert "C2" not in codes(twice)


def test_a_spec_from_before_an_option_existed_is_the_same_recipe():
    old, new = run("old", 0.1), run("new", 0.11, seed=1)
    del old.spec["data"]["subset"]
    assert "C2" not in codes([old, new])


def test_equal_seeds_leave_nothing_open():
    assert over_seeds([0.2, 0.2], [0.1, 0.1]) == pytest.approx((0.1, 0.1, 0.1, 0.0))
    assert seeds_needed(0.01, 0.0) is None
    assert "C2" not in codes(seeds("a", [0.1, 0.1]) + seeds("b", [0.2, 0.2], **BIG))


def test_welchs_interval_is_scipys():
    from scipy.stats import ttest_ind

    first, second = [0.31, 0.28, 0.35, 0.30], [0.25, 0.27, 0.20]
    expected = ttest_ind(first, second, equal_var=False).confidence_interval()
    assert over_seeds(first, second)[1:3] == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.706), (1.5, 6.017), (2, 4.303), (4, 2.776), (10, 2.228), (100, 1.984), (1e5, 1.960)]
)
def test_students_t(freedom, t):
    assert students_t(freedom) == pytest.approx(t, abs=0.0015)


# C3


@pytest.mark.parametrize(("count", "found"), [(4, False), (5, True), (6, True)])
def test_c3_speaks_from_five_specs_on(count, found):
    assert ("C3" in codes(several(count, 0.3, 1000))) is found


@pytest.mark.parametrize(("n", "found"), [(1000, True), (4860, True), (4880, False), (20_000, False)])
def test_c3_speaks_from_half_a_point_of_luck_on(n, found):
    """1.163 · √(0.1 · 0.9 / n) = 0.005 at n = 4,869."""
    assert ("C3" in codes(several(5, 0.1, n))) is found


def test_c3_says_what_to_expect():
    """1.163 · √(0.3 · 0.7 / 1000) = 1.69 points."""
    finding = only(several(5, 0.3, 1000), "C3")
    assert finding.harm == pytest.approx(0.01685, abs=1e-5)
    assert "expect about 31.7 % on new images, not 30.0 %" in finding.says


def test_c3_leaves_out_what_is_clearly_worse_and_what_was_measured_elsewhere():
    """At n = 1,000 and 30 %, two equals differ by up to 1.96 · √2 · 1.45 = 4.0 points."""
    finding = only([*several(5, 0.3, 1000), run("bad", 0.5, seed=9), run("edge", 0.339, seed=10)], "C3")
    assert (finding.evidence["k"], finding.evidence["equals"]) == (7, 6)
    assert "C3" not in codes([run("best", 0.1), *(run(f"bad{seed}", 0.5, seed=seed) for seed in range(1, 9))])
    assert "C3" not in codes([*several(4, 0.3, 1000), run("other", 0.3, images="b", seed=9)])
    assert "C3" not in codes([*several(4, 0.3, 1000), run("again", 0.3, seed=0)])


def test_c3_counts_only_the_noise_in_which_the_runs_differ():
    """All five miss the same 290 of 1,000 images, and 10 of their own: d = 2 %; 1.163 · √(0.02 / 2000) = 0.0037."""
    alike = [run(f"r{i}", wrong=missed(1000, (0, 290), (300 + 10 * i, 310 + 10 * i)), seed=i) for i in range(5)]
    assert "C3" not in codes(alike)
    apart = [run(f"r{i}", wrong=missed(1000, (0, 250), (300 + 50 * i, 350 + 50 * i)), seed=i) for i in range(5)]
    assert only(apart, "C3").harm == pytest.approx(1.163 * math.sqrt(0.1 / 2000), abs=1e-5)


def test_the_luck_of_the_best_is_what_c3_says():
    """Five equals, each wrong on its own 10 % of 2,000 images: the best looks better by 0.76 points on average."""
    random = np.random.default_rng(0)
    lowest, said = [], []
    for _ in range(200):
        runs = [run(f"r{i}", wrong=random.random(2000) < 0.1, seed=i) for i in range(5)]
        lowest.append(0.1 - min(one.error for one in runs))
        said += [finding.harm for finding in comparison_findings(runs) if finding.code == "C3"]
    assert np.mean(said) == pytest.approx(np.mean(lowest), rel=0.12)


# C4


@pytest.mark.parametrize(
    ("errors", "proposed"),
    [
        ({0.001: 0.3, 0.01: 0.2, 0.1: 0.1}, 1.0),
        ({0.001: 0.1, 0.01: 0.2, 0.1: 0.3}, 0.0001),
        ({0.001: 0.2, 0.01: 0.1, 0.1: 0.3}, None),
        ({0.01: 0.2, 0.1: 0.1}, None),
        ({0.001: 0.2, 0.01: 0.2, 0.1: 0.2}, None),
    ],
)
def test_c4_speaks_where_the_best_of_three_rates_is_at_an_end(errors, proposed):
    if proposed is None:
        assert "C4" not in codes(rates(errors))
    else:
        (change,) = only(rates(errors), "C4").changes
        assert (change.path, change.value) == ("optimizer.learning_rate", pytest.approx(proposed))


@pytest.mark.parametrize(
    ("section", "key", "errors", "proposed"),
    [
        ("training", "batch_size", {32: 0.1, 64: 0.2, 128: 0.3}, 16),  # 0 is none, so half a step
        ("training", "batch_size", {32: 0.3, 64: 0.2, 128: 0.1}, 192),
        ("training", "epochs", {10: 0.3, 20: 0.2, 30: 0.1}, 40),
        ("regularization", "dropout", {0.0: 0.3, 0.25: 0.2, 0.5: 0.1}, 0.75),
        ("regularization", "dropout", {0.0: 0.1, 0.25: 0.2, 0.5: 0.3}, None),  # less than none
        ("regularization", "l2", {0.0: 0.1, 0.0001: 0.2, 0.001: 0.3}, None),
        ("regularization", "l2", {0.0: 0.3, 0.0001: 0.2, 0.001: 0.1}, 0.01),
        ("data", "subset", {100: 0.3, 200: 0.2, 300: 0.1}, None),  # more data is better, always
    ],
)
def test_c4_goes_on_by_the_step_that_fits_the_setting(section, key, errors, proposed):
    runs = [run(f"{value}", error, **{section: {key: value}}) for value, error in errors.items()]
    found = [finding.changes[0].value for finding in comparison_findings(runs) if finding.code == "C4"]
    assert found == ([] if proposed is None else [pytest.approx(proposed)])
    assert all(isinstance(value, type(next(iter(errors)))) for value in found)


def test_c4_compares_only_runs_with_the_best_ones_other_settings():
    runs = rates({0.001: 0.3, 0.1: 0.1})
    other = run("other", 0.2, optimizer={"name": "sgd", "learning_rate": 0.01, "momentum": 0.9})
    assert "C4" not in codes([*runs, other])
    another_seed = run("seed", 0.2, seed=1, optimizer={"name": "sgd", "learning_rate": 0.01})
    finding = only([*runs, another_seed], "C4")
    assert "optimizer.learning_rate 0.1 (10.0 %) is the largest of 3 values" in finding.says
    assert finding.evidence == {"optimizer.learning_rate": {"0.001": 0.3, "0.01": 0.2, "0.1": 0.1}}


def test_c4_takes_the_mean_over_seeds():
    runs = rates({0.001: 0.3, 0.01: 0.2, 0.1: 0.1})
    unlucky = run("seed", 0.4, seed=1, optimizer={"name": "sgd", "learning_rate": 0.1})
    assert "C4" not in codes([*runs, unlucky])


# all of them


def test_one_run_says_nothing_about_others():
    assert codes([]) == []
    assert codes([run("a")]) == []


def test_clear_differences_get_no_finding():
    good, bad = missed(1000, (0, 50)), missed(1000, (0, 300))
    a = [run(f"a{i}", wrong=np.roll(good, i), seed=i) for i in range(3)]
    b = [run(f"b{i}", wrong=np.roll(bad, i), seed=i, **BIG) for i in range(3)]
    assert codes([a[0], b[0]]) == []  # one seed each, 25 points apart
    assert [code for code in codes([a[0], *b]) if code != "C2"] == []


def test_findings_can_be_written_as_json():
    runs = [run(f"r{i}", wrong=missed(500, (i, 100 + i)), **{"training": {"epochs": 10 + i}}) for i in range(6)]
    text = json.dumps([asdict(finding) for finding in comparison_findings(runs)])
    assert {"C1", "C2"} <= {finding["code"] for finding in json.loads(text)}


def test_a_pair_is_told_with_its_sign():
    seen = paired_comparison(missed(100, (0, 30)), missed(100, (25, 35)))
    assert (seen.value, seen.disagreement, seen.n) == (pytest.approx(0.2), pytest.approx(0.3), 100)
    assert seen.told_apart
    assert seen.low < 0.2 < seen.high
