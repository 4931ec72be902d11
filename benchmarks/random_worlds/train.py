"""Trains what is missing of the random worlds: sound runs and faults.

    python benchmarks/random_worlds/train.py [--worlds 0-39] [--jobs 2]

A world that is done is packed into packed/, which is kept with the code; its runs may then be deleted. A run that lies
in runs/ is not trained again. Then changes.py trains what the diagnosis proposes, and score.py scores what is packed,
without Keras.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from packing import PACKED, pack
from running import Job, one_thread, summary, train
from suite import Case, alternatives, cases, spec_of
from world import World, numbers

SOUND = 0.03  # an alternative that is better by more than this, and by a seventh of the error, takes the base's place
PART = 1 / 7
ATTEMPTS, LEARNED = 5, 0.8  # specs that are drawn for a world; of the error of guessing
ROUNDS = 3  # of that, at most


def main() -> None:
    arguments = parser_of(__doc__).parse_args()
    worlds = [world for world in map(World, arguments.worlds) if not (PACKED / f"{world.name}.tar.xz").exists()]
    print(f"{len(worlds)} worlds to train", flush=True)
    in_processes(settle, worlds, arguments.jobs)


def in_processes(work: Callable[[World], str], worlds: list[World], jobs: int) -> None:
    """A process for each world, so many at a time, and a line for each that is done. What goes wrong in one world is
    told and does not keep the others."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(jobs, one_thread, maxtasksperchild=1) as pool:
        for line in pool.imap_unordered(partial(outcome, work), worlds):
            print(line, flush=True)


def outcome(work: Callable[[World], str], world: World) -> str:
    try:
        return work(world)
    except Exception:
        return f"{world.name} {world.source}: {traceback.format_exc()}"


def parser_of(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--worlds", type=numbers, default=numbers("0-39"), help="such as 0-39, or 3,7")
    parser.add_argument("--jobs", type=int, default=2, help="processes; each uses one thread")
    return parser


def settle(world: World) -> str:
    """Everything of one world, from its rate to its pack; returns what to tell of it. Where nothing learns, the pack
    says so and holds no run."""
    began = time.monotonic()
    world, learned = learning(world)
    found, data = cases(world) if learned else ([], {})
    for name, parts in data.items():
        world.put(name, parts)
    for case in found:
        run_case(world, case)
    seconds = time.monotonic() - began
    pack(world, found, seconds)
    return f"{world.name} {world.source}: {len(found)} runs, {seconds / 60:.1f} minutes"


def learning(world: World) -> tuple[World, bool]:
    """The first attempt whose base learns, tuned; else the last one, and False."""
    world = replace(world, attempt=world.begun)
    while not learns(tune(world), world):
        if world.attempt + 1 == ATTEMPTS:
            return world, False
        shutil.rmtree(world.runs)
        world = replace(world, attempt=world.attempt + 1)
    return world, True


def learns(reached: float, world: World) -> bool:
    """Whether a base is far better than always answering the commonest class: else nothing put in could hurt it."""
    counts = np.bincount(world.parts["y_test"])
    return reached < LEARNED * (1 - float(counts.max() / counts.sum()))


def tune(world: World) -> float:
    """Take a rate that the range test likes, then let alternatives compete with it on the reserve. Gives the error that
    the base reached there."""
    if world.setting_file.exists():
        return error(world.runs / "tuning_base")
    world.put("plain", world.parts)
    world.set(liked_rate(world), world.spec["training"]["epochs"])
    for _ in range(ROUNDS):
        base = error(run_case(world, Case("tuning_base", "base", {})))
        rivals = {case.name: (error(run_case(world, case)), case) for case in alternatives(world)}
        best, case = min(rivals.values(), key=lambda found: found[0])
        if best >= base - max(SOUND, PART * base):
            break
        base = best
        taken = spec_of(world, case)
        world.set(taken["optimizer"]["learning_rate"], taken["training"]["epochs"])
    return base


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


if __name__ == "__main__":
    main()
