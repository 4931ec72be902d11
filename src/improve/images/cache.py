"""The images of a folder as one array: decoded and resized once, kept on disk, found again by their contents.

In the cache folder ($IMPROVE_CACHE, $XDG_CACHE_HOME/improve or ~/.cache/improve) lie, for what was read,
images-KEY.npy and images-KEY.json (what could not be read, and why), and index-FOLDER.json, which says as git's index
does what each file's contents were, so that only new and changed files are read again. All of it may be removed. The
folder is the user's own, mode 0700; one that others may write to is refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from improve.errors import UsageError, printable
from improve.images.array import Tick
from improve.images.decode import Bad, Decoding, Job, close_gaps, decode, refuse_bad_images, shape_of, write_npy_head
from improve.images.file import Color, Resize, Size
from improve.images.folder import Listing
from improve.images.index import MB, Line, bytes_digest, index_lines, index_of, read_index
from improve.lazy import np
from improve.user_cache import cache_folder, checked_cache

if TYPE_CHECKING:
    from numpy.typing import NDArray

ABANDONED = 3600  # seconds; a build writes all the time, so its temporary file is never so old


class Cached(NamedTuple):
    """Images uint8 (n, height, width, channels) on disk, training, validation and test; `bad` were left out."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    sizes: tuple[int, int, int]
    bad: Bad  # path, reason


def cached_images(
    folder: Path,
    listing: Listing,
    size: Size | None,
    color: Color,
    resize: Resize,
    on_bad_image: Literal["error", "skip"],
    tick: Tick = lambda done, total: None,
) -> Cached:
    """The images of `listing(folder)`, from the cache or decoded now, as `improve.images.file.read_image` says.

    `tick(done, total)` counts the decoded files, a few times a second. Raises UsageError for images that cannot be
    read (unless they are skipped), images of different sizes where no size is given, and a cache without room.
    """
    cache, decoding, began = checked_cache(cache_folder()), Decoding(size, color, resize), time.time_ns()
    index_file = cache / f"index-{bytes_digest(os.fsencode(folder.resolve()))}.json"
    index = read_index(index_file)
    lines = None if index is None else index_lines(folder, listing.files, index)
    entry = None if lines is None else _open(cache / f"images-{decoding.key(listing.files, lines)}")
    if lines is None or entry is None:
        lines, key = _build(cache, folder, listing.files, decoding, tick)
        entry = _open(cache / f"images-{key}")
    fresh = index_of(listing.files, lines, began)
    if fresh != index:
        with contextlib.suppress(OSError):  # without it the files are read again, no more
            _write(index_file, json.dumps(fresh))
    if entry is None:
        raise UsageError(f"what was written to {cache} cannot be read again", fix="set IMPROVE_CACHE to another folder")
    return _chosen(folder, listing, *entry, on_bad_image)


def _chosen(folder: Path, listing: Listing, images: NDArray[np.uint8], bad: Bad, on_bad_image: str) -> Cached:
    if bad and (on_bad_image == "error" or not len(images)):
        refuse_bad_images(folder, bad, len(listing.files))
    names = {name for name, _ in bad}
    kept = np.array([file not in names for file in listing.files])
    labels = np.array(listing.labels, np.int64)[kept]
    ends = np.cumsum(listing.sizes)
    sizes = [int(kept[end - size : end].sum()) for size, end in zip(listing.sizes, ends, strict=True)]
    empty = set(range(len(listing.class_names))) - set(labels[: sizes[0]].tolist())
    if empty:
        name = printable(listing.class_names[min(empty)])
        raise UsageError(f"no training image of {name} can be read, in {folder}", fix="mend them, or remove the class")
    return Cached(images, labels, (sizes[0], sizes[1], sizes[2]), bad)


def _open(entry: Path) -> tuple[NDArray[np.uint8], Bad] | None:
    """The array and what is missing from it; nothing where either file is not there or not whole."""
    try:
        bad = [(str(name), str(reason)) for name, reason in json.loads(entry.with_suffix(".json").read_bytes())]
        images = np.load(entry.with_suffix(".npy"), mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, TypeError, EOFError):
        return None
    return (images, bad) if images.dtype == np.uint8 and images.ndim == 4 else None


def _build(cache: Path, folder: Path, files: tuple[str, ...], decoding: Decoding, tick: Tick) -> tuple[list[Line], str]:
    """Decode all files into an entry of the cache; what to remember of them, and its key."""
    shape = shape_of(folder, files, decoding)
    needed = len(files) * shape[0] * shape[1] * shape[2]
    with _room(cache, needed), _temporary(cache) as array:
        job = Job(folder, files, decoding, shape, array, write_npy_head(array, (len(files), *shape)))
        lines, bad = decode(job, tick)
        missing = [(files[number], reason) for number, reason in bad]
        if len(bad) == len(files):
            refuse_bad_images(folder, missing, len(files))
        close_gaps(job, [number for number, _ in bad])
        key = decoding.key(files, lines)
        _write(cache / f"images-{key}.json", json.dumps(missing, indent=1))
        os.replace(array, cache / f"images-{key}.npy")
    return lines, key


@contextlib.contextmanager
def _room(cache: Path, needed: int) -> Iterator[None]:
    """Say so, before or after, where `needed` bytes cannot be written to the cache."""
    fix = "make room or set IMPROVE_CACHE to a folder on a larger disk; a smaller size: needs less"
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(checked_cache(cache)).free
        if needed > free:
            raise UsageError(
                f"the images need {needed / MB:,.0f} MB in {cache}, which has {free / MB:,.0f} MB", fix=fix
            )
        yield
    except OSError as error:
        raise UsageError(
            f"the images need {needed / MB:,.0f} MB in {cache}, and cannot be written: "
            f"{(error.strerror or str(error)).lower()}",
            fix=fix,
        ) from error


@contextlib.contextmanager
def _temporary(cache: Path) -> Iterator[Path]:
    """A new empty file of this process, gone afterwards unless it was moved into place."""
    for old in cache.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if old.stat().st_mtime < time.time() - ABANDONED:
                old.unlink()
    file = cache / f".{os.getpid()}-{os.urandom(4).hex()}.tmp"
    file.touch()
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def _write(file: Path, text: str) -> None:
    with _temporary(file.parent) as temporary:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, file)
