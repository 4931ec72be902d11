"""What came of the walks and searches: a line of JSON each in results.jsonl, so that they need not be made at one go,
and scoring needs none of their runs."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FILE = Path(__file__).parent / "results.jsonl"


class Outcome(NamedTuple):
    """What was told of one walk or search, and which test images (n,; bool) its winner gets wrong, in their order in
    the source."""

    told: dict[str, Any]
    wrong: Any


def read() -> dict[tuple[str, str, int], Outcome]:
    """By task, way and seed."""
    lines = FILE.read_text(encoding="utf-8").splitlines() if FILE.is_file() else []
    found = {}
    for told in map(json.loads, lines):
        bits = np.frombuffer(base64.b85decode(told["wrong"]), dtype=np.uint8)
        found[told["task"], told["way"], told["seed"]] = Outcome(
            told, np.unpackbits(bits, count=told["n"]).astype(bool)
        )
    return found


def add(told: dict[str, Any], winner: Path) -> None:
    """A line for the walk or search whose winner's run lies in the folder `winner`."""
    with np.load(winner / "predictions" / "test.npz") as arrays:
        wrong = (arrays["probability"].argmax(axis=1) != arrays["label"])[np.argsort(arrays["id"])]
    packed = base64.b85encode(np.packbits(wrong).tobytes()).decode()
    with FILE.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({**told, "n": len(wrong), "wrong": packed}) + "\n")
