"""Tree → Spec, and every mistake in it with its place, its line and its remedy."""

from __future__ import annotations

import contextlib
from typing import Any

from pydantic import ValidationError

from improve.errors import Problem, SpecError, did_you_mean
from improve.spec.reading.constraints import complaints
from improve.spec.reading.schema import known_keys, section_at, sections_in, shelf_at
from improve.spec.reading.yaml import Path, Place, Tree, write
from improve.spec.spec import COMPONENTS, SHELVES, Spec

NOWHERE = Place("command line", "", 1, 1, 1)
ABSENT = object()
MOST = 100  # mistakes that are told one by one: each takes a search for what was meant


def validate(tree: Tree) -> tuple[Spec, list[Problem]]:
    """The Spec, and every mistake. What is wrong is taken out, so that the rest can be judged in the same pass."""
    errors = _errors(tree.value)
    problems = [_problem(tree, path, error) for path, error in errors[:MOST]]
    if len(errors) > MOST:
        problems.append(_at(tree, (errors[MOST][0],)).problem(f"and {len(errors) - MOST:,} more mistakes"))
    wrong = [path[:-1] if error["type"] == "missing" else path for path, error in errors]
    value = _without(tree.value, set(wrong))
    while left := _errors(value):  # not expected; each round cuts one step higher, so it ends
        value = _without(value, {path[:-1] for path, _ in left}) if any(len(path) > 1 for path, _ in left) else {}
    spec = Spec.model_validate(value)
    judged = (complaint for complaint in complaints(spec) if not _touches(complaint.paths, wrong))
    problems += [_at(tree, complaint.paths).problem(complaint.what, complaint.fix) for complaint in judged]
    return spec, problems


def spec_of_tree(tree: Tree) -> Spec:
    """The Spec, whatever has become of its data. Raises SpecError."""
    if not tree.problems:
        with contextlib.suppress(ValidationError):  # told below, with its place
            return Spec.model_validate(tree.value)
    raise SpecError(tree.problems + [_problem(tree, path, error) for path, error in _errors(tree.value)[:MOST]])


def _errors(value: Any) -> list[tuple[Path, dict[str, Any]]]:
    """Pydantic's errors, each with its path in `value`."""
    try:
        Spec.model_validate(value)
    except ValidationError as error:
        return [(document_path(item["loc"], value), dict(item)) for item in error.errors(include_url=False)]
    return []


def _touches(paths: tuple[Path, ...], wrong: list[Path]) -> bool:
    """Whether one of `paths` is, holds or lies in something that was taken out."""
    return any(at[: len(path)] == path or path[: len(at)] == at for at in paths for path in wrong)


def _at(tree: Tree, paths: tuple[Path, ...]) -> Place:
    for path in paths:
        if path in tree.values:
            return tree.values[path]
    return tree.place(paths[0]) or NOWHERE


def document_path(location: tuple[Any, ...], value: Any) -> Path:
    """Pydantic's location without the names of the components that it went through."""
    path: list[str | int] = []
    # a component's name comes once, before its options: {adam: 1} can have one of that name
    named_at: Path | None = None
    for step in location:
        here = tuple(path)
        if step in COMPONENTS and shelf_at(here) and named_at != here and isinstance(value, dict | str):
            named_at = here
            continue
        value = _step(value, step)
        path.append(step)
    return tuple(path)


def _step(value: Any, step: str | int) -> Any:
    if isinstance(value, dict) and step in value:
        return value[str(step)]
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else ABSENT


def _without(value: Any, paths: set[Path], here: Path = ()) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, paths, (*here, key)) for key, item in value.items() if (*here, key) not in paths}
    if isinstance(value, list):
        keep = [number for number in range(len(value)) if (*here, number) not in paths]
        return [_without(value[number], paths, (*here, number)) for number in keep]
    return value


def _problem(tree: Tree, path: Path, error: dict[str, Any]) -> Problem:
    """Say one of Pydantic's errors in our words."""
    kind, context = error["type"], error.get("ctx", {})
    place = tree.place(path) or NOWHERE
    dotted = ".".join(str(step) for step in path)
    if kind == "extra_forbidden":
        return _unknown_key(tree, path)
    if kind == "union_tag_invalid":
        return _unknown_component(tree, path, str(context["tag"]))
    if kind == "missing":
        return place.problem(f"'{path[-1]}' is missing here", f"add {path[-1]}: …")
    if kind == "improve":
        return place.problem(f"{dotted}: {context['what']}", context["fix"])
    if kind == "literal_error":
        return _unknown_word(place, dotted, str(error["input"]), context["expected"])
    if kind in ("model_type", "model_attributes_type"):
        return _no_section(tree, path, place, dotted, error["input"])
    message = error["msg"].replace("Input should", "should").replace("valid tuple", "list")
    return place.problem(f"{dotted} {message}, this is {_shown(error['input'])}")


def _shown(given: Any) -> str:
    return "nothing" if given is None else write(given).strip().removesuffix("\n...").replace("\n", ", ")[:80]


def _no_section(tree: Tree, path: Path, place: Place, dotted: str, given: Any) -> Problem:
    """'data: digits': a section holds keys; a word that is a component's name belongs under the key of its shelf."""
    known = known_keys(section_at(path, tree.value)[0])
    names = {key: [component.key() for component in SHELVES.get(shelf_at((*path, key)), ())] for key in known}
    key = next((key for key, components in names.items() if given in components), None)
    fix = f"write {dotted}: {{{key}: {given}}}" if key else f"its keys: {', '.join(known)}"
    return place.problem(f"{dotted} holds keys and values, this is {_shown(given)}", fix)


def _unknown_word(place: Place, dotted: str, given: str, expected: str) -> Problem:
    known = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    return place.problem(f"{dotted} cannot be '{given}'{did_you_mean(given, known)}", f"known: {', '.join(known)}")


def _unknown_key(tree: Tree, path: Path) -> Problem:
    key = str(path[-1])
    section, owner = section_at(path[:-1], tree.value)
    known = known_keys(section)
    hint = did_you_mean(key, known) or _elsewhere(section, key)
    place = tree.keys.get(path) or tree.place(path) or NOWHERE
    fix = f"{owner} knows: {', '.join(known)}" if known else f"{owner} has no options"
    return place.problem(f"there is no '{key}' here{hint}", fix)


def _elsewhere(section: Any, key: str) -> str:
    """'decay' under a constant schedule, 'epochs' at the top: say where it belongs."""
    if section is Spec:
        inside = [
            name for name, field in Spec.model_fields.items() if key in known_keys(*sections_in(field.annotation))
        ]
        inside.sort(key=lambda name: bool(shelf_at((name,))))  # training.epochs before the epochs of a schedule
        return f"; did you mean {inside[0]}.{key}?" if inside else ""
    components = SHELVES.get(getattr(section, "shelf", ""), ())
    owners = [component.key() for component in components if key in component.model_fields]
    return f"; it is an option of {' and '.join(owners)}" if owners else ""


def _unknown_component(tree: Tree, path: Path, name: str) -> Problem:
    shelf = shelf_at(path)
    known = [component.key() for component in SHELVES[shelf]]
    place = tree.values.get((*path, "name")) or tree.place(path) or NOWHERE
    what = f"there is no '{name}' in {shelf}{did_you_mean(name, known)}"
    return place.problem(what, f"known: {', '.join(known)}; improve list {shelf}")
