"""Run folders that were damaged: files cut, zeroed, overwritten or gone, at any byte."""

from __future__ import annotations

import json
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from improve import advice, ledger
from improve.run import load
from improve.spec import spec_digest

WORD, LINE = re.compile(rb"[-+.\w]+"), re.compile(rb"[^\n]*\n")
GOLDEN = Path(__file__).parent / "runs"
NAMES = sorted(folder.name for folder in GOLDEN.iterdir())
SCRAPS = (
    "", "0", "-", "-1", "1", "2", "7", "1e999", "1e308", "5e-324", "9" * 30, "e9", ".", "nan", "NaN", "Infinity", "null", "true", "[]", "{}", '"', '"x"', "'", ",", ":", "\n", "#",
    "\0", "\x1b[31m", "\x85", "\u2028", "\ufeff", r"\ud800", "é", "../..",
)  # fmt: skip


@cache
def files(name: str) -> dict[str, bytes]:
    """The files of a golden run, and what lies beside it: the advice that led to it, a learning curve, the ledger."""
    folder = GOLDEN / name
    run, other = load(folder), NAMES[NAMES.index(name) - 1]
    told = {
        "spec": ledger.experiment(run.spec),
        "run": other,
        "code": "T2",
        "title": "x",
        "path": "optimizer.learning_rate",
        "value": 0.1,
        "because": "x",
        "expected": 0.1,
        "error": 0.3,
        "n": 400,
    }
    curve = {"digest": spec_digest(run.spec), "sentence": "x", "sizes": [100], "forecasts": [{"high": 0.01}]}
    seen = ("", "r", "validation", run.fingerprint.get("validation", ""), "abc", "0.3", "400")
    beside = {
        advice.FILE: json.dumps(told) + "\n",
        ledger.FILE: ",".join(ledger.COLUMNS) + "\n" + ",".join(seen) + "\n",
        "curve/learning_curve.json": json.dumps(curve),
    }
    own = {
        f"{name}/{file.relative_to(folder)}": file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
    }
    return own | {file: text.encode() for file, text in beside.items()}


@st.composite
def damaged(draw: Any, data: bytes) -> bytes | None:
    """The same cut, zeroed, with a bit flipped or something else in the place of a word or a line; None: it is gone."""
    kind = draw(st.sampled_from(["gone", "cut", "zeroed", "flipped", "line", *5 * ["word"]]))
    if kind == "gone":
        return None
    start = draw(st.integers(0, max(0, len(data) - 1)))
    end = min(len(data), start + draw(st.integers(1, 40) | st.integers(1, len(data) or 1)))
    if kind in ("word", "line"):
        start, end = next((at.span() for at in {"word": WORD, "line": LINE}[kind].finditer(data, start)), (start, end))
    new = {
        "cut": b"",
        "zeroed": bytes(end - start),
        "flipped": bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in data[start : start + 1]),
        "line": draw(st.sampled_from([0, 2])) * data[start:end],
        "word": draw(st.sampled_from(SCRAPS)).encode(),
    }[kind]
    return data[:start] + new + {"cut": b"", "flipped": data[start + 1 :]}.get(kind, data[end:])


@st.composite
def folders(draw: Any) -> tuple[str, dict[str, bytes | None]]:
    """The name of a run, and all files of a folder of two runs, of which one to three are damaged."""
    name = draw(st.sampled_from(NAMES))
    found: dict[str, bytes | None] = {**files(NAMES[NAMES.index(name) - 1]), **files(name)}
    for _ in range(draw(st.integers(1, 3))):
        file = draw(st.sampled_from([*files(name)]))
        data = found[file]
        found[file] = data and draw(damaged(data))
    return name, found


def put(folder: Path, found: dict[str, bytes | None]) -> None:
    for name, data in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if data is not None:
            (folder / name).write_bytes(data)
