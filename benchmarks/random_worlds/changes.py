"""Trains what the diagnosis proposes for the packed runs of the random worlds, and writes down what it reached.

    python benchmarks/random_worlds/changes.py [--worlds 0-39] [--jobs 2] [--of sound]

Of a fault the first change that is proposed; of a sound run that of each finding, four at most, for a finding that pays
is no false alarm. What was reached stands in packed/, beside the runs; a change that stands there is not trained again.
Edits are the key, so it holds for any diagnosis that proposes the same.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from packing import PACKED, outcomes_file, read_outcomes, unpacked
from running import Job, summary, train
from suite import cases
from train import in_processes, parser_of
from world import World

from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.findings.rule import Change
from improve.diagnosis.next_spec import revised_spec
from improve.errors import ImproveError
from improve.runs import files, run

CHANGES = {"faults": 1, "sound": 4}  # of a run that are trained, at most


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--of", choices=CHANGES, nargs="+", default=[*CHANGES], help="runs whose changes are trained")
    arguments = parser.parse_args()
    worlds = [world for world in map(World, arguments.worlds) if (PACKED / f"{world.name}.tar.xz").exists()]
    print(f"{len(worlds)} worlds whose changes are looked through", flush=True)
    in_processes(partial(try_changes, of=arguments.of), worlds, arguments.jobs)


def try_changes(world: World, of: list[str]) -> str:
    began, outcomes, trained = time.monotonic(), read_outcomes(world.name), 0
    with unpacked(PACKED / f"{world.name}.tar.xz") as (about, folder):
        world = replace(world, attempt=about.get("attempt", 0))
        world.set(about["learning_rate"], about["epochs"])
        data = {case.name: parts for case, parts in with_data(world)}
        for name, case in about["cases"].items():
            kind = "faults" if case["kinds"] else "sound"
            known = outcomes.setdefault(name, {})
            for change in proposals(folder / name)[: CHANGES[kind] if kind in of else 0]:
                edits = json.dumps(change.edits)
                if edits not in known:
                    known[edits] = reached(world, folder / name, data[name], change)
                    files.write_json(outcomes_file(world.name), outcomes)
                    trained += 1
    return f"{world.name} {world.source}: {trained} changes, {(time.monotonic() - began) / 60:.1f} minutes"


def with_data(world: World) -> list[tuple[Any, Any]]:
    found, data = cases(world)
    return [(case, data[case.data]) for case in found]


def proposals(folder: Path) -> list[Change]:
    try:
        findings = diagnose(run.load_run(folder)).findings
    except ImproveError:
        return []
    changes = [finding.changes[0] for finding in findings if finding.changes and finding.status == "found"]
    return list({json.dumps(change.edits): change for change in changes}.values())


def reached(world: World, folder: Path, parts: Any, change: Change) -> dict[str, float]:
    """Training, validation and reserve error after the change; nothing where it cannot be trained."""
    try:
        revised = revised_spec(run.load_run(folder).spec, change)
    except ImproveError:
        return {}
    source, model = revised["data"]["source"], revised["model"]
    world.put(Path(source["path"]).stem, parts)
    source["path"] = Path(source["path"]).name  # it was trained elsewhere
    if "target" in model:
        model["target"] = Path(model["target"]).name
    job = Job(world.runs / "changed", revised, world.work)
    print(f"  {folder.name} {change.edits}  {train(job)[1]}", flush=True)
    after = summary(job.folder)
    return {part: after[part]["error"] for part in ("train", "validation", "test") if part in after}


if __name__ == "__main__":
    main()
