"""Where nothing is found: points around the best spec, and races among them; no training."""

from dataclasses import replace

import pytest

from improve.experiments.auto import explore
from improve.experiments.auto import successive_halving as race
from improve.experiments.auto.explore import knobs_around, points_to_explore
from improve.experiments.auto.journal import DROPPED, FAILED, AutoStep, Journal, Tried
from improve.experiments.auto.rate_check import moved_into_range
from improve.experiments.lr_range import RateRange, RateSweep
from improve.runs.schema import Summary
from improve.spec.identity import experiment_identity
from improve.spec.reading.flatten import setting
from improve.spec.spec import Spec

MLP = {"data": {"source": "digits"}, "model": "mlp", "training": {"epochs": 20}}


# points around the best spec


def test_the_points_are_new_valid_and_those_that_the_seed_gives(make_run):
    best = make_run("00", 0.01, 0.05, spec=MLP)
    found = points_to_explore(best, [best], 3, Tried([]), 4)
    assert len(found) == 4
    assert [one.edits for one in found] == [one.edits for one in points_to_explore(best, [best], 3, Tried([]), 4)]
    assert [one.edits for one in found] != [one.edits for one in points_to_explore(best, [best], 4, Tried([]), 4)]
    digests = {experiment_identity(one.spec) for one in found}
    assert len(digests) == 4
    assert experiment_identity(best.spec) not in digests
    for one in found:
        assert Spec.model_validate(one.spec)
        assert all(setting(one.spec, path) == value != setting(best.spec, path) for path, value in one.edits)
    tried = Tried(one.spec for one in found)
    assert not [one for one in points_to_explore(best, [best], 3, tried, 4) if experiment_identity(one.spec) in digests]


def test_the_learning_rate_stays_within_a_factor_of_ten_and_no_image_that_judges_moves(make_run):
    best = make_run("00", 0.01, 0.05, spec=MLP)
    knobs = {knob.key: knob for knob in knobs_around(best.spec)}
    assert (knobs["optimizer.learning_rate"].low, knobs["optimizer.learning_rate"].high) == (1e-4, 1e-2)
    assert not [key for key in knobs if key.startswith("data.")]
    assert setting(best.spec, "model.hidden") in knobs["model.hidden"].values
    assert len(knobs["model.hidden"].values) == 3


def test_units_that_flatten_out_may_be_exchanged_for_relu_and_not_the_other_way(make_run):
    for name, knob in (("sigmoid", ("sigmoid", "relu")), ("relu", None)):
        best = make_run(name, 0.01, 0.05, spec={**MLP, "model": {"name": "mlp", "activation": name}})
        found = {knob.key: knob.values for knob in knobs_around(best.spec)}
        assert found.get("model.activation") == knob


def test_what_runs_reached_leads_to_other_points(make_run):
    best = make_run("00", 0.01, 0.05, spec=MLP)
    others = [
        make_run(f"{n:02d}", 0.01, 0.5, spec={**MLP, "optimizer": {"name": "adam", "learning_rate": rate}})
        for n, rate in enumerate((2e-4, 3e-4, 5e-4, 8e-4, 1.5e-3, 2e-3), start=1)
    ]
    without = [one.edits for one in points_to_explore(best, [best], 0, Tried([]), 4)]
    assert without != [one.edits for one in points_to_explore(best, [best, *others], 0, Tried([]), 4)]


def test_without_optuna_one_setting_moves_at_a_time(make_run, monkeypatch):
    monkeypatch.setattr(explore.importlib.util, "find_spec", lambda name: None)
    best = make_run("00", 0.01, 0.05, spec=MLP)
    found = points_to_explore(best, [best], 0, Tried([]), 4)
    assert [len(one.edits) for one in found] == [1, 1, 1, 1]


# races


@pytest.mark.parametrize(
    ("count", "epochs", "cost"),
    [(1, 20, 20), (2, 20, 2 * 5 + 15), (3, 20, 3 * 5 + 2 * 5 + 10), (4, 20, 4 * 5 + 2 * 5 + 10), (4, 2, 4 + 0 + 1)],
)
def test_a_race_costs_what_its_rungs_take(count, epochs, cost):
    assert race.cost(count, epochs) == cost


def test_as_many_race_as_the_budget_pays_for():
    assert [race.affordable_count(left, 20) for left in (19, 20, 25, 39, 40, 400)] == [0, 1, 2, 3, 4, 4]


class Lane:
    """Candidates with known curves, trained as far as they are asked to."""

    def __init__(self, make_run, curves):
        self.make_run, self.curves, self.trained, self.made = make_run, curves, [], {}

    def __call__(self, story, name, spec, clock, pause=0):
        self.trained.append((name, pause))
        curve = self.curves[name]
        status = "failed" if curve is None else "stopped"
        rows = [
            {"epoch": n, "validation_error": e, "validation_cross_entropy": e} for n, e in enumerate(curve or [], 1)
        ]
        made = self.made[name] = self.made.get(name) or self.make_run(name, status=status)
        return replace(made, history=tuple(rows), summary=Summary(status=status, error="out of memory"))


@pytest.fixture
def lane(make_run, monkeypatch):
    def made(curves):
        found = Lane(make_run, curves)
        monkeypatch.setattr(race, "trained_run", found)
        return found

    return made


def raced(story, steps):
    spec = Spec.model_validate(MLP)
    return race.successive_halving(story, steps, lambda story, step: spec, None)


def test_at_each_rung_the_worse_half_is_given_up(lane, tmp_path):
    falls = {"01": [0.5] * 5 + [0.1] * 15, "02": [0.4] * 20, "03": [0.3] * 20, "04": [0.35] * 5 + [0.2] * 15}
    seen, story = lane(falls), Journal(tmp_path)
    winner, behind = raced(story, story.write_all([AutoStep(name, "00", bracket=4) for name in falls]))
    assert winner.run == "04"
    assert [(step.run, step.why) for step in behind] == [
        ("02", "behind after 5 of 20 epochs"), ("01", "behind after 5 of 20 epochs"),
        ("03", "behind after 10 of 20 epochs"),
    ]  # fmt: skip
    assert {step.verdict for step in behind} == {DROPPED}
    assert seen.trained == [(name, 5) for name in falls] + [("03", 10), ("04", 10)]
    assert story.open == [winner]


def test_a_race_that_was_broken_off_goes_on_at_its_rung(lane, tmp_path):
    seen, story = lane({"01": [0.3] * 10, "02": [0.2] * 10}), Journal(tmp_path)
    winner, _ = raced(story, story.write_all([AutoStep(name, "00", bracket=4) for name in ("01", "02")]))
    assert (winner.run, seen.trained) == ("02", [("01", 10), ("02", 10)])


def test_a_race_whose_lines_were_torn_still_ends_with_one(lane, tmp_path):
    lane({"01": [0.3] * 10, "02": [0.2] * 10, "03": [0.4] * 10})
    story = Journal(tmp_path)
    winner, behind = raced(story, story.write_all([AutoStep(name, "00", bracket=4) for name in ("01", "02", "03")]))
    assert (winner.run, len(behind)) == ("02", 2)


def test_a_candidate_that_fails_has_failed_and_not_only_lost(lane, tmp_path):
    lane({"01": None, "02": [0.2] * 20})
    story = Journal(tmp_path)
    winner, behind = raced(story, story.write_all([AutoStep(name, "00", bracket=2) for name in ("01", "02")]))
    assert winner.run == "02"
    assert [(step.verdict, step.why) for step in behind] == [(FAILED, "out of memory")]


# the range test before a run


@pytest.mark.parametrize(
    ("rate", "new"), [(0.001, 0.01), (0.004, 0.01), (0.006, 0.006), (0.05, 0.05), (0.19, 0.19), (0.3, 0.1), (3.0, 0.1)]
)
def test_a_rate_that_lies_clearly_outside_the_range_moves_to_its_nearer_end(rate, new):
    found = RateRange("", (RateSweep(0, (), ()),), 0.01, 0.1, rate, "rates between 0.01 and 0.1 work")
    step = moved_into_range(
        AutoStep("01", "00", "T2", edits=(("training.epochs", 9), ("optimizer.learning_rate", rate))), found
    )
    assert step.edits == (("training.epochs", 9), ("optimizer.learning_rate", new))
    assert ("range test" in step.because) == (rate != new)


def test_where_no_loss_fell_the_rate_stays():
    step = AutoStep("01", "00", edits=(("optimizer.learning_rate", 5.0),))
    assert (
        moved_into_range(step, RateRange("", (RateSweep(0, (), ()),), None, None, 5.0, "the loss never falls")) == step
    )


def test_epochs_of_a_range_test_count(make_run):
    run = make_run("00", history=[0.5] * 7)
    assert Journal(run.folder.parent, [AutoStep("00"), AutoStep("01", "00", spent=3)]).epochs == 10
