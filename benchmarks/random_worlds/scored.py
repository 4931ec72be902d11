"""What the diagnosis says of every packed run, beside what was put into it and whether that hurts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import damage  # noqa: F401 - registers its kinds
import numpy as np
from kinds import KINDS
from packing import PACKED, read_outcomes, unpacked

from improve.diagnosis.diagnose import diagnose
from improve.errors import ImproveError
from improve.runs import run

LEARNED = 0.8  # of the error of guessing, on the reserve
LEAST = 0.02  # what a fault must cost, on the reserve or in validation
SPREADS = 3.0  # standard deviations of the base's seeds, and that much
PART_OF_LOSS = 0.8  # what a change must win back


@dataclass(frozen=True)
class Scored:
    """One run: what was put in, whether it hurts, what is found first to last, and what the first change won back."""

    world: str
    source: str
    name: str
    group: str
    kinds: tuple[str, ...]
    hurts: bool
    said: tuple[str, ...]
    verdict: str
    recovered: float | None
    paying: frozenset[str]

    @property
    def causes(self) -> tuple[str, ...]:
        return tuple(code for kind in self.kinds for code in KINDS[kind].causes)

    @property
    def is_fault(self) -> bool:
        return bool(self.kinds) and self.hurts

    @property
    def is_sound(self) -> bool:
        return self.group in ("base", "healthy") or (self.group == "harmless" and not self.hurts)

    def named(self, places: int | None) -> bool:
        return bool(set(self.said[:places]) & set(self.causes))

    @property
    def alarms(self) -> list[str]:
        """What is found on a sound run and whose change does not pay."""
        return [code for code in self.said if code not in self.paying]


def scored(wanted: set[str] | None) -> list[Scored]:
    found = []
    for file in sorted(PACKED.glob("w*.tar.xz")):
        name = file.name.partition(".")[0]
        if wanted is None or name in wanted:
            with unpacked(file) as (about, folder):
                found += list(of_world(name, about, folder))
    return found


def of_world(name: str, about: dict[str, Any], folder: Path) -> Iterator[Scored]:
    runs = {case: loaded(folder / case) for case in about["cases"]}
    base = [runs[case] for case, row in about["cases"].items() if row["group"] == "base" and runs[case]]
    usual = {part: [errors_of(one)[part] for one in base] for part in ("validation", "test")}
    if not base or np.mean(usual["test"]) >= LEARNED * base[0].sealed_test.majority_error:
        return  # nothing is learned here: no world to put a fault into
    outcomes = read_outcomes(name)
    for case, row in about["cases"].items():
        if runs[case] is not None:
            yield judged(name, about["source"], case, row, runs[case], usual, outcomes.get(case, {}))


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


def judged(
    world: str,
    source: str,
    name: str,
    row: dict[str, Any],
    found: Any,
    usual: dict[str, list[float]],
    tried: dict[str, Any],
) -> Scored:
    errors = errors_of(found)
    lost = {part: errors[part] - float(np.mean(usual[part])) for part in errors}
    limit = {part: max(LEAST, SPREADS * float(np.std(usual[part], ddof=1))) for part in errors}
    hurts = {part: lost[part] >= limit[part] for part in errors}
    part = "test" if hurts["test"] or not hurts["validation"] else "validation"
    shown = found.sealed_test if any("S4" in KINDS[kind].causes for kind in row["kinds"]) else None
    diagnosis = diagnose(found, shown)
    findings = [finding for finding in diagnosis.findings if finding.status == "found"]
    won = {finding.code: won_back(finding, tried, errors[part], part) for finding in findings}
    first = won[findings[0].code] if findings else 0.0
    return Scored(
        world, source, name, row["group"], tuple(row["kinds"]), any(hurts.values()),
        tuple(finding.code for finding in findings), diagnosis.verdict,
        None if first is None or not lost[part] > 0 else first / lost[part],
        frozenset(code for code, points in won.items() if points is not None and points >= limit[part] / 2)
        | {finding.code for finding in findings if not finding.harm},  # they promise nothing
    )  # fmt: skip


def won_back(finding: Any, tried: dict[str, Any], before: float, part: str) -> float | None:
    """What the first change of a finding has won; 0 where it has none, None where it was not trained."""
    if not finding.changes:
        return 0.0
    after = tried.get(json.dumps(finding.changes[0].edits))
    return before - after[part] if after and part in after else None
