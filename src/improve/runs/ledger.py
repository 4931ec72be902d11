"""Every look at a validation or test set, written down: choosing among many makes the best look too good."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = ".evaluations.csv"  # beside the runs; hidden, so that runs/* names runs only
COLUMNS = ("time", "run", "part", "fingerprint", "spec", "error", "n")


def write_down(runs: Path, run: str, part: str, fingerprint: str | None, spec: str, rate: Mapping[str, Any]) -> None:
    """Add a line to the ledger in one write: processes that share the folder do not mix theirs."""
    file, now = runs / FILE, datetime.now(UTC).isoformat(timespec="seconds")
    cells = (now, run, part, fingerprint or "", spec, f"{rate['error']:.7g}", rate["n"])
    head = "" if file.exists() else ",".join(COLUMNS) + "\n"
    append(file, head + ",".join(map(str, cells)))


def append(file: Path, line: str) -> None:
    """Add a line in one write, on disk when it returns: processes that share the file do not mix their lines."""
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
    try:
        os.write(handle, f"{line}\n".encode(errors="backslashreplace"))  # half a pair of surrogates
        os.fsync(handle)
    finally:
        os.close(handle)


def tried(runs: Path, part: str, fingerprint: str | None) -> int:
    """How many different experiments were judged by this set of images."""
    try:
        with (runs / FILE).open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error):
        return 0
    return len({row.get("spec") for row in rows if row.get("part") == part and row.get("fingerprint") == fingerprint})
