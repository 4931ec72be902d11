"""Beginning a run that may be there already: under which name, after what a killed process left, or not at all."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from improve.errors import UsageError
from improve.runs import files
from improve.runs.run import write_summary
from improve.spec.reading import yaml
from improve.spec.spec import Spec

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no files under Windows
MADE_FIRST = {"spec.yaml", "predictions", "state", "evidence"}  # in a run folder, before its summary


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
    """The name itself. Raises UsageError where it cannot name a run's folder on every system."""
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
    files.write_text(folder / "spec.yaml", yaml.write(spec.complete()))
    if spec.model.code:
        bring_code(spec.model.code, folder)
    begun |= {"status": "running", "name": folder.name}
    write_summary(folder, begun | ({"from": str(weights.absolute())} if weights else {}))
    return folder


def bring_code(file: Path, folder: Path) -> None:
    """Put the user's own file beside a spec that names it."""
    wanted = folder / file.name
    if not wanted.exists():
        shutil.copyfile(file, wanted)
    elif not wanted.is_file() or wanted.read_bytes() != file.read_bytes():
        raise UsageError(f"{wanted} is another file than {file}", fix="write to another folder, or remove it")


def names(name: str) -> Iterator[str]:
    """`name`, then name-2, name-3 … without end."""
    yield name
    for number in count(2):
        yield f"{name}-{number}"


def free_name(name: str, taken: Collection[str]) -> str:
    """The first of `names` that is not taken."""
    return next(candidate for candidate in names(name) if candidate not in taken)


def new_folder(runs: Path, name: str) -> Path:
    """Made under the first of `names` that is free. mkdir is atomic, so two processes never get the same."""
    for candidate in names(name):
        with suppress(FileExistsError):
            (runs / candidate).mkdir()
            return runs / candidate
    raise AssertionError("names do not end")


def folders(runs: Path, name: str) -> list[Path]:
    """What is there under one of `names`, sorted."""
    numbered = re.compile(rf"{re.escape(name)}(-\d+)?")
    return sorted(path for path in runs.glob(f"{name}*") if numbered.fullmatch(path.name))


def remove_husk(folder: Path, spec: Spec) -> None:
    """Remove a run folder that was being made, for this spec, when its process was killed: nothing was trained in it
    yet. Whoever asks holds the lock of the folder around it, so that nobody else is making it now."""
    if not folder.is_dir() or folder.is_symlink():
        return
    made = MADE_FIRST | ({spec.model.code.name} if spec.model.code else set())
    held = {path.name for path in folder.iterdir() if not path.name.endswith(".tmp")}
    written = folder / "spec.yaml"
    own = not written.exists() or written.read_text(encoding="utf-8", errors="replace") == yaml.write(spec.complete())
    if held <= made and own and not any(folder.glob("*/*")):
        shutil.rmtree(folder)


def same_code(folder: Path, spec: Spec) -> bool:
    """Whether the user's own model is still what the run in `folder` was trained with."""
    file = spec.model.code
    return not file or ((folder / file.name).is_file() and (folder / file.name).read_bytes() == file.read_bytes())
