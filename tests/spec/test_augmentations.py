"""Augmentation of batches."""

import numpy as np
import pytest

from improve.randomness import keyed_generator
from improve.spec.augmentations import AUGMENTATIONS, Batch, Pixels, augment
from improve.spec.augmentations.geometry import Flip, Rotate, Scale, Shear, Shift, Zoom, translation, warp
from improve.spec.augmentations.mixing import CutMix, MixUp
from improve.spec.augmentations.pixels import Brightness, Contrast, Crop, Erasing, GaussianNoise
from improve.spec.augmentations.randaugment import OPERATIONS, RandAugment, operate
from improve.spec.spec import Spec

IMAGES = np.random.default_rng(0).integers(0, 256, (64, 9, 12, 3), dtype=np.uint8)
LABELS = np.eye(4, dtype=np.float32)[np.arange(64) % 4]
BATCH = Batch(IMAGES, LABELS)
WITHOUT_STRENGTH = ("identity", "autocontrast", "equalize")
PIXELS = Pixels(0.0, 255.0, np.array([50.0, 60.0, 70.0]))


def augmented(*parts, batch=BATCH, seed=0):
    return augment(parts, batch, keyed_generator(seed, "augmentation"), PIXELS)


def grey(value, count=64, size=32):
    return Batch(np.full((count, size, size, 3), value, np.uint8), np.eye(4, dtype=np.float32)[np.arange(count) % 4])


def test_a_map_that_changes_nothing_changes_nothing():
    assert (warp(IMAGES, np.tile(np.eye(3), (64, 1, 1))) == IMAGES).all()


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, 2), (-3, 1), (20, -20)])
def test_a_whole_pixel_shift_is_numpys_with_the_edge_repeated(right, down):
    maps = translation(np.full(64, right), np.full(64, down))
    rows = np.clip(np.arange(9) + down, 0, 8)
    columns = np.clip(np.arange(12) + right, 0, 11)
    assert (warp(IMAGES, maps) == IMAGES[:, rows][:, :, columns]).all()


def test_half_a_pixel_is_the_mean_of_two():
    maps = translation(np.full(64, 0.5), np.zeros(64))
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


def maps_of(part, count=2000):
    return part.matrices(count, 9, 12, keyed_generator(0, "augmentation"))


def test_shifts_stay_within_their_shares_and_width_moves_sideways():
    maps = maps_of(Shift(width=0.25, height=0.0))
    assert np.abs(maps[:, 0, 2]).max() == pytest.approx(3, abs=0.05)
    assert (maps[:, 1, 2] == 0).all()


def test_rotations_stay_within_their_degrees_and_keep_lengths():
    maps = maps_of(Rotate(degrees=30))
    turns = np.degrees(np.arctan2(maps[:, 1, 0], maps[:, 0, 0]))
    assert (turns.min(), turns.max()) == pytest.approx((-30, 30), abs=0.2)
    np.testing.assert_allclose(np.linalg.det(maps), 1)


def test_a_shear_is_in_degrees_and_shrinks_one_axis_as_in_the_reference():
    maps = maps_of(Shear(degrees=30))
    assert maps[:, 0, 1].min() == pytest.approx(-0.5, abs=0.005)  # −sin 30°
    np.testing.assert_allclose(np.square(maps[:, 0, 1]) + np.square(maps[:, 1, 1]), 1)
    assert (maps[:, 1, 0] == 0).all()


def test_zoom_draws_each_axis_and_scale_draws_one_factor_for_both():
    zoom, scale = maps_of(Zoom(range=0.3)), maps_of(Scale(range=(0.5, 2)))
    assert (zoom[:, 0, 0].min(), zoom[:, 1, 1].max()) == pytest.approx((0.7, 1.3), abs=0.002)
    assert abs(np.corrcoef(zoom[:, 0, 0], zoom[:, 1, 1])[0, 1]) < 0.1
    assert (scale[:, 0, 0] == scale[:, 1, 1]).all()
    assert (scale[:, 0, 0].min(), scale[:, 0, 0].max()) == pytest.approx((0.5, 2), abs=0.01)


def test_scaling_up_makes_things_larger():
    dot = np.zeros((1, 33, 33, 1), np.uint8)
    dot[0, 14:19, 14:19] = 255
    batch = Batch(dot, LABELS[:1])
    larger, smaller = (augmented(Scale(range=(factor, factor)), batch=batch).images.sum() for factor in (2.0, 0.5))
    assert larger > 3 * dot.sum(dtype=float)
    assert smaller < dot.sum(dtype=float) / 2


@pytest.mark.parametrize(("direction", "axes"), [("horizontal", [2]), ("vertical", [1]), ("both", [1, 2])])
def test_flip_mirrors_half_of_the_images_with_one_coin_per_axis(direction, axes):
    images = np.random.default_rng(1).integers(0, 256, (4000, 3, 4, 1), dtype=np.uint8)
    flipped = augmented(Flip(direction=direction), batch=Batch(images, np.zeros((4000, 2)))).images
    candidates = {(): images}
    for axis in axes:
        candidates |= {(*done, axis): np.flip(image, axis) for done, image in candidates.items()}
    shares = [(flipped == candidate).all(axis=(1, 2, 3)).mean() for candidate in candidates.values()]
    assert sum(shares) == pytest.approx(1, abs=0.001)
    assert np.ptp(shares) < 0.06
    assert flipped.dtype == np.uint8


def test_neighbouring_geometry_is_interpolated_once_a_flip_in_between_included():
    parts = (Shift(width=0.1), Flip(), Rotate(degrees=10))
    random = keyed_generator(0, "augmentation")
    first, second, third = (part.matrices(64, 9, 12, random) for part in parts)
    np.testing.assert_array_equal(augmented(*parts).images, warp(IMAGES, first @ second @ third))


def test_a_crop_is_a_window_of_the_padded_image_at_a_place_of_its_own():
    cropped = augmented(Crop(padding=2)).images
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)))
    places = []
    for image, around in zip(cropped, padded, strict=True):
        windows = {(y, x): around[y : y + 9, x : x + 12] for y in range(5) for x in range(5)}
        places += [place for place, window in windows.items() if (window == image).all()]
    assert len(places) == 64
    assert len(set(places)) > 20


@pytest.mark.parametrize(("fill", "mode"), [("nearest", "edge"), ("reflect", "reflect"), ("black", "constant")])
def test_the_padding_of_a_crop_shows_what_numpys_pad_shows(fill, mode):
    part = Crop(padding=3, fill=fill)
    cropped = augmented(part).images
    moves = keyed_generator(0, "augmentation").integers(-3, 3, (2, 64), endpoint=True)
    padded = np.pad(IMAGES, ((0, 0), (3, 3), (3, 3), (0, 0)), mode=mode)
    for number, (down, right) in enumerate(moves.T):
        expected = padded[number, 3 + down : 12 + down, 3 + right : 15 + right]
        np.testing.assert_array_equal(cropped[number], expected)


def test_noise_is_in_normalised_units_and_comes_last():
    noisy = augmented(GaussianNoise(stddev=0.5), batch=grey(100)).images
    np.testing.assert_allclose((noisy - 100.0).std(axis=(0, 1, 2)), 0.5 * PIXELS.divide, rtol=0.02)
    np.testing.assert_array_equal(
        augmented(GaussianNoise(stddev=0.1), Rotate()).images, augmented(Rotate(), GaussianNoise(stddev=0.1)).images
    )


def test_brightness_adds_one_value_per_image_and_stays_in_range():
    change = augmented(Brightness(factor=0.2), batch=grey(100)).images - 100.0
    assert np.ptp(change, axis=(1, 2, 3)).max() < 1e-4
    assert 40 < np.abs(change).max() <= 51
    assert augmented(Brightness(factor=0.5), batch=grey(250)).images.max() == 255


def test_contrast_stretches_about_the_mean_of_each_channel():
    images = augmented(Contrast(factor=0.3), batch=Batch(IMAGES // 4 + 96, LABELS)).images
    before, after = (IMAGES // 4 + 96).astype(float), images
    np.testing.assert_allclose(after.mean(axis=(1, 2)), before.mean(axis=(1, 2)), rtol=1e-4)
    factors = after.std(axis=(1, 2)) / before.std(axis=(1, 2))
    assert np.ptp(factors, axis=1).max() < 1e-3
    assert 0.7 <= factors.min() < 0.8 < 1.2 < factors.max() <= 1.3


def test_erasing_fills_one_rectangle_in_its_share_of_the_images():
    batch = grey(0, 1000)
    erased = augmented(Erasing(probability=0.5, smallest=0.1, largest=0.2), batch=batch).images
    touched = (erased != 0).any(axis=(1, 2, 3))
    assert touched.mean() == pytest.approx(0.5, abs=0.05)
    inside = (erased != 0).any(axis=3)[touched]
    sides = inside.any(axis=2).sum(axis=1) * inside.any(axis=1).sum(axis=1)
    assert (inside.sum(axis=(1, 2)) / sides).min() > 0.97  # a noise pixel can be black
    assert 0.08 < (sides / 1024).min() < (sides / 1024).max() < 0.22
    assert erased.dtype == np.uint8
    assert (batch.images == 0).all()


def test_mixup_blends_images_and_labels_in_the_same_share():
    ramp = Batch(np.arange(64, dtype=np.uint8)[:, None, None, None].repeat(3, 3), np.eye(64, dtype=np.float32))
    images, labels = augmented(MixUp(alpha=1.0), batch=ramp)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(images[:, 0, 0, 0], labels @ np.arange(64), rtol=1e-4, atol=1e-4)
    assert (labels.max(axis=1) < 0.99).mean() > 0.5


def test_cutmix_shares_the_label_by_the_pixels_that_were_replaced():
    ramp = Batch(np.full((64, 16, 16, 1), 0, np.uint8) + np.arange(64, dtype=np.uint8)[:, None, None, None], np.eye(64))
    images, labels = augmented(CutMix(), batch=ramp)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        assert (image == number).mean() == pytest.approx(label[number], abs=1e-6)
        assert label.sum() == pytest.approx(1)
    assert 0.1 < (images == ramp.images).mean() < 0.9


def test_randaugment_draws_from_fourteen_operations_and_keeps_shape_and_type():
    assert len(set(OPERATIONS)) == 14
    images = augmented(RandAugment()).images
    assert (images.shape, images.dtype) == (IMAGES.shape, np.uint8)
    assert (images != IMAGES).any(axis=(1, 2, 3)).mean() > 0.8


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name not in WITHOUT_STRENGTH])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_each_operation_of_randaugment_grows_with_its_strength(operation, mode):
    from PIL import Image

    y, x = np.mgrid[:32, :32]
    ramp = np.stack([4 * x + 3 * y, 5 * x + y, 2 * x + 5 * y + 9 * (x % 2)], axis=-1).astype(np.uint8)
    smooth = Image.fromarray(ramp).convert(mode)
    moved = [np.abs(np.asarray(operate(smooth, operation, way), float) - smooth).mean() for way in (0.0, 0.3, 1.0)]
    if operation == "color" and mode == "L":
        assert moved == [0, 0, 0]
    else:
        assert moved[0] < 1.0  # (solarize at 0 leaves 255 alone)
        assert moved[0] <= moved[1] <= moved[2]
        assert moved[2] > moved[0]


@pytest.mark.parametrize("part", AUGMENTATIONS, ids=lambda part: part.key())
def test_every_augmentation_depends_on_seed_epoch_and_batch_only(part):
    def draw(*where):
        return augment((part(),), BATCH, keyed_generator(*where), PIXELS).images

    assert (draw(0, "augmentation", 3, 7) == draw(0, "augmentation", 3, 7)).all()
    for other in ((1, "augmentation", 3, 7), (0, "augmentation", 4, 7), (0, "augmentation", 3, 8)):
        assert (draw(0, "augmentation", 3, 7) != draw(*other)).any()


@pytest.mark.parametrize("part", AUGMENTATIONS, ids=lambda part: part.key())
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_every_augmentation_takes_grey_and_colour_bytes_and_floats(part, channels, dtype):
    pixels = Pixels(0.0, 255.0, np.ones(channels)) if dtype == np.uint8 else Pixels(-1.0, 1.0, np.ones(channels))
    images = (IMAGES[..., :channels] if dtype == np.uint8 else IMAGES[..., :channels] / 127.5 - 1).astype(dtype)
    before = images.copy()
    found = augment((part(),), Batch(images, LABELS), keyed_generator(0, "augmentation"), pixels)
    assert found.images.shape == images.shape
    assert found.images.dtype in (np.uint8, np.float32)
    assert np.isfinite(found.images).all()
    assert (images == before).all(), "the training set itself was changed"
    if part is not GaussianNoise:
        assert pixels.low - 1e-4 <= found.images.min() <= found.images.max() <= pixels.high + 1e-4
    np.testing.assert_allclose(found.labels.sum(axis=1), 1, rtol=1e-6)


def test_a_share_stands_for_a_range_about_one_and_a_saved_spec_reads_the_same():
    parts = [{"name": "zoom", "range": 0.3}, {"name": "scale", "range": [0.5, 2.0]}]
    spec = Spec.model_validate({"augmentation": parts})
    assert [part.range for part in spec.augmentation] == [(0.7, 1.3), (0.5, 2.0)]
    assert Spec.model_validate(spec.complete()) == spec
