"""Where images come from, and what is refused."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from improve.errors import UsageError
from improve.spec.datasets.arrays import Digits, Npz
from improve.spec.datasets.known import Cifar10, FashionMnist
from improve.spec.spec import SpecData

GOOD = {
    "x_train": np.zeros((20, 8, 8, 3), np.uint8), "y_train": np.arange(20) % 4,
    "x_test": np.zeros((8, 8, 8, 3), np.uint8), "y_test": np.arange(8) % 4,
}  # fmt: skip


@pytest.fixture
def npz(tmp_path):
    def make(**arrays):
        file = tmp_path / "data.npz"
        np.savez(file, **{name: array for name, array in {**GOOD, **arrays}.items() if array is not None})
        return Npz(path=str(file))

    return make


def test_the_digits_are_the_real_ones_scaled_to_bytes():
    source = Digits().load()
    (images,) = source.pools
    assert (images.shape, images.dtype) == ((1797, 8, 8, 1), np.uint8)
    assert (images.min(), images.max(), len(np.unique(images))) == (0, 255, 17)
    assert list(source.labels[:10]) == list(range(10))
    assert Digits().facts()[:2] == ((1797, 0, 0), (8, 8, 1))


def test_the_digits_are_the_same_whether_their_file_is_read_or_scikit_learn_is_asked(monkeypatch):
    read = Digits().load()
    monkeypatch.setattr("improve.spec.datasets.arrays.find_spec", lambda name: None)
    asked = Digits().load()
    assert np.array_equal(asked.pools[0], read.pools[0])
    assert np.array_equal(asked.labels, read.labels)


def test_an_npz_file_is_read_and_described(npz):
    source, facts = npz().load(), npz().facts()
    assert (source.pools[0].shape, source.class_names) == ((20, 8, 8, 3), ("0", "1", "2", "3"))
    assert source.counts == facts.counts == (20, 0, 8)
    assert facts.shape == (8, 8, 3)


def test_a_file_without_a_test_set_and_grey_images_will_do(npz):
    part = npz(x_train=np.zeros((20, 8, 8)), y_train=(np.arange(20) % 2)[:, None], x_test=None, y_test=None)
    source = part.load()
    assert (source.pools[0].shape, source.pools[0].dtype, source.counts) == ((20, 8, 8, 1), np.float32, (20, 0, 0))
    assert part.facts()[:2] == ((20, 0, 0), (8, 8, 1))


VALIDATION = {"x_validation": np.ones((5, 8, 8, 3), np.uint8), "y_validation": np.array([0, 1, 2, 3, 0])}


def test_a_file_can_bring_its_own_validation_set_between_training_and_test_images(npz):
    part = npz(**VALIDATION)
    source = part.load()
    assert source.counts == part.facts().counts == (20, 5, 8)
    assert [len(pool) for pool in source.pools] == [20, 5, 8]
    assert list(source.labels[20:25]) == [0, 1, 2, 3, 0]


def test_a_files_own_validation_set_stays_what_it_is_unless_the_spec_says_how_to_split(npz):
    assert SpecData(source=npz(**VALIDATION)).split.own
    assert SpecData(source=npz(**VALIDATION), split="60/40").split.shares == (60, 40, 0)
    assert SpecData(source=npz()).split.shares == (60, 20, 20)


def test_a_class_that_only_the_test_set_shows_is_a_class(npz):
    assert len(npz(y_train=np.arange(20) % 3).load().class_names) == 4


def mixed():
    images = np.empty(20, dtype=object)
    images[:] = [np.zeros((side, side)) for side in range(1, 21)]
    return images


nan = np.zeros((20, 8, 8, 3), np.float32)
nan[3, 1, 1, 1] = np.nan


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"x_train": None}, "holds no array x_train"),
        ({"y_train": None}, "holds no array y_train|there is no y_train"),
        ({"x_train": mixed()}, "holds Python objects, which are not unpickled"),
        ({"y_train": np.array(["cat"] * 20)}, "holds <U3"),
        ({"x_train": np.zeros((20, 64), np.uint8)}, r"has the shape \(20, 64\)"),
        ({"x_train": np.zeros((0, 8, 8, 3), np.uint8)}, r"has the shape \(0, 8, 8, 3\)"),
        ({"x_train": np.zeros((20, 8, 8, 4), np.uint8)}, "has 4 channels"),
        ({"x_test": np.zeros((8, 9, 9, 3), np.uint8)}, "training images are .* and test images"),
        ({**VALIDATION, "x_validation": np.zeros((5, 9, 9, 3), np.uint8)}, "training images are .* and validation"),
        ({**VALIDATION, "y_validation": np.arange(4)}, r"y_validation in .* has the shape \(4,\) for 5 images"),
        ({**VALIDATION, "y_validation": None}, "there is no y_validation"),
        ({**VALIDATION, "x_validation": np.zeros((0, 8, 8, 3), np.uint8)}, r"has the shape \(0, 8, 8, 3\)"),
        ({"x_train": nan}, "pixels that are NaN or infinite, in 1 of 20 images"),
        ({"y_train": np.arange(19)}, r"has the shape \(19,\) for 20 images"),
        ({"y_train": np.full(20, 3.5)}, "holds float64"),
        ({"y_train": np.arange(20) % 4 + 1, "y_test": np.arange(8) % 4 + 1}, "run from 1 to 4, out of range"),
        ({"y_train": np.arange(20) % 4 - 1}, "out of range"),
        ({"y_train": np.arange(20) % 4 * 10}, "out of range"),
        ({"y_train": np.zeros(20), "y_test": np.zeros(8)}, "only one class"),
        ({"x_train": np.zeros((20, 8, 8, 3), complex)}, "holds complex128"),
    ],
)
def test_arrays_that_make_no_sense_are_refused(npz, arrays, what):
    with pytest.raises(UsageError, match=what):
        npz(**arrays).load()


def test_gaps_in_the_labels_are_allowed_when_the_number_of_classes_is_said(npz):
    file = npz(y_train=np.arange(20) % 2 * 9).path
    assert len(Npz(path=file, classes=10).load().class_names) == 10


def test_what_is_no_npz_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="there is no file"):
        Npz(path=str(tmp_path / "none.npz")).facts()
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(UsageError, match=r"not an \.npz file"):
        Npz(path=str(tmp_path / "text.npz")).load()


def test_a_small_file_that_claims_to_be_huge_is_refused_before_anything_is_allocated(tmp_path, npz):
    file = npz().path
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4000000, 32, 32, 3), }".ljust(117) + b"\n"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x_train.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 100)
    with pytest.raises(UsageError, match="is not as large as it says"):
        Npz(path=file).load()


@pytest.mark.parametrize("cut", [30, 300, 3000])
def test_a_torn_file_is_named_not_read(tmp_path, npz, cut):
    file = npz().path
    Path(file).write_bytes(Path(file).read_bytes()[:cut])
    with pytest.raises(UsageError, match=r"data\.npz"):
        Npz(path=file).load()


def test_a_flipped_byte_anywhere_is_never_a_traceback(tmp_path):
    file = tmp_path / "data.npz"
    np.savez_compressed(file, **{**GOOD, "x_train": np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)})
    whole = file.read_bytes()
    for place in range(0, len(whole), 41):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            Npz(path=str(file)).load()
        except UsageError as error:
            assert "data.npz" in error.what  # noqa: PT017 (most bytes do harm, a few do not)


def test_improve_data_comes_before_what_the_system_ships(tmp_path, monkeypatch):
    np.savez(tmp_path / "cifar10.npz", **{**GOOD, "x_train": np.full((20, 8, 8, 3), 7, np.uint8)})
    monkeypatch.setenv("IMPROVE_DATA", str(tmp_path))
    assert Cifar10().facts()[:2] == ((20, 0, 8), (8, 8, 3))
    source = Cifar10().load()
    assert source.pools[0][0, 0, 0, 0] == 7
    assert source.class_names[3] == "cat"
    assert source.found == str(tmp_path / "cifar10.npz")


def test_known_sizes_are_known_without_the_data():
    assert Cifar10().facts()[:2] == ((50_000, 0, 10_000), (32, 32, 3))


def idx(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes())


def idx_folder(folder):
    folder.mkdir()
    for part, count in (("train", 30), ("t10k", 10)):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(np.full((count, 28, 28), 9)))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(np.arange(count) % 10))
    return folder


def test_four_idx_files_in_a_folder_are_read(tmp_path, monkeypatch):
    folder = idx_folder(tmp_path / "fashion_mnist")
    monkeypatch.setenv("IMPROVE_DATA", str(tmp_path))
    source = FashionMnist().load()
    assert [pool.shape for pool in source.pools] == [(30, 28, 28, 1), (10, 28, 28, 1)]
    assert source.pools[0].max() == 9
    (folder / "train-images-idx3-ubyte.gz").write_bytes(idx(np.full((30, 28, 28), 9))[:40])
    with pytest.raises(UsageError, match=r"train-images-idx3-ubyte\.gz"):
        FashionMnist().load()


def test_what_the_system_ships_is_found(tmp_path, monkeypatch):
    folder = idx_folder(tmp_path / "fashion-mnist")
    monkeypatch.setattr("improve.spec.datasets.known.SYSTEM", tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "no_cache"))
    assert FashionMnist().load().found == str(folder)
