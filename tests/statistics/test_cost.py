"""Errors weighted by what they cost."""

import json

import numpy as np
import pytest

from improve.diagnosis.diagnose import diagnose
from improve.engine.training.history import epoch_rank
from improve.errors import UsageError
from improve.runs import run as run_folder
from improve.statistics.cost import by_class, weighted
from improve.statistics.intervals import Rate

NAMES = ("no_bird", "bird")


def judged(counts, mistakes):
    """Labels and which are wrong, from examples and mistakes per class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    wrong = np.concatenate([np.arange(count) < missed for count, missed in zip(counts, mistakes, strict=True)])
    return wrong, labels


def test_a_missed_bird_counts_as_much_as_it_costs():
    wrong, labels = judged((600, 400), (30, 40))
    found = weighted(wrong, labels, by_class({"bird": 10}, NAMES))
    assert found.cost == pytest.approx((30 + 10 * 40) / (600 + 10 * 400))


def test_with_equal_costs_it_is_the_error_with_about_its_interval():
    wrong, labels = judged((600, 400), (30, 40))
    found, plain = weighted(wrong, labels, by_class({"bird": 3, "no_bird": 3}, NAMES)), Rate(0.07, 1000)
    assert found.cost == pytest.approx(0.07)
    assert found[1:] == pytest.approx(plain.interval(), abs=0.002)


@pytest.mark.parametrize("missed", [(0, 0), (600, 400)])
def test_its_interval_has_a_width_where_nothing_or_everything_is_wrong(missed):
    found = weighted(*judged((600, 400), missed), by_class({"bird": 10}, NAMES))
    assert found.cost == (1 if missed[0] else 0)
    assert 0.001 < found.cost_high - found.cost_low < 0.02


@pytest.mark.parametrize(("errors", "costs"), [((0.02, 0.06), (1, 10)), ((0.1, 0.3), (1, 10)), ((0.01, 0.01), (5, 1))])
def test_its_interval_holds_the_truth_in_about_95_of_100_samples(errors, costs):
    random, counts = np.random.default_rng(0), (300, 200)
    truth = sum(c * n * e for c, n, e in zip(costs, counts, errors, strict=True))
    truth /= sum(c * n for c, n in zip(costs, counts, strict=True))
    held = 0
    for _ in range(2000):
        found = weighted(*judged(counts, random.binomial(counts, errors)), np.array(costs, float))
        held += found.cost_low <= truth <= found.cost_high
    assert 0.93 <= held / 2000 <= 0.985


def test_cost_and_interval_are_built_of_the_means_and_intervals_of_statsmodels():
    """Its interval: the distances to the ends of the classes' intervals add up in squares (Zou and Donner, 2008)."""
    from statsmodels.stats.proportion import proportion_confint
    from statsmodels.stats.weightstats import DescrStatsW

    counts, missed, costs = np.array([600, 400, 50]), np.array([30, 40, 0]), np.array([1.0, 10.0, 3.0])
    wrong, labels = judged(counts, missed)
    value = DescrStatsW(wrong.astype(float), weights=costs[labels]).mean
    low, high = proportion_confint(missed, counts, method="wilson")
    share, rate = costs * counts / (costs @ counts), missed / counts
    below, above = (np.linalg.norm(share * (rate - end)) for end in (low, high))
    assert weighted(wrong, labels, costs) == pytest.approx((value, value - below, value + above), abs=1e-9)


def test_a_class_without_examples_changes_nothing():
    wrong, labels = judged((50, 0, 50), (5, 0, 10))
    assert weighted(wrong, labels, np.array([1.0, 9.0, 1.0])).cost == pytest.approx(0.15)


def test_a_class_that_there_is_not_is_refused_with_its_neighbour():
    with pytest.raises(UsageError, match="there is no class 'brid'; did you mean 'bird'"):
        by_class({"brid": 10}, NAMES)


def test_costs_that_are_all_nothing_are_refused():
    with pytest.raises(UsageError, match="no error costs anything"):
        by_class({"bird": 0, "no_bird": 0}, NAMES)


@pytest.mark.parametrize("cost", ["5", "balanced", "{}", "{bird: -1}", "{bird: many}", "[1, 10]"])
def test_what_is_no_cost_is_refused(write_spec, improve, cost):
    code, _, error = improve("check", write_spec(f"diagnosis: {{cost: {cost}}}\n"))
    assert code == 2
    assert "diagnosis.cost" in error


def test_an_unknown_class_costs_no_training_and_leaves_no_folder(write_spec, improve, tmp_path):
    spec = write_spec("data: {source: {name: peacetopia, images: 200}}\ndiagnosis: {cost: {brid: 10}}\n")
    code, _, error = improve("train", spec, "--runs", tmp_path / "runs")
    assert code == 2
    assert "did you mean 'bird'" in error
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_best_epoch_is_that_of_the_lowest_cost_where_there_is_one():
    right = {"validation_error": 0.05, "validation_cost": 0.09, "validation_cross_entropy": 0.1}
    cheap = {"validation_error": 0.08, "validation_cost": 0.04, "validation_cross_entropy": 0.3}
    assert epoch_rank(cheap) < epoch_rank(right)
    assert epoch_rank({**right, "validation_cost": 0.04}) < epoch_rank(cheap)
    without = [{key: row[key] for key in row if key != "validation_cost"} for row in (right, cheap)]
    assert epoch_rank(without[0]) < epoch_rank(without[1])


def test_the_diagnosis_tells_the_cost_and_the_error_of_each_class(make_run):
    labels = np.repeat([0, 1], 100)
    probability = np.eye(2)[np.where(np.arange(200) % 100 < 5, 1 - labels, labels)]
    probability[labels == 1] = np.eye(2)[(np.arange(100) >= 20).astype(int)]
    run = make_run(
        validation=0.125, n=200, spec={"diagnosis": {"cost": {"bird": 10}}},
        evidence={"predictions": {"validation": (labels, probability)}, "data": {"classes": list(NAMES)}},
    )  # fmt: skip
    summary = json.loads((run.folder / "summary.json").read_text())
    summary["validation"] |= {"cost": 0.186, "cost_low": 0.12, "cost_high": 0.26}
    run_folder.write_summary(run.folder, summary)
    notes = diagnose(run_folder.load_run(run.folder)).notes
    told = next(note for note in notes if "cost" in note)
    assert "validation cost 18.6 % [12.0 %, 26.0 %]" in told
    assert "no_bird (counts 1) 5.0 %, bird (counts 10) 20.0 %" in told


@pytest.mark.trains
def test_a_run_with_a_cost_writes_it_down_and_its_best_epoch_is_the_cheapest(fit):
    run = fit(
        "data: {source: {name: peacetopia, domain: citizen, images: 400}}\n"
        "model: {name: cnn, filters: [8, 16], hidden: []}\n"
        "optimizer: {name: adam, learning_rate: 0.01}\n"
        "training: {epochs: 4, batch_size: 32}\n"
        "diagnosis: {cost: {bird: 10}}\n"
        "evidence: light\n"
    )
    costs = [row["validation_cost"] for row in run.history]
    assert len(costs) == 4
    assert run.summary.validation.cost == pytest.approx(min(costs), abs=1e-6)
    assert run.history[run.summary.best_epoch - 1]["validation_cost"] == min(costs)
    for part in ("train", "validation", "test"):
        found = run_folder.summary_as_written(run.folder)[part]
        assert found["cost_low"] <= found["cost"] <= found["cost_high"]


@pytest.mark.trains
def test_what_errors_cost_cannot_change_on_the_way(fit, improve):
    run = fit("training: {epochs: 1}\ndata: {subset: 200}\nmodel: mlp\nevidence: light\n")
    assert "validation_cost" not in run.history[0]
    code, _, error = improve("resume", run.folder, "training.epochs=+1", "diagnosis.cost={'1': 5}")
    assert code == 2
    assert "diagnosis.cost cannot change on the way" in error
