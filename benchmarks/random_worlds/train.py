"""Trains what is missing of the random worlds: sound runs, faults, and what the diagnosis proposes for each.

    python benchmarks/random_worlds/train.py [--worlds 0-39] [--jobs 2]

A world that is done is packed into packed/, which is kept with the code; its runs may then be deleted. A run that lies
in runs/ is not trained again. score.py scores what is packed, without Keras.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from pathlib import Path
from typing import Any

import numpy as np
from packing import PACKED, pack
from running import Job, failed, one_thread, summary, train
from suite import Case, alternatives, cases, spec_of
from world import World

from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.next_spec import revised_spec
from improve.errors import ImproveError
from improve.runs import files, run

SOUND = 0.03  # an alternative that is better by more than this, and by a seventh of the error, takes the base's place
PART = 1 / 7
TRIED = 4  # changes of a run that are trained, at most: each finding's first one


def main() -> None:
    arguments = parsed()
    worlds = [world for world in map(World, arguments.worlds) if not (PACKED / f"{world.name}.tar.xz").exists()]
    print(f"{len(worlds)} worlds to train", flush=True)
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(arguments.jobs, one_thread, maxtasksperchild=1) as pool:
        for line in pool.imap_unordered(settle, worlds):
            print(line, flush=True)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=numbers, default=numbers("0-39"), help="such as 0-39, or 3,7")
    parser.add_argument("--jobs", type=int, default=2, help="processes; each uses one thread")
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    ends = [[int(end) for end in part.split("-")] for part in text.split(",")]
    return [number for part in ends for number in range(part[0], part[-1] + 1)]


def settle(world: World) -> str:
    """Everything of one world, from its rate to its pack; returns what to tell of it."""
    began = time.monotonic()
    tune(world)
    found, data = cases(world)
    for name, parts in data.items():
        world.put(name, parts)
    for case in found:
        run_case(world, case)
        try_changes(world, case)
    seconds = time.monotonic() - began
    pack(world, found, seconds)
    return f"{world.name} {world.source}: {len(found)} runs, {seconds / 60:.1f} minutes"


def tune(world: World) -> None:
    """Take a rate that the range test likes, then let alternatives compete with it on the reserve."""
    if world.setting_file.exists():
        return
    world.put("plain", world.parts)
    world.set(liked_rate(world), world.spec["training"]["epochs"])
    base = error(run_case(world, Case("tuning_base", "base", {})))
    rivals = {case.name: (error(run_case(world, case)), case) for case in alternatives(world)}
    best, case = min(rivals.values(), key=lambda found: found[0])
    if best < base - max(SOUND, PART * base):
        taken = spec_of(world, case)
        world.set(taken["optimizer"]["learning_rate"], taken["training"]["epochs"])


def liked_rate(world: World) -> float:
    """Where the loss of the range test falls steadily: the median of its three readings over one seed."""
    from improve.engine.training.watcher import NOBODY
    from improve.experiments.lr_range import range_test

    job = Job(world.runs / "range", {**world.spec, "seed": 0}, world.work)
    suggested = range_test(job.load(), NOBODY).suggestions()
    return (
        float(f"{np.median(list(suggested.values())):.2g}") if suggested else world.spec["optimizer"]["learning_rate"]
    )


def run_case(world: World, case: Case) -> Path:
    return trained(Job(world.runs / case.name, spec_of(world, case), world.work))


def trained(job: Job) -> Path:
    if not job.is_done():
        title, ended, seconds = train(job)
        print(f"  {title}  {ended}  {seconds:.1f} s", flush=True)
    return job.folder


def error(folder: Path) -> float:
    return float(summary(folder).get("test", {}).get("error", 1.0))


def try_changes(world: World, case: Case) -> None:
    """Train the first change of each finding, and write beside the run what it reached."""
    folder, outcomes = world.runs / case.name, dict[str, Any]()
    for finding in proposals(folder):
        edits = json.dumps(finding.changes[0].edits)
        if edits not in outcomes and len(outcomes) < TRIED:
            outcomes[edits] = reached(world, folder, len(outcomes), finding.changes[0])
    files.write_json(folder / "changes.json", outcomes)


def proposals(folder: Path) -> list[Any]:
    try:
        findings = diagnose(run.load_run(folder)).findings
    except ImproveError:
        return []
    return [finding for finding in findings if finding.changes and finding.status == "found"]


def reached(world: World, folder: Path, place: int, change: Any) -> dict[str, float]:
    """Validation and test error after the change; nothing where it cannot be trained."""
    target = folder.with_name(f"{folder.name}.change{place}")
    try:
        revised = revised_spec(run.load_run(folder).spec, change)
    except ImproveError as refused:
        failed(target, str(refused))
        return {}
    after = summary(trained(Job(target, revised, world.work)))
    return {part: after[part]["error"] for part in ("train", "validation", "test") if part in after}


if __name__ == "__main__":
    main()
