"""YAML ↔ Spec: `extends`, `key=value` overrides, and every mistake with its place, its line and its remedy."""

from __future__ import annotations

import difflib
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from pydantic import ValidationError

from improve.errors import Problem, SpecError, UsageError
from improve.sense import complaints
from improve.spec import SHELVES, Spec
from improve.vocabulary import known_keys, section_at
from improve.yamlfile import MAX_BYTES, Path, Place, Tree, parse, scalar, write

#: values that name a file: relative to the spec that says so, not to where the command is run
FILES: tuple[Path, ...] = (("data", "source", "path"),)
SHELF_OF = {"source": "datasets", "normalize": "normalizations", "model": "models", "optimizer": "optimizers",
            "schedule": "schedules", "augmentation": "augmentations"}  # fmt: skip


class Loaded(NamedTuple):
    """A valid spec, and what was written to get it (without the defaults)."""

    spec: Spec
    written: dict[str, Any]


def load(file: str | FilePath, overrides: list[str] | None = None) -> Loaded:
    """Read, extend, override and validate. Raises SpecError with all mistakes, UsageError where there is no file."""
    tree = read_extended(FilePath(file), ())
    changes, where = Tree({}), FilePath.cwd()
    for text in overrides or []:
        merge(changes, override(text, tree))
    if changes.value:
        resolve_files(changes, where)
    problems = tree.problems + changes.problems
    merge(tree, changes)
    spec, found = validate(tree)
    if problems or found:
        raise SpecError(problems + found)
    return Loaded(spec, tree.value)


def read_text(file: FilePath) -> str:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        near = sorted(path.name for path in file.parent.glob("*.yaml")) if file.parent.is_dir() else []
        close = difflib.get_close_matches(file.name, near, n=1)
        fix = f"did you mean {file.parent / close[0]}?" if close else "improve init -o FILE writes one to start from"
        raise UsageError(f"there is no file {file}", fix=fix) from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{file} is {len(data) / 1e6:.1f} MB, too large to be a spec", fix="a spec is under 1 MB")
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
    if "extends" not in tree.value:
        return tree
    base_name, place = tree.value.pop("extends"), tree.values[("extends",)]
    if not isinstance(base_name, str):
        raise SpecError([place.problem("extends names one file", "write extends: base.yaml")])
    base_file = file.parent / base_name
    if base_file.resolve() in {path.resolve() for path in (*chain, file)}:
        raise SpecError([place.problem(f"{base_name} extends itself, by way of this file", "break the circle")])
    try:
        base = read_extended(base_file, (*chain, file))
    except SpecError:
        raise
    except UsageError as error:
        raise SpecError([place.problem(error.what, error.fix)]) from None
    base.problems += tree.problems
    merge(base, tree)
    return base


def resolve_files(tree: Tree, folder: FilePath) -> None:
    """Make file names absolute, so that a saved spec runs from anywhere."""
    for path in FILES:
        holder = tree.value
        for key in path[:-1]:
            holder = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and isinstance(holder.get(path[-1]), str):
            holder[str(path[-1])] = str((folder / FilePath(holder[str(path[-1])]).expanduser()).resolve())


def override(text: str, base: Tree) -> Tree:
    """`training.epochs=5` as a tree of its own; a list item is named by its number."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        place = Place(text, text, 1, 1, len(text))
        return Tree({}, problems=[place.problem("an override is written key=value", "such as training.epochs=5")])
    parsed = parse(" " * (len(key) + 1) + value, text)
    tree = Tree(parsed.value, problems=parsed.problems)
    path: Path = tuple(key.strip().split("."))
    columns = [key.index(key.strip()) + 1]
    for word in path[:-1]:
        columns.append(columns[-1] + len(str(word)) + 1)
    own = {at: replace_text(place, text) for at, place in parsed.values.items()}
    tree.values = {(*path, *at): place for at, place in own.items()}
    tree.keys = {(*path, *at): replace_text(place, text) for at, place in parsed.keys.items()}
    for depth, column in enumerate(columns):
        at = path[: depth + 1]
        tree.keys[at] = Place(text, text, 1, column, len(str(path[depth])))
        tree.values.setdefault(at, tree.keys[at])
    for word in reversed(path):
        tree.value = {str(word): tree.value}
    return number_lists(tree, base)


def replace_text(place: Place, text: str) -> Place:
    return Place(text, text, 1, place.column, place.length)


def number_lists(tree: Tree, base: Tree) -> Tree:
    """Turn `augmentation: {"0": …}` into the base's whole list with that item changed."""
    value = tree.value.get("augmentation")
    old = base.value.get("augmentation") or []
    if not isinstance(value, dict) or not isinstance(old, list):
        return tree
    (word, change), *_ = value.items()
    place = tree.keys[("augmentation", word)]
    if not word.isdigit() or int(word) >= len(old):
        fix = f"there are {len(old)}, numbered from 0" if old else "there are none; write augmentation=[{name: flip}]"
        return Tree({}, problems=[place.problem(f"there is no augmentation {word}", fix)])
    index = int(word)
    item = Tree({"item": old[index]})
    merge(item, Tree({"item": change}))
    rename = {
        ("augmentation", index if at[1] == word else at[1], *at[2:]): where
        for at, where in tree.values.items()
        if len(at) > 1
    }
    keys = {("augmentation", index, *at[2:]): where for at, where in tree.keys.items() if len(at) > 2}
    values = {at: where for at, where in base.values.items() if at[:1] == ("augmentation",)} | rename
    base_keys = {at: where for at, where in base.keys.items() if at[:1] == ("augmentation",)}
    whole = [item.value["item"] if number == index else part for number, part in enumerate(old)]
    return Tree({"augmentation": whole}, values, base_keys | keys, tree.problems)


def merge(base: Tree, top: Tree, path: Path = ()) -> None:
    """Lay `top` over `base`, in place. Mappings merge; lists, scalars and parts with another name replace."""
    base.value = _merged(base.value, top.value, base, path)
    base.values.update(top.values)
    base.keys.update(top.keys)


def _merged(old: Any, new: Any, base: Tree, path: Path) -> Any:
    starts_afresh = isinstance(new, dict) and isinstance(old, dict) and new.get("name", old.get("name")) != old.get("name")
    if isinstance(old, str) and isinstance(new, dict) and "name" not in new and _is_part(path):
        old = {"name": old}
    if not isinstance(old, dict) or not isinstance(new, dict) or starts_afresh:
        _forget(base, path)
        return new
    return {**old, **{key: _merged(old.get(key), value, base, (*path, key)) for key, value in new.items()}}


def _is_part(path: Path) -> bool:
    return bool(path) and path[-1] in SHELF_OF


def _forget(base: Tree, path: Path) -> None:
    for places in (base.values, base.keys):
        for at in [at for at in places if at[: len(path)] == path and at != path]:
            del places[at]


def validate(tree: Tree) -> tuple[Spec, list[Problem]]:
    """The Spec, and every mistake. What is wrong is taken out, so that the rest can be judged in the same pass."""
    problems: list[Problem] = []
    wrong: list[Path] = []
    value = tree.value
    while True:
        try:
            spec = Spec.model_validate(value)
            break
        except ValidationError as error:
            for item in error.errors(include_url=False):
                path = document_path(item["loc"], value)
                problems.append(_problem(tree, path, dict(item)))
                wrong.append(path)
            value = _without(value, wrong)
    for complaint in complaints(spec):
        if not any(at[: len(path)] == path or path[: len(at)] == at for at in complaint.paths for path in wrong):
            problems.append(_at(tree, complaint.paths).problem(complaint.what, complaint.fix))
    return spec, problems


def _at(tree: Tree, paths: tuple[Path, ...]) -> Place:
    for path in paths:
        if path in tree.values:
            return tree.values[path]
    return tree.place(paths[0]) or Place("command line", "", 1, 1, 1)


def document_path(location: tuple[Any, ...], value: Any) -> Path:
    """Pydantic's location without the names of the parts that it went through."""
    path: list[str | int] = []
    for step in location:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        elif isinstance(value, dict | str) and any(step == part.key() for parts in SHELVES.values() for part in parts):
            continue
        else:
            value = None
        path.append(step)
    return tuple(path)


def _without(value: Any, paths: list[Path], here: Path = ()) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, paths, (*here, key)) for key, item in value.items() if (*here, key) not in paths}
    if isinstance(value, list):
        keep = [number for number in range(len(value)) if (*here, number) not in paths]
        return [_without(value[number], paths, (*here, number)) for number in keep]
    return value


def _problem(tree: Tree, path: Path, error: dict[str, Any]) -> Problem:
    """Say one of Pydantic's errors in our words."""
    kind, context = error["type"], error.get("ctx", {})
    place = tree.place(path) or Place("command line", "", 1, 1, 1)
    dotted = ".".join(str(step) for step in path)
    if kind == "extra_forbidden":
        return _unknown_key(tree, path)
    if kind == "union_tag_invalid":
        return _unknown_part(tree, path, str(context["tag"]))
    if kind == "missing":
        return place.problem(f"'{path[-1]}' is missing here", f"add {path[-1]}: …")
    if kind == "improve":
        return place.problem(f"{dotted}: {context['what']}", context["fix"])
    if kind == "literal_error":
        return _unknown_word(place, dotted, str(error["input"]), context["expected"])
    message = error["msg"].replace("Input should", "should")
    given = error["input"]
    shown = "nothing" if given is None else write(given).strip().removesuffix("\n...").replace("\n", ", ")
    return place.problem(f"{dotted} {message}, this is {shown[:80]}")


def _unknown_word(place: Place, dotted: str, given: str, expected: str) -> Problem:
    known = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    close = difflib.get_close_matches(given, known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return place.problem(f"{dotted} cannot be '{given}'{hint}", f"known: {', '.join(known)}")


def _unknown_key(tree: Tree, path: Path) -> Problem:
    key = str(path[-1])
    section, owner = section_at(path[:-1], tree.value)
    known = known_keys(section)
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else _elsewhere(section, key)
    place = tree.keys.get(path) or tree.place(path) or Place("command line", "", 1, 1, 1)
    fix = f"{owner} knows: {', '.join(known)}" if known else f"{owner} has no options"
    return place.problem(f"there is no '{key}' here{hint}", fix)


def _elsewhere(section: Any, key: str) -> str:
    """'decay' under a constant schedule: say which part it belongs to."""
    parts = SHELVES.get(getattr(section, "shelf", ""), ())
    owners = [part.key() for part in parts if key in part.model_fields]
    return f"; it is an option of {' and '.join(owners)}" if owners else ""


def _unknown_part(tree: Tree, path: Path, name: str) -> Problem:
    word = next(step for step in reversed(path) if isinstance(step, str))
    shelf = SHELF_OF[word]
    known = [part.key() for part in SHELVES[shelf]]
    close = difflib.get_close_matches(str(scalar(name)), known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    place = tree.values.get((*path, "name")) or tree.place(path) or Place("command line", "", 1, 1, 1)
    return place.problem(f"there is no '{name}' in {shelf}{hint}", f"known: {', '.join(known)}; improve list {shelf}")
