"""What the diagnosis says of every packed run, beside what was put into it and whether that hurts."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import damage  # noqa: F401 - registers its kinds
import numpy as np
from kinds import KINDS
from packing import PACKED, read_confirmed, read_outcomes, unpacked
from world import LAST

from improve.diagnosis.certainty import WEIGHED
from improve.diagnosis.confirmed import FOLDER
from improve.diagnosis.diagnose import Diagnosis
from improve.diagnosis.findings.rule import Change, Finding
from improve.errors import ImproveError
from improve.runs import files, run

LEARNED = 0.8  # of the error of guessing, on the reserve
LEAST = 0.02  # what a fault must cost, on the reserve or in validation
SPREADS = 3.0  # standard deviations of the base's seeds, and that much
FOUR = 4  # causes that are read
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
    """What the diagnosis says of a run: what is found, likely or guessed, first to last, and what else it may be; what
    of it is found and what is likely; the probabilities; what the first change won back of what was lost, and which
    findings pay. `tried`: whether the changes were trained."""

    known: Known
    said: tuple[str, ...]
    possible: tuple[str, ...]
    found: frozenset[str]
    likely: frozenset[str]
    probability: dict[str, float]
    verdict: str
    recovered: float | None
    paying: frozenset[str]
    tried: bool

    @property
    def first_is_right(self) -> bool:
        return bool(set(self.said[:1]) & set(self.known.causes))

    @property
    def named(self) -> bool:
        """Whether its cause is among the first four that are told, those that it may also be at their end."""
        return bool(set((self.said + self.possible)[:FOUR]) & set(self.known.causes))

    @property
    def alarms(self) -> list[str]:
        """What is found on a sound run and whose change does not pay."""
        return [code for code in self.said if code in self.found - self.paying]

    def names_cause(self, codes: frozenset[str]) -> bool:
        """Whether one of these codes is a cause that is weighed."""
        return bool(codes & self.probability.keys())

    def true(self, code: str) -> bool:
        """Whether it is as said: its cause was put in, or its change pays in a sound run."""
        return code in (self.paying if self.known.is_sound else self.known.causes)


@dataclass(frozen=True)
class Tried:
    """What the changes of a run reached, by their edits, and which of them pay in the sound runs of its world."""

    reached: dict[str, dict[str, float]]
    pay: frozenset[str]

    def pays(self, change: Change) -> bool | None:
        """None where it was not trained."""
        return key(change) in self.pay if self.reached.get(key(change)) else None


Told = Callable[[Known, Any], Diagnosis]


def key(change: Change) -> str:
    return json.dumps(change.edits)


def scored(wanted: set[str] | None, told: Told, confirmed: bool = False) -> list[Scored]:
    """Of all packed runs of these worlds; `told` gives the diagnosis of a run. `confirmed`: of those alone on which
    --confirm was tried, with what it said."""
    return [judged(known, told(known, found), tried) for known, found, tried in packed_runs(wanted, confirmed)]


def packed_runs(wanted: set[str] | None, confirmed: bool = False) -> Iterator[tuple[Known, Any, Tried | None]]:
    """What is known of each run, the run, and the changes that were tried on it; None where none were in its world.
    Without `wanted` of all worlds but the last ones, which nothing is fitted to."""
    for file in sorted(PACKED.glob("w*.tar.xz")):
        name = file.name.partition(".")[0]
        if name in wanted if wanted is not None else int(name[1:]) < LAST:
            with unpacked(file) as (about, folder):
                trials = read_confirmed(name) if confirmed else {}
                for case, told in trials.items():
                    (folder / case / FOLDER).mkdir()
                    files.write_json(folder / case / FOLDER / "confirm.json", told)
                every = of_world(name, about, folder)
                yield from (one for one in every if not confirmed or one[0].name in trials)


def of_world(name: str, about: dict[str, Any], folder: Path) -> Iterator[tuple[Known, Any, Tried | None]]:
    runs = {case: loaded(folder / case) for case in about["cases"]}
    base = [runs[case] for case, row in about["cases"].items() if row["group"] == "base" and runs[case]]
    usual = {part: [errors_of(one)[part] for one in base] for part in ("validation", "test")}
    if not base or np.mean(usual["test"]) >= LEARNED * base[0].sealed_test.majority_error:
        return  # nothing is learned here: no world to put a fault into
    known = {
        case: Known(name, about["source"], case, row["group"], tuple(row["kinds"]), *harm(runs[case], usual))
        for case, row in about["cases"].items()
        if runs[case] is not None
    }
    outcomes = read_outcomes(name)
    pay = paying([case for case in known if known[case].is_sound], runs, outcomes, float(np.std(usual["test"], ddof=1)))
    for case in known:
        yield known[case], runs[case], Tried(outcomes.get(case, {}), pay) if outcomes else None


def paying(sound: list[str], runs: dict[str, Any], outcomes: dict[str, Any], spread: float) -> frozenset[str]:
    """The edits by which sound runs lose errors on the reserve: half of what a fault must cost, on the mean of all that
    they were tried on, and more than that mean's standard error."""
    gains = defaultdict(list)
    for case in sound:
        for edits, after in outcomes.get(case, {}).items():
            if "test" in after:
                gains[edits].append(errors_of(runs[case])["test"] - after["test"])
    return frozenset(
        edits
        for edits, won in gains.items()
        if np.mean(won) >= max(LEAST / 2, spread * np.sqrt(2 / len(won)))  # both runs of a pair have a seed
    )


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


def judged(known: Known, diagnosis: Diagnosis, tried: Tried | None) -> Scored:
    assert diagnosis.run
    findings = [finding for finding in diagnosis.findings if finding.stands or finding.is_guess]
    before, lost = errors_of(diagnosis.run)[known.part], known.lost[known.part]
    first = won_back(findings[0], tried, before, known.part) if findings else 0.0
    pays = {one.code for one in findings if tried and one.changes and tried.pays(one.changes[0])}
    return Scored(
        known,
        tuple(finding.code for finding in findings),
        tuple(one.code for one in diagnosis.possible),
        frozenset(finding.code for finding in findings if finding.status == "found"),
        frozenset(finding.code for finding in findings if finding.status == "likely"),
        {one.code: one.probability for one in findings if one.probability is not None and one.code in WEIGHED},
        diagnosis.verdict,
        None if first is None or lost <= 0 else first / lost,
        frozenset(pays | {finding.code for finding in findings if not finding.harm}),  # those promise nothing
        tried is not None and all(tried.pays(one.changes[0]) is not None for one in findings if one.changes),
    )


def won_back(finding: Finding, tried: Tried | None, before: float, part: str) -> float | None:
    """What the first change of a finding has won; 0 where it has none, None where it was not trained."""
    if not finding.changes:
        return 0.0
    after = tried.reached.get(key(finding.changes[0])) if tried else None
    return before - after[part] if after and part in after else None
