"""How often each change of the fault suite came true: what `improve auto` starts from, in
src/improve/experiments/auto/advice.json.

    python benchmarks/faults/advice.py

A change came true where the run trained with it errs less on the same validation images than the run that was
diagnosed, beyond chance (95 % interval, paired). From the trained patches in benchmarks/faults/runs, those of real.py
as well.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import real
from running import read_json, summary
from worlds import WORLDS

from improve.diagnosis.advice_log import difference_on_the_same_images
from improve.errors import ImproveError
from improve.experiments.auto.advice_prior import change_key
from improve.runs.run import load_run

FILE = Path(__file__).parents[2] / "src" / "improve" / "experiments" / "auto" / "advice.json"


def came_true(child: Path, parent: Path) -> bool | None:
    """None where the two cannot be put side by side."""
    try:
        seen = difference_on_the_same_images(load_run(child), load_run(parent))
    except ImproveError:
        return None
    return None if seen is None else seen[1] > 0


def counted() -> dict[str, dict[str, list[int]]]:
    """By code and change: how often it came true, of how many times it was tried."""
    counts: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for runs in (*(world.runs for world in WORLDS.values()), *(real.RUNS / name for name in real.SOURCES)):
        for file in sorted(runs.glob("*/patch*/patch.json")):
            child, patch = file.parent, read_json(file)
            true = came_true(child, child.parent / f"seed{child.name.lstrip('patch_').rpartition('_')[2]}")
            if patch and true is not None and summary(child).get("status") == "finished":
                image = load_run(child).environment.data.image
                cell = counts[patch["code"]][change_key(patch["path"], patch["value"], image)]
                cell[0] += true
                cell[1] += 1
    return counts


def main() -> None:
    counts = counted()
    FILE.write_text(json.dumps(counts, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for code, paths in sorted(counts.items()):
        print(code, dict(paths))


if __name__ == "__main__":
    main()
