"""Which cause is told first: signs are weighed, and what they say adds up."""

import json
import math

import pytest

from evidence_data import RULES, bad, case_of, kernels, start, steps
from improve.diagnosis import glossary, weights
from improve.diagnosis.bias_variance import Errors, components
from improve.diagnosis.causes import CAUSES
from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.findings.rule import Case
from improve.diagnosis.signs import SIGNS, signs_of
from improve.diagnosis.weights import NONE, SOUND, Weight, Weights, parts, posterior, weigh
from improve.statistics.intervals import Rate
from improve.views.text.diagnosis import sign_text

EVEN = dict.fromkeys(("training", "validation", "none"), 0.0)
PATH = Weight("path", 0, -1, (-1.0, 1.0), (-1.0, 2.0))  # the shorter the path, the more it speaks for it
UPDATE = Weight("early_update", 0, -1, (2.0, 4.0), (-0.5, 3.0))  # of the same group
CLIPPED = Weight("clipped", 0, 1, (0.0, 0.5), (-2.0, 1.0))


def model(temperature=1.0, **signs):
    return Weights({**dict.fromkeys(signs, EVEN), SOUND: EVEN}, signs, temperature, 0.8, {"path": (-0.5, 1.0)})


def test_what_signs_say_of_a_cause_adds_up_to_its_chance():
    given = model(rate_too_low=(PATH,), clipping=(CLIPPED,))
    found = posterior({"path": -1.0, "clipped": 0.5}, "training", given)
    shares = {"rate_too_low": math.exp(2), "clipping": math.exp(1), SOUND: 1.0}
    assert found == pytest.approx({name: share / sum(shares.values()) for name, share in shares.items()})


def test_a_sign_that_is_missing_says_nothing():
    given = model(rate_too_low=(PATH,), clipping=(CLIPPED,))
    assert posterior({}, "training", given) == pytest.approx(dict.fromkeys(("rate_too_low", "clipping", SOUND), 1 / 3))


@pytest.mark.parametrize(
    ("values", "counted"),
    [
        ({"path": -1.0, "early_update": -4.0}, {"early_update": 3.0}),
        ({"path": 1.0, "early_update": -2.0}, {"path": -1.0}),
        ({"path": -1.0}, {"path": 2.0}),
    ],
)
def test_of_signs_that_measure_the_same_the_strongest_counts(values, counted):
    assert parts("rate_too_low", values, model(rate_too_low=(PATH, UPDATE))) == counted


@pytest.mark.parametrize(("value", "nats"), [(-3.0, 2.0), (-1.0, 2.0), (0.0, 0.5), (1.0, -1.0), (2.0, -1.0)])
def test_a_weight_lies_on_a_line_through_its_points_and_is_level_beyond(value, nats):
    assert PATH.of(value) == pytest.approx(nats)


def test_a_cause_that_cannot_be_has_no_chance():
    given = model(clipping=(CLIPPED,), rate_too_low=(PATH,))
    assert set(posterior({"clipped": 0.0, "path": 0.0}, "training", given)) == {"rate_too_low", SOUND}
    assert "clipping" in posterior({"clipped": 0.01}, "training", given)


def test_a_temperature_takes_back_what_is_said_twice():
    cold, warm = (posterior({"path": -1.0}, "training", model(t, rate_too_low=(PATH,))) for t in (1.0, 4.0))
    assert cold["rate_too_low"] > warm["rate_too_low"] > 0.5


def test_the_open_link_counts():
    prior = {"rate_too_low": {**EVEN, "training": 2.0}, SOUND: EVEN}
    fitted = posterior({}, "validation", Weights(prior, {}, 1.0, 0.8, {}))
    assert posterior({}, "training", Weights(prior, {}, 1.0, 0.8, {}))["rate_too_low"] > fitted["rate_too_low"] == 0.5


def test_the_likeliest_cause_is_told_first_whatever_the_order_of_the_rules(make_run):
    """Two checks speak, that of clipping and that of the rate; here clipping is told as unlikely, there as likely."""
    run = make_run(
        **bad(
            {"optimizer": {"name": "sgd", "learning_rate": 0.01, "global_clipnorm": 0.001}},
            kernels=kernels(update=1e-5),
            steps=steps([2.3] * 100, clipped=[0.99] * 100),
        )
    )
    seen = Weight("seen:T2", 0, 1, (0.0, 1.0), (-3.0, 3.0))
    for_rate, for_clipping = model(rate_too_low=(seen,)), model(clipping=(CLIPPED,))
    assert [diagnose(run, weights=given).findings[0].code for given in (for_rate, for_clipping)] == ["T2", "T12"]
    assert diagnose(run, weights=NONE).findings[0].code == "T12"


def test_bare_numbers_are_not_weighed_and_neither_is_anything_without_weights(make_run):
    errors = Errors(Rate(0.3, 1000), Rate(0.4, 1000))
    nothing = weights.Weighed({}, {})
    assert weigh(Case(errors, components(errors)), [], weights.shipped()) == nothing
    assert weigh(case_of(make_run(**bad())), [], NONE) == nothing


def test_a_finding_tells_the_sign_that_speaks_most_for_it_beside_sound_runs(make_run):
    run = make_run(**bad({"optimizer": {"name": "sgd", "learning_rate": 0.01}}, kernels=kernels(update=1e-5)))
    seen = Weight("seen:T2", 1, 1, (0.0, 1.0), (-3.0, 3.0))
    (told,) = diagnose(run, weights=model(rate_too_low=(PATH, seen))).findings[0].signs
    assert told.what == "path of the weights, Σ‖Δw‖/‖w‖"
    assert told.value < told.low == pytest.approx(10**-0.5, rel=0.01)
    assert (told.high, told.times) == (10.0, round(math.exp(2.0), 1))
    assert sign_text(told).endswith("; nine of ten sound runs: 0.32 to 10")


def test_every_sign_of_a_cause_can_be_read_and_every_code_is_a_finding():
    named = {sign for cause in CAUSES.values() for sign in (*(sign for sign, _, _ in cause.signs), *cause.above)}
    checks = {sign.partition(":")[2] for sign in named if ":" in sign}
    assert {sign for sign in named if ":" not in sign} == set(SIGNS)
    assert checks | {code for cause in CAUSES.values() for code in cause.codes} <= set(RULES)


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


def test_the_weights_that_are_shipped_name_known_causes_and_signs_and_rise():
    found = json.loads(weights.FILE.read_text(encoding="utf-8"))
    given = weights.read(found)
    assert set(given.prior) == {*CAUSES, SOUND}
    assert set(given.signs) == set(CAUSES)
    for name, listed in given.signs.items():
        known = {(sign, group, rises) for sign, group, rises in CAUSES[name].signs}
        assert {(one.sign, one.group, one.rises) for one in listed} <= known
        assert all(one.nats == tuple(sorted(one.nats)) and one.places == tuple(sorted(one.places)) for one in listed)
        assert all(len(one.nats) == len(one.places) for one in listed)
    assert found["made"]
    assert found["digest"]
    assert len(found["worlds"]) >= 10


def test_an_explanation_names_the_signs_that_speak_for_a_finding_the_strongest_first():
    lines = weights.weighed("T2").splitlines()[1:]
    factors = [float(line.split()[0]) for line in lines]
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] > 1
    assert any("low: ‖Δw‖/‖w‖ per step" in line for line in lines)
    assert any("T2 is seen, by its limits" in line for line in lines)
    assert weights.weighed("T2") in glossary.explain("T2")


def test_a_finding_that_is_not_weighed_says_nothing_of_signs():
    assert weights.weighed("W1") == ""
