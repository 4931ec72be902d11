"""What was advised and whether it came true: the way from a diagnosis to the next run, remembered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from improve.diagnosis.findings.rule import Change, Finding
from improve.lazy import np
from improve.runs.ledger import append
from improve.runs.neighbourhood import ADVICE
from improve.runs.run import Run
from improve.spec.identity import experiment_identity
from improve.spec.reading import yaml
from improve.spec.reading.flatten import setting
from improve.statistics.intervals import Rate, difference
from improve.statistics.paired import paired_comparison

MOST_PARENTS = 20
HARDLY = 0.2  # of what was expected


def remember(run: Run, finding: Finding, change: Change, spec: Mapping[str, Any]) -> None:
    """Write down that the run's diagnosis proposed this change, which makes `spec`, and what it was to recover."""
    validation = run.summary.validation
    line = {
        "spec": experiment_identity(spec),
        "run": run.name,
        "code": finding.code,
        "title": finding.title,
        "path": change.path,
        "value": change.value,
        "because": change.because,
        "expected": finding.harm,
        "error": validation and validation.error,
        "n": validation and validation.n,
    }
    append(run.folder.parent / ADVICE, json.dumps(line, ensure_ascii=False))


def outcome(run: Run) -> dict[str, Any] | None:
    """Whether what the run was advised by came true: points of validation error recovered, with interval; None where
    nobody advised it."""
    advice = run.neighbourhood.advice
    if advice is None or advice.get("error") is None or run.summary.validation is None:
        return None
    now = run.summary.validation
    before, after = Rate(advice["error"], advice["n"]), Rate(now.error, now.n)
    recovered, (low, high) = before.value - after.value, difference(before, after)
    same = difference_on_the_same_images(run, run.advised) if run.advised else None
    if same is not None:
        recovered, low, high = same
    return {**advice, "recovered": recovered, "low": low, "high": high, "paired": same is not None}


def difference_on_the_same_images(run: Run, other: Run) -> tuple[float, float, float] | None:
    """Error of the other run − that of this one, with its 95 % interval; None where they were judged by others."""
    first, second = other.evidence.best("validation"), run.evidence.best("validation")
    same = other.fingerprint.get("validation") == run.fingerprint.get("validation")
    if not same or first is None or second is None or not np.array_equal(first.label, second.label):
        return None
    found = paired_comparison(first.wrong, second.wrong)
    return found.value, found.low, found.high


def sentence(advice: Mapping[str, Any]) -> str:
    """What to tell the reader of it."""
    change = f"{advice['path']}: {yaml.inline(advice['value'])}"
    if advice["path"] == "data.duplicates":
        hidden = f"{-100 * advice['recovered']:.1f} [{-100 * advice['high']:.1f}, {-100 * advice['low']:.1f}]"
        return f"advised by {advice['run']} ({advice['code']}): {change}; the leak had hidden {hidden} points"
    said = f"advised by {advice['run']} ({advice['code']}): {change}"
    said += f", to recover about {100 * advice['expected']:.0f} points"
    interval = f"[{100 * advice['low']:.1f}, {100 * advice['high']:.1f}]"
    verdict = "" if advice["low"] > 0 else "; it made it worse" if advice["high"] < 0 else "; that may be chance"
    return f"{said}; it recovered {100 * advice['recovered']:.1f} {interval}{verdict}"


def without_circles(
    findings: Iterable[Finding], run: Run, advised: Mapping[str, Any] | None = None
) -> tuple[Finding, ...]:
    """The findings without changes that take back what was advised on the way to this run, or go on with what was
    `advised` for it in vain, as `outcome` says."""
    taken = list(advised_values(run))
    spent = advised["path"] if advised and in_vain(advised) else None

    def kept(finding: Finding) -> tuple[Change, ...]:
        return tuple(
            change
            for change in finding.changes
            if change.path != spent and not any(undoes(change, *each) for each in taken)
        )

    return tuple(replace(finding, changes=kept(finding)) for finding in findings)


def in_vain(advised: Mapping[str, Any]) -> bool:
    """Whether a change surely recovered hardly anything of what it was to: more of the same will not either. Of data a
    small gain is the usual one."""
    return not advised["path"].startswith("data.") and bool(advised["high"] < HARDLY * advised["expected"])


def advised_values(run: Run) -> Iterator[tuple[str, Any, Any]]:
    """Path, value before and value after of each change that was advised for the run or one that it came from."""
    seen: Run | None = run
    for _ in range(MOST_PARENTS):
        advice, parent = (seen.neighbourhood.advice, seen.advised) if seen else (None, None)
        if advice is None or parent is None:
            return
        yield advice["path"], setting(parent.spec, advice["path"]), advice["value"]
        seen = parent


def undoes(change: Change, path: str, before: Any, after: Any) -> bool:
    """Whether a change goes back to where an earlier one began, or beyond."""
    if change.path != path:
        return False
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in (before, after, change.value)):
        return bool(change.value == before)
    return bool((change.value - before) * (before - after) >= 0 and before != after)
