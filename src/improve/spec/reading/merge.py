"""Laying one spec over another: what `extends` and `key=value` do."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from improve.spec.reading.schema import LISTS, shelf_at
from improve.spec.reading.yaml import MAX_DEPTH, Path, Place, Tree, parse

SURROGATE = re.compile("[\ud800-\udfff]")  # what Python makes of bytes on a command line that are no UTF-8


def override(text: str) -> Tree:
    """`training.epochs=5` as a tree of its own; an item of a list is named by its number (augmentation.0.width)."""
    written, equals, value = text.partition("=")
    path = path_of(written)
    if not equals or not path or SURROGATE.search(text):
        place = Place(text or "''", text, 1, 1, max(1, len(text)))
        what = "an override is UTF-8 text" if SURROGATE.search(text) else "an override is written key=value"
        return Tree({}, problems=[place.problem(what, "such as training.epochs=5")])
    if written.strip() == "training.epochs" and value.lstrip().startswith("+"):
        place = Place(text, text, 1, len(written) + 2, max(1, len(value)))
        more = f"improve resume RUN {text.replace(' ', '')}, or training.epochs={value.strip('+ ')}"
        return Tree({}, problems=[place.problem("only a run that has begun can have more epochs", more)])
    parsed = parse(" " * (len(written) + 1) + value, text)
    inner = {at: _in_override(place, text) for at, place in parsed.values.items()}
    inner_keys = {at: _in_override(place, text) for at, place in parsed.keys.items()}
    keys = key_places(written, text, path)
    return tree_at(path, Tree(parsed.value, inner, inner_keys, parsed.problems), keys)


def path_of(written: str) -> Path:
    """The path that dotted words name; empty where they are none."""
    words = written.strip().split(".")
    if not all(words) or len(words) > MAX_DEPTH:
        return ()
    return tuple(
        int(word) if word.isdecimal() and len(word) < 10 and before in LISTS else word
        for before, word in pairwise(["", *words])
    )


def key_places(written: str, text: str, path: Path) -> dict[Path, Place]:
    """Where each word of the path `written` stands in the override `text`, the whole path last."""
    column, places = len(written) - len(written.lstrip()) + 1, {}
    for depth, word in enumerate(written.strip().split("."), start=1):
        places[path[:depth]] = Place(text, text, 1, column, len(word))
        column += len(word) + 1
    return places


def tree_at(path: Path, inner: Tree, keys: dict[Path, Place]) -> Tree:
    """`inner` as what stands at `path` of a spec; `keys`: the place of each step of the path, the whole path last."""
    values = {(*path, *at): place for at, place in inner.values.items()}
    inner_keys = {(*path, *at): place for at, place in inner.keys.items()}
    tree = Tree(inner.value, {**keys, **values}, {**inner_keys, **keys}, inner.problems)
    for step in reversed(path):
        tree.value = {step: tree.value}
    return tree


def changes_in_order(changes: list[Tree]) -> list[Tree]:
    """Wholes before their items, and a part's name, which starts it afresh, before its options; else as typed."""

    def rank(change: Tree) -> tuple[int, bool]:
        path = next(reversed(change.keys), ())
        return len(path), path[-1:] != ("name",)

    return sorted(changes, key=rank)


def _in_override(place: Place, text: str) -> Place:
    """The value was read with blanks for its key, so that its column is right; show the key as well."""
    return Place(text, text, 1, place.column, place.length)


def merge(base: Tree, top: Tree) -> None:
    """Lay `top` over `base`, in place. Mappings merge; lists and scalars replace, and a part with another name starts
    afresh."""
    base.problems += top.problems
    base.value = _merged(base.value, top.value, (), base, top)
    base.values.update(top.values)
    base.keys.update(top.keys)


def _merged(old: Any, new: Any, path: Path, base: Tree, top: Tree) -> Any:
    if isinstance(new, dict) and isinstance(old, str) and "name" not in new and shelf_at(path):
        old = {"name": old}
    if isinstance(new, dict) and new and all(isinstance(key, int) for key in new):
        return _merged_items(old, new, path, base, top)
    if not isinstance(old, dict) or not isinstance(new, dict) or new.get("name", old.get("name")) != old.get("name"):
        _forget(base, path)
        return new
    return {**old, **{key: _merged(old.get(key), value, (*path, key), base, top) for key, value in new.items()}}


def _merged_items(old: Any, new: dict[int, Any], path: Path, base: Tree, top: Tree) -> Any:
    """Numbered items over a list."""
    count = len(old) if isinstance(old, list) else 0
    for index in [index for index in new if index >= count]:
        place, name = top.keys[(*path, index)], path[-1] if path else "spec"
        what = f"there is no item {index} in {name}"
        base.problems.append(place.problem(what, f"it has {count}, numbered from 0" if count else "it is empty"))
    items = list(old) if isinstance(old, list) else []
    return [_merged(item, new[at], (*path, at), base, top) if at in new else item for at, item in enumerate(items)]


def _forget(base: Tree, path: Path) -> None:
    for places in (base.values, base.keys):
        for at in [at for at in places if at[: len(path)] == path and at != path]:
            del places[at]
