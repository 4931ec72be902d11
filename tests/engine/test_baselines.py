"""What something simple reaches on the same pixels, against the same done the long way round."""

import numpy as np
import pytest

from improve.engine.data.baselines import PENALTIES, baselines, features, linear_errors, neighbours_error
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
    scale = (np.linalg.svd(pixels, compute_uv=False) ** 2).mean()

    def without(place, penalty):
        rest = np.arange(len(labels)) != place
        x, y = pixels[rest] - pixels[rest].mean(axis=0), targets[rest] - targets[rest].mean(axis=0)
        weights = np.linalg.solve(x.T @ x + penalty * scale * np.eye(x.shape[1]), x.T @ y)
        return (pixels[place] - pixels[rest].mean(axis=0)) @ weights + targets[rest].mean(axis=0)

    errors = [
        np.mean([without(place, penalty).argmax() != labels[place] for place in range(len(labels))])
        for penalty in PENALTIES
    ]
    fitted, new = linear_errors(pixels, targets, labels)
    assert new == pytest.approx(min(errors))
    assert 0 < new < 0.5
    assert fitted <= new


def test_the_nearest_neighbours_are_others(blots, random):
    images, labels = blots
    twice = np.concatenate([images, images])
    assert neighbours_error(features(as_images(images)), random.permutation(labels)) > 0.5
    five_times = np.concatenate([images[:9]] * 6)
    assert neighbours_error(features(as_images(five_times)), np.tile(labels[:9], 6)) == 0
    assert len(features(as_images(twice))) == 180


def test_labels_that_say_nothing_cannot_be_told_apart_by_something_simple(blots, random):
    images, labels = blots
    found = baselines(examples(images, random.permutation(labels)), 3)
    assert found["n"] == 90
    assert min(found["linear_new"], found["neighbours_new"]) > 0.5


@pytest.mark.parametrize("shape", [(6, 8, 8, 1), (6, 224, 150, 3), (6, 17, 40, 1), (1, 8, 8, 3)])
def test_images_of_any_size_and_number_are_looked_at(random, shape):
    images = random.integers(0, 256, shape).astype(np.uint8)
    found = baselines(examples(images, np.arange(shape[0]) % 2), 2)
    assert all(0 <= found[name] <= 1 for name in ("linear", "linear_new", "neighbours_new"))
    assert features(as_images(images)).shape[1] < 32 * 48 * 3


def test_images_that_are_all_alike_and_numbers_that_are_none_stop_nothing(random):
    flat = np.full((20, 8, 8, 1), 7, np.uint8)
    assert baselines(examples(flat, np.arange(20) % 2), 2)["linear_new"] >= 0.5
    broken = random.normal(size=(20, 8, 8, 1)).astype(np.float32)
    broken[3, 2] = np.nan
    assert 0 <= baselines(examples(broken, np.arange(20) % 2), 2)["linear"] <= 1
