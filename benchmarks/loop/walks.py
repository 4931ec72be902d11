"""Three ways to improve a spec with the same epochs: `improve auto`, random search and TPE; tasks, starts, seeds.

    python benchmarks/loop/walks.py [--task digits …] [--seeds 5] [--runs 16]

Each gets as many epochs as 16 runs of the start take, range tests and second seeds counted. The validation images
choose, the test images judge (score.py). Random search and TPE know nothing of a start, so one search per seed serves
all. What is there is not trained again; benchmarks/loop/runs keeps everything.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tasks import RUNS, TASKS, Task, starts, write_folder

from improve import yamlfile
from improve.auto import auto
from improve.ending import ending
from improve.errors import ImproveError
from improve.points import plan
from improve.specfile import load
from improve.sweep import sweep
from improve.sweep_result import conclude
from improve.walk import Budget

SEARCHES = ("random", "tpe")


class Silent:
    """Watches a walk, or a sweep."""

    def reading(self, *told: Any) -> None: ...
    def started(self, *told: Any) -> None: ...
    def step(self, *told: Any) -> None: ...
    def epoch(self, *told: Any) -> None: ...
    def begun(self, *told: Any) -> None: ...
    def decided(self, *told: Any) -> None: ...
    def member(self, *told: Any) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=TASKS, action="append")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=16, help="of the start, that the budget would pay for")
    arguments = parser.parse_args()
    write_folder()
    for name in arguments.task or TASKS:
        for seed in range(arguments.seeds):
            one = TASKS[name]
            for search in SEARCHES:
                once(RUNS / name / search / str(seed), lambda place, one=one, search=search, seed=seed:
                     searched(one, search, seed, arguments.runs, place))  # fmt: skip
            for start in starts(one):
                once(RUNS / name / start / str(seed), lambda place, one=one, start=start, seed=seed:
                     walked(one, start, seed, arguments.runs, place))  # fmt: skip


def once(place: Path, work: Any) -> None:
    """Do it where its result is missing; write what it took beside it."""
    if (place / "result.json").is_file():
        return
    place.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    result = work(place)
    result["seconds"] = time.monotonic() - began
    (place / "result.json").write_text(json.dumps(result))
    print(f"{place.relative_to(RUNS)}   test {100 * result['test']:.1f} %   {result['seconds']:.0f} s", flush=True)


def written(place: Path, spec: dict[str, Any], seed: int) -> Path:
    file = place / "start.yaml"
    file.write_text(yamlfile.write({**spec, "seed": seed}))
    return file


def searched(one: Task, search: str, seed: int, runs: int, place: Path) -> dict[str, Any]:
    made = plan(written(place, one.spec, seed), one.space, search=search, trials=runs)
    found = conclude(made, place / "sweep", sweep(made, place / "sweep", Silent()))
    epochs = sum(len(made.history) for each in found.results for made in each.runs)
    return told(place, found.best.runs[0].folder, epochs)


def walked(one: Task, start: str, seed: int, runs: int, place: Path) -> dict[str, Any]:
    """Where three runs in a row failed, what was best before counts."""
    spec = load(written(place, starts(one)[start], seed), [])
    with contextlib.suppress(ImproveError):
        auto(spec, "auto", place, Budget(epochs=runs * one.epochs), Silent())
    from improve.story import read

    story = read(place / "auto")
    end = ending(story)
    advice = [step for step in story.decided if step.code]
    more = {"tried": len(advice), "came_true": sum(step.verdict == "kept" for step in advice)}
    codes = [[step.code, step.path, step.verdict] for step in advice]
    return told(place, end.best.folder, end.epochs) | more | {"advice": codes, "best": end.best.name}


def told(place: Path, folder: Path, epochs: int) -> dict[str, Any]:
    summary = json.loads((folder / "summary.json").read_text())
    errors = {part: summary[part]["error"] for part in ("validation", "test")}
    return {"folder": str(folder.relative_to(place)), "epochs": epochs, **errors}


if __name__ == "__main__":
    main()
