"""What experiments have said of a run's findings: confirm/confirm.json in its folder, by improve diagnose --confirm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from improve.diagnosis.findings.rule import Finding
from improve.runs.run import Run, read_record
from improve.runs.schema import Recorded

FOLDER = "confirm"  # in the run's folder; the trials lie there as well


class TrialRecord(Recorded):
    """One change that was tried."""

    code: str
    edits: list[Annotated[list[Any], Field(min_length=2, max_length=2)]]
    outcome: Literal["confirmed", "refuted", "not settled"]
    says: str
    won: float


class TrialRecords(Recorded):
    """confirm.json. `state_sha256`: of the run that was the control."""

    state_sha256: str | None = None
    trials: list[TrialRecord]


def file_of(run: Run) -> Path:
    return run.folder / FOLDER / "confirm.json"


def trials_of(run: Run | None) -> tuple[list[TrialRecord], str]:
    """What was tried on the run as it is, and what is to be said of a file that is damaged, or of an earlier state of
    the run: then there are none."""
    if run is None or not file_of(run).exists():
        return [], ""
    try:
        found = read_record(file_of(run), TrialRecords)
    except (OSError, ValueError) as error:
        return [], f"{file_of(run)} is left out, it is damaged: {error}; remove it, --confirm writes it anew"
    if found.state_sha256 != run.summary.state_sha256:
        return [], "the run has gone on since --confirm was tried on it, so that says nothing of it now"
    return found.trials, ""


def with_trials(findings: Iterable[Finding], trials: list[TrialRecord]) -> list[Finding]:
    """The findings with what experiments say of them: found where it is confirmed, or refuted."""
    return [tried(one, next((trial for trial in trials if of(trial, one)), None)) for one in findings]


def with_proof(likely: dict[str, float], findings: Iterable[Finding], trials: list[TrialRecord]) -> dict[str, float]:
    """How likely each cause is; what is confirmed comes before all else, the more it wins the earlier."""
    proved = {trial.code: 1 + trial.won for trial in trials if trial.outcome == "confirmed"}
    return likely | {one.code: proved[one.code] for one in findings if one.tried and one.code in proved}


def of(trial: TrialRecord, finding: Finding) -> bool:
    """Whether a trial was of this finding, which still proposes that."""
    paths = [path for path, _ in trial.edits]
    return trial.code == finding.code and any([path for path, _ in one.edits] == paths for one in finding.changes[:1])


def tried(finding: Finding, trial: TrialRecord | None) -> Finding:
    if trial is None:
        return finding
    if trial.outcome == "confirmed":
        return replace(finding, status="found", waits="", tried=trial.says)
    return replace(finding, status="refuted" if trial.outcome == "refuted" else finding.status, tried=trial.says)
