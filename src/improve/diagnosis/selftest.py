"""How good the diagnosis is: what it said of runs with one fault put in, and of sound ones. Shipped as selftest.json,
which benchmarks/faults/score.py writes, and left_out.json, by benchmarks/random_worlds/score.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from improve.errors import ImproveError

FILE = Path(__file__).with_name("selftest.json")
LEFT_OUT = Path(__file__).with_name("left_out.json")
WORLDS = ("digits", "fashion")
LEFT_OUT_SCORES = {
    "detected": "something is found or likely",
    "cause_first": "cause first",
    "first_found": "cause first, and found",
    "cause_in_four": "cause among the first four",
    "change_recovers": "first change wins back 80 %",
    "cause_found": "a cause found, sound runs",
    "cause_likely": "a cause likely, sound runs",
    "false_alarm": "false alarm, sound runs",
}
HOW = "python benchmarks/faults/train.py trains and scores the faults, in a checkout of the sources"


def selftest_results() -> dict[str, Any]:
    """The recorded self-test by world: counts, scores, rules, and what is missed. Raises ImproveError where nothing was
    scored."""
    found = load(FILE)
    if not found:
        raise ImproveError("this copy of improve was not tested on faults: it has no selftest.json", fix=HOW)
    return found


def left_out_results() -> dict[str, Any]:
    """What was scored on random worlds, each source of images by weights fitted to the others: `worlds`, `counts`,
    `scores`, and `sources`, the scores by where the images come from. Empty where nothing was."""
    return load(LEFT_OUT)


def load(file: Path) -> dict[str, Any]:
    """Empty where there is nothing."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ImproveError(f"{file} is damaged: {error}", fix="install improve again") from error
    return found if isinstance(found, dict) else {}


def not_scored(found: dict[str, Any]) -> list[str]:
    """The worlds of which `found` has no results."""
    return [world for world in WORLDS if world not in found]


def track_record(code: str) -> str:
    """One line on what a finding is worth, over all worlds; nothing where it was not tested."""
    rules = [world["rules"][code] for world in load(FILE).values() if code in world["rules"]]
    if not rules:
        return ""
    (named, seeded), (alarms, healthy) = (pooled(rules, name) for name in ("cases", "false_alarms"))
    missed = f"Missed: {seeded - named} of {seeded} seeded cases." if seeded else "No case of it was seeded."
    return f"{missed} False alarms: {alarms} of {healthy} healthy runs."


def pooled(rules: list[dict[str, Any]], name: str) -> tuple[int, int]:
    shares = [rule[name] for rule in rules if rule[name]]
    return sum(share["hits"] for share in shares), sum(share["of"] for share in shares)
