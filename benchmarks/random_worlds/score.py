"""Scores the diagnosis on what is packed of the random worlds; needs no Keras and takes a minute.

    python benchmarks/random_worlds/score.py [--sources digits skies] [--worlds 3-39] [--names] [--write TITLE]

A threshold that was chosen by looking at some worlds is scored on the others; with --write a section of
benchmarks/RESULTS.md says so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import damage  # noqa: F401 - registers its kinds
import numpy as np
from kinds import KINDS
from packing import PACKED, read_outcomes, unpacked
from world import numbers

from improve.diagnosis.diagnose import diagnose
from improve.errors import ImproveError
from improve.runs import run

sys.path.append(str(Path(__file__).parents[1]))
from runner_tax_report import put

RESULTS = Path(__file__).parents[1] / "RESULTS.md"
LEARNED = 0.8  # of the error of guessing, on the reserve
LEAST = 0.02  # what a fault must cost, on the reserve or in validation
SPREADS = 3.0  # standard deviations of the base's seeds, and that much
PART_OF_LOSS = 0.8  # what a change must win back
DRAWS = 2000  # of worlds, for an interval


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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sources", nargs="+", help="these alone")
    parser.add_argument("--worlds", type=numbers, help="these alone, such as 3-39")
    parser.add_argument("--write", metavar="TITLE", help="put the tables into RESULTS.md, under this title")
    parser.add_argument("--names", action="store_true", help="a line for each run that was missed or alarmed")
    arguments = parser.parse_args()
    wanted = None if arguments.worlds is None else {f"w{number:03d}" for number in arguments.worlds}
    rows = [row for row in scored(wanted) if not arguments.sources or row.source in arguments.sources]
    tables = [table(rows), by("kind", rows, lambda row: row.kinds), by("source", rows, lambda row: (row.source,))]
    print("\n".join(tables))
    if arguments.write:
        put(RESULTS, section(arguments.write, rows, tables))
    if arguments.names:
        print("\n".join(told(rows)))


def section(title: str, rows: list[Scored], tables: list[str]) -> str:
    names, hours = sorted({row.world for row in rows}), 0.0
    for name in names:
        with unpacked(PACKED / f"{name}.tar.xz") as (about, _):
            hours += about["seconds"] / 3600
    return (
        f"## {title}\n\nWorlds {', '.join(names)}; {hours:.1f} machine-hours of one core for their runs, without the "
        "changes.\nBy `python benchmarks/random_worlds/score.py`; 95 % intervals by bootstrap over worlds.\n\n"
        "```text\n" + "\n".join(tables) + "\n```\n"
    )


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


def table(rows: list[Scored]) -> str:
    faults, sound = [row for row in rows if row.is_fault], [row for row in rows if row.is_sound]
    tried = [row for row in faults if row.recovered is not None]
    worlds = len({row.world for row in rows})
    lines = [
        f"{worlds} worlds, {len(rows)} runs: {len(faults)} faults that hurt, {len(sound)} sound",
        line("detected", faults, lambda row: bool(row.said)),
        line("cause first", faults, lambda row: row.named(1)),
        line("cause among the first four", faults, lambda row: row.named(4)),
        line("first change wins back 80 %", tried, lambda row: (row.recovered or 0) >= PART_OF_LOSS),
        line("sound run with a false alarm", sound, lambda row: bool(row.alarms)),
    ]
    return "\n".join(lines)


def line(title: str, rows: list[Scored], holds: Callable[[Scored], bool]) -> str:
    """A share with its 95 % interval by drawing whole worlds."""
    if not rows:
        return f"{title:30} –"
    by_world = defaultdict(list)
    for row in rows:
        by_world[row.world].append(holds(row))
    sums = np.array([[sum(found), len(found)] for found in by_world.values()])
    random = np.random.default_rng(0)
    drawn = sums[random.integers(len(sums), size=(DRAWS, len(sums)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    hits, of = sums.sum(axis=0)
    return f"{title:30} {hits:4}/{of:<4} = {100 * hits / of:5.1f} % [{100 * low:.0f}, {100 * high:.0f}]"


def by(title: str, rows: list[Scored], keys: Callable[[Scored], Iterable[str]]) -> str:
    groups = defaultdict(list)
    for row in rows:
        for key in keys(row):
            groups[key].append(row)
    lines = [f"\n{title:28} faults  detected  first  in four   sound  alarms"]
    for key, mine in sorted(groups.items()):
        faults, sound = [row for row in mine if row.is_fault], [row for row in mine if row.is_sound]
        counts = (
            len(faults),
            sum(bool(row.said) for row in faults),
            sum(row.named(1) for row in faults),
            sum(row.named(4) for row in faults),
            len(sound),
            sum(bool(row.alarms) for row in sound),
        )
        lines.append(f"{key:28} " + "{:6}  {:8}  {:5}  {:7}  {:6}  {:6}".format(*counts))
    return "\n".join(lines)


def told(rows: list[Scored]) -> Iterator[str]:
    for row in rows:
        about = f"{row.world} {row.source:12} {row.name:40} {row.verdict:20} said"
        if row.is_fault and not row.named(1):
            yield f"missed  {about} {' '.join(row.said[:5]) or '–'}"
        if row.is_sound and row.alarms:
            yield f"alarm   {about} {' '.join(row.alarms[:5])}"
    first = Counter(row.said[0] for row in rows if row.is_fault and row.said and not row.named(1))
    yield "first at another cause: " + ", ".join(f"{code} {count}" for code, count in first.most_common())


if __name__ == "__main__":
    main()
