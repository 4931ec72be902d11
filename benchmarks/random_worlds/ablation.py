"""What each part of the diagnosis adds, on what is packed of the random worlds; needs no Keras, takes some minutes.

    python benchmarks/random_worlds/ablation.py [--write]

Every forest is grown without the source of images that is scored.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fit import Row, by_source, observed
from score import RESULTS, by, by_each, put, scores
from scored import Known, Told, scored

from improve.diagnosis.diagnose import Diagnosis
from improve.diagnosis.forest import NONE, Forest

TITLE = "Random worlds, part by part"
COLUMNS = {
    "detected": "found or likely", "cause_first": "cause first", "first_found": "first and found",
    "cause_in_four": "in four", "false_alarm": "false alarm",
}  # fmt: skip
PROBE = ("rate_below_lowest", "rate_below_falling")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    arguments = parser.parse_args()
    rows = observed(None)
    ways: dict[str, Told] = {
        "facts alone": facts_alone,
        "rules in the order of the recipe": by(NONE),
        "forest, of checks alone": by_each(grown_on(rows, lambda name: ":" in name)),
        "forest, of signs alone": by_each(grown_on(rows, lambda name: ":" not in name)),
        "forest, without the rate probe": by_each(grown_on(rows, lambda name: name not in PROBE)),
        "forest": by_each(by_source(rows)),
    }
    lines = [f"| | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, told in ways.items():
        lines.append(f"| {name} | {' | '.join(cells(scores(scored(None, told))))} |")
        print(lines[-1], flush=True)
    if arguments.write:
        put(RESULTS, f"## {TITLE}\n\nBy `python benchmarks/random_worlds/ablation.py`.\n\n" + "\n".join(lines) + "\n")


def facts_alone(known: Known, found: Any) -> Diagnosis:
    diagnosis = by(NONE)(known, found)
    return replace(diagnosis, findings=tuple(one for one in diagnosis.findings if one.fact))


def grown_on(rows: list[Row], asked: Callable[[str], bool]) -> dict[str, Forest]:
    """By source, a forest that is asked for these signs alone."""
    kept = [{name: value for name, value in row.values.items() if asked(name)} for row in rows]
    return by_source([replace(row, values=values) for row, values in zip(rows, kept, strict=True)])


def cells(found: dict[str, dict[str, float] | None]) -> list[str]:
    told = [found[name] for name in COLUMNS]
    return [
        f"{one['hits']:.0f}/{one['of']:.0f} = {100 * one['hits'] / one['of']:.0f} %" if one else "–" for one in told
    ]


if __name__ == "__main__":
    main()
