"""What is counted of the data stands first, explains what is guessed, and is mended outside of the spec."""

import numpy as np
import pytest

from evidence_data import SGD, answers, bad, diagnose, healthy, kernels, look, part_of, start, steps
from improve.diagnosis.forest import NONE
from improve.diagnosis.next_spec import best_change
from improve.errors import ImproveError
from improve.spec.datasets.arrays import load_npz
from improve.views.text.diagnosis import next_step, worth_text

TENTH = [i % 10 for i in range(1000)]


def classes_of(train, validation):
    parts = {
        "train": part_of(n=sum(train), classes=train),
        "validation": part_of(n=sum(validation), classes=validation),
    }
    return start(parts=parts)


@pytest.mark.parametrize(
    ("validation", "told"),
    [([100] * 9 + [0], True), ([1] * 9 + [0], False), ([100] * 10, False)],
)
def test_a_class_that_no_validation_image_has_is_counted(make_run, validation, told):
    """Of nine validation images one in ten may be missing by chance."""
    run = make_run(train=0.0, validation=0.02, spec=SGD, evidence=healthy(start=classes_of([100] * 10, validation)))
    found = look(run, "T16")
    assert bool(found) is told
    assert not told or (found.fact, found.harm) == (True, 0.0)
    assert not told or "no validation image of" in found.says


def repeated(distinct, wrong=range(0, 1000, 5)):
    """1,000 training images of which that many are different."""
    images = {"train_hash": [i % distinct for i in range(1000)], "train_label": TENTH}
    return healthy(images=images, predictions={"validation": answers(wrong)})


@pytest.mark.parametrize(("distinct", "told"), [(60, True), (900, False)])
def test_copies_of_training_images_are_no_more_data(make_run, distinct, told):
    run = make_run(train=0.0, validation=0.2, spec=SGD, evidence=repeated(distinct))
    found = look(run, "V4")
    assert bool(found) is told
    assert not told or "of 1,000 training images" in found.says
    assert not told or "only 60 are different" in found.says


def test_copies_of_a_class_that_is_learned_do_no_harm(make_run):
    copied = [i if i % 10 != 8 else 8 for i in range(1000)]
    evidence = healthy(
        images={"train_hash": copied, "train_label": TENTH}, predictions={"validation": answers(range(0, 1000, 10))}
    )
    run = make_run(train=0.0, validation=0.1, spec=SGD, evidence=evidence)
    assert look(run, "V4") is None


def test_what_neighbours_know_by_copies_says_nothing_of_labels(make_run):
    """Training images are known by their copies, validation images are not: no label need be wrong."""
    n = [100] * 10
    train = {"n": 1000, "linear": 0.0, "linear_new": 0.0, "neighbours_new": 0.0, "classes": n}
    train |= {"linear_new_by_class": [0] * 10, "neighbours_new_by_class": [0] * 10}
    other = {"n": 500, "linear": 0.3, "neighbours": 0.3, "linear_new": 0.3, "neighbours_new": 0.3, "apart": 0.5}
    began = start(baselines={**train, "others": {"validation": other}})
    for distinct, told in ((1000, True), (100, False)):
        evidence = {**repeated(distinct), "start": began}
        run = make_run(f"d{distinct}", train=0.0, validation=0.2, spec=SGD, evidence=evidence)
        assert bool(look(run, "T13")) is told


def test_two_scales_explain_labels_that_seem_wrong(make_run):
    """Half of the training images are 255 times as dark, and the network fits training images worse than others."""
    scale = np.where(np.arange(1000) % 2, 1.0, 255.0)
    images = {"train_brightness": 0.5 * scale, "train_contrast": 0.3 * scale}
    run = make_run(train=0.44, validation=0.05, n=1000, spec=SGD, evidence=healthy(images=images))
    found = {one.code: one for one in diagnose(run).findings}
    assert found["R10"].status == "found"
    assert found["T13"].waits == "R10 may bring it about: mend that first"


def test_empty_images_explain_copies_and_labels_that_contradict(make_run):
    """Half of the training images are black, so each is a copy of the others, under ten labels."""
    dark = np.where(np.arange(1000) % 20 < 10, 0.0, 100.0)
    images = {"train_hash": [0 if not value else i for i, value in enumerate(dark)], "train_label": TENTH}
    images |= {"train_brightness": dark, "train_contrast": dark / 2}
    evidence = healthy(images=images, predictions={"validation": answers(range(0, 1000, 2))})
    found = {
        one.code: one.status
        for one in diagnose(make_run(train=0.4, validation=0.5, spec=SGD, evidence=evidence)).findings
    }
    assert next(iter(found.items())) == ("R10", "found")
    assert (found["V4"], found["T13"]) == ("cannot_tell_yet", "cannot_tell_yet")


@pytest.mark.parametrize(("wrong", "told"), [(49, True), (5, False)])
def test_wrong_labels_of_one_class_show_in_that_class(make_run, wrong, told):
    """Of 100 training images labelled 9 so many are taken for 0, of 100 validation images five; no other is wrong."""
    nines = range(9, 1000, 10)
    evidence = healthy(predictions={"train": answers(nines[:wrong]), "validation": answers(nines[:5])})
    found = look(make_run(train=0.049, validation=0.05, spec=SGD, evidence=evidence), "T13")
    assert bool(found) is told
    assert not told or "labelled class 9 it misses 49 % (n=100), of such validation images 5 %" in found.says
    assert not told or "takes most of them for class 0: about 4 % of the training labels are wrong" in found.says


def no_signal():
    return {"train": 0.0, "validation": 0.9, "n": 1000, "spec": SGD, "evidence": healthy()}


def test_where_no_edit_mends_the_first_finding_the_next_step_is_to_look(make_run):
    run = make_run(**no_signal())
    diagnosis = diagnose(run, forest=NONE)
    assert diagnosis.findings[0].code == "T14"
    assert next_step(diagnosis) == "look at 20 training images with their labels: no edit of the spec mends T14"
    with pytest.raises(ImproveError, match="no edit of the spec mends T14") as refused:
        best_change(diagnosis)
    assert "look at 20 training images" in refused.value.fix


def test_the_loop_is_proposed_with_a_budget(make_run):
    run = make_run(train=0.0, validation=1 / 30, n=30, spec={**SGD, "data": {"split": "own"}}, evidence=healthy())
    step = next_step(diagnose(run))
    assert step.startswith("improve auto ")
    assert step.endswith(" --trials 10")


def test_nothing_promises_more_than_the_validation_error(make_run):
    run = make_run(**{**bad(start=classes_of([1000] + [0] * 9, [100] * 10)), "validation": 0.3})
    assert all(one.harm <= 0.3 for one in diagnose(run).findings)
    assert worth_text(diagnose(run).findings[0]) == "up to 30 points to win"


def test_classes_that_are_numbered_differently_leave_a_network_that_learned(make_run):
    renamed = healthy(predictions={"validation": answers(range(1000)), "train": answers([])})
    history = {"history": [0.5, 0.2, 0.0, 0.0], "best_epoch": 1}
    diagnosis = diagnose(make_run(train=0.5, validation=1.0, spec=SGD, evidence=renamed, **history))
    assert diagnosis.findings[0].code == "T14"
    assert diagnosis.findings[0].title == "the two parts number the classes differently"
    assert diagnosis.verdict != "broken"


@pytest.mark.parametrize(("update", "told"), [(0.005, True), (1e-5, False)])
def test_a_large_batch_is_not_blamed_for_steps_that_move_nothing(make_run, update, told):
    few = steps()[:20]
    epochs = [{"epoch": epoch, "train_error": 0.8, "validation_error": 0.8} for epoch in range(1, 6)]
    run = bad({"training": {"batch_size": 256}}, steps=few, kernels=kernels(update=update), metrics=epochs)
    assert bool(look(make_run(**run), "T15")) is told


@pytest.mark.parametrize(("train", "told"), [(0.04, True), (0.002, False)])
def test_what_fits_better_than_the_target_is_not_where_people_are(make_run, train, told):
    spec = {**SGD, "diagnosis": {"human_error": 0.05, "target_error": 0.01}}
    assert bool(look(make_run(train=train, validation=0.06, spec=spec, evidence=healthy()), "T18")) is told


def test_a_gap_that_is_there_is_not_called_chance(make_run):
    """1.5 points [0.8, 2.5]: more than nothing; whether it is the two that matter is open."""
    run = make_run(train=0.0, validation=0.015, n=1000, spec=SGD, evidence=healthy())
    found = look(run, "R9")
    assert "may be more or less than the 2 points that matter" in found.says
    assert "within chance" not in found.says


def lit(train=0.0, validation=0.0, test=0.0, n=1000):
    parts = {"train": part_of(brightness=(train, 1.0)), "validation": part_of(n, (validation, 1.0))}
    return healthy(start=start(parts={**parts, "test": part_of(brightness=(test, 1.0))}))


@pytest.mark.parametrize(
    ("evidence", "title"),
    [
        (lit(test=0.6), "test images are of another kind"),
        (lit(validation=0.6), "validation images are of another kind"),
        (lit(validation=0.6, n=10), None),  # ten images are so much darker by chance
        (lit(), None),
    ],
)
def test_the_part_that_differs_is_named(make_run, evidence, title):
    found = look(make_run(train=0.0, validation=0.02, spec=SGD, evidence=evidence), "S4")
    assert (found and found.title) == title


def test_a_target_that_is_surely_reached_leaves_nothing_to_mend(make_run):
    """Validation error 5.0 % [4.1, 6.2] above a training error of 0."""
    spec = {**SGD, "diagnosis": {"human_error": 0.0, "target_error": 0.1}}
    run = make_run(train=0.0, validation=0.05, n=2000, spec=spec, evidence=healthy())
    diagnosis = diagnose(run)
    assert (diagnosis.verdict, [one.code for one in diagnosis.findings if one.status == "found"]) == ("ok", [])
    assert "the target of 10.0 % is reached: validation error 5.0 % (n=2,000)" in diagnosis.notes
    near = make_run("near", train=0.0, validation=0.095, n=100, spec=spec, evidence=healthy())
    assert diagnose(near).verdict != "ok", "it may as well be above the target"


def test_the_table_is_no_surer_of_a_variance_than_the_finding(make_run):
    """2.5 points [1.1, 4.8]: above the limit by its estimate alone."""
    diagnosis = diagnose(make_run(train=0.0, validation=0.025, n=400, spec=SGD, evidence=healthy()))
    assert diagnosis.gaps.variance.verdict == "not_enough_evidence"
    assert [link.holds for link in diagnosis.chain if link.link == "validation"] == [None]


def test_parts_of_different_types_lose_nothing(tmp_path):
    """Bytes for training, 0 to 1 for validation: nothing is cut to whole numbers."""
    random = np.random.default_rng(0)
    train, validation = random.integers(0, 256, (20, 8, 8)).astype(np.uint8), random.random((10, 8, 8))
    file = tmp_path / "two.npz"
    np.savez(file, x_train=train, y_train=np.arange(20) % 2, x_validation=validation, y_validation=np.arange(10) % 2)
    pools = load_npz(file).pools
    assert {pool.dtype for pool in pools} == {np.dtype("float32")}
    assert np.allclose(pools[1][..., 0], validation)
    assert (pools[0][..., 0] == train).all()
