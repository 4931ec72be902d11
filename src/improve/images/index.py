"""What files contain, remembered by their size and times as git's index does: only new and changed ones are read."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from improve.images.file import BadImage

RACY = 2_000_000_000  # ns; a file changed so shortly before it was read may change again and keep its time
LARGEST = 1 << 29  # bytes
MB = 1_000_000

Stamp = tuple[int, int, int]  # size in bytes, mtime and ctime in ns
Line = tuple[Stamp, str]  # with the digest of the contents, empty where they cannot be read
UNREAD: Line = (-1, 0, 0), ""
Index = dict[str, tuple[int, int, int, str]]  # by file: its stamp and digest


def bytes_digest(data: bytes) -> str:
    """The BLAKE2b digest of `data`, as 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def stamped_bytes(file: str) -> tuple[Stamp, bytes]:
    """All bytes of a file, and its stamp from before. Raises BadImage where it cannot be read, or should not be."""
    try:
        number = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))  # open() would make half as many calls again
        try:
            status = os.fstat(number)
            if status.st_size > LARGEST:
                raise BadImage(f"{status.st_size // MB:,} MB: too large")
            data = os.read(number, status.st_size + 1)
            while len(data) < status.st_size and (more := os.read(number, status.st_size)):
                data += more
        finally:
            os.close(number)
    except OSError as error:
        raise BadImage(f"cannot be read: {(error.strerror or str(error)).lower()}") from error
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns), data


def index_lines(folder: Path, files: tuple[str, ...], index: Index) -> list[Line]:
    """What the files contain now; only those that are not as the index says are read."""
    found = []
    for file in files:
        now = _stamp(f"{folder}/{file}")
        *before, known = index.get(file, (-1, 0, 0, ""))
        found.append((now, known) if known and tuple(before) == now else _read(f"{folder}/{file}"))
    return found


def _stamp(file: str) -> Stamp:
    try:
        found = os.stat(file)
    except OSError:
        return UNREAD[0]
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _read(file: str) -> Line:
    try:
        stamp, data = stamped_bytes(file)
    except BadImage:
        return UNREAD
    return stamp, bytes_digest(data)


def index_of(files: tuple[str, ...], found: list[Line], began: int) -> Index:
    """What may be believed next time: not a file that could not be read, nor one that changed just before `began`."""
    known = zip(files, found, strict=True)
    return {file: (*stamp, text) for file, (stamp, text) in known if text and max(stamp[1:]) < began - RACY}


def read_index(file: Path) -> Index | None:
    """The index as it was written, or nothing where it was not, or is damaged."""
    try:
        lines = json.loads(file.read_bytes()).items()
        return {name: (int(size), int(mtime), int(ctime), str(known)) for name, (size, mtime, ctime, known) in lines}
    except (OSError, ValueError, TypeError, AttributeError):
        return None
