"""What a case's runs are worth: does it hurt, what was said, did the proposed change help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
from patches import TRIED, diagnosed, found, patched, proposals, seeds, tried
from running import summary
from scipy.stats import mannwhitneyu
from suite import Case
from worlds import World

CHANCE = 0.9  # the error of a run that ended before its first epoch did
LEAST = 0.01  # what a fault must cost on average
LEVEL = 0.05  # of the one-sided test of Mann and Whitney
PART_OF_LOSS = 0.8  # what a patch must win back

Errors = dict[str, list[float]]


@dataclass(frozen=True)
class Scored:
    """One case. `said` are the codes found, by seed; `errors` validation and test, by seed; `paying` and `untested`
    the codes whose change pays, and those whose change was not trained."""

    case: Case
    errors: Errors
    said: list[list[str]]
    hurt: dict[str, bool]
    recovered: float | None = None
    patches: int = 0
    paying: frozenset[str] = frozenset()
    untested: frozenset[str] = frozenset()

    @property
    def is_fault(self) -> bool:
        return self.case.kind in ("fault", "harmless") and any(self.hurt.values())

    @property
    def false_alarms(self) -> list[list[str]]:
        """By seed, the codes that name nothing that was put in and whose change does not pay."""
        fine = {*self.case.causes, *self.paying}
        return [[code for code in codes if code not in fine] for codes in self.said]

    def named_within(self, places: int) -> list[bool]:
        return [bool(set(codes[:places]) & set(self.case.causes)) for codes in self.said]

    @property
    def detected(self) -> list[bool]:
        return [bool(codes) for codes in self.said]


def error(folder: Path, part: str) -> float:
    return float(summary(folder).get(part, {}).get("error", CHANCE))


def usable(world: World, case: Case) -> list[Path]:
    """Its runs, but for those that could not be trained."""
    return [folder for _, folder in seeds(world, case) if summary(folder)["status"] not in ("failed", "running")]


def errors_of(folders: Sequence[Path]) -> Errors:
    return {part: [error(folder, part) for folder in folders] for part in ("validation", "test")}


def score(world: World, case: Case, base: Errors) -> Scored | None:
    """None where no run of the case could be trained."""
    folders = usable(world, case)
    if not folders:
        return None
    errors = errors_of(folders)
    said = [[finding.code for finding in found(diagnosed(case, folder))] for folder in folders]
    hurt = {part: hurts(errors[part], base[part]) for part in errors}
    scored = Scored(case, errors, said, hurt)
    more = after_patch(world, case, base, hurt) if scored.is_fault and case.kind == "fault" else pay(world, case)
    return Scored(case, errors, said, hurt, **more)


def hurts(errors: list[float], base: list[float]) -> bool:
    costs = np.mean(errors) - np.mean(base) >= LEAST
    if not can_tell(len(errors), len(base)):
        return bool(costs)
    return bool(costs and mannwhitneyu(errors, base, alternative="greater").pvalue < LEVEL)


def can_tell(seeds: int, of_base: int) -> bool:
    """Whether so few seeds can reach the level at all; else the means alone decide."""
    return 1 / comb(seeds + of_base, seeds) < LEVEL


def after_patch(world: World, case: Case, base: Errors, hurt: dict[str, bool]) -> dict[str, Any]:
    """The share of the lost error that the first change wins back; a run without a change stays what it is, one whose
    change was not trained does not count."""
    part = "test" if hurt["test"] else "validation"
    before, after, trained = [], [], 0
    for (_, folder), (_, target) in zip(seeds(world, case), patched(world, case), strict=False):
        first = found(diagnosed(case, folder))[:1]
        done = bool(first) and tried(first[0], target)
        if not done and first and first[0].changes:
            continue
        trained += done
        before.append(error(folder, part))
        after.append(error(target if done else folder, part))
    lost = np.mean(before) - np.mean(base[part]) if before else 0.0
    return {"recovered": float((np.mean(before) - np.mean(after)) / lost) if lost > 0 else None, "patches": trained}


def pay(world: World, case: Case) -> dict[str, Any]:
    """Which of the codes found on a case without a fault propose something that pays."""
    before = [error(folder, "validation") for _, folder in seeds(world, case)[:TRIED]]
    paying, untested, trained = set(), set(), 0
    for code, finding in proposals(world, case).items():
        done = [target for _, target in patched(world, case, code) if tried(finding, target)]
        trained += len(done)
        if not done:
            untested.add(code)
        elif lower(before, [error(target, "validation") for target in done]):
            paying.add(code)
    return {"paying": frozenset(paying), "untested": frozenset(untested), "patches": trained}


def lower(before: list[float], after: list[float]) -> bool:
    """Whether the mean falls by more than two standard errors of the difference."""
    if min(len(before), len(after)) < 2:
        return bool(np.mean(after) < np.mean(before))
    noise = np.sqrt(np.var(before, ddof=1) / len(before) + np.var(after, ddof=1) / len(after))
    return bool(np.mean(before) - np.mean(after) > 2 * noise)
