"""Tries the changes that `improve diagnose --confirm` would try on the packed runs of the random worlds.

    python benchmarks/random_worlds/confirm.py [--worlds 0-39] [--jobs 2]

The diagnosis is by a forest that was grown without the source of images that is tried. A run that was too short is
trained anew, for packs hold no state. What came of it stands in packed/, as confirm.json would hold it; score.py
--confirm reads it.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from changes import with_data
from fit import by_source, observed
from packing import PACKED, confirmed_file, read_confirmed, unpacked
from running import Job
from train import in_processes, parser_of
from workplace import NETS
from world import World

from improve.diagnosis.diagnose import Diagnosis, diagnose
from improve.diagnosis.forest import Forest
from improve.engine.training.watcher import NOBODY
from improve.errors import ImproveError
from improve.experiments.confirmation.judgement import Seen, judged
from improve.experiments.confirmation.measurement import measured
from improve.experiments.confirmation.plan import Trial, plan
from improve.experiments.paused_run import PausingWatcher, trained_run
from improve.runs import files, run
from improve.spec.reading.flatten import with_setting


def main() -> None:
    arguments = parser_of(__doc__).parse_args()
    worlds = [world for world in map(World, arguments.worlds) if (PACKED / f"{world.name}.tar.xz").exists()]
    fitted = by_source(observed(None))
    print(f"{len(worlds)} worlds whose changes are tried", flush=True)
    in_processes(partial(try_world, fitted=fitted), worlds, arguments.jobs)


def try_world(world: World, fitted: dict[str, Forest]) -> str:
    began, known, epochs = time.monotonic(), read_confirmed(world.name), 0
    with unpacked(PACKED / f"{world.name}.tar.xz") as (about, folder):
        world = replace(world, attempt=about.get("attempt", 0))
        world.set(about["learning_rate"], about["epochs"])
        data = {case.name: parts for case, parts in with_data(world)}
        for name in about["cases"]:
            if name not in known and (found := diagnosed(folder / name, fitted[about["source"]])):
                known[name] = tried(world, found, data[name])
                epochs += known[name]["epochs"]
                files.write_json(confirmed_file(world.name), known)
                print(f"  {world.name} {name}  {'; '.join(one['says'] for one in known[name]['trials'])}", flush=True)
    return f"{world.name} {world.source}: {epochs} epochs, {(time.monotonic() - began) / 60:.1f} minutes"


def diagnosed(folder: Path, forest: Forest) -> Diagnosis | None:
    """None where nothing can be said, or tried."""
    try:
        found = diagnose(run.load_run(folder), forest=forest)
    except ImproveError:
        return None
    return found if found.run and found.run.history else None


def tried(world: World, diagnosis: Diagnosis, parts: Any) -> dict[str, Any]:
    """The content of confirm.json."""
    assert diagnosis.run
    control = at_home(world, diagnosis.run, parts)
    trials, began = plan(replace(diagnosis, run=control)), time.monotonic()
    seen = [one for trial in trials if (one := outcome(world, trial, control))]
    found = judged(seen, diagnosis.errors.tau if diagnosis.errors else 0.0)
    return {
        "state_sha256": control.summary.state_sha256,
        "epochs": sum(trial.cost for trial in trials),
        "seconds": round(time.monotonic() - began, 1),
        "trials": [one.as_json() for one in found],
    }


def at_home(world: World, found: run.Run, parts: Any) -> run.Run:
    """The run with its images and its network where they can be found: it was trained elsewhere."""
    name = Path(found.spec["data"]["source"]["path"]).name
    world.put(Path(name).stem, parts)
    shutil.copy2(world.work / NETS.name, found.folder)
    return replace(found, spec=with_setting(found.spec, "data.source.path", str((world.work / name).resolve())))


def outcome(world: World, trial: Trial, control: run.Run) -> Seen | None:
    """None where the change cannot be trained."""
    folder = world.runs / "confirmed"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        spec = Job(folder, trial.spec, world.work).load()
        changed = trained_run(world.runs, folder.name, spec, PausingWatcher(NOBODY), trial.epochs)
        return measured(trial, control, changed)
    except ImproveError:
        return None


if __name__ == "__main__":
    main()
