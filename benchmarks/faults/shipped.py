"""The scores as `improve selftest` shows them: what results.json says, in few words."""

from __future__ import annotations

from collections import Counter
from typing import Any

from report import ROWS

from improve.statistics.intervals import Rate

MOST = 0.5  # of the runs of a case


def shipped(results: dict[str, Any]) -> dict[str, Any]:
    return {name: of_world(found) for name, found in results.items()}


def of_world(found: dict[str, Any]) -> dict[str, Any]:
    about, cases = found["scores"], found["cases"]
    scores = {name: {"runs": share(*about[name]["runs"]), "cases": share(*about[name]["cases"])} for name in ROWS}
    tried = any(case["patches"] for case in cases.values() if case["verdict"] == "fault")
    recovers = share(*about["patch_recovers"]) if tried else None
    return {
        "counts": {"faults": about["faults"], "healthy": about["healthy"], "harmless": about["hard_negatives"],
                   "seeds": about["seeds"], "seeds_of_base": about["seeds_of_base"]},
        "scores": scores | {"patch_recovers": {"runs": None, "cases": recovers}},
        "rules": {code: rule(code, row, cases) for code, row in found["rules"].items()},
        "missed": {name: missed(case) for name, case in cases.items() if is_missed(case)},
    }  # fmt: skip


def share(hits: int, of: int) -> dict[str, Any] | None:
    """With Wilson's interval; None of nothing."""
    if not of:
        return None
    low, high = Rate(hits / of, of).interval()
    return {"hits": hits, "of": of, "low": round(low, 4), "high": round(high, 4)}


def rule(code: str, row: dict[str, Any], cases: dict[str, Any]) -> dict[str, Any]:
    """`cases`: faults that were put in as this one, and how many of them are named rightly in most runs, by this code
    or by another that names them as well; `recall`: the runs of all faults that it may name; `false_alarms`: among
    healthy runs."""
    seeded = [case for case in cases.values() if case["verdict"] == "fault" and case["causes"][:1] == [code]]
    named = [rightly(case) > MOST * len(case["said"]) for case in seeded]
    alarms = [code in said for case in cases.values() if case["kind"] == "healthy" for said in case["false_alarms"]]
    return {
        "cases": share(sum(named), len(named)),
        "recall": share(*row["recall"]),
        "false_alarms": share(sum(alarms), len(alarms)),
    }


def rightly(case: dict[str, Any]) -> int:
    """In how many of its runs one of the codes that name the case was said."""
    return sum(bool(set(case["causes"]) & set(said)) for said in case["said"])


def first_right(case: dict[str, Any]) -> int:
    return sum(said[0] in case["causes"] for said in case["said"] if said)


def is_missed(case: dict[str, Any]) -> bool:
    return case["verdict"] == "fault" and first_right(case) <= MOST * len(case["said"])


def missed(case: dict[str, Any]) -> dict[str, Any]:
    said = Counter(said[0] if said else "nothing" for said in case["said"])
    return {"expected": case["causes"], "right": first_right(case), "of": len(case["said"]), "said": dict(said)}
