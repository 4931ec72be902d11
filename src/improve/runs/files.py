"""Files of a run folder, written whole or not at all, and arrays read back only if their check sums are right."""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.images import npz
from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_text(file: Path, text: str) -> None:
    """Write all of it or nothing: a temporary file, moved into place."""
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.unlink(missing_ok=True)  # a link that somebody put there is not followed
    with temporary.open("x", encoding="utf-8", errors="backslashreplace") as stream:  # half a pair of surrogates
        stream.write(text)
    os.replace(temporary, file)


def write_json(file: Path, value: Any) -> None:
    """Write a value as indented JSON in UTF-8; NaN and infinity become null."""
    write_text(file, json.dumps(finite_json(value), indent=2, ensure_ascii=False) + "\n")


def finite_json(value: Any) -> Any:
    """`value` with NaN and infinity as null: JSON has no words for them; numbers of NumPy as Python's."""
    if hasattr(value, "dtype") and not value.shape:
        value = value.item()
    if isinstance(value, Mapping):
        return {key: finite_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_arrays(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as .npz, uncompressed; all of it or nothing."""
    temporary = file.with_name(f".{file.stem}.tmp.npz")
    temporary.unlink(missing_ok=True)
    with temporary.open("xb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    os.replace(temporary, file)


def read_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file. Raises one of npz.DAMAGED where a check sum is wrong; nothing is unpickled."""
    arrays = npz.load(file)  # first: it looks at the size before it unpacks anything
    with zipfile.ZipFile(file) as archive:
        if damaged := archive.testzip():
            raise ValueError(f"the check sum of {damaged} is wrong")
    return arrays
