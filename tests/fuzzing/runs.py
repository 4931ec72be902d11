"""Run folders that were damaged: files cut, zeroed, overwritten or gone, anywhere."""

from __future__ import annotations

import csv
import io
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fuzzing.texts import paths, planted
from improve.runs import ledger
from improve.runs.neighbourhood import ADVICE
from improve.runs.run import Run, load_run
from improve.spec.identity import curve_identity, experiment_identity

Files = dict[str, bytes | None]  # None: it is gone

GOLDEN = Path(__file__).parent.parent / "fixtures" / "runs"
NAMES = sorted(folder.name for folder in GOLDEN.iterdir())
WORD, LINE = re.compile(rb"[-+.\w]+"), re.compile(rb"[^\n]*\n")
SCRAPS = (
    "", "0", "-", "-1", "1", "2", "7", "1e999", "1e308", "5e-324", "9" * 30, "e9", ".", "nan", "NaN", "Infinity",
    "null", "true", "[]", "{}", '"', '"x"', "'", ",", ":", "\n", "#", "\0", "\x1b[31m", "\x85", "\u2028", "\ufeff",
    r"\ud800", "é", "../..",
)  # fmt: skip
VALUES = (
    None, True, -1, 0, 0.5, 1, 2, 7, 10**14, 10**30, 5e-324, 1e308, float("nan"), float("inf"), "", "x", "\ud800", [],
    {}, [1],
)  # fmt: skip


def before(name: str) -> str:
    """The golden run that stands before this one in the alphabet."""
    return NAMES[NAMES.index(name) - 1]


@cache
def files(name: str) -> dict[str, bytes]:
    """The files of a golden run, and what lies beside it."""
    folder = GOLDEN / name
    own = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {f"{name}/{file.relative_to(folder)}": file.read_bytes() for file in own} | beside(load_run(folder))


def beside(run: Run) -> dict[str, bytes]:
    """The advice that led to a run, a learning curve of its spec, and a look at its validation images."""
    told = {"spec": experiment_identity(run.spec), "run": before(run.name), "code": "T2", "title": "too low",
            "path": "optimizer.learning_rate", "value": 0.1, "because": "it hardly moves", "expected": 0.1,
            "error": 0.3, "n": 400}  # fmt: skip
    curve = {
        "digest": curve_identity(run.spec),
        "sentence": "it helps",
        "sizes": [100],
        "forecasts": [{"high": 0.01}],
    }
    look = dict.fromkeys(ledger.COLUMNS, "x") | {"part": "validation", "fingerprint": run.fingerprint["validation"]}
    texts = {ADVICE: json.dumps(told), "curve/learning_curve.json": json.dumps(curve),
             ledger.FILE: ",".join(look) + "\n" + ",".join(look.values())}  # fmt: skip
    return {file: f"{text}\n".encode() for file, text in texts.items()}


def whole(name: str) -> tuple[str, Files]:
    """The name of a run, and all files of a folder of two runs."""
    return name, {**files(before(name)), **files(name)}


@st.composite
def damaged(draw: Any, data: bytes) -> bytes | None:
    """The same cut, zeroed, with a bit flipped, or with something else in the place of a word or a line; or gone."""
    kind = draw(st.sampled_from(("gone", "cut", "zeroed", "flipped", "line", "word", "word", "word")))
    start = draw(st.integers(0, max(0, len(data) - 1)))
    end = min(len(data), start + draw(st.integers(1, 40) | st.integers(1, len(data) or 1)))
    if kind == "gone":
        return None
    if kind == "cut":
        return data[:start]
    if kind == "zeroed":
        return data[:start] + bytes(end - start) + data[end:]
    if kind == "flipped":
        flipped = bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in data[start : start + 1])
        return data[:start] + flipped + data[start + 1 :]
    found = (WORD if kind == "word" else LINE).search(data, start)
    start, end = found.span() if found else (start, end)
    new = draw(st.sampled_from(SCRAPS)).encode() if kind == "word" else draw(st.sampled_from((0, 2))) * data[start:end]
    return data[:start] + new + data[end:]


@st.composite
def revalued(draw: Any, file: str, data: bytes) -> bytes:
    """JSON with another value in some place, a table with another value in one row of a column, or in all."""
    new = draw(st.sampled_from(VALUES))
    if file.endswith(".json"):
        value = json.loads(data)
        return json.dumps(planted(value, draw(st.sampled_from([*paths(value)])), new)).encode()
    table = [*csv.reader(data.decode().splitlines())]
    column, row = draw(st.integers(0, len(table[0]) - 1)), draw(st.integers(0, len(table) - 1))
    for cells in draw(st.sampled_from((table[row : row + 1], table[1:]))):
        cells[column] = str(new)
    text = io.StringIO()
    csv.writer(text).writerows(table)
    return text.getvalue().encode("utf-8", "surrogatepass")


@st.composite
def folders(draw: Any) -> tuple[str, Files]:
    """The name of a run, and all files of a folder of two runs, of which one to three are damaged."""
    name, found = whole(draw(st.sampled_from(NAMES)))
    for file in draw(st.lists(st.sampled_from([*files(name)]), min_size=1, max_size=3, unique=True)):
        data = files(name)[file]
        values = file.endswith((".json", ".csv")) and draw(st.booleans())
        found[file] = draw(revalued(file, data) if values else damaged(data))
    return name, found


def lay_out(folder: Path, found: Files) -> None:
    for name, data in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if data is not None:
            (folder / name).write_bytes(data)
