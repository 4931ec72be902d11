"""Which cause is told first, and how likely it is: a forest weighs the signs."""

import math

import pytest

from evidence_data import RULES, bad, case_of, kernels, start, steps
from improve.diagnosis import glossary, weighing
from improve.diagnosis.bias_variance import Errors, components
from improve.diagnosis.causes import CAUSES
from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.findings.rule import Case
from improve.diagnosis.forest import NONE, shares, shipped
from improve.diagnosis.signs import SIGNS, signs_of
from improve.diagnosis.weighing import SOUND, posterior, weigh
from improve.statistics.intervals import Rate
from improve.views.text.diagnosis import sign_text
from tree_data import cause, forest

SLOW, CLIPPED = "rate_too_low", "clipping"
BOTH = (
    "path", 0.0,
    ("clipped", 0.5, cause(SLOW, 3), cause(CLIPPED, 3)),
    cause(SOUND, 3),
)  # fmt: skip
TWICE = bad(
    {"optimizer": {"name": "sgd", "learning_rate": 0.01, "global_clipnorm": 0.001}},
    kernels=kernels(update=1e-5),
    steps=steps([2.3] * 100, clipped=[0.99] * 100),
)


def test_shares_of_trees_become_probabilities_that_add_up_to_one():
    found = posterior({}, forest(BOTH, sharpness=2.0, sound=4.0))
    assert found == pytest.approx({SLOW: 1 / 6, CLIPPED: 1 / 6, SOUND: 4 / 6})


def test_a_cause_that_no_tree_names_is_not_quite_excluded():
    named = posterior({"path": 0.0, "clipped": 0.1}, forest(BOTH))
    assert 0 < named[SOUND] < 0.01
    assert named[SLOW] > 0.99


def test_a_cause_that_cannot_be_has_no_chance():
    assert posterior({"clipped": 0.0, "path": 0.0}, forest(BOTH))[CLIPPED] == 0.0
    assert posterior({"clipped": 0.01}, forest(BOTH))[CLIPPED] > 0.0


@pytest.mark.parametrize(("likely", "first"), [(SLOW, "T2"), (CLIPPED, "T12")])
def test_the_likeliest_cause_is_told_first_whatever_the_order_of_the_rules(make_run, likely, first):
    """Two checks speak, that of clipping and that of the rate."""
    run = make_run(**TWICE)
    other = CLIPPED if likely == SLOW else SLOW
    given = forest(cause(likely), cause(likely), cause(other))
    assert diagnose(run, forest=given).findings[0].code == first
    assert diagnose(run, forest=NONE).findings[0].code == "T12"


def test_a_cause_that_no_check_has_seen_is_told_where_all_signs_together_say_so(make_run):
    run = make_run(**bad({"optimizer": {"name": "sgd", "learning_rate": 0.01}}))
    assert "T2" not in {one.code for one in diagnose(run, forest=NONE).findings}
    (told,) = [one for one in diagnose(run, forest=forest(cause(SLOW))).findings if one.code == "T2"]
    assert told.stands
    assert told.says.startswith("no sign is beyond its limit, but together they say so; training error")
    assert told.changes[0].path == "optimizer.learning_rate"


def test_what_no_check_has_seen_is_not_guessed_at(make_run):
    run = make_run(**bad({"optimizer": {"name": "sgd", "learning_rate": 0.01}}))
    given = forest(cause(SLOW), cause("too_deep"), cause("too_deep"))
    assert "T2" not in {one.code for one in diagnose(run, forest=given).findings}


def test_bare_numbers_are_not_weighed_and_neither_is_anything_without_a_forest(make_run):
    errors = Errors(Rate(0.3, 1000), Rate(0.4, 1000))
    nothing = weighing.Weighed({}, {}, {})
    assert weigh(Case(errors, components(errors)), [], shipped()) == nothing
    assert weigh(case_of(make_run(**bad())), [], NONE) == nothing


def test_a_finding_tells_the_sign_that_speaks_most_for_it_beside_sound_runs(make_run):
    run = make_run(**bad({"optimizer": {"name": "sgd", "learning_rate": 0.01}}, kernels=kernels(update=1e-5)))
    given = forest(("path", -1.0, cause(SLOW, 3), cause(SOUND, 1)), usual={"path": (-0.5, 1.0)})
    (told,) = diagnose(run, forest=given).findings[0].signs
    assert told.what == "path of the weights, Σ‖Δw‖/‖w‖"
    assert told.value < told.low == pytest.approx(10**-0.5, rel=0.01)
    assert (told.high, told.adds) == (10.0, 0.25)
    assert sign_text(told).endswith("; nine of ten sound runs: 0.32 to 10")


def test_every_limit_of_a_cause_is_a_sign_and_every_code_a_finding():
    assert {sign for one in CAUSES.values() for sign in one.above} <= set(SIGNS)
    assert {code for one in CAUSES.values() for code in one.codes} <= set(RULES)


def test_signs_of_a_run_are_numbers_and_those_not_recorded_are_left_out(make_run):
    whole, bare = signs_of(case_of(make_run("a", **bad()))), signs_of(case_of(make_run("b", train=0.3, validation=0.3)))
    assert all(map(math.isfinite, whole.values()))
    assert whole["early_update"] == pytest.approx(math.log10(0.005))
    assert "early_update" not in bare
    assert bare["gap"] == pytest.approx(0.0)


def test_signs_of_a_start_that_is_odd_are_told_apart(make_run):
    odd = start(input={"mean": 90.0, "rms": 120.0}, initial_cross_entropy=230.0)
    found = signs_of(case_of(make_run(**bad(start=odd))))
    assert found["input_scale"] == pytest.approx(math.log10(120))
    assert found["first_loss"] == pytest.approx(2, abs=0.01)


def test_the_forest_that_is_shipped_knows_signs_causes_and_checks():
    given = shipped()
    kinds = {name.rpartition(":")[0] for name in given.signs}
    assert kinds == {"", "seen", "fact", "open"}
    assert {name for name in given.signs if ":" not in name} <= set(SIGNS)
    assert {name.partition(":")[2] for name in given.signs if name.startswith(("seen", "fact"))} <= set(RULES)
    assert set(given.causes) <= {*CAUSES, SOUND}
    assert set(given.curves) <= set(given.causes)


def test_an_explanation_names_the_signs_that_speak_for_a_finding_the_strongest_first():
    lines = weighing.weighed("T2").splitlines()[1:]
    factors = [float(line.split()[0]) for line in lines]
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] > 1
    assert weighing.weighed("T2") in glossary.explain("T2")


def test_the_curve_of_a_sign_is_what_the_forest_says_where_nothing_else_is_known():
    name, curves = next((name, curves) for name, curves in shipped().curves.items() if curves)
    for sign, points in curves.items():
        for place, share in points:
            assert shares(shipped(), {sign: place})[name] == pytest.approx(share, abs=1e-3)


def test_a_finding_that_is_not_weighed_says_nothing_of_signs():
    assert weighing.weighed("W1") == ""
