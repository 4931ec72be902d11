"""Images are decoded once; the cache is never believed when it should not be."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from improve import parallel
from improve.errors import UsageError
from improve.images import cache as imagecache
from improve.images import decode as imagearray
from improve.images import index
from improve.images.cache import cached_images
from improve.images.folder import listing
from improve.user_cache import cache_folder

COLORS = {"cat": (200, 0, 0), "dog": (0, 0, 200)}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IMPROVE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    """Cats are red, dogs are blue; old enough to be believed by the index."""
    place = tmp_path / "images"
    for part, count in (("train", 4), ("test", 2)):
        for name in COLORS:
            (place / part / name).mkdir(parents=True)
            for number in range(count):
                paint(place / part / name / f"{number}.png", COLORS[name])
    return place


def paint(file, color, size=(20, 10)):
    Image.new("RGB", size, color).save(file)


def read(folder, size=(8, 8), color="rgb", resize="stretch", on_bad_image="error", **options):
    return cached_images(folder, listing(folder), size, color, resize, on_bad_image, **options)


@pytest.fixture
def decoded(monkeypatch):
    """The stretches that were decoded."""
    seen = []
    real = imagecache.decode
    monkeypatch.setattr(imagecache, "decode", lambda job, tick: seen.append(job.files) or real(job, tick))
    return seen


@pytest.fixture
def settled(monkeypatch):
    """As if the files had lain there for long."""
    monkeypatch.setattr(index, "RACY", -(10**12))


def test_images_and_labels_come_in_the_order_of_the_parts(folder):
    found = read(folder)
    assert (found.images.shape, found.images.dtype) == ((12, 8, 8, 3), np.uint8)
    assert isinstance(found.images, np.memmap)
    assert found.labels.tolist() == [0] * 4 + [1] * 4 + [0] * 2 + [1] * 2
    assert found.labels.dtype == np.int64
    assert found.sizes == (8, 0, 4)
    assert found.bad == []
    expected = [COLORS[("cat", "dog")[label]] for label in found.labels]
    assert np.array_equal(found.images[:, 3, 3], expected)


def test_grey_images_have_one_channel(folder):
    assert read(folder, color="grey").images.shape == (12, 8, 8, 1)


def test_the_second_time_nothing_is_decoded(folder, decoded):
    first, second = read(folder), read(folder)
    assert len(decoded) == 1
    assert np.array_equal(first.images, second.images)


def test_the_second_time_no_file_is_even_read(folder, settled, monkeypatch):
    read(folder)
    monkeypatch.setattr(index, "stamped_bytes", lambda file: pytest.fail(f"{file} was read"))
    read(folder)


def test_only_new_and_changed_files_are_read_again(folder, settled, monkeypatch):
    read(folder)
    paint(folder / "train" / "cat" / "9.png", (1, 2, 3))
    paint(folder / "train" / "dog" / "1.png", (1, 2, 3))
    seen, real = [], index.stamped_bytes
    monkeypatch.setattr(index, "stamped_bytes", lambda file: seen.append(Path(file).name) or real(file))
    assert (read(folder).images[:, 0, 0] == (1, 2, 3)).all(axis=1).sum() == 2
    assert seen == ["9.png", "1.png"]


def test_files_that_were_only_touched_are_read_but_not_decoded(folder, settled, decoded):
    read(folder)
    for file in folder.rglob("*.png"):
        os.utime(file)
    read(folder)
    assert len(decoded) == 1


def test_a_file_changed_at_once_is_noticed_though_its_size_and_times_stay(folder, monkeypatch):
    """The clock of the file system is coarse: stat may say the same before and after, so such files are not listed."""
    read(folder)
    stamps = json.loads(next(cache_folder().glob("index-*.json")).read_text())
    assert stamps == {}


def test_a_changed_file_of_equal_size_changes_the_result(folder):
    file = folder / "train" / "cat" / "0.png"
    before = read(folder).images[0, 0, 0].tolist()
    size = file.stat().st_size
    paint(file, (100, 0, 0))
    assert file.stat().st_size == size
    assert (before, read(folder).images[0, 0, 0].tolist()) == ([200, 0, 0], [100, 0, 0])


def test_a_change_that_keeps_size_and_modification_time_is_noticed(folder, settled):
    file = folder / "train" / "cat" / "0.png"
    read(folder)
    before = file.stat()
    paint(file, (100, 0, 0))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert read(folder).images[0, 0, 0].tolist() == [100, 0, 0]


@pytest.mark.parametrize("other", [{"size": (8, 9)}, {"color": "grey"}, {"resize": "pad"}])
def test_another_size_colour_or_resizing_is_another_entry(folder, decoded, other):
    first, second, third = read(folder), read(folder, **other), read(folder)
    assert len(decoded) == 2
    assert not np.array_equal(first.images[..., 0].sum(), second.images[..., 0].sum()) or "size" in other
    assert np.array_equal(first.images, third.images)


def test_renamed_files_are_another_entry(folder, decoded):
    read(folder)
    (folder / "train" / "cat" / "0.png").rename(folder / "train" / "dog" / "z.png")
    assert read(folder).labels.tolist() == [0] * 3 + [1] * 5 + [0] * 2 + [1] * 2


def damage(folder):
    """Three bad ones: an empty one, a text, and one that is cut short."""
    (folder / "train" / "cat" / "1.png").write_bytes(b"")
    (folder / "train" / "dog" / "2.jpg").write_text("hello")
    whole = folder / "test" / "dog" / "0.png"
    whole.write_bytes(whole.read_bytes()[:50])
    return {"train/cat/1.png": "empty file", "train/dog/2.jpg": "not an image", "test/dog/0.png": "cut short"}


def test_bad_images_are_one_error_that_names_them_all(folder):
    bad = damage(folder)
    with pytest.raises(UsageError, match=r"^3 of 13 images in .* cannot be read:\n") as error:
        read(folder)
    assert all(f"{name} ({reason}" in error.value.what for name, reason in bad.items())
    assert error.value.fix == "mend or remove them, or set on_bad_image: skip"
    assert all((folder / name).exists() for name in bad)


def test_of_many_bad_images_twenty_are_named(folder):
    for number in range(100, 123):
        (folder / "train" / "cat" / f"{number}.png").write_bytes(b"")
    with pytest.raises(UsageError, match=r"(?s)^23 of 35 .*119.png \(empty file\)\n    and 3 more$"):
        read(folder)


def test_skipped_images_are_left_out_and_named(folder, decoded):
    bad = damage(folder)
    for _ in range(2):
        found = read(folder, on_bad_image="skip")
        assert [name for name, _ in found.bad] == list(bad)
        assert all(bad[name] in reason for name, reason in found.bad)
        assert found.sizes == (7, 0, 3)
        assert found.images.shape == (10, 8, 8, 3)
        assert found.labels.tolist() == [0] * 3 + [1] * 4 + [0] * 2 + [1]
        expected = [COLORS[("cat", "dog")[label]] for label in found.labels]
        assert np.array_equal(found.images[:, 3, 3], expected)
    assert len(decoded) == 1


def test_a_mended_image_is_taken_up(folder):
    damage(folder)
    assert len(read(folder, on_bad_image="skip").images) == 10
    paint(folder / "train" / "cat" / "1.png", (200, 0, 0))
    assert len(read(folder, on_bad_image="skip").images) == 11


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(folder):
    (folder / "train" / "cat" / "0.png").chmod(0)
    with pytest.raises(UsageError, match=r"cat/0.png \(cannot be read: permission denied\)"):
        read(folder)


def test_a_file_that_vanishes_is_named(folder):
    found = listing(folder)
    (folder / "train" / "cat" / "0.png").unlink()
    with pytest.raises(UsageError, match=r"cat/0.png \(cannot be read: no such file or directory\)"):
        cached_images(folder, found, (8, 8), "rgb", "stretch", "error")


@pytest.mark.parametrize("size", [None, (8, 8)])
def test_a_class_none_of_whose_images_can_be_read_is_an_error(folder, size):
    for file in (folder / "train" / "cat").iterdir():
        file.write_bytes(b"")
    with pytest.raises(UsageError, match="no training image of cat can be read"):
        read(folder, size=size, on_bad_image="skip")
    for file in folder.rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(UsageError, match=r"12 of 12 images in .* cannot be read"):
        read(folder, size=size, on_bad_image="skip")


def test_without_a_size_images_keep_theirs(folder):
    assert read(folder, size=None).images.shape == (12, 10, 20, 3)


def test_without_a_size_the_first_image_that_differs_is_named(folder):
    paint(folder / "train" / "dog" / "1.png", (0, 0, 200), size=(21, 10))
    paint(folder / "test" / "cat" / "1.png", (0, 0, 200), size=(5, 5))
    with pytest.raises(UsageError, match=r"the first one has 20×10 pixels, train/dog/1.png has 21×10") as error:
        read(folder, size=None)
    assert "give size: 64" in error.value.fix


def test_progress_is_told_up_to_the_last_image(folder, monkeypatch):
    monkeypatch.setattr(imagearray, "CHUNK", (1, 1 << 24))
    told = []
    read(folder, tick=lambda done, total: told.append((done, total)))
    assert told[-1] == (12, 12)
    assert told == sorted(told)


@pytest.mark.parametrize("chunk", [(1, 1 << 24), (5, 1 << 24), (64, 400)])
@pytest.mark.parametrize("threads", [False, True])
def test_processes_and_threads_give_the_same(folder, monkeypatch, chunk, threads):
    damage(folder)
    monkeypatch.setattr(imagearray, "CHUNK", chunk)
    monkeypatch.setattr(parallel, "cores", lambda: 3)
    may_fork = parallel.may_fork
    monkeypatch.setattr(parallel, "may_fork", lambda: not threads and may_fork())
    found = read(folder, on_bad_image="skip")
    assert found.sizes == (7, 0, 3)
    assert np.array_equal(found.images[:, 3, 3], [COLORS[("cat", "dog")[label]] for label in found.labels])


def test_a_torn_or_foreign_entry_is_made_anew(folder, cache, decoded):
    expected = np.array(read(folder).images)
    for tear in (lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"x" * len(data)):
        for pattern in ("images-*.npy", "images-*.json", "index-*.json"):
            file = next(cache.glob(pattern))
            file.write_bytes(tear(file.read_bytes()))
            assert np.array_equal(read(folder).images, expected)
    assert len(decoded) == 10


def test_nothing_but_the_entry_is_left_in_the_cache(folder, cache):
    read(folder)
    names = sorted(file.name.partition("-")[0] + file.suffix for file in cache.iterdir())
    assert names == ["images.json", "images.npy", "index.json"]


def test_a_cache_that_is_a_file_is_a_clear_error(folder, cache):
    cache.write_text("")
    with pytest.raises(UsageError, match=r"need 0 MB in .*cache, and cannot be written: ") as error:
        read(folder)
    assert "set IMPROVE_CACHE" in error.value.fix


def test_too_little_room_is_said_before_anything_is_decoded(folder, decoded, monkeypatch):
    monkeypatch.setattr(imagecache.shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    with pytest.raises(UsageError, match=r"need 36 MB in .*, which has 1 MB"):
        read(folder, size=(1000, 1000))
    assert decoded == []


def script(folder, cache, body):
    """Run `body` in a new process, where `read` builds the cache of many small images."""
    code = f"""
        import os, re, resource, signal, sys
        from pathlib import Path
        from improve.images import decode as imagearray
        from improve.images.folder import listing
        from improve.images.cache import cached_images
        folder = Path({str(folder)!r})
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
        def read(size, tick=lambda done, total: None):
            return cached_images(folder, listing(folder), (size, size), "rgb", "stretch", "error", tick)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code) + textwrap.dedent(body)],
        check=False, env={**os.environ, "IMPROVE_CACHE": str(cache)}, capture_output=True, text=True, timeout=30,
        start_new_session=True,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def many(tmp_path):
    for name, color in COLORS.items():
        (tmp_path / "many" / name).mkdir(parents=True)
        paint(tmp_path / "many" / name / "0.png", color)
        data = (tmp_path / "many" / name / "0.png").read_bytes()
        for number in range(1, 500):
            (tmp_path / "many" / name / f"{number}.png").write_bytes(data)
    return tmp_path / "many"


linux = pytest.mark.skipif(sys.platform != "linux", reason="counts memory and kills processes as Linux does")


@linux
def test_memory_stays_bounded(many, cache):
    code, out, err = script(many, cache, """
        images = read(320).images
        # ru_maxrss of the process itself would be that of pytest, from which it was forked
        (mine,) = re.findall(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
        peak = max(int(mine), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
        print(peak / 1024, images.nbytes / 1e6)
    """)  # fmt: skip
    assert (code, err) == (0, "")
    peak, array = map(float, out.split())
    assert array > 300
    assert peak < 200


@linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_build_that_is_killed_leaves_nothing_that_is_believed(many, cache, number):
    code, _, _ = script(many, cache, f"""
        read(64, lambda done, total: os.{"killpg" if number == signal.SIGINT else "kill"}(os.getpid(), {int(number)}))
    """)  # fmt: skip
    assert code == -number
    assert list(cache.glob("images-*")) == []
    if number == signal.SIGINT:
        assert list(cache.iterdir()) == []
    found = cached_images(many, listing(many), (64, 64), "rgb", "stretch", "error")
    assert np.array_equal(found.images[:, 3, 3], [COLORS[("cat", "dog")[label]] for label in found.labels])


@linux
def test_the_processes_of_a_killed_build_end_by_themselves(many, cache):
    _, out, _ = script(many, cache, """
        import multiprocessing
        def kill(done, total):
            print(*[process.pid for process in multiprocessing.active_children()], flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        read(64, kill)
    """)  # fmt: skip
    deadline = time.monotonic() + 10
    while any(alive(int(pid)) for pid in out.split()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(int(pid)) for pid in out.split())


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@linux
def test_a_disk_that_fills_up_is_a_clear_error(many, cache):
    code, out, err = script(many, cache, """
        from improve.errors import UsageError
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, 5_000_000))
        try:
            read(64)
        except UsageError as error:
            print(error.what, "|", error.fix)
    """)  # fmt: skip
    assert (code, err) == (0, "")
    assert "the images need 12 MB in" in out
    assert "cannot be written: file too large" in out
    assert list(cache.iterdir()) == []


def test_what_a_killed_build_left_is_cleared_away_after_an_hour(folder, cache):
    cache.mkdir()
    for name, age in ((".1-a.tmp", 4000), (".2-b.tmp", 10)):
        (cache / name).write_text("x")
        os.utime(cache / name, (time.time() - age, time.time() - age))
    read(folder)
    assert [file.name for file in cache.glob(".*.tmp")] == [".2-b.tmp"]


@linux
def test_two_builds_at_once_both_end_right(many, cache):
    results = []

    def build():
        results.append(script(many, cache, "print(read(64).images[:, 3, 3].tolist())"))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [code for code, _, _ in results] == [0, 0]
    assert results[0][1] == results[1][1]
    assert json.loads(results[0][1]) == [list(COLORS["cat"])] * 500 + [list(COLORS["dog"])] * 500
    assert len(list(cache.glob("images-*.npy"))) == 1


@linux
def test_a_decoding_process_that_is_killed_is_said(many, cache):
    code, out, err = script(many, cache, """
        from improve import parallel
        from improve.errors import ImproveError
        parallel.cores = lambda: 2
        imagearray.pillow_image = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
        try:
            read(64)
        except ImproveError as error:
            print(error.what)
    """)  # fmt: skip
    assert (code, out, err) == (0, "a process that read images was killed\n", "")


def test_neither_keras_nor_tensorflow_is_needed(folder, cache):
    code, out, err = script(folder, cache, "read(8); print({'keras', 'tensorflow', 'pandas'} & set(sys.modules))")
    assert (code, out, err) == (0, "set()\n", "")
