"""What a linear model and the nearest neighbours say of the labels, whatever the network did."""

import pytest

from evidence_data import SGD, bad, diagnose, healthy, look, start
from improve.diagnosis.findings.labels import explained_by_halves, np
from improve.engine.training.train import warnings

CLASSES = [100] * 10


def baselines(known, across, own, apart=0.5, classes=CLASSES, wrong=None):
    """Of 1,000 training images `known` are missed by all others; of 500 validation images `across` and `own`."""
    n = sum(classes)
    wrong = wrong or [round(known * count) for count in classes]
    train = {"n": n, "linear": known, "linear_new": sum(wrong) / n, "neighbours_new": sum(wrong) / n}
    train |= {"classes": classes, "linear_new_by_class": wrong, "neighbours_new_by_class": wrong}
    other = {"n": 500, "linear": across, "neighbours": across, "linear_new": own, "neighbours_new": own, "apart": apart}
    return {**train, "others": {"validation": other}}


def errs(found, train=0.1, validation=0.35):
    return {"train": train, "validation": validation, "spec": SGD, "evidence": healthy(start=start(baselines=found))}


@pytest.mark.parametrize(
    ("found", "code", "word"),
    [
        (baselines(0.4, 0.1, 0.1), "T13", "about 30 % of the training labels are wrong"),
        (baselines(0.1, 0.4, 0.4), "T13", "a part of the validation images are wrong"),
        (baselines(0.1, 0.3, 0.1), "T13", "labelled by different rules"),
        (baselines(0.9, 0.9, 0.1), "T14", "tell the training labels from the pixels (90 % wrong"),
        (baselines(0.1, 0.6, 0.1, apart=0.02), "M1", "the pixels alone tell the two sets apart (2 % wrong)"),
    ],
)
def test_what_the_pixels_say_of_the_labels_comes_first(make_run, found, code, word):
    run = make_run(**errs(found))
    first = diagnose(run).findings[0]
    assert (first.code, first.status, first.fact) == (code, "found", True)
    assert word in first.says


@pytest.mark.parametrize("found", [baselines(0.1, 0.1, 0.1), baselines(0.1, 0.14, 0.2), baselines(0.1, 0.1, 0.1, 0.3)])
def test_parts_whose_labels_agree_say_nothing(make_run, found):
    run = make_run(**errs(found))
    assert {code for code in ("T13", "T14", "M1") if look(run, code)} == set()


def test_a_small_validation_error_needs_no_other_labels(make_run):
    run = make_run(**errs(baselines(0.4, 0.1, 0.1), train=0.0, validation=0.01))
    assert look(run, "T13") is None


def test_classes_that_are_rare_in_training_only_are_no_wrong_labels(make_run):
    """Five rare classes are missed nearly always, in both parts; they are half of the validation images."""
    found = baselines(0.0, 0.5, 0.1, classes=[190] * 5 + [10] * 5, wrong=[0] * 5 + [9] * 5)
    run = make_run(**errs(found))
    assert look(run, "T13") is None


def test_labels_that_something_simple_learns_carry_a_signal(make_run):
    """A network that learns nothing that carries over, where neighbours do."""
    nothing = {"train": 0.0, "validation": 0.9, "n": 1000, "spec": SGD}
    assert look(make_run(**nothing, evidence=healthy()), "T14")
    told = healthy(start=start(baselines=baselines(0.5, 0.5, 0.5)))
    assert look(make_run(name="told", **nothing, evidence=told), "T14") is None
    assert look(make_run(name="hard", **bad(start=start(baselines=baselines(0.9, 0.9, 0.9)))), "T14") is None


def test_no_renaming_of_many_classes_explains_answers_by_chance():
    random = np.random.default_rng(0)
    label, predicted = np.arange(300), random.integers(0, 300, 300)
    assert explained_by_halves(label, predicted, 300) < 0.05
    twice = np.tile(np.arange(30), 4)
    assert explained_by_halves(twice, (twice + 7) % 30, 30) == 1.0


def test_what_the_pixels_say_is_told_before_the_first_epoch_and_beside_what_else_shows(make_run):
    began = start(baselines=baselines(0.4, 0.1, 0.1), input={"mean": 60.0, "rms": 70.0}, initial_cross_entropy=30.0)
    run = make_run(status="running", epochs=0, spec=SGD, evidence={"start": began})
    told = warnings(run)
    assert [line.partition(" ")[0] for line in told] == ["T13", "R6"]
    assert told[0].endswith("about 30 % of the training labels are wrong")
    assert told[1].endswith("root mean square 70")


def test_of_sound_data_nothing_is_told_before_the_first_epoch(make_run):
    run = make_run(status="running", epochs=0, spec=SGD, evidence={"start": start(baselines=baselines(0.1, 0.1, 0.2))})
    assert warnings(run) == []
