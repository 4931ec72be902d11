"""What a long run that is behind half-way comes to: why `improve auto` gives it up there.

    python benchmarks/loop/halfway.py [WALKS]

Looks at every change that took twice its parent's epochs or more and was trained to its end. WALKS is a folder of such
walks, made by a loop that gives nothing up; what is read from it goes into halfway.jsonl. Writes a section into
benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from improve.experiments.auto.journal import KEPT, AutoStep, read_journal
from improve.runs.run import Run, load_run
from runner_tax_report import markdown, put

FILE = Path(__file__).parent / "halfway.jsonl"
BEHIND = (-math.inf, 0.0, 1.0, 2.0, 4.0, math.inf)  # points, after half of the epochs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("walks", type=Path, nargs="?")
    walks = parser.parse_args().walks
    if walks:
        found = [row for file in sorted(walks.glob("*/*/*/auto/steps.jsonl")) for row in long_runs(walks, file.parent)]
        FILE.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    head = ["behind after half of the epochs", "runs", "behind at the end", "better at the end", "kept"]
    tasks = ", ".join(sorted({row["walk"].partition("/")[0] for row in rows}))
    text = (
        "## A long run that is behind half-way\n\n"
        f"All {len(rows)} changes of walks ({tasks}) that took twice their parent's epochs or more, trained to their "
        "end; points of\nvalidation error against the parent's best, of the best epoch so far; by\n"
        "`python benchmarks/loop/halfway.py`. The loop gives up where P(better) is below 0.05 after half of them:\n"
        "on 1,000 images, about two points behind.\n\n"
        f"{markdown(head, list(table(rows)))}\n"
    )
    print(text)
    put(Path(__file__).parents[1] / "RESULTS.md", text)


def long_runs(walks: Path, folder: Path) -> Iterator[dict[str, Any]]:
    for step in read_journal(folder).decided:
        if step.parent is not None and step.code:
            own, parent = load_run(folder / step.run), load_run(folder / step.parent)
            if parent.history and len(own.history) >= 2 * int(parent.spec["training"]["epochs"]):
                yield row(str(folder.parent.relative_to(walks)), step, errors(own), min(errors(parent)))


def row(walk: str, step: AutoStep, own: Sequence[float], best: float) -> dict[str, Any]:
    return {
        "walk": walk,
        "run": step.run,
        "edits": dict(step.edits),
        "epochs": len(own),
        "half": round(min(own[: len(own) // 2]) - best, 6),
        "end": round(min(own) - best, 6),
        "kept": step.verdict == KEPT,
    }


def errors(run: Run) -> list[float]:
    """Of validation, after each epoch."""
    return [float(each["validation_error"]) for each in run.history]


def table(rows: Sequence[dict[str, Any]]) -> Iterator[list[str]]:
    for low, high in pairwise(BEHIND):
        found = [row for row in rows if low < 100 * row["half"] <= high]
        if found:
            ends = [100 * row["end"] for row in found]
            name = f"{low:g} to {high:g}" if math.isfinite(low) and math.isfinite(high) else (
                "not at all" if high <= 0 else f"more than {low:g}"
            )  # fmt: skip
            better, kept = sum(end < 0 for end in ends), sum(row["kept"] for row in found)
            yield [name, str(len(found)), f"{min(ends):+.1f} to {max(ends):+.1f}", str(better), str(kept)]


if __name__ == "__main__":
    main()
