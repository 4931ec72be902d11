"""Scores the runs that are there against what was put in; needs no Keras and takes seconds.

    python benchmarks/faults/score.py [--world digits]

Writes results.json beside this file, a section into benchmarks/RESULTS.md, and what `improve selftest` shows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from report import section
from scoring import PART_OF_LOSS, Scored, errors_of, usable
from scoring import score as score_case
from shipped import shipped
from suite import cases
from worlds import WORLDS, World

from improve.diagnosis.selftest import FILE as SHIPPED

sys.path.append(str(Path(__file__).parents[1]))
from runner_tax_report import put

RESULTS = Path(__file__).parent / "results.json"
MARKDOWN = Path(__file__).parents[1] / "RESULTS.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--world", choices=[*WORLDS, "both"], default="both")
    name = parser.parse_args().world
    write([world for world in WORLDS.values() if name in (world.name, "both")])


def write(worlds: list[World]) -> None:
    """Score `worlds`; what results.json says of the other one stays."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    for world in worlds:
        found = scored(world)
        if found is None:
            print(f"{world.name}: no run of base; train.py --only base", file=sys.stderr)
        else:
            results[world.name] = summed_up(found)
    RESULTS.write_text(compact(results), encoding="utf-8")
    SHIPPED.write_text(compact(shipped(results)), encoding="utf-8")
    text = section(results)
    put(MARKDOWN, text)
    print(text)


def compact(results: dict[str, Any]) -> str:
    """JSON with one line per score, rule and case."""

    def table(rows: dict[str, Any]) -> str:
        lines = (f"   {json.dumps(name)}: {json.dumps(row, ensure_ascii=False)}" for name, row in rows.items())
        return "{\n" + ",\n".join(lines) + "\n  }"

    def of_world(found: dict[str, Any]) -> str:
        return "{\n" + ",\n".join(f"  {json.dumps(name)}: {table(rows)}" for name, rows in found.items()) + "\n }"

    worlds = (f" {json.dumps(world)}: {of_world(found)}" for world, found in results.items())
    return "{\n" + ",\n".join(worlds) + "\n}\n"


def scored(world: World) -> list[Scored] | None:
    suite = cases(world)
    base = errors_of(usable(world, next(case for case in suite if case.name == "base")))
    if not base["test"]:
        return None
    return [found for case in suite if (found := score_case(world, case, base))]


def summed_up(found: list[Scored]) -> dict[str, Any]:
    return {
        "scores": scores(found),
        "rules": dict(sorted(rules(found).items())),
        "cases": {one.case.name: row(one) for one in found},
    }


def scores(found: list[Scored]) -> dict[str, Any]:
    """Every share as [hits, of]: pooled over runs, and over cases (more than half of its runs)."""
    faults, others = [one for one in found if one.is_fault], [one for one in found if not one.is_fault]
    recovered = [one.recovered for one in faults if one.recovered is not None]
    answers = {
        "detected": [one.detected for one in faults],
        "cause_first": [one.named_within(1) for one in faults],
        "cause_in_three": [one.named_within(3) for one in faults],
        "false_alarm_healthy": alarms([one for one in others if one.case.kind == "healthy"]),
        "false_alarm_hard_negatives": alarms([one for one in others if one.case.kind != "healthy"]),
    }
    return {
        "seeds": Counter(len(one.said) for one in found).most_common(1)[0][0],
        "seeds_of_base": max(len(one.said) for one in found),
        "faults": len(faults),
        "healthy": sum(one.case.kind == "healthy" for one in found),
        "hard_negatives": sum(one.case.kind != "healthy" for one in others),
        **{name: {"runs": of_runs(rows), "cases": of_cases(rows)} for name, rows in answers.items()},
        "patch_recovers": [sum(share >= PART_OF_LOSS for share in recovered), len(recovered)],
        "untested_changes": sum(len(one.untested) for one in others),
    }


def alarms(others: list[Scored]) -> list[list[bool]]:
    return [[bool(codes) for codes in one.false_alarms] for one in others]


def of_runs(rows: list[list[bool]]) -> list[int]:
    return [sum(map(sum, rows)), sum(map(len, rows))]


def of_cases(rows: list[list[bool]]) -> list[int]:
    return [sum(bool(np.mean(row) > 0.5) for row in rows), len(rows)]


def rules(found: list[Scored]) -> dict[str, dict[str, Any]]:
    """By code: how often it names its own faults, how often it is first at others', how often it is a false alarm."""
    faults, others = [one for one in found if one.is_fault], [one for one in found if not one.is_fault]
    codes = {code for one in found for said in (one.case.causes, *one.said) for code in said}
    wrong = Counter(said[0] for one in faults for said in one.said if said and said[0] not in one.case.causes)
    alarm = Counter(code for one in others for said in one.false_alarms for code in said)
    quiet = sum(len(one.said) for one in others)
    return {
        code: {"recall": recall(faults, code), "first_wrongly": wrong[code], "false_alarms": [alarm[code], quiet]}
        for code in codes
    }


def recall(faults: list[Scored], code: str) -> list[int]:
    said = [code in codes for one in faults if code in one.case.causes for codes in one.said]
    return [sum(said), len(said)]


def row(one: Scored) -> dict[str, Any]:
    return {
        "kind": one.case.kind,
        "causes": list(one.case.causes),
        "verdict": "fault" if one.is_fault else "no harm",
        **{part: [round(100 * value, 2) for value in values] for part, values in one.errors.items()},
        "said": one.said,
        "recovered": None if one.recovered is None else round(one.recovered, 3),
        "patches": one.patches,
        "false_alarms": None if one.is_fault else one.false_alarms,
        "paying": sorted(one.paying),
    }


if __name__ == "__main__":
    main()
