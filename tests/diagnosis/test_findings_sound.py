"""What looks like a fault and is none, beside the fault that looks like it."""

import numpy as np
import pytest

from evidence_data import SGD, answers, bad, healthy, kernel, kernels, layers, look, modes, part_of, start
from improve.diagnosis.advice_log import undoes, without_circles
from improve.diagnosis.findings.rule import Change, Finding

SETTLED = [{"epoch": epoch, "train_error": 0.3, "validation_error": 0.3} for epoch in range(1, 8)]
FALLING = [{"epoch": epoch, "train_error": 0.9 - 0.1 * epoch, "validation_error": 0.3} for epoch in range(1, 8)]


def held_back(metrics=SETTLED, batch=32, norms=0, dropout=0.3):
    began = start(dropout=[dropout], batch_normalizations=norms)
    spec = {"regularization": {"dropout": dropout}, "training": {"batch_size": batch}}
    return bad(spec, start=began, epochs=modes(clean=0.5, training=1.0), metrics=metrics)


@pytest.mark.parametrize(
    ("run", "blamed"),
    [
        (held_back(), True),
        (held_back(FALLING), False),  # it still learns
        (held_back(SETTLED[:2]), False),
        (held_back(batch=2, norms=3), False),  # two images make batch statistics another thing
        (bad({"regularization": {"label_smoothing": 0.9}}), True),
        (bad({"regularization": {"label_smoothing": 0.1}}), False),
        (bad({"training": {"class_weights": {"0": 100.0}}}), True),
        (bad({"training": {"class_weights": {"0": 3.0}}}), False),
        (bad({"training": {"class_weights": {"0": 0.001}}}), True),
        (bad({"regularization": {"max_norm": 0.07}}, kernels=kernels(left=0.1)), True),
        (bad({"regularization": {"max_norm": 3.0}}), False),
    ],
)
def test_a_brake_is_blamed_for_what_it_did(make_run, run, blamed):
    assert bool(look(make_run(**run), "T11")) is blamed


def outputs(low, high, last="Dense", layer="hidden_act", activation="relu", at_low=0.001):
    head = {"low": low, "high": high, "at_low": at_low, "sum_low": 10 * low, "sum_high": 10 * high}
    rows = [{**row, "layer": layer} for row in layers(activation=activation)]
    return bad(start=start(head=head, operations=["Dense", "Activation", last]), layers=rows)


@pytest.mark.parametrize(
    ("run", "wrong"),
    [
        (outputs(0.1, 2.0), False),  # plain logits, which happen to be positive
        (outputs(0.1, 2.0, "Activation"), True),
        (outputs(-0.9, 0.9, activation="tanh"), False),  # tanh between its layers
        (outputs(-0.9, 0.9, layer="logits", activation="tanh"), True),
        (outputs(-0.9, 0.9, "Activation", activation="tanh"), True),
        (outputs(-3.0, 3.0, at_low=0.02), True),
    ],
)
def test_the_head_is_what_stands_last(make_run, run, wrong):
    assert bool(look(make_run(**run), "R5")) is wrong


def test_the_smallest_output_of_few_is_not_cut_off(make_run):
    few = start(head={**start()["head"], "at_low": 0.04})
    few["parts"]["validation"] = {**few["parts"]["validation"], "n": 5, "classes": [1] * 5}
    assert look(make_run(**bad(start={**few, "classes": 5})), "R5") is None


def test_labels_of_which_most_are_of_one_class_are_not_called_meaningless(make_run):
    """Something simple then answers that class, whatever the labels say."""
    assert look(make_run("even", **labelled([50, 50])), "T14").fact
    assert look(make_run("lopsided", **labelled([80, 20])), "T14") is None


def labelled(counts):
    """Two classes that a linear model guesses in training and knows in validation."""
    missed = [count // 2 for count in counts]
    new = {"n": 100, "linear": 0.5, "neighbours": 0.5, "linear_new": 0.02, "neighbours_new": 0.02, "apart": 0.5}
    by_class = {"classes": counts, "linear_new_by_class": missed, "neighbours_new_by_class": missed}
    simple = {"n": 100, "linear": 0.5, "linear_new": 0.5, "neighbours_new": 0.5, "others": {"validation": new}}
    parts = {"train": part_of(100, classes=counts), "validation": part_of(100, classes=[50, 50])}
    return bad(start=start(classes=2, parts=parts, baselines={**simple, **by_class}))


def test_an_output_that_every_image_gets_is_not_cut_off(make_run):
    """Behind many sigmoids all images look the same."""
    same = {**start()["head"], "at_low": 0.04, "sum_low": 0.09407, "sum_high": 0.09408}
    assert look(make_run(**bad(start=start(head=same))), "R5") is None
    assert look(make_run("varied", **bad(start=start(head={**same, "sum_high": 1.0}))), "R5")


@pytest.mark.parametrize(
    ("operations", "wrong"),
    [
        (["Conv2D", "Activation", "Flatten", "Dense"], True),
        (["BatchNormalization", "Conv2D", "Activation", "Dense"], False),
        (["Conv2D", "BatchNormalization", "Activation", "Dense"], False),
        (["Conv2D", "Activation", "BatchNormalization", "Dense"], False),
    ],
)
def test_batch_normalisation_takes_any_scale_of_the_inputs(make_run, operations, wrong):
    run = make_run(**bad(start=start(input={"mean": 60.0, "rms": 70.0}, operations=operations)))
    assert bool(look(run, "R6")) is wrong


def test_a_kernel_of_one_weight_has_no_copies(make_run):
    def first(*shape):
        return start(kernels=[kernel("a/kernel", shape, constant=True), kernel("logits/kernel", (1, 10))])

    assert look(make_run("one", **bad(start=first(1, 1))), "T9") is None
    assert look(make_run("two", **bad(start=first(4, 2))), "T9")


def test_a_class_that_is_not_answered_is_missing_only_where_the_others_are_learned(make_run):
    """Class 9 is always taken for class 0; of the others a tenth is missed, or most are."""
    nines = range(9, 1000, 10)
    learned, nothing = answers({*nines}), answers({*nines, *(i for i in range(1000) if i % 10 != 8 and i % 3)})
    for name, predictions, found in (("learned", learned, True), ("nothing", nothing, False)):
        run = make_run(name, **bad(predictions={"train": predictions}))
        assert bool(look(run, "T16")) is found


def images_of(**arrays):
    return {"train_contrast": np.full(100, 60.0), "train_brightness": np.full(100, 120.0), **arrays}


def test_the_same_image_under_two_labels_is_counted(make_run):
    hashes = np.arange(100).astype(np.uint64)
    hashes[1], hashes[3], hashes[5] = hashes[0], hashes[2], hashes[4]  # the last two have one label
    labels = np.zeros(100, np.uint8)
    labels[[1, 3]] = 1
    found = look(make_run(**bad(images={"train_hash": hashes, "train_label": labels})), "T13")
    assert found.fact
    assert "4 of 100 training images stand there again" in found.says


def test_images_of_noise_among_others_are_counted(make_run):
    sharpness = np.full(100, 0.6)
    sharpness[:5] = 1.12
    found = look(make_run("some", **bad(images=images_of(train_sharpness=sharpness))), "R10")
    assert "5 of 100 train images are noise" in found.says
    all_rough = images_of(train_sharpness=np.full(100, 1.1))
    assert look(make_run("all", **bad(images=all_rough)), "R10") is None


def test_images_that_were_cast_to_whole_numbers_have_two_shades(make_run):
    began = start()
    began["parts"]["train"] |= {"pixels": {"low": 0.0, "high": 1.0, "at_low": 0.97, "at_high": 0.03, "whole": 1.0}}
    grey = images_of()
    assert (
        "every pixel of the train images is 0 or 1"
        in look(make_run("bad", **bad(start=began, images=grey)), "R10").says
    )
    fine = make_run("fine", train=0.0, validation=0.001, spec=SGD, evidence=healthy(start=began, images=grey))
    assert look(fine, "R10") is None


def test_layers_without_an_activation_are_one_linear_model(make_run):
    straight = start(activations=[], operations=["InputLayer", "Flatten", "Dense", "Dense"])
    assert "one linear model" in look(make_run(**bad(start=straight)), "T17").says
    pooled = start(activations=[], operations=["InputLayer", "Conv2D", "MaxPooling2D", "Flatten", "Dense"])
    assert "one linear model" not in str(look(make_run("pooled", **bad(start=pooled)), "T17"))


@pytest.mark.parametrize(
    ("before", "after", "now", "circles"),
    [
        (0.1, 0.01, 0.1, True),
        (0.1, 0.01, 1.0, True),
        (0.1, 0.01, 0.03, False),
        (0.1, 0.01, 0.001, False),
        ("sgd", "adam", "sgd", True),
        ("sgd", "adam", "nadam", False),
    ],
)
def test_advice_that_takes_back_an_earlier_one_goes_in_circles(before, after, now, circles):
    assert undoes(Change("a.b", now, "because"), "a.b", before, after) is circles
    assert not undoes(Change("a.c", now, "because"), "a.b", before, after)


@pytest.mark.parametrize(
    ("path", "high", "left"),
    [("training.epochs", 0.005, False), ("training.epochs", 0.2, True), ("data.subset", 0.005, True)],
)
def test_what_was_done_in_vain_is_not_done_again(make_run, path, high, left):
    """It was to recover 30 points, and recovered at most `high`."""
    advised = {"path": path, "expected": 0.3, "high": high}
    finding = Finding(
        "T19", "bias", "it does not fit", "training", "so", {}, 0.3, changes=(Change(path, 100, "longer"),)
    )
    (kept,) = without_circles([finding], make_run(), advised)
    assert bool(kept.changes) is left


@pytest.mark.parametrize(("part", "word"), [("train", "training"), ("validation", "validation")])
def test_a_part_of_one_class_is_counted(make_run, part, word):
    began = start()
    began["parts"][part] = {**began["parts"][part], "classes": [0, 0, 1000, *[0] * 7]}
    found = look(make_run(**bad(start=began)), "T16")
    assert found.fact
    assert f"all 1,000 {word} images are" in found.says


@pytest.mark.parametrize(("mean", "rms", "wrong"), [(0.5, 65.0, False), (80.0, 120.0, True), (0.0, 2000.0, True)])
def test_inputs_around_0_may_be_as_large_as_pixels(make_run, mean, rms, wrong):
    run = make_run(**bad(start=start(input={"mean": mean, "rms": rms})))
    assert bool(look(run, "R6")) is wrong
