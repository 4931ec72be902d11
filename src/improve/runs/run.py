"""The run folder: write, load. The whole contract with the disk."""

from __future__ import annotations

import ast
import contextlib
import csv
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from improve.errors import ImproveError, SpecError, UsageError
from improve.interrupt import BrokenOff
from improve.runs import files, lock
from improve.runs.evidence import Evidence, bounded_number
from improve.runs.neighbourhood import Neighbourhood, read_neighbourhood
from improve.runs.schema import Environment, Kind, Measured, Status, Summary, parsed_record
from improve.spec.reading import yaml
from improve.spec.reading.validate import spec_of_tree

#: every spec.yaml of a run has these, whatever version wrote it
SECTIONS = (
    "seed", "data", "model", "regularization", "optimizer", "schedule", "augmentation", "training", "diagnosis",
    "evidence",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run as it lies on disk. `spec` is plain data, `history` one mapping per epoch. The test error is not in
    `summary`: `test_part.open_test` gives it, and writes the look down; `looked_at` are the parts that were opened."""

    folder: Path
    spec: dict[str, Any]
    summary: Summary
    history: list[dict[str, float]]
    environment: Environment
    sealed_test: Measured | None = field(default=None, repr=False)
    looked_at: set[str] = field(default_factory=set, repr=False, compare=False)

    @cached_property
    def evidence(self) -> Evidence:
        return Evidence(self.folder)

    @cached_property
    def own_options(self) -> tuple[str, ...]:
        """The names that the user's own model function takes; none where there is no such function."""
        file, _, function = str(self.spec["model"].get("target", "")).partition(":")
        try:
            tree = ast.parse((self.folder / Path(file).name).read_bytes()) if file else ast.Module([], [])
        except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
            return ()
        found = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
        return tuple(each.arg for node in found for each in (*node.args.args, *node.args.kwonlyargs))

    @property
    def fingerprint(self) -> dict[str, str]:
        """A digest of each part's images and labels."""
        return self.environment.data.fingerprint

    @cached_property
    def neighbourhood(self) -> Neighbourhood:
        """What the files around the run say of it, read once."""
        return read_neighbourhood(self.folder.parent, self.spec, self.fingerprint.get("validation"))

    @cached_property
    def advised(self) -> Run | None:
        """The run whose diagnosis advised this one; None where nobody did, or it is gone or damaged."""
        advice = self.neighbourhood.advice
        with contextlib.suppress(ImproveError):
            return load_run(self.folder.parent / advice["run"], history=False) if advice else None
        return None

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def status(self) -> Status:
        """A run that says it is running, while no process is at it, was killed. Asked once."""
        killed = self.summary.status == "running" and not lock.held(self.folder)
        return "stopped" if killed else self.summary.status

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is left to train."""
        return self.status in ("finished", "diverged")

    @property
    def stop_reason(self) -> str:
        """Why it was ended before its time, on purpose; nothing where it was not."""
        return str(self.summary.stopped_because or "") if self.summary.status == "stopped" else ""

    @property
    def is_over(self) -> bool:
        """Whether it is done, or was ended before its time on purpose."""
        return self.is_done or bool(self.stop_reason)

    @property
    def has_result(self) -> bool:
        return self.summary.validation is not None

    @property
    def has_test(self) -> bool:
        return self.sealed_test is not None

    @property
    def validation(self) -> Measured:
        """The clean error on the validation set. Raises ImproveError where there is none yet."""
        if self.summary.validation is None:
            raise ImproveError(f"{self.folder} has no results yet", fix=f"improve resume {self.folder}")
        return self.summary.validation


def write_diagnosis(folder: Path, diagnosis: Mapping[str, Any]) -> None:
    """Keeps count of how often the test set was opened: each time makes its error less of a test."""
    file = folder / "diagnosis.json"
    try:
        opened = int(json.loads(file.read_text(encoding="utf-8"))["test_opened"])
    except (OSError, ValueError, KeyError, TypeError):
        opened = 0
    files.write_json(file, {**diagnosis, "test_opened": opened + int(diagnosis["test_opened"])})


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    files.write_json(folder / "summary.json", summary)


def summary_as_written(folder: Path) -> dict[str, Any]:
    """All that stands in summary.json, the test error as well: for who hands it on as it is."""
    written: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return written


def update_summary(folder: Path, more: Mapping[str, Any]) -> None:
    """What stands in summary.json stays, with `more` beside it or in its place."""
    write_summary(folder, {**summary_as_written(folder), **more})


def write_failure(folder: Path, error: BaseException) -> None:
    """What was reached stays; where not even that can be written, the error that comes is the better message."""
    told: dict[str, Any] = {"status": "failed", "error": f"{type(error).__name__}: {error}"}
    if isinstance(error, BrokenOff):  # no failure, whatever an earlier one was
        told = {"status": "stopped", "error": None, "signal": error.signal.name}
    with contextlib.suppress(OSError, ValueError):
        update_summary(folder, told)


def load_run(folder: str | Path, history: bool = True) -> Run:
    """Read a run, its epochs where `history` is wanted. Raises ImproveError where `folder` is none, or is damaged."""
    folder = Path(folder)
    if not os.path.isdir(folder):  # unlike Path.is_dir it is False for what cannot be a name
        raise UsageError(f"there is no run {folder}", fix="improve compare runs/* lists the runs there are")
    if not os.path.isfile(folder / "summary.json"):
        raise UsageError(f"{folder} is not a run", fix="a run is a folder that improve train has made")
    try:
        spec, summary = read_spec(folder / "spec.yaml"), read_record(folder / "summary.json", Summary)
        rows = read_metrics(folder / "metrics.csv") if history else []
        return Run(folder, spec, sealed(summary), rows, read_environment(folder), summary.test)
    except ImproveError:
        raise
    except (OSError, ValueError) as error:
        raise ImproveError(f"the run {folder} is damaged: {error}", fix="train it again") from error


def sealed(summary: Summary) -> Summary:
    """The summary without the test error."""
    return summary.model_copy(update={"test": None})


def read_spec(file: Path) -> dict[str, Any]:
    """The complete spec: one that an older version wrote gets the defaults of what came later."""
    text = file.read_text(encoding="utf-8")
    try:
        return complete(yaml.parse(text, str(file), places=False))
    except SpecError:
        return complete(yaml.parse(text, str(file)))  # raises it with its places


def complete(tree: yaml.Tree) -> dict[str, Any]:
    lost = [name for name in SECTIONS if not isinstance(tree.value, dict) or name not in tree.value]
    if lost:
        raise ValueError(f"spec.yaml was cut short, '{lost[0]}' is missing")
    return spec_of_tree(tree).complete()


def read_record(file: Path, kind: type[Kind]) -> Kind:
    """Raises ValueError, with the file's name, for what it should not hold."""
    try:
        return parsed_record(kind, json.loads(file.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from error


def read_environment(folder: Path) -> Environment:
    """What environment.json says; an empty Environment where there is no such file."""
    file = folder / "environment.json"
    return read_record(file, Environment) if file.is_file() else Environment()


def read_metrics(file: Path) -> list[dict[str, float]]:
    """One mapping per epoch; a torn last line is ignored."""
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8") as stream:
        text = stream.read()
    whole = text[: text.rfind("\n") + 1].splitlines()
    try:
        return [read_epoch(row) for row in csv.DictReader(whole)]
    except (ValueError, csv.Error, KeyError, OverflowError) as error:
        raise ValueError(f"{file.name}: {error}") from error


def read_epoch(row: Mapping[str, str | None]) -> dict[str, float]:
    numbers = {key: bounded_number(float(value)) for key, value in row.items() if key and value}
    errors = [name for name in numbers if name.endswith("_error") and not 0 <= numbers[name] <= 1]
    if errors:
        raise ValueError(f"{errors[0]} is {numbers[errors[0]]:g}, which no share of images can be")
    return {**numbers, "epoch": int(numbers["epoch"])}
