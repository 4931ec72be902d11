"""The state of a run on disk, in generations: each is whole, or it is not there.

A generation is written beside the others under another name, forced onto the disk, and renamed. What is killed on the
way leaves a folder that nobody reads. Two are kept: a file that was damaged later is found by its SHA-256, named, and
the generation before is used.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from improve.errors import ImproveError
from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1  # of what is written here; a reader refuses a higher one
KEPT = 2
MANIFEST = "MANIFEST.json"
DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError)

T = TypeVar("T")
Arrays = dict[str, "NDArray[Any]"]


def save(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write `files` as the newest generation; on disk when this returns."""
    number = max((int(old.name) for old in generations(folder)), default=0) + 1
    temporary, generation = folder / f".{number:06d}.tmp", folder / f"{number:06d}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        manifest = {name: {"bytes": len(data), "sha256": digest(data)} for name, data in files.items()}
        for name, data in {**files, MANIFEST: json_bytes({"format": FORMAT, "files": manifest})}.items():
            write(temporary / name, data)
        sync(temporary)
        temporary.rename(generation)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync(folder)
    prune(folder)
    return generation


def generations(folder: Path) -> list[Path]:
    """The newest first."""
    found = [path for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def load(folder: Path, accept: Callable[[dict[str, bytes]], T]) -> tuple[T, list[str]]:
    """What `accept` makes of the newest generation that is whole, and what is wrong with those before it; `accept` may
    raise one of DAMAGED as well.

    Raises ImproveError where there are some and none is whole, or where they were written by a newer version;
    FileNotFoundError where there is none at all.
    """
    wrong: list[str] = []
    for generation in generations(folder):
        try:
            return accept(read(generation)), wrong
        except DAMAGED as error:
            wrong.append(f"{generation} is damaged: {error}")
    if not wrong:
        raise FileNotFoundError(folder)
    raise ImproveError(f"no state of this run is whole: {'; '.join(wrong)}", fix="train it anew from its spec.yaml")


def read(generation: Path) -> dict[str, bytes]:
    """Raises one of DAMAGED where a file is not what was written."""
    manifest = json.loads((generation / MANIFEST).read_bytes())
    if manifest["format"] > FORMAT:
        formats = f"format {manifest['format']}, this one reads {FORMAT}"
        raise ImproveError(f"{generation} was written by a newer version of improve ({formats})", fix="update improve")
    return {name: checked(generation / name, expected) for name, expected in manifest["files"].items()}


def checked(file: Path, expected: dict[str, Any]) -> bytes:
    data = file.read_bytes()
    if len(data) != expected["bytes"]:
        raise ValueError(f"{file.name} has {len(data):,} bytes, {expected['bytes']:,} were written")
    if digest(data) != expected["sha256"]:
        raise ValueError(f"{file.name} is not what was written (SHA-256)")
    return data


def prune(folder: Path) -> None:
    """Take away old generations, and what a killed process left half written."""
    for old in generations(folder)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    for torn in folder.glob(".*.tmp"):
        shutil.rmtree(torn, ignore_errors=True)


def packed(arrays: Arrays) -> bytes:
    """The bytes of an uncompressed .npz file with these arrays."""
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def unpacked(data: bytes) -> Arrays:
    """The arrays, by name, from the bytes of an .npz file."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def json_bytes(value: Any) -> bytes:
    """A value as JSON in UTF-8, with NaN and infinity as Python reads them again."""
    return json.dumps(value, ensure_ascii=False).encode()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write(file: Path, data: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def sync(path: Path) -> None:
    """Force a folder's entries, or a file's bytes, onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
