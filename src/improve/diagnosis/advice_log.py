"""What was advised and whether it came true: the way from a diagnosis to the next run, remembered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from improve.diagnosis.findings.rule import Change, Finding
from improve.errors import ImproveError
from improve.lazy import np
from improve.runs.ledger import append, experiment
from improve.runs.run import Run, load
from improve.runs.schema import Advice, fault
from improve.spec.reading import yaml as yamlfile
from improve.statistics.intervals import Rate, difference
from improve.statistics.paired import paired

FILE = ".advice.jsonl"  # beside the runs; hidden, so that runs/* names runs only


def remember(run: Run, finding: Finding, change: Change, spec: Mapping[str, Any]) -> None:
    """Write down that the run's diagnosis proposed this change, which makes `spec`, and what it was to recover."""
    validation = run.summary.validation
    line = {
        "spec": experiment(spec), "run": run.name, "code": finding.code, "title": finding.title,
        "path": change.path, "value": change.value, "because": change.because, "expected": finding.harm,
        "error": validation.get("error"), "n": validation.get("n"),
    }  # fmt: skip
    append(run.folder.parent / FILE, json.dumps(line, ensure_ascii=False))


def advised(runs: Path, spec: Mapping[str, Any]) -> dict[str, Any] | None:
    """The latest advice that led to this spec, in this folder of runs."""
    try:
        lines = (runs / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    wanted = experiment(spec)
    for line in reversed(lines):
        try:
            found = json.loads(line)
        except ValueError:  # torn
            continue
        if not fault(Advice, found) and found["spec"] == wanted:
            return dict(found)
    return None


def outcome(run: Run) -> dict[str, Any] | None:
    """Whether what the run was advised by came true: points of validation error recovered, with interval; None where
    nobody advised it."""
    found = advised(run.folder.parent, run.spec)
    if found is None or found.get("error") is None or run.summary.validation is None:
        return None
    now = run.summary.validation
    before, after = Rate(found["error"], found["n"]), Rate(now["error"], now["n"])
    recovered, (low, high) = before.value - after.value, difference(before, after)
    same = both(run, found["run"])
    if same is not None:
        recovered, low, high = same
    return {**found, "recovered": recovered, "low": low, "high": high, "paired": same is not None}


def both(run: Run, parent: str) -> tuple[float, float, float] | None:
    """The difference on the same images, where the run before is still there and was judged by them."""
    try:
        other = load(run.folder.parent / parent)
    except ImproveError:  # it is gone, or damaged
        return None
    first, second = other.evidence.best("validation"), run.evidence.best("validation")
    same = other.fingerprint.get("validation") == run.fingerprint.get("validation")
    if not same or first is None or second is None or not np.array_equal(first.label, second.label):
        return None
    found = paired(first.wrong, second.wrong)
    return found.value, found.low, found.high


def sentence(found: Mapping[str, Any]) -> str:
    """What to tell the reader of it."""
    change = f"{found['path']}: {yamlfile.inline(found['value'])}"
    if found["path"] == "data.duplicates":
        hidden = f"{-100 * found['recovered']:.1f} [{-100 * found['high']:.1f}, {-100 * found['low']:.1f}]"
        return f"advised by {found['run']} ({found['code']}): {change}; the leak had hidden {hidden} points"
    said = f"advised by {found['run']} ({found['code']}): {change}"
    said += f", to recover about {100 * found['expected']:.0f} points"
    interval = f"[{100 * found['low']:.1f}, {100 * found['high']:.1f}]"
    verdict = "" if found["low"] > 0 else "; it made it worse" if found["high"] < 0 else "; that may be chance"
    return f"{said}; it recovered {100 * found['recovered']:.1f} {interval}{verdict}"
