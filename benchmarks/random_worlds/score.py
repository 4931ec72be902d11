"""Scores the diagnosis on what is packed of the random worlds; needs no Keras and takes a minute.

    python benchmarks/random_worlds/score.py [--sources digits skies] [--worlds 6-39] [--names] [--write TITLE] [--ship]

A threshold that was chosen by looking at some worlds is scored on the others; with --write a section of
benchmarks/RESULTS.md says so, with --ship `improve selftest`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from fit import by_source, observed
from packing import PACKED, unpacked
from scored import PART_OF_LOSS, Scored, Told, scored, shown_test
from world import numbers

from improve.diagnosis import selftest
from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.forest import NONE, Forest
from improve.diagnosis.forest import shipped as shipped_forest
from improve.runs import files
from improve.statistics.intervals import Rate

sys.path.append(str(Path(__file__).parents[1]))
from runner_tax_report import put

RESULTS = Path(__file__).parents[1] / "RESULTS.md"
CALIBRATED = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.01)
DRAWS = 2000  # of worlds, for an interval


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sources", nargs="+", help="these alone")
    parser.add_argument("--worlds", type=numbers, help="these alone, such as 3-39")
    parser.add_argument("--forest", choices=TOLD, default="left-out", help="that weighs the signs: grown without the "
                        "source that is scored; as shipped; none: the rules in their order")  # fmt: skip
    parser.add_argument("--confirm", action="store_true", help="with what --confirm said, of the runs that it tried")
    parser.add_argument("--write", metavar="TITLE", help="put the tables into RESULTS.md, under this title")
    parser.add_argument("--names", action="store_true", help="a line for each run that was missed or alarmed")
    parser.add_argument(
        "--ship", action="store_true", help="what `improve selftest` shows of worlds that were left out"
    )
    arguments = parser.parse_args()
    wanted = None if arguments.worlds is None else {f"w{number:03d}" for number in arguments.worlds}
    found = scored(wanted, TOLD[arguments.forest](), arguments.confirm)
    rows = [row for row in found if not arguments.sources or row.known.source in arguments.sources]
    tables = [
        table(rows),
        calibration(rows),
        grouped("kind", rows, lambda row: row.known.kinds),
        grouped("source", rows, lambda row: (row.known.source,)),
    ]
    print("\n".join(tables))
    if arguments.write:
        put(RESULTS, section(arguments.write, rows, tables))
    if arguments.ship:
        files.write_json(selftest.LEFT_OUT, shipped(rows))
    if arguments.names:
        print("\n".join(told(rows)))


def left_out() -> Told:
    """By a forest that was grown on all packed worlds but those of the run's own source."""
    return by_each(by_source(observed(None)))


def by_each(fitted: dict[str, Forest]) -> Told:
    """By the forest of the run's source of images."""
    return lambda known, found: diagnose(found, shown_test(known, found), fitted[known.source])


def by(given: Forest) -> Told:
    return lambda known, found: diagnose(found, shown_test(known, found), given)


TOLD = {"left-out": left_out, "shipped": lambda: by(shipped_forest()), "none": lambda: by(NONE)}


def section(title: str, rows: list[Scored], tables: list[str]) -> str:
    names, hours = sorted({row.known.world for row in rows}), 0.0
    for name in names:
        with unpacked(PACKED / f"{name}.tar.xz") as (about, _):
            hours += about["seconds"] / 3600
    return (
        f"## {title}\n\nWorlds {', '.join(names)};\n{hours:.1f} machine-hours of one core for their runs, without the "
        "changes. By `python benchmarks/random_worlds/score.py`: each\nsource of images by a forest that was grown on "
        "the other sources. 95 % intervals by bootstrap over worlds. Causes are\nthose that the forest weighs; false "
        "alarms, of every kind, are counted in worlds whose changes were trained, for a finding\nthat pays is none.\n\n"
        "```text\n" + "\n".join(tables) + "\n```\n"
    )


def scores(rows: list[Scored]) -> dict[str, dict[str, float] | None]:
    """Shares of the faults that hurt, and of the sound runs, each with a 95 % interval."""
    faults, sound = [row for row in rows if row.known.is_fault], [row for row in rows if row.known.is_sound]
    tried = [row for row in faults if row.tried and row.recovered is not None]
    return {
        "detected": share(faults, lambda row: bool(row.found | row.likely)),
        "cause_first": share(faults, lambda row: row.first_is_right),
        "first_found": share(faults, lambda row: row.first_is_right and row.said[0] in row.found),
        "cause_in_four": share(faults, lambda row: row.named),
        "change_recovers": share(tried, lambda row: (row.recovered or 0) >= PART_OF_LOSS),
        "cause_found": share(sound, lambda row: row.names_cause(row.found)),
        "cause_likely": share(sound, lambda row: row.names_cause(row.likely)),
        "false_alarm": share([row for row in sound if row.tried], lambda row: bool(row.alarms)),
    }


def share(rows: list[Scored], holds: Callable[[Scored], bool]) -> dict[str, float] | None:
    """`hits`, `of`, and the interval, `low` to `high`, by drawing whole worlds; not narrower than Wilson's, which knows
    that none of ten is not none. None without rows."""
    if not rows:
        return None
    by_world = defaultdict(list)
    for row in rows:
        by_world[row.known.world].append(holds(row))
    sums = np.array([[sum(found), len(found)] for found in by_world.values()])
    random = np.random.default_rng(0)
    drawn = sums[random.integers(len(sums), size=(DRAWS, len(sums)))].sum(axis=1)
    hits, of = map(int, sums.sum(axis=0))
    ends = [*np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975]), *Rate(hits / of, of).interval()]
    return {"hits": hits, "of": of, "low": round(min(ends), 4), "high": round(max(ends), 4)}


def table(rows: list[Scored]) -> str:
    worlds, found = len({row.known.world for row in rows}), counts(rows)
    return "\n".join(
        [
            f"{worlds} worlds, {found['runs']} runs: {found['faults']} faults that hurt, {found['sound']} sound",
            *(line(selftest.LEFT_OUT_SCORES[name], found) for name, found in scores(rows).items()),
        ]
    )


def calibration(rows: list[Scored]) -> str:
    """Of what was told with such a probability, how much was true. Causes that are weighed, in faults that hurt and in
    sound runs whose changes were trained."""
    judged = [row for row in rows if row.known.is_fault or (row.known.is_sound and row.tried)]
    told = [(given, row.true(code)) for row in judged for code, given in row.probability.items()]
    lines = ["\ntold with    findings  mean told   true"]
    for low, high in pairwise(CALIBRATED):
        mine = [(given, true) for given, true in told if low <= given < high]
        if mine:
            given, true = (100 * float(np.mean(each)) for each in zip(*mine, strict=True))
            lines.append(
                f"{100 * low:3.0f} to {min(100, 100 * high):3.0f} %  {len(mine):8}  {given:7.0f} %  {true:4.0f} %"
            )
    return "\n".join(lines)


def counts(rows: list[Scored]) -> dict[str, int]:
    return {
        "runs": len(rows),
        "faults": sum(row.known.is_fault for row in rows),
        "sound": sum(row.known.is_sound for row in rows),
    }


def line(title: str, found: dict[str, float] | None) -> str:
    if not found:
        return f"{title:30} –"
    part, low, high = found["hits"] / found["of"], found["low"], found["high"]
    return f"{title:30} {found['hits']:4}/{found['of']:<4} = {100 * part:5.1f} % [{100 * low:.0f}, {100 * high:.0f}]"


def shipped(rows: list[Scored]) -> dict[str, Any]:
    """What `improve selftest` shows of worlds that no threshold was chosen on."""
    sources = sorted({row.known.source for row in rows})
    return {
        "worlds": sorted({row.known.world for row in rows}),
        "counts": counts(rows),
        "scores": scores(rows),
        "sources": {source: scores([row for row in rows if row.known.source == source]) for source in sources},
    }


def grouped(title: str, rows: list[Scored], keys: Callable[[Scored], Iterable[str]]) -> str:
    groups = defaultdict(list)
    for row in rows:
        for key in keys(row):
            groups[key].append(row)
    lines = [f"\n{title:28} faults  detected  first  in four   sound  alarms"]
    for key, mine in sorted(groups.items()):
        faults = [row for row in mine if row.known.is_fault]
        sound = [row for row in mine if row.known.is_sound and row.tried]
        columns = (
            len(faults),
            sum(bool(row.found | row.likely) for row in faults),
            sum(row.first_is_right for row in faults),
            sum(row.named for row in faults),
            len(sound),
            sum(bool(row.alarms) for row in sound),
        )
        lines.append(f"{key:28} " + "{:6}  {:8}  {:5}  {:7}  {:6}  {:6}".format(*columns))
    return "\n".join(lines)


def told(rows: list[Scored]) -> Iterator[str]:
    for row in rows:
        about = f"{row.known.world} {row.known.source:12} {row.known.name:40} {row.verdict:20} said"
        if row.known.is_fault and not row.first_is_right:
            yield f"missed  {about} {' '.join(row.said[:5]) or '–'}"
        if row.known.is_sound and row.tried and row.alarms:
            yield f"alarm   {about} {' '.join(row.alarms[:5])}"
    first = Counter(row.said[0] for row in rows if row.known.is_fault and row.said and not row.first_is_right)
    yield "first at another cause: " + ", ".join(f"{code} {count}" for code, count in first.most_common())


if __name__ == "__main__":
    main()
