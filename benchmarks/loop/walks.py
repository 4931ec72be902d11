"""Three ways to improve a spec with the same epochs: `improve auto`, random search and TPE; tasks, starts, seeds.

    python benchmarks/loop/walks.py [--task digits …] [--seeds 5] [--runs 16]

Each gets as many epochs as 16 runs of the start take, range tests and second seeds counted. The validation images
choose, the test images judge (score.py). Random search and TPE know nothing of a start, so one search per seed serves
all. What came of each goes into results.jsonl and is not trained again; benchmarks/loop/runs keeps the runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import outcomes
from tasks import RUNS, TASKS, Task, starts, write_folder

from improve.errors import ImproveError
from improve.experiments.auto.accept import SECOND
from improve.experiments.auto.budget import Budget
from improve.experiments.auto.conclusion import conclusion_of
from improve.experiments.auto.journal import KEPT, Journal, read_journal
from improve.experiments.auto.loop import auto
from improve.experiments.sweep.plan import plan
from improve.experiments.sweep.result import sweep_verdict
from improve.experiments.sweep.sweep import sweep
from improve.spec.reading import yaml as yamlfile
from improve.spec.reading.load import load_spec

SEARCHES = ("random", "tpe")


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
                once(name, search, seed, partial(searched, one, search, seed, arguments.runs))
            for start in starts(one):
                once(name, start, seed, partial(walked, one, start, seed, arguments.runs))


def once(task: str, way: str, seed: int, work: Callable[[Path], tuple[Path, dict[str, Any]]]) -> None:
    """Do it where its outcome is missing. Several processes may be at it, each with a task of its own."""
    if (task, way, seed) in outcomes.read():
        return
    place = RUNS / task / way / str(seed)
    place.mkdir(parents=True, exist_ok=True)
    began = cpu_seconds()
    winner, result = work(place)
    result |= {"task": task, "way": way, "seed": seed, "seconds": round(cpu_seconds() - began, 1)}
    outcomes.add(result, winner)
    print(f"{task}/{way}/{seed}   test {100 * result['test']:.1f} %   {result['seconds']:.0f} s", flush=True)


def cpu_seconds() -> float:
    """Of this process and of the workers that it has had."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def written(place: Path, spec: dict[str, Any], seed: int) -> Path:
    file = place / "start.yaml"
    file.write_text(yamlfile.write({**spec, "seed": seed}))
    return file


def searched(one: Task, search: str, seed: int, runs: int, place: Path) -> tuple[Path, dict[str, Any]]:
    """The winner's folder, and what is told of the search. What diverges early leaves epochs for further trials."""
    start, folder, trials, budget = written(place, one.spec, seed), place / "sweep", runs, runs * one.epochs
    while True:
        made = plan(start, one.space, search=search, trials=trials)
        results = sweep(made, folder)
        epochs = sum(len(run.history) for each in results for run in each.runs)
        more = (budget - epochs) // one.epochs
        if more < 1:
            winner = sweep_verdict(made, folder, results).best.runs[0].folder
            return winner, told(winner, epochs)
        trials += more


def walked(one: Task, start: str, seed: int, runs: int, place: Path) -> tuple[Path, dict[str, Any]]:
    """As `searched`; where three runs in a row failed, what was best before counts."""
    spec = load_spec(written(place, starts(one)[start], seed), [])
    with contextlib.suppress(ImproveError):
        auto(spec, "auto", place, Budget(epochs=runs * one.epochs))
    story = read_journal(place / "auto")
    end = conclusion_of(story)
    advice = [step for step in story.decided if step.code]
    more: dict[str, Any] = {"tried": len(advice), "came_true": sum(step.verdict == KEPT for step in advice)}
    more |= {"advice": [[step.code, step.path, step.verdict] for step in advice], "best": end.best.name}
    more |= {"start": error(place / "auto" / "00", "test"), "kept": error(place / "auto" / str(story.best), "test")}
    more |= {"explored": explored(story), "weighed": list(weighed(story))}
    return end.best.folder, told(end.best.folder, end.epochs) | more


def explored(story: Journal) -> dict[str, int]:
    """The epochs that went into points that nothing was found for, and how many of these were kept."""
    points = [step for step in story.decided if step.parent is not None and not step.code]
    names = {name for step in points for name in (step.run, step.run + SECOND)}
    epochs = sum(int(run.summary.epochs) for run in story.runs() if run.folder.name in names)
    return {"epochs": epochs, "kept": sum(step.verdict == KEPT for step in points)}


def weighed(story: Journal) -> Iterator[list[Any]]:
    """Of each change that was weighed at its end: P(better), whether it was kept, and by how much the validation and
    the test error lie above the parent's."""
    for step in story.decided:
        if step.parent is not None and step.recovered is not None:
            own, parent = (story.folder / name for name in (step.run, step.parent))
            apart = [round(error(own, part) - error(parent, part), 6) for part in ("validation", "test")]
            yield [step.better, step.verdict == KEPT, *apart]


def told(winner: Path, epochs: int) -> dict[str, Any]:
    return {"epochs": epochs, **{part: error(winner, part) for part in ("validation", "test")}}


def error(folder: Path, part: str) -> float:
    """All are wrong, for a run that diverged before its first epoch ended."""
    return float(json.loads((folder / "summary.json").read_text()).get(part, {}).get("error", 1.0))


if __name__ == "__main__":
    main()
