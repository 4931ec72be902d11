"""What travels to other machines: data whose large arrays go once, run folders that arrive whole."""

import numpy as np
import pytest

from improve.experiments.ray.transfer import (
    ARRIVING,
    LARGE,
    pack,
    pack_folder,
    remove_arriving,
    unpack,
    unpack_folder,
)


def test_a_value_comes_back_and_small_arrays_travel_inside():
    kept = {}
    parcel = pack({"labels": np.arange(5), "name": "x"}, kept, lambda array: array)
    assert not kept
    assert not parcel.arrays
    back = unpack(parcel, lambda array: array)
    assert back["name"] == "x"
    assert back["labels"].tolist() == [0, 1, 2, 3, 4]


def test_what_two_values_share_is_sent_once_whoever_holds_it():
    images, sent, kept = np.zeros(LARGE, np.uint8), [], {}
    first = pack((images, 1), kept, lambda array: sent.append(array) or len(sent))
    second = pack((images.copy(), 2), kept, lambda array: sent.append(array) or len(sent))
    assert len(sent) == 1
    assert first.arrays == second.arrays
    assert unpack(second, lambda number: sent[number - 1])[0] is sent[0]


def test_equal_bytes_of_another_type_or_shape_are_another_array():
    kept, zeros = {}, np.zeros(LARGE, np.uint8)
    pack([zeros, zeros.view(np.int8), zeros.reshape(2, -1)], kept, lambda array: array)
    assert len(kept) == 3


def test_a_mapped_file_travels_as_its_numbers(tmp_path):
    file = tmp_path / "images.npy"
    np.save(file, np.arange(LARGE, dtype=np.uint8))
    kept = {}
    parcel = pack(np.load(file, mmap_mode="r"), kept, lambda array: array)
    file.unlink()
    assert unpack(parcel, lambda array: array)[:3].tolist() == [0, 1, 2]
    assert type(next(iter(kept.values()))) is np.ndarray


def test_a_folder_arrives_whole_with_its_empty_folders_and_replaces_what_was_there(tmp_path):
    (tmp_path / "made" / "state" / "deep").mkdir(parents=True)
    (tmp_path / "made" / "state" / "a.bin").write_bytes(b"\x00\x01")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "old").write_text("gone")
    unpack_folder(pack_folder(tmp_path / "made"), tmp_path / "here")
    found = sorted(path.relative_to(tmp_path / "here").as_posix() for path in (tmp_path / "here").rglob("*"))
    assert found == ["state", "state/a.bin", "state/deep"]
    assert (tmp_path / "here" / "state" / "a.bin").read_bytes() == b"\x00\x01"
    assert not list(tmp_path.glob(f"{ARRIVING}*"))


@pytest.mark.parametrize("name", ["../elsewhere", "/elsewhere", "a/../../elsewhere"])
def test_a_path_that_leads_out_of_the_run_is_refused_and_nothing_is_written(tmp_path, name):
    (tmp_path / "runs").mkdir()
    with pytest.raises(ValueError, match="lies outside"):
        unpack_folder({"fine": b"", name: b"x"}, tmp_path / "runs" / "here")
    assert not list(tmp_path.rglob("elsewhere"))
    assert not list((tmp_path / "runs").iterdir())


def test_what_a_killed_process_left_half_written_goes(tmp_path):
    (tmp_path / f"{ARRIVING}x" / "run").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    remove_arriving(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
