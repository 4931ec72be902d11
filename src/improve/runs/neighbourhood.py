"""What the files around a run say of it: the ledger, the learning curves and the advice in the same folder of runs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from improve.runs import ledger
from improve.runs.schema import Advice, schema_fault
from improve.spec.identity import curve_identity, experiment_identity

ADVICE = ".advice.jsonl"  # beside the runs; hidden, so that runs/* names runs only


class Neighbourhood(NamedTuple):
    """`tried`: how many experiments were judged by the run's validation images. `learning_curve`: what `improve
    learning-curve` found for its spec, None where nobody asked. `advice`: the latest advice that led to its spec."""

    tried: int
    learning_curve: dict[str, Any] | None
    advice: dict[str, Any] | None


def read_neighbourhood(runs: Path, spec: Mapping[str, Any], validation: str | None) -> Neighbourhood:
    """What lies beside a run in the folder `runs`: of a run with this spec, judged by the images with this
    fingerprint."""
    tried = ledger.tried(runs, "validation", validation)
    return Neighbourhood(tried, read_learning_curve(runs, spec), read_advice(runs, spec))


def read_learning_curve(runs: Path, spec: Mapping[str, Any]) -> dict[str, Any] | None:
    for file in sorted(runs.glob("*/learning_curve.json")):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            found = json.loads(file.read_text(encoding="utf-8"))
            if found.get("digest") == curve_identity(spec):
                return dict(found)
    return None


def read_advice(runs: Path, spec: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        lines = (runs / ADVICE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    wanted = experiment_identity(spec)
    for line in reversed(lines):
        try:
            found = json.loads(line)
        except ValueError:  # torn
            continue
        if not schema_fault(Advice, found) and found["spec"] == wanted:
            return dict(found)
    return None
