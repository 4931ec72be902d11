"""How changes turn out on the sealed test images, by how likely they looked on the validation images: what
`improve auto` should end with.

    python benchmarks/loop/ends.py

Reads results.jsonl, which walks.py writes. Writes a section into benchmarks/RESULTS.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import outcomes

sys.path.insert(0, str(Path(__file__).parents[1]))
from runner_tax_report import markdown, put

EDGES = (0.0, 0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.98, 1.01)  # of P(better)


def main() -> None:
    walks = [found.told for found in outcomes.read().values() if "weighed" in found.told]
    tasks = list(dict.fromkeys(walk["task"] for walk in walks))
    head = ["task", "P(better)", "changes", "kept", "validation, points", "test, points", "better on test", "worse"]
    ends = ["task", "walks", "run kept last", "winner", "winner − kept last, points"]
    text = (
        "## What a walk should end with\n\n"
        "Every change of the walks that was weighed at its end: its validation and its test error against its "
        "parent's,\nmean with the standard error, by P(better), which rests on the validation images; then the test "
        "errors\nwhere the walks end. By `python benchmarks/loop/ends.py`. A change is kept from 0.98, or from 0.8 on "
        "two seeds; at\nthe end what was weighed against the run kept last wins from 0.5.\n\n"
        f"{markdown(head, [row for task in tasks for row in turned_out(task, walks)])}\n\n"
        f"{markdown(ends, [ended(task, walks) for task in tasks])}\n"
    )
    print(text)
    put(Path(__file__).parents[1] / "RESULTS.md", text)


def turned_out(task: str, walks: Sequence[dict[str, Any]]) -> Iterator[list[str]]:
    changes = [change for walk in walks if walk["task"] == task for change in walk["weighed"]]
    for low, high in pairwise(EDGES):
        found = [change for change in changes if low <= change[0] < high]
        if found:
            tests = [test for *_, test in found]
            yield [
                task,
                f"{low:g} to {min(high, 1):g}",
                str(len(found)),
                str(sum(kept for _, kept, *_ in found)),
                points([validation for *_, validation, _ in found]),
                points(tests),
                str(sum(test < 0 for test in tests)),
                str(sum(test > 0 for test in tests)),
            ]


def ended(task: str, walks: Sequence[dict[str, Any]]) -> list[str]:
    found = [walk for walk in walks if walk["task"] == task]
    kept, won = [walk["kept"] for walk in found], [walk["test"] for walk in found]
    apart = [one - other for one, other in zip(won, kept, strict=True)]
    return [task, str(len(found)), f"{100 * fmean(kept):.2f} %", f"{100 * fmean(won):.2f} %", points(apart)]


def points(shares: Sequence[float]) -> str:
    error = f" ± {100 * stdev(shares) / len(shares) ** 0.5:.2f}" if len(shares) > 1 else ""
    return f"{100 * fmean(shares):+.2f}{error}"


if __name__ == "__main__":
    main()
