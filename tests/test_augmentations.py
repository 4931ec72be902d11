"""Augmentation of batches."""

import numpy as np
import pytest

from improve.augmentations import Flip, Shift, augment, warp
from improve.randomness import keyed

IMAGES = np.random.default_rng(0).integers(0, 256, (64, 9, 12, 3), dtype=np.uint8)


def test_a_map_that_changes_nothing_changes_nothing():
    assert (warp(IMAGES, np.tile(np.eye(3), (64, 1, 1))) == IMAGES).all()


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, 2), (-3, 1), (20, -20)])
def test_a_whole_pixel_shift_is_numpys_with_the_edge_repeated(right, down):
    maps = np.tile(np.eye(3), (64, 1, 1))
    maps[:, 0, 2], maps[:, 1, 2] = right, down
    rows = np.clip(np.arange(9) + down, 0, 8)
    columns = np.clip(np.arange(12) + right, 0, 11)
    assert (warp(IMAGES, maps) == IMAGES[:, rows][:, :, columns]).all()


def test_half_a_pixel_is_the_mean_of_two():
    maps = np.tile(np.eye(3), (64, 1, 1))
    maps[:, 0, 2] = 0.5
    expected = (IMAGES[:, :, :-1].astype(float) + IMAGES[:, :, 1:]) / 2
    np.testing.assert_allclose(warp(IMAGES, maps)[:, :, :-1], expected, atol=1e-4)


def test_a_map_agrees_with_scipy_on_an_image_that_is_not_square():
    from scipy.ndimage import affine_transform

    turn = np.deg2rad(20)
    inner = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag([1.2, 0.9])
    maps = np.tile(np.eye(3), (64, 1, 1))
    maps[:, :2, :2], maps[:, :2, 2] = inner, (1.5, -0.75)
    centre = np.array([4.0, 5.5])  # y, x
    matrix = inner[::-1, ::-1]  # SciPy's axes are y, x
    offset = centre - matrix @ centre + np.array([-0.75, 1.5])
    image = IMAGES[5, :, :, 1].astype(float)
    expected = affine_transform(image, matrix, offset, order=1, mode="nearest")
    np.testing.assert_allclose(warp(IMAGES, maps)[5, :, :, 1], expected, atol=1e-3)


def test_shifts_stay_within_their_shares_and_width_moves_sideways():
    maps = Shift(width=0.25, height=0.0).matrices(1000, 9, 12, keyed(0, "augmentation"))
    assert np.abs(maps[:, 0, 2]).max() == pytest.approx(3, abs=0.05)
    assert (maps[:, 1, 2] == 0).all()


@pytest.mark.parametrize(("direction", "axes"), [("horizontal", [2]), ("vertical", [1]), ("both", [1, 2])])
def test_flip_mirrors_half_of_the_images_with_one_coin_per_axis(direction, axes):
    images = np.random.default_rng(1).integers(0, 256, (4000, 3, 4, 1), dtype=np.uint8)
    flipped = Flip(direction=direction).apply(images, keyed(0, "augmentation"))
    candidates = {(): images}
    for axis in axes:
        candidates |= {(*done, axis): np.flip(image, axis) for done, image in candidates.items()}
    shares = [(flipped == candidate).all(axis=(1, 2, 3)).mean() for candidate in candidates.values()]
    assert sum(shares) == pytest.approx(1, abs=0.001)
    assert np.ptp(shares) < 0.06
    assert flipped.dtype == np.uint8


def test_the_draws_depend_on_seed_epoch_and_batch_only():
    parts = (Flip(), Shift())

    def draw(*where):
        return augment(parts, IMAGES, keyed(*where))

    assert (draw(0, "augmentation", 3, 7) == draw(0, "augmentation", 3, 7)).all()
    for other in ((1, "augmentation", 3, 7), (0, "augmentation", 4, 7), (0, "augmentation", 3, 8)):
        assert (draw(0, "augmentation", 3, 7) != draw(*other)).any()


def test_neighbouring_geometry_is_interpolated_once():
    twice = augment((Shift(width=0.1), Shift(width=0.1)), IMAGES, keyed(0, "augmentation"))
    random = keyed(0, "augmentation")
    first, second = (Shift(width=0.1).matrices(64, 9, 12, random) for _ in range(2))
    np.testing.assert_array_equal(twice, warp(IMAGES, first @ second))
