"""Run folders that were damaged: files cut, zeroed, overwritten or gone, at any byte."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

GOLDEN = Path(__file__).parent / "runs"
NAMES = sorted(folder.name for folder in GOLDEN.iterdir())
TEXTS = ("", "0", "-1", "1e999", "nan", "null", "true", '"x"', "[]", "{}", "\0", ",", "\n", "9" * 30, "é", "\ufeff", "#", '"', "\x85", "e9", "-", "NaN", "Infinity")


def files_of(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@st.composite
def damages(draw: Any) -> list[tuple[str, str, bytes | None]]:
    """The run, its file and what is in it now; None: it is gone."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(NAMES))
        file = draw(st.sampled_from(files_of(GOLDEN / name)))
        found.append((name, file, draw(damaged((GOLDEN / name / file).read_bytes()))))
    return found


@st.composite
def damaged(draw: Any, data: bytes) -> bytes | None:
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["gone", "cut", "zeroed", "flipped", "replaced", "replaced"]))
        start = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 40) | st.integers(0, len(data)))
        if kind == "gone":
            return None
        if kind == "cut":
            data = data[:start]
        elif kind == "zeroed":
            data = data[:start] + bytes(min(length, len(data) - start)) + data[start + length :]
        elif kind == "flipped" and start < len(data):
            data = data[:start] + bytes([data[start] ^ 1 << draw(st.integers(0, 7))]) + data[start + 1 :]
        else:
            data = data[:start] + draw(st.sampled_from(TEXTS)).encode() + data[start + draw(st.integers(0, 12)) :]
    return data
