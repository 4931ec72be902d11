"""How a source is divided."""

from dataclasses import replace

import numpy as np
import pytest

from improve.datasets import Source
from improve.prepare import divide, duplicates
from improve.spec import Spec
from improve.splits import Split, sizes, stratified


@pytest.mark.parametrize(
    ("split", "parts"),
    [
        ("60/20/20", (6000, 2000, 2000)),
        ("70/30", (7000, 3000, 0)),
        ("50/25/25", (5000, 2500, 2500)),
        ("98/1/1", (9800, 100, 100)),
        ("99.5/0.25/0.25", (9950, 25, 25)),
        ({"validation": 1000}, (7000, 1000, 2000)),
        ({"validation": "10%"}, (7200, 800, 2000)),
        ({"validation": 0.5}, (4000, 4000, 2000)),
    ],
)
def test_a_split_of_8000_and_2000_examples(split, parts):
    assert sizes(Split.model_validate(split), 8000, 2000, None, 0.0)[:3] == parts


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("60/20/20", "60/20/20"),
        ("70/30", "70/30"),
        ("60/0/40", "60/0/40"),
        ("83.3333333/16.6666667", "83.3333333/16.6666667"),
    ],
)
def test_a_split_is_kept_as_it_was_written(written, kept):
    assert Split.model_validate(written).model_dump() == kept


def test_a_train_dev_set_comes_out_of_the_training_part():
    assert sizes(Split.model_validate("60/20/20"), 1000, 0, None, 0.1)[:4] == (540, 200, 200, 60)


def test_a_subset_keeps_the_shares():
    assert sizes(Split.model_validate("60/20/20"), 8000, 2000, 100, 0.0)[:3] == (60, 20, 20)
    assert sizes(Split.model_validate({"validation": "10%"}), 8000, 2000, 100, 0.0)[:3] == (72, 8, 20)


LABELS = np.repeat([0, 1, 2], [700, 250, 50])


def test_every_stretch_of_a_stratified_order_has_the_classes_in_their_shares():
    order = stratified(LABELS, seed=0)
    assert sorted(order) == list(range(1000))
    for start in range(0, 1000, 100):
        counts = np.bincount(LABELS[order[start : start + 100]], minlength=3)
        assert np.abs(counts - (70, 25, 5)).max() <= 1


def test_the_order_depends_on_the_seed_and_on_nothing_else():
    np.random.seed(1)
    first = stratified(LABELS, seed=3)
    np.random.seed(2)
    assert (first == stratified(LABELS, seed=3)).all()
    assert (first != stratified(LABELS, seed=4)).any()


def source(train=600, test=150):
    images = np.arange(train + test, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(4, axis=1)
    labels = np.arange(train + test) % 5
    return Source(images[:train], labels[:train], images[train:], labels[train:], tuple("abcde"), "here")


@pytest.mark.parametrize("split", ["60/20/20", "70/30", {"validation": "25%"}])
@pytest.mark.parametrize("train_dev", [0.0, 0.2])
def test_parts_are_disjoint_and_complete(split, train_dev):
    count = sizes(Split.model_validate(split), 600, 150, None, train_dev)
    parts = divide(source(), count, seed=0)
    ids = np.concatenate([part.ids for part in parts.values()])
    assert sorted(ids) == list(range(750))
    assert [len(parts[name]) for name in ("train", "validation", "test", "train_dev")] == list(count[:4])


def test_the_sources_own_test_set_stays_the_test_set():
    parts = divide(source(), sizes(Split.model_validate({"validation": "25%"}), 600, 150, None, 0.0), seed=0)
    assert sorted(parts["test"].ids) == list(range(600, 750))


def test_validation_images_stay_the_same_while_a_subset_grows():
    split = Split.model_validate({"validation": 50})
    small, large = (divide(source(), sizes(split, 600, 150, subset, 0.0), 0) for subset in (300, 600))
    assert (small["validation"].ids == large["validation"].ids).all()
    assert set(small["train"].ids) < set(large["train"].ids)


def test_images_that_are_in_two_parts_are_counted():
    parts = divide(source(), sizes(Split.model_validate("60/20/20"), 600, 150, None, 0.0), seed=0)
    clean = {name: replace(part, images=part.ids.reshape(-1, 1, 1, 1)) for name, part in parts.items() if len(part)}
    assert duplicates(clean) == {}
    leaked = clean["validation"].images.copy()
    leaked[:3] = clean["train"].images[:3]
    clean["validation"] = replace(clean["validation"], images=leaked)
    assert duplicates(clean) == {"validation in train": 3}


def test_the_training_sample_is_as_large_as_the_validation_set():
    from improve.prepare import prepare

    data = prepare(Spec.model_validate({"data": {"source": "digits"}}))
    assert len(data.train_sample) == len(data.parts["validation"]) == 359
    assert np.abs(np.bincount(data.train_sample.labels) - 35.9).max() < 3
