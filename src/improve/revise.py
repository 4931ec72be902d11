"""Spec + Change → the next valid Spec."""

from __future__ import annotations

import difflib
from typing import Any

from improve import yamlfile
from improve.diagnose import Diagnosis
from improve.errors import ImproveError
from improve.findings.rule import Change
from improve.spec import Spec


def best_change(diagnosis: Diagnosis) -> Change:
    """The first change of the most valuable finding that has one. Raises ImproveError where there is none."""
    for finding in diagnosis.findings:
        if finding.changes:
            return finding.changes[0]
    raise ImproveError("the diagnosis proposes no change of the spec", fix="improve diagnose says what it knows")


def revise(spec: dict[str, Any], change: Change) -> str:
    """The YAML of `spec` with the change applied, its reason in a comment on top; it is a valid spec."""
    revised = apply(spec, change.path.split("."), change.value)
    Spec.model_validate(revised)
    return f"# {change.path}: {change.because}\n{yamlfile.write(revised)}"


def apply(value: dict[str, Any], path: list[str], new: Any) -> dict[str, Any]:
    step, *rest = path
    return {**value, step: apply(value.get(step) or {}, rest, new) if rest else new}


def edit(spec: dict[str, Any], revised: str) -> str:
    """What changes, as a unified diff without context."""
    before, after = yamlfile.write(spec).splitlines(), revised.splitlines()[1:]
    lines = list(difflib.unified_diff(before, after, "this run", "next", lineterm="", n=1))
    return "\n".join(lines)
