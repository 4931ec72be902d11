"""Which changes are tried out: what the diagnosis of a faulty run proposes first, and on runs that should be left alone
one change for each code that was found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path

from running import Job, read_json, summary
from suite import Case
from worlds import World

from improve.diagnosis.diagnose import Diagnosis, diagnose
from improve.diagnosis.findings.rule import Finding
from improve.diagnosis.next_spec import revised_spec
from improve.errors import ImproveError
from improve.runs import run

TRIED = 3  # seeds that a change is trained with


def diagnosed(case: Case, folder: Path) -> Diagnosis | None:
    """None where the run has nothing to diagnose: it failed."""
    return diagnosed_once(folder, case.opens_test)


@cache
def diagnosed_once(folder: Path, test: bool) -> Diagnosis | None:
    try:
        found = run.load_run(folder)
        return diagnose(found, found.sealed_test if test else None)  # the suite's own data: no look is written down
    except ImproveError:
        return None


def found(diagnosis: Diagnosis | None) -> list[Finding]:
    return [finding for finding in diagnosis.findings if finding.stands or finding.is_guess] if diagnosis else []


def seeds(world: World, case: Case) -> list[tuple[int, Path]]:
    """The trained runs of a case, by seed."""
    folders = {int(folder.name[4:]): folder for folder in (world.runs / case.name).glob("seed*")}
    return [(seed, folder) for seed, folder in sorted(folders.items()) if summary(folder)]


def patched(world: World, case: Case, code: str = "") -> list[tuple[int, Path]]:
    """Where the patched runs of a case lie (trained or not), by seed; those of a code on a case without a fault."""
    parent = world.runs / case.name
    name = f"patch_{code}_" if code else "patch"
    return [(seed, parent / f"{name}{seed}") for seed, _ in seeds(world, case)[:TRIED]]


def wanted(world: World, cases: list[Case]) -> Iterator[Job]:
    for case in cases:
        yield from of_fault(world, case) if case.kind == "fault" else of_others(world, case)


def of_fault(world: World, case: Case) -> Iterator[Job]:
    """Each seed with what its own diagnosis says first."""
    for (_, folder), (_, target) in zip(seeds(world, case), patched(world, case), strict=False):
        first = found(diagnosed(case, folder))[:1]
        if first and first[0].changes:
            yield job(world, folder, target, first[0])


def of_others(world: World, case: Case) -> Iterator[Job]:
    """Each code with the first change that it proposed on any seed, tried on the same seeds as all."""
    folders = dict(seeds(world, case))
    for code, finding in proposals(world, case).items():
        for seed, target in patched(world, case, code):
            yield job(world, folders[seed], target, finding)


def proposals(world: World, case: Case) -> dict[str, Finding]:
    """By code, the first finding of any seed that proposes a change."""
    first: dict[str, Finding] = {}
    for _, folder in seeds(world, case):
        for finding in found(diagnosed(case, folder)):
            if finding.changes:
                first.setdefault(finding.code, finding)
    return first


def job(world: World, folder: Path, target: Path, finding: Finding) -> Job:
    change = finding.changes[0]
    spec = revised_spec(run.load_run(folder).spec, change)
    return Job(target, spec, world.work, {"code": finding.code, **asdict(change)})


def tried(finding: Finding | None, target: Path) -> bool:
    """Whether the run there was trained with what the finding now proposes."""
    if finding is None or not finding.changes or summary(target).get("status") in (None, "running", "failed"):
        return False
    stored, change = read_json(target / "patch.json") or {}, finding.changes[0]
    now = json.loads(json.dumps(asdict(change)))
    return all(stored.get(key, []) == now[key] for key in ("path", "value", "also"))
