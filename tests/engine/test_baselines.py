"""What something simple reaches on the same pixels, against the same done the long way round."""

import numpy as np
import pytest

from improve.engine.data.baselines import PENALTIES, Ridge, baselines, features, missed, neighbour_votes
from improve.engine.data.prepare import Examples
from improve.images.array import as_images


def examples(images, labels):
    return Examples(as_images(images), labels, np.arange(len(labels)))


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def blots(random):
    """90 images of 8×8 pixels of three classes: each is bright in another third, under noise."""
    labels = np.arange(90) % 3
    images = random.normal(100, 40, (90, 8, 8, 1))
    for label in range(3):
        images[labels == label, :, 3 * label : 3 * label + 2] += 35
    return images.clip(0, 255).astype(np.uint8), labels


def test_the_error_on_new_images_is_that_of_a_model_fitted_without_each(blots):
    images, labels = blots
    pixels, targets = features(as_images(images)), np.eye(3)[labels]
    scale = (np.linalg.svd(pixels - pixels.mean(axis=0), compute_uv=False) ** 2).mean()

    def without(place, penalty):
        rest = np.arange(len(labels)) != place
        x, y = pixels[rest] - pixels[rest].mean(axis=0), targets[rest] - targets[rest].mean(axis=0)
        weights = np.linalg.solve(x.T @ x + penalty * scale * np.eye(x.shape[1]), x.T @ y)
        return (pixels[place] - pixels[rest].mean(axis=0)) @ weights + targets[rest].mean(axis=0)

    errors = [
        np.mean([without(place, penalty).argmax() != labels[place] for place in range(len(labels))])
        for penalty in PENALTIES
    ]
    model = Ridge.fitted(pixels, targets, labels)
    assert model.new_error == pytest.approx(min(errors))
    assert 0 < model.new_error < 0.5
    assert model.fitted_error <= model.new_error
    assert missed(model.answers(pixels), labels) == model.fitted_error


def test_more_pixels_than_images_give_the_same_model(random):
    pixels, labels = random.normal(size=(30, 50)), np.arange(30) % 2
    few = Ridge.fitted(pixels, np.eye(2)[labels], labels)
    padded = np.concatenate([pixels, np.zeros((30, 50))], axis=1)
    many = Ridge.fitted(padded, np.eye(2)[labels], labels)
    assert (few.fitted_error, few.new_error) == (many.fitted_error, many.new_error)
    np.testing.assert_allclose(few.answers(pixels), many.answers(padded), atol=1e-6)


def own_misses(images, labels):
    return missed(neighbour_votes(features(as_images(images)), labels, 3), labels)


def test_the_nearest_neighbours_are_others(blots, random):
    images, labels = blots
    twice = np.concatenate([images, images])
    assert own_misses(images, random.permutation(labels)) > 0.5
    five_times = np.concatenate([images[:9]] * 6)
    assert own_misses(five_times, np.tile(labels[:9], 6)) == 0
    assert len(features(as_images(twice))) == 180


def test_labels_that_say_nothing_cannot_be_told_apart_by_something_simple(blots, random):
    images, labels = blots
    found = baselines({"train": examples(images, random.permutation(labels))}, 3)
    assert found["n"] == sum(found["classes"]) == 90
    assert sum(found["linear_new_by_class"]) == round(90 * found["linear_new"])
    assert min(found["linear_new"], found["neighbours_new"]) > 0.5


@pytest.mark.parametrize("shape", [(6, 8, 8, 1), (6, 224, 150, 3), (6, 17, 40, 1), (1, 8, 8, 3)])
def test_images_of_any_size_and_number_are_looked_at(random, shape):
    images = random.integers(0, 256, shape).astype(np.uint8)
    found = baselines({"train": examples(images, np.arange(shape[0]) % 2)}, 2)
    assert all(0 <= found[name] <= 1 for name in ("linear", "linear_new", "neighbours_new"))
    assert features(as_images(images)).shape[1] < 32 * 48 * 3


def test_images_that_are_all_alike_and_numbers_that_are_none_stop_nothing(random):
    flat = np.full((20, 8, 8, 1), 7, np.uint8)
    assert baselines({"train": examples(flat, np.arange(20) % 2)}, 2)["linear_new"] >= 0.5
    broken = random.normal(size=(20, 8, 8, 1)).astype(np.float32)
    broken[3, 2] = np.nan
    assert 0 <= baselines({"train": examples(broken, np.arange(20) % 2)}, 2)["linear"] <= 1


def parts_of(images, labels, change):
    """Two thirds to train on; the rest for validation, changed."""
    seen, new = slice(0, 60), slice(60, 90)
    return {"train": examples(images[seen], labels[seen]), "validation": examples(*change(images[new], labels[new]))}


def beside(parts):
    return baselines(parts, 3)["others"]["validation"]


def test_parts_of_one_kind_are_not_told_apart_and_share_what_is_learned(blots):
    found = beside(parts_of(*blots, lambda images, labels: (images, labels)))
    assert found["apart"] > 0.3
    assert found["linear"] < 0.3


def test_images_of_another_kind_are_told_apart_and_wrong_labels_are_not(blots):
    inverted = beside(parts_of(*blots, lambda images, labels: (255 - images, labels)))
    mislabelled = beside(parts_of(*blots, lambda images, labels: (images, (labels + 1) % 3)))
    assert inverted["apart"] < 0.1 < 0.3 < mislabelled["apart"]
    assert min(inverted["linear"], mislabelled["linear"]) > 0.6
    assert mislabelled["linear_new"] < 0.5


def test_the_labels_of_the_test_part_are_not_looked_at(blots):
    images, labels = blots
    parts = {"train": examples(images[:60], labels[:60]), "test": examples(images[60:], labels[60:])}
    assert set(baselines(parts, 3)["others"]["test"]) == {"n", "apart"}


def test_a_sorted_part_is_looked_at_from_end_to_end(random):
    labels = np.sort(np.arange(4500) % 3)
    found = baselines({"train": examples(random.integers(0, 9, (4500, 2, 2, 1)).astype(np.uint8), labels)}, 3)
    assert found["n"] == 2000
    assert found["linear_new"] > 0.5
