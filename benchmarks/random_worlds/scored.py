"""What the diagnosis says of every packed run, beside what was put into it and whether that hurts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import damage  # noqa: F401 - registers its kinds
import numpy as np
from kinds import KINDS
from packing import PACKED, read_outcomes, unpacked

from improve.diagnosis.diagnose import Diagnosis
from improve.errors import ImproveError
from improve.runs import run

LEARNED = 0.8  # of the error of guessing, on the reserve
LEAST = 0.02  # what a fault must cost, on the reserve or in validation
SPREADS = 3.0  # standard deviations of the base's seeds, and that much
PART_OF_LOSS = 0.8  # what a change must win back


@dataclass(frozen=True)
class Known:
    """One run: what was put in, what it lost against the mean of the base's seeds and from where on that hurts, in
    validation and on the reserve."""

    world: str
    source: str
    name: str
    group: str
    kinds: tuple[str, ...]
    lost: dict[str, float]
    limit: dict[str, float]

    @property
    def causes(self) -> tuple[str, ...]:
        return tuple(code for kind in self.kinds for code in KINDS[kind].causes)

    @property
    def part(self) -> str:
        """Where it hurts; the reserve where it hurts nowhere."""
        in_validation_alone = self.lost["test"] < self.limit["test"] and self.hurts
        return "validation" if in_validation_alone else "test"

    @property
    def hurts(self) -> bool:
        return any(self.lost[part] >= self.limit[part] for part in self.lost)

    @property
    def is_fault(self) -> bool:
        return bool(self.kinds) and self.hurts

    @property
    def is_sound(self) -> bool:
        return self.group in ("base", "healthy") or (self.group == "harmless" and not self.hurts)


@dataclass(frozen=True)
class Scored:
    """What the diagnosis says of a run: what is found, first to last, what the first change won back of what was lost,
    and which findings pay; `tried`: whether changes were trained in this world."""

    known: Known
    said: tuple[str, ...]
    verdict: str
    recovered: float | None
    paying: frozenset[str]
    tried: bool

    def named(self, places: int | None) -> bool:
        return bool(set(self.said[:places]) & set(self.known.causes))

    @property
    def alarms(self) -> list[str]:
        """What is found on a sound run and whose change does not pay."""
        return [code for code in self.said if code not in self.paying]


Told = Callable[[Known, Any], Diagnosis]


def scored(wanted: set[str] | None, told: Told) -> list[Scored]:
    """Of all packed runs of these worlds; `told` gives the diagnosis of a run."""
    return [judged(known, told(known, found), tried) for known, found, tried in packed_runs(wanted)]


def packed_runs(wanted: set[str] | None) -> Iterator[tuple[Known, Any, dict[str, Any] | None]]:
    """What is known of each run, the run, and what the changes reached that were tried on it; None where none were in
    its world."""
    for file in sorted(PACKED.glob("w*.tar.xz")):
        name = file.name.partition(".")[0]
        if wanted is None or name in wanted:
            with unpacked(file) as (about, folder):
                yield from of_world(name, about, folder)


def of_world(name: str, about: dict[str, Any], folder: Path) -> Iterator[tuple[Known, Any, dict[str, Any] | None]]:
    runs = {case: loaded(folder / case) for case in about["cases"]}
    base = [runs[case] for case, row in about["cases"].items() if row["group"] == "base" and runs[case]]
    usual = {part: [errors_of(one)[part] for one in base] for part in ("validation", "test")}
    if not base or np.mean(usual["test"]) >= LEARNED * base[0].sealed_test.majority_error:
        return  # nothing is learned here: no world to put a fault into
    outcomes = read_outcomes(name)
    for case, row in about["cases"].items():
        if runs[case] is not None:
            of_case = (name, about["source"], case, row["group"], tuple(row["kinds"]))
            yield Known(*of_case, *harm(runs[case], usual)), runs[case], outcomes.get(case, {}) if outcomes else None


def harm(found: Any, usual: dict[str, list[float]]) -> tuple[dict[str, float], dict[str, float]]:
    """By part, what is lost against the base's seeds, and from where on that is more than they differ by."""
    errors = errors_of(found)
    lost = {part: errors[part] - float(np.mean(usual[part])) for part in errors}
    return lost, {part: max(LEAST, SPREADS * float(np.std(usual[part], ddof=1))) for part in errors}


def loaded(folder: Path) -> Any:
    """None where the run could not be trained: that says nothing of a diagnosis."""
    try:
        found = run.load_run(folder)
    except ImproveError:
        return None
    return found if found.status in ("finished", "diverged") else None


def errors_of(found: Any) -> dict[str, float]:
    """Validation and reserve error; 1 of a run that ended before its first epoch did."""
    parts = {"validation": found.summary.validation, "test": found.sealed_test}
    return {name: part.error if part else 1.0 for name, part in parts.items()}


def shown_test(known: Known, found: Any) -> Any:
    """The test part, where the fault is one of it; None else: nobody opens it for a diagnosis."""
    return found.sealed_test if any("S4" in KINDS[kind].causes for kind in known.kinds) else None


def judged(known: Known, diagnosis: Diagnosis, tried: dict[str, Any] | None) -> Scored:
    assert diagnosis.run
    before, limit = errors_of(diagnosis.run)[known.part], known.limit[known.part]
    findings = [finding for finding in diagnosis.findings if finding.status == "found"]
    won = {finding.code: won_back(finding, tried or {}, before, known.part) for finding in findings}
    first, lost = won[findings[0].code] if findings else 0.0, known.lost[known.part]
    pays = {code for code, points in won.items() if points is not None and points >= limit / 2}
    return Scored(
        known,
        tuple(finding.code for finding in findings),
        diagnosis.verdict,
        None if first is None or lost <= 0 else first / lost,
        frozenset(pays | {finding.code for finding in findings if not finding.harm}),  # those promise nothing
        tried is not None,
    )


def won_back(finding: Any, tried: dict[str, Any], before: float, part: str) -> float | None:
    """What the first change of a finding has won; 0 where it has none, None where it was not trained."""
    if not finding.changes:
        return 0.0
    after = tried.get(json.dumps(finding.changes[0].edits))
    return before - after[part] if after and part in after else None
