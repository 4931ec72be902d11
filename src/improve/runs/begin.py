"""Beginning a run that may be there already: under which name, after what a killed process left, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from improve.spec.spec import Spec

MADE_FIRST = {"spec.yaml", "predictions", "state", "evidence"}  # in a run folder, before its summary


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
    found = sorted(runs.glob(f"{name}*"))
    return [path for path in found if path.name == name or path.name.removeprefix(f"{name}-").isdecimal()]


def remove_husk(folder: Path, spec: Spec) -> None:
    """Remove a run folder that was being made when its process was killed: nothing was trained in it yet."""
    if not folder.is_dir() or folder.is_symlink():
        return
    made = MADE_FIRST | ({spec.model.code.name} if spec.model.code else set())
    held = {path.name for path in folder.iterdir() if not path.name.endswith(".tmp")}
    if held <= made and not any(folder.glob("*/*")):
        shutil.rmtree(folder)


def same_code(folder: Path, spec: Spec) -> bool:
    """Whether the user's own model is still what the run in `folder` was trained with."""
    file = spec.model.code
    return not file or ((folder / file.name).is_file() and (folder / file.name).read_bytes() == file.read_bytes())
