"""Which keys may stand where: read off the Spec's own types."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from improve.spec.component import Component, Section
from improve.spec.reading.yaml import Path
from improve.spec.spec import SHELVES, Spec

SHELF_AT = {
    ("data", "source"): "datasets",
    ("data", "target", "source"): "datasets",
    ("data", "target", "simulate"): "augmentations",
    ("data", "normalize"): "normalizations",
    ("model",): "models",
    ("optimizer",): "optimizers",
    ("schedule",): "schedules",
    ("augmentation",): "augmentations",
}


SECTIONS: tuple[type[Section], ...] = (Spec, *(component for shelf in SHELVES.values() for component in shelf))
#: options that hold a list: only under these does a number in `key=value` name an item
LISTS = {
    option
    for section in SECTIONS
    for option, field in section.model_fields.items()
    if get_origin(field.annotation) is tuple
}


def shelf_at(path: Path) -> str:
    """The shelf whose component stands at `path` of a spec (an item of a list included), or nothing."""
    return SHELF_AT.get(tuple(step for step in path if isinstance(step, str)), "")


def sections_in(annotation: Any) -> Iterator[type[Section]]:
    """The sections that a field's type allows: `EarlyStopping | None` gives one, a shelf gives all its components."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from sections_in(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType, tuple, list):
        for inner in get_args(annotation):
            yield from sections_in(inner)


def section_at(path: Path, value: Any) -> tuple[type[Section], str]:
    """The section at `path` of a spec written as `value`, and what to call it."""
    section: type[Section] = Spec
    owner = "a spec"
    for step in path:
        value = _inside(value, step)
        if isinstance(step, str):
            annotation, owner = section.model_fields[step].annotation, step
        section = _chosen(list(sections_in(annotation)), _inside(value, "name"))
    return section, section.key() if issubclass(section, Component) else owner


def _inside(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(str(step))
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None


def _chosen(choices: list[type[Section]], name: Any) -> type[Section]:
    """The component called `name`; a shelf's first is the one that is meant without a name."""
    return next((kind for kind in choices if issubclass(kind, Component) and kind.key() == name), choices[0])


def known_keys(*sections: type[Section]) -> list[str]:
    """The options of a section, or of all that may stand in one place; a component's own before inherited ones."""
    own = [field for section in sections for field in section.model_fields if field in section.__annotations__]
    every = [field for section in sections for field in section.model_fields]
    return [field for field in dict.fromkeys(own + every) if field != "name"]
