"""Input normalisation: (pixel − subtract) / divide, from training images only."""

import numpy as np
import pytest

from improve.images.array import as_images
from improve.spec.normalizations import Center, MeanImage, NoNormalization, Rescale, Standardize

IMAGES = np.random.default_rng(0).integers(0, 256, (3000, 4, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("part", "subtract", "divide"),
    [
        (NoNormalization(), 0, 1),
        (Rescale(), 0, 255),
        (Center(), IMAGES.mean(axis=(0, 1, 2)), 1),
        (Standardize(), IMAGES.mean(axis=(0, 1, 2)), IMAGES.std(axis=(0, 1, 2))),
        (MeanImage(), IMAGES.mean(axis=0), 1),
    ],
)
def test_statistics_equal_numpys_own(part, subtract, divide):
    found = part.fit(as_images(IMAGES))
    np.testing.assert_allclose(found.subtract, np.broadcast_to(subtract, found.subtract.shape), rtol=1e-12)
    np.testing.assert_allclose(found.divide, np.broadcast_to(divide, found.divide.shape), rtol=1e-9)


def test_standardize_divides_by_the_standard_deviation_not_by_the_variance():
    images = np.zeros((1000, 2, 2, 1), np.uint8)
    images[::2] = 200
    assert Standardize().fit(as_images(images)).divide == pytest.approx(100)


def test_a_channel_that_never_changes_is_only_centred():
    images = IMAGES.copy()
    images[..., 1] = 77
    found = Standardize().fit(as_images(images))
    assert (found.subtract[1], found.divide[1]) == (77, 1)
