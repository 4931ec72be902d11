"""The run folder: start, write, load. The whole contract with the disk."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.errors import ImproveError, SpecError, UsageError
from improve.interrupt import BrokenOff
from improve.lazy import np
from improve.runs import ledger, lock
from improve.runs.begin import new_folder
from improve.runs.evidence import Evidence, bounded
from improve.runs.schema import Environment, Recorded, Summary, fault
from improve.spec.reading import yaml as yamlfile
from improve.spec.reading.validate import understood
from improve.spec.spec import Spec, spec_digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
#: every spec.yaml of a run has these, whatever version wrote it
SECTIONS = (
    "seed", "data", "model", "regularization", "optimizer", "schedule", "augmentation", "training", "diagnosis",
    "evidence",
)  # fmt: skip
DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no files under Windows


@dataclass(frozen=True)
class Run:
    """A run as it lies on disk. `spec` is plain data, `history` one mapping per epoch."""

    folder: Path
    spec: dict[str, Any]
    summary: dict[str, Any]
    history: list[dict[str, float]]
    environment: dict[str, Any]

    @cached_property
    def evidence(self) -> Evidence:
        return Evidence(self.folder)

    @property
    def fingerprint(self) -> dict[str, str]:
        """A digest of each part's images and labels."""
        return dict(self.environment.data.fingerprint)

    @cached_property
    def tried(self) -> int:
        """How many different specs were judged by the same validation images, in this folder of runs."""
        return ledger.tried(self.folder.parent, "validation", self.fingerprint.get("validation"))

    @cached_property
    def learning_curve(self) -> dict[str, Any] | None:
        """What `improve learning-curve` found for this spec, in this folder of runs."""
        for file in sorted(self.folder.parent.glob("*/learning_curve.json")):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                found = json.loads(file.read_text(encoding="utf-8"))
                if found.get("digest") == spec_digest(self.spec):
                    return dict(found)
        return None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def status(self) -> str:
        """A run that says it is running, while no process is at it, was killed."""
        said = str(self.summary.get("status", "failed"))
        return "stopped" if said == "running" and not lock.held(self.folder) else said


def writable(runs: Path) -> Path:
    """Make sure that `runs` is a folder in which something can be written; made if missing."""
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=runs):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(
            f"nothing can be written to the runs folder {runs}: {reason}", fix="choose another one with --runs"
        ) from error
    return runs


def checked_name(name: str) -> str:
    if not NAME.fullmatch(name) or ".." in name or DEVICE.fullmatch(name) or name.endswith("."):
        raise UsageError(
            f"{name!r} cannot name a run",
            fix="use up to 100 letters, digits, '.', '_' and '-', a letter or digit first",
        )
    return name


def create(runs: Path, name: str, spec: Spec, weights: Path | None = None, **begun: Any) -> Path:
    """A new folder for a run: `name`, or name-2, -3 … if that is taken. `weights`: the run that it starts from;
    `begun`: what else stands in its summary from the beginning."""
    folder = new_folder(runs, name)
    (folder / "predictions").mkdir()
    (folder / "state").mkdir()
    (folder / "evidence").mkdir()
    write_text(folder / "spec.yaml", yamlfile.write(spec.complete()))
    if spec.model.code:
        bring_code(spec.model.code, folder)
    begun |= {"status": "running", "name": folder.name}
    write_summary(folder, begun | ({"from": str(weights.absolute())} if weights else {}))
    return folder


def bring_code(file: Path, folder: Path) -> None:
    """Put the user's own file beside a spec that names it."""
    wanted = folder / file.name
    if wanted.is_file() and wanted.read_bytes() != file.read_bytes():
        raise UsageError(f"{wanted} is another file than {file}", fix="write to another folder, or remove it")
    if not wanted.exists():
        shutil.copyfile(file, wanted)


def write_text(file: Path, text: str) -> None:
    """Write all of it or nothing: a temporary file, moved into place."""
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.unlink(missing_ok=True)  # a link that somebody put there is not followed
    with temporary.open("x", encoding="utf-8", errors="backslashreplace") as stream:  # half a pair of surrogates
        stream.write(text)
    os.replace(temporary, file)


def write_json(file: Path, value: Any) -> None:
    write_text(file, json.dumps(finite(value), indent=2, ensure_ascii=False) + "\n")


def finite(value: Any) -> Any:
    """`value` with NaN and infinity as null: JSON has no words for them."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_diagnosis(folder: Path, diagnosis: Mapping[str, Any]) -> None:
    """Keeps count of how often the test set was opened: each time makes its error less of a test."""
    file = folder / "diagnosis.json"
    try:
        opened = int(json.loads(file.read_text(encoding="utf-8"))["test_opened"])
    except (OSError, ValueError, KeyError, TypeError):
        opened = 0
    write_json(file, {**diagnosis, "test_opened": opened + int(diagnosis["test_opened"])})


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    write_json(folder / "summary.json", summary)


def write_failure(folder: Path, error: BaseException) -> None:
    """What was reached stays; where not even that can be written, the error that comes is the better message."""
    told: dict[str, Any] = {"status": "failed", "error": f"{type(error).__name__}: {error}"}
    if isinstance(error, BrokenOff):
        told |= {"status": "stopped", "signal": error.signal.name}
    with contextlib.suppress(OSError, ValueError):
        reached = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        write_summary(folder, reached | told)


def write_arrays(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    temporary = file.with_name(f".{file.stem}.tmp.npz")
    temporary.unlink(missing_ok=True)
    with temporary.open("xb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    os.replace(temporary, file)


def load(folder: str | Path, history: bool = True) -> Run:
    """Read a run, its epochs where `history` is wanted. Raises ImproveError where `folder` is none, or is damaged."""
    folder = Path(folder)
    if not os.path.isdir(folder):  # unlike Path.is_dir it is False for what cannot be a name
        raise UsageError(f"there is no run {folder}", fix="improve compare runs/* lists the runs there are")
    if not os.path.isfile(folder / "summary.json"):
        raise UsageError(f"{folder} is not a run", fix="a run is a folder that improve train has made")
    try:
        spec, summary = read_spec(folder / "spec.yaml"), read_json(folder / "summary.json", Summary)
        rows = read_metrics(folder / "metrics.csv") if history else []
        return Run(folder, spec, summary, rows, read_environment(folder))
    except ImproveError:
        raise
    except (OSError, ValueError) as error:
        raise ImproveError(f"the run {folder} is damaged: {error}", fix="train it again") from error


def read_spec(file: Path) -> dict[str, Any]:
    """The complete spec: one that an older version wrote gets the defaults of what came later."""
    text = file.read_text(encoding="utf-8")
    try:
        return complete(yamlfile.parse(text, str(file), places=False))
    except SpecError:
        return complete(yamlfile.parse(text, str(file)))  # raises it with its places


def complete(tree: yamlfile.Tree) -> dict[str, Any]:
    lost = [name for name in SECTIONS if not isinstance(tree.value, dict) or name not in tree.value]
    if lost:
        raise ValueError(f"spec.yaml was cut short, '{lost[0]}' is missing")
    return understood(tree).complete()


def read_json(file: Path, kind: type[Recorded]) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from error
    if wrong := fault(kind, value):
        raise ValueError(f"{file.name}: {wrong}")
    return value


def read_environment(folder: Path) -> dict[str, Any]:
    file = folder / "environment.json"
    return read_json(file, Environment) if file.is_file() else {}


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
    numbers = {key: bounded(float(value)) for key, value in row.items() if key and value}
    errors = [name for name in numbers if name.endswith("_error") and not 0 <= numbers[name] <= 1]
    if errors:
        raise ValueError(f"{errors[0]} is {numbers[errors[0]]:g}, which no share of images can be")
    return {**numbers, "epoch": int(numbers["epoch"])}
