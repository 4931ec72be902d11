"""Spec + Change → the next valid Spec."""

from __future__ import annotations

import difflib
from shlex import quote
from typing import Any

from improve.diagnosis.diagnose import Diagnosis
from improve.diagnosis.findings import ORDER
from improve.diagnosis.findings.rule import Change, Finding
from improve.diagnosis.precedence import BEFORE_TEST
from improve.errors import ImproveError, UsageError, did_you_mean, visible
from improve.runs.ensemble import best_member
from improve.spec.reading import yaml
from improve.spec.reading.flatten import with_setting
from improve.spec.spec import Spec

CODES = tuple(rule.code for rule in ORDER)


def best_change(diagnosis: Diagnosis, code: str | None = None) -> tuple[Finding, Change]:
    """The most valuable finding that has a change, and its first one; with `code` that finding, though it may wait for
    another. Raises ImproveError where there is none, UsageError for an ensemble: what its members lack, the diagnosis
    of one of them says."""
    check_single(diagnosis)
    if code is not None:
        return change_of(diagnosis, code)
    if first := mended_outside(diagnosis):
        fix = f"{first.confirm or 'mend that'}; a guess of another finding: --finding CODE"
        raise ImproveError(f"no edit of the spec mends {first.code}, {first.title}", fix=fix)
    wanted = [one for one in diagnosis.findings if one.changes and one.is_told]
    if not wanted:
        raise ImproveError("the diagnosis proposes no change of the spec", fix="improve diagnose says what it knows")
    return wanted[0], wanted[0].changes[0]


def check_single(diagnosis: Diagnosis) -> None:
    run = diagnosis.run
    if run is not None and run.summary.members:
        fix = f"improve next {quote(str(best_member(run)))} for its best member; "
        fix += f"training.members={len(run.summary.members)} then trains as many with the change"
        raise UsageError(f"{run.folder} is an ensemble", fix=fix)


def change_of(diagnosis: Diagnosis, code: str) -> tuple[Finding, Change]:
    """The finding with this code, and its first change. Raises UsageError where it has none."""
    if code not in CODES:
        meant = f"; did you mean '{code.upper()}'?" if code.upper() in CODES else did_you_mean(code, CODES)
        raise UsageError(f"{code!r} is not the code of a finding{meant}", fix="improve list findings")
    able = {finding.code: finding for finding in reversed(diagnosis.findings) if finding.changes}
    if code not in able:
        known = ", ".join(finding.code for finding in diagnosis.findings if finding.changes)
        fix = f"one of {known}" if known else "improve diagnose says what it knows"
        raise UsageError(f"the diagnosis proposes no change for {code}", fix=fix)
    return able[code], able[code].changes[0]


def mended_outside(diagnosis: Diagnosis) -> Finding | None:
    """The first finding, where it is in the data, the labels or the user's own code, so that no edit of the spec mends
    it: until it is mended, what else is changed is tried in vain."""
    first = next((finding for finding in diagnosis.findings if finding.stands), None)
    if first is None or first.changes or first.code == "T18" or not first.harm > 0:
        return None
    return first if first.link in BEFORE_TEST else None


def revised_yaml(spec: dict[str, Any], change: Change) -> str:
    """The YAML of `spec` with the change applied, its reason in a comment on top; it is a valid spec."""
    return f"# {visible(f'{change.path}: {change.because}')}\n{yaml.write(revised_spec(spec, change))}"


def revised_spec(spec: dict[str, Any], change: Change) -> dict[str, Any]:
    """`spec` with the change applied. Raises ValidationError where that is no valid spec."""
    changed = spec
    for path, value in change.edits:
        changed = with_setting(changed, path, value)
    Spec.model_validate(changed)
    return changed


def spec_diff(spec: dict[str, Any], revised: str) -> str:
    """What changes, as a unified diff without context."""
    before, after = yaml.write(spec).splitlines(), revised.splitlines()[1:]
    lines = list(difflib.unified_diff(before, after, "this run", "next", lineterm="", n=1))
    return "\n".join(lines)
