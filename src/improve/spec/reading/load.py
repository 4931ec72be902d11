"""YAML ↔ Spec: `extends`, `key=value` overrides, and every mistake with its place, its line and its remedy."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path as FilePath
from typing import Any

from improve.errors import Problem, SpecError, UsageError, nearest
from improve.spec.reading.merge import changes_in_order, merge, override
from improve.spec.reading.search_space_syntax import take_sweep_section
from improve.spec.reading.validate import validate
from improve.spec.reading.yaml import MAX_BYTES, Path, Tree, parse
from improve.spec.spec import Spec
from improve.spec.user_code import located_target

#: values that name a file: relative to the spec that says so, not to where the command is run
FILES: tuple[Path, ...] = (("data", "source", "path"), ("data", "target", "source", "path"))
#: names a function in a file of the spec's own folder
CODE: Path = ("model", "target")


def load_spec(file: str | FilePath, overrides: list[str] | None = None, code: bool = True) -> Spec:
    """Read, extend, override and validate. Raises SpecError with all mistakes, UsageError where there is no file.

    Without `code` a model of the user's own is refused: nothing but improve itself will run.
    """
    tree = overlaid_tree(file, overrides or [])
    take_sweep_section(tree)
    spec, problems = spec_and_problems(tree, code)
    if problems:
        raise SpecError(problems)
    return spec


def overlaid_tree(file: str | FilePath, overrides: list[str]) -> Tree:
    """The file, what it extends, and the overrides over both."""
    tree = read_extended(FilePath(file), ())
    for change in changes_in_order([override(text) for text in overrides]):
        resolve_files(change, FilePath.cwd())
        resolve_code(change, FilePath(file).parent)
        merge(tree, change)
    return tree


def spec_and_problems(tree: Tree, code: bool = True) -> tuple[Spec, list[Problem]]:
    """The Spec, and every mistake, those of reading it included."""
    spec, found = validate(tree)
    if spec.model.code and not code:
        place = tree.place(CODE) or tree.values[()]
        found.append(place.problem("this model runs your own code, and --no-code is set", "leave --no-code out"))
    return spec, tree.problems + found


def read_text(file: FilePath) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)  # a device such as /dev/zero has no end
    except FileNotFoundError:
        near = sorted(path.name for path in file.parent.glob("*.yaml")) if file.parent.is_dir() else []
        close = nearest(file.name, near)
        fix = f"did you mean {file.parent / close[0]}?" if close else "improve init -o FILE writes one to start from"
        raise UsageError(f"there is no file {file}", fix=fix) from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{file} is too large to be a spec", fix="a spec is under 1 MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SpecError([Problem("this is not UTF-8 text", "save the file as UTF-8", str(file), line)]) from None


def read_extended(file: FilePath, chain: tuple[FilePath, ...]) -> Tree:
    """The tree of `file`, merged over the file that it extends."""
    tree = parse(read_text(file), str(file))
    if tree.value is None:
        tree.value = {}
    if not isinstance(tree.value, dict):
        raise SpecError([tree.values[()].problem("a spec is a mapping of sections", "start with 'data:' or 'model:'")])
    resolve_files(tree, file.parent)
    resolve_code(tree, file.parent)
    if "extends" not in tree.value:
        return tree
    base_name, place = tree.value.pop("extends"), tree.values[("extends",)]
    if not isinstance(base_name, str) or "\0" in base_name:
        raise SpecError([place.problem("extends names one file", "write extends: base.yaml")])
    base_file = file.parent / base_name
    if os.path.realpath(base_file) in map(os.path.realpath, (*chain, file)):
        raise SpecError([place.problem(f"{base_name} extends itself, by way of this file", "break the circle")])
    try:
        base = read_extended(base_file, (*chain, file))
    except SpecError:
        raise
    except UsageError as error:
        raise SpecError([place.problem(error.what, error.fix)]) from None
    merge(base, tree)
    return base


def resolve_files(tree: Tree, folder: FilePath) -> None:
    """Make file names absolute, so that a saved spec runs from anywhere."""
    for path in FILES:
        holder = holder_of(tree, path)
        if holder is not None:
            with contextlib.suppress(ValueError, RuntimeError):  # a null byte; ~ of nobody: there is no such file
                holder[path[-1]] = str((folder / FilePath(holder[path[-1]]).expanduser()).resolve())


def resolve_code(tree: Tree, folder: FilePath) -> None:
    """Say where the user's own function is; it must lie in `folder`."""
    holder = holder_of(tree, CODE)
    if holder is None:
        return
    try:
        holder[CODE[-1]] = located_target(holder[CODE[-1]], folder)
    except UsageError as error:
        place = tree.place(CODE) or tree.values[()]
        tree.problems.append(place.problem(error.what, error.fix))
        del holder[CODE[-1]]


def holder_of(tree: Tree, path: Path) -> dict[Any, Any] | None:
    """The mapping that holds the last key of `path`, where that key has a text."""
    holder = tree.value
    for key in path[:-1]:
        holder = holder.get(key) if isinstance(holder, dict) else None
    return holder if isinstance(holder, dict) and isinstance(holder.get(path[-1]), str) else None
