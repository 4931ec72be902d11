"""Run folders that were damaged: files cut, zeroed, overwritten or gone, anywhere; and values that none can have."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

from fuzzing.texts import paths, planted
from improve import advice, ledger
from improve.run import Run, load
from improve.spec import spec_digest

GOLDEN = Path(__file__).parent.parent / "runs"
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


@dataclass(frozen=True)
class Folder:
    """A folder of two golden runs, the second one called `name`, and what lies beside them. `changed`: the files that
    are not as they were; None where one is gone."""

    name: str
    changed: dict[str, bytes | None] = field(default_factory=dict)

    @property
    def other(self) -> str:
        return before(self.name)

    @property
    def files(self) -> dict[str, bytes]:
        return {**files(self.other), **files(self.name)}

    def lay_out(self, place: Path) -> None:
        for file, data in (self.files | self.changed).items():
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            if data is not None:
                (place / file).write_bytes(data)

    def changed_in(self, file: str, data: bytes | None) -> Folder:
        return replace(self, changed={**self.changed, file: data})


def before(name: str) -> str:
    """The golden run that stands before this one in the alphabet."""
    return NAMES[NAMES.index(name) - 1]


@cache
def files(name: str) -> dict[str, bytes]:
    """The files of a golden run, and what lies beside it."""
    folder = GOLDEN / name
    own = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {f"{name}/{file.relative_to(folder)}": file.read_bytes() for file in own} | beside(load(folder))


def beside(run: Run) -> dict[str, bytes]:
    """The advice that led to a run, a learning curve of its spec, and a look at its validation images."""
    told = {"spec": ledger.experiment(run.spec), "run": before(run.name), "code": "T2", "title": "too low",
            "path": "optimizer.learning_rate", "value": 0.1, "because": "it hardly moves", "expected": 0.1,
            "error": 0.3, "n": 400}  # fmt: skip
    curve = {"digest": spec_digest(run.spec), "sentence": "it helps", "sizes": [100], "forecasts": [{"high": 0.01}]}
    look = dict.fromkeys(ledger.COLUMNS, "x") | {"part": "validation", "fingerprint": run.fingerprint["validation"]}
    texts = {advice.FILE: json.dumps(told), "curve/learning_curve.json": json.dumps(curve),
             ledger.FILE: ",".join(look) + "\n" + ",".join(look.values())}  # fmt: skip
    return {file: f"{text}\n".encode() for file, text in texts.items()}


def damaged(random: Random) -> Folder:
    """One to three files of one run, of the other one or beside them are damaged."""
    folder = Folder(random.choice(NAMES))
    for _ in range(random.choice((1, 1, 2, 3))):
        file = random.choice(sorted(files(random.choice((folder.name, folder.name, folder.other)))))
        change = random.choice((torn, reworded, *3 * [{".csv": tabled, ".json": valued}.get(Path(file).suffix, torn)]))
        folder = folder.changed_in(file, change(random, folder.files[file]))
    return folder


def torn(random: Random, data: bytes) -> bytes | None:
    """The same cut, zeroed or with a bit flipped somewhere; or gone."""
    start = random.randrange(len(data))
    end = random.choice((len(data), min(len(data), start + random.randrange(40))))
    flipped = bytes([data[start] ^ 1 << random.randrange(8)])
    zeroed = bytes(end - start)
    return random.choice(
        (None, data[:start], data[:start] + zeroed + data[end:], data[:start] + flipped + data[start + 1 :])
    )


def reworded(random: Random, data: bytes) -> bytes:
    """Something else in the place of a word, or a line that is gone or there twice."""
    new, start = random.choice(SCRAPS).encode(), random.randrange(len(data))
    word, line = (pattern.search(data, start) or re.search(rb"\Z", data) for pattern in (WORD, LINE))
    at, new = random.choice(((word, new), (word, new), (line, b""), (line, 2 * line[0])))
    return data[: at.start()] + new + data[at.end() :]


def valued(random: Random, data: bytes) -> bytes:
    """JSON with another value in some place."""
    value = json.loads(data)
    return json.dumps(planted(value, random.choice([*paths(value)]), random.choice(VALUES))).encode()


def tabled(random: Random, data: bytes) -> bytes:
    """A table with another value in one row of a column, its head included, or in all rows."""
    rows = [*csv.reader(data.decode().splitlines())]
    column, row, new = random.randrange(len(rows[0])), random.randrange(len(rows)), str(random.choice(VALUES))
    for cells in random.choice((rows[:1], rows[row : row + 1], rows[1:])):
        cells[column] = new
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


#: each from a seed: every file and every place is as likely
folders = st.integers(0, 2**64 - 1).map(Random).map(damaged)
