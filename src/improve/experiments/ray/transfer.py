"""Data and run folders on their way to another machine, as bytes. Large arrays travel by themselves, told apart by
their contents: what several trials share is sent once."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGE = 1 << 20  # bytes, from which on an array travels by itself
ARRIVING = ".arriving-"  # folders that are still being written


class Packed(NamedTuple):
    """A value without its large `arrays`; these by a digest of their contents, or what stands for them."""

    frame: bytes
    arrays: Mapping[str, Any]


class Packer(pickle.Pickler):
    """`store` keeps an array under its digest; it is called once for each."""

    def __init__(self, stream: io.BytesIO, store: Callable[[str, NDArray[Any]], None]):
        super().__init__(stream, protocol=5)
        self.store = store

    def persistent_id(self, value: Any) -> str | None:
        if not isinstance(value, np.ndarray) or value.nbytes < LARGE or value.dtype.hasobject:
            return None
        plain = np.ascontiguousarray(value)  # of a mapped file as well
        head = f"{plain.dtype.str} {plain.shape} "
        digest = hashlib.blake2b(head.encode() + hashlib.blake2b(plain.data).digest(), digest_size=16).hexdigest()
        self.store(digest, plain)
        return digest


class Unpacker(pickle.Unpickler):
    """What this very program has packed; nothing that others could have written."""

    def __init__(self, parcel: Packed, fetch: Callable[[Any], NDArray[Any]]):
        super().__init__(io.BytesIO(parcel.frame))
        self.parcel, self.fetch = parcel, fetch

    def persistent_load(self, digest: str) -> NDArray[Any]:
        return self.fetch(self.parcel.arrays[digest])


def pack(value: Any, kept: dict[str, Any], keep: Callable[[NDArray[Any]], Any]) -> Packed:
    """`kept`: by digest, what `keep` gave for the arrays of the parcels before."""
    needed = dict[str, Any]()

    def store(digest: str, array: NDArray[Any]) -> None:
        if digest not in kept:
            kept[digest] = keep(array)
        needed[digest] = kept[digest]

    stream = io.BytesIO()
    Packer(stream, store).dump(value)
    return Packed(stream.getvalue(), needed)


def unpack(parcel: Packed, fetch: Callable[[Any], NDArray[Any]]) -> Any:
    """The object that was packed; `fetch` gives the large arrays that travelled by themselves."""
    return Unpacker(parcel, fetch).load()


def pack_folder(folder: Path) -> dict[str, bytes | None]:
    """Contents by relative path; None: a folder."""
    inside = sorted(folder.rglob("*"))
    return {path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes() for path in inside}


def unpack_folder(contents: Mapping[str, bytes | None], folder: Path) -> None:
    """Whole or not at all; what had this name before is replaced. Raises ValueError where a path leads elsewhere."""
    arriving = Path(tempfile.mkdtemp(prefix=ARRIVING, dir=folder.parent))
    whole = arriving / folder.name
    try:
        for name, content in contents.items():
            path = whole / name
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise ValueError(f"{name!r} lies outside of the run")
            (path if content is None else path.parent).mkdir(parents=True, exist_ok=True)
            if content is not None:
                path.write_bytes(content)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(whole, folder)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)


def remove_arriving(runs: Path) -> None:
    """What a process that was killed has left half written."""
    for folder in runs.glob(f"{ARRIVING}*"):
        shutil.rmtree(folder, ignore_errors=True)
