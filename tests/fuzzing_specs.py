"""Specs drawn from the Spec's own types: every shelf, every option, as people write them and as far as they may go."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from improve.parts import Part, Section, fraction
from improve.spec import Spec

MODULE = "def build(input_shape, classes, **options):\n    ...\n"
NEED_FILES = ("npz", "folder")
SPECIAL_FLOATS = (5e-324, 1e-300, 1e-10, 0.1, 1.0 + 2**-52, 1e16, 1.5e300)

words = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    [
        "",
        "a, b",
        "a: b",
        "- a",
        "#",
        "null",
        "1e3",
        "0x1",
        "010",
        ".nan",
        "yes",
        "~",
        "[a]",
        "{",
        "'",
        '"',
        " a ",
        "a\n",
    ]
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
percent = st.decimals(0, 100, places=3).map(lambda number: f"{number}%")
#: values whose types say less than their validators
OWN = {
    "split": st.sampled_from(["60/20/20", "70/30", "50/25/25", "99.5/0.25/0.25", "1/1/98"])
    | percent.map(lambda share: {"validation": share})
    | st.integers(1, 900).map(lambda count: {"validation": count}),
    "class_weights": st.sampled_from(["none", "balanced"]) | st.dictionaries(words, st.floats(0, 1e300), max_size=3),
    "train_size": st.none() | percent | st.integers(1, 900),
    "range": st.floats(0, 0.99) | st.tuples(st.floats(0.1, 1), st.floats(1, 9)).map(list),
}


def field(name: str, info: FieldInfo) -> st.SearchStrategy[Any]:
    return OWN[name] if name in OWN else value(info.annotation, info.metadata)


def value(annotation: Any, metadata: Any = ()) -> st.SearchStrategy[Any]:
    """What a field of this type may be given."""
    kind = get_origin(annotation)
    if kind is Annotated:
        inner, *more = get_args(annotation)
        return value(inner, [*metadata, *flat(more)])
    if kind is Literal:
        return st.sampled_from(get_args(annotation))
    if kind is tuple:
        return st.lists(value(get_args(annotation)[0]), max_size=3)
    if kind in (Union, types.UnionType):
        return st.one_of(*map(value, [choice for choice in get_args(annotation) if drawable(choice)]))
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return section(annotation)
    return {bool: st.booleans(), str: words, type(None): st.none()}.get(annotation) or number(annotation, metadata)


def flat(metadata: list[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from item.metadata if isinstance(item, FieldInfo) else [item]


def drawable(choice: Any) -> bool:
    return not (isinstance(choice, type) and issubclass(choice, Part) and choice.key() in NEED_FILES)


def number(kind: type, metadata: Any) -> st.SearchStrategy[Any]:
    limits = {
        name: getattr(item, name) for item in metadata for name in ("ge", "gt", "le", "lt") if hasattr(item, name)
    }
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if kind is int:
        return st.integers(low or 0, (low or 0) + 40) | st.integers(low, high and high - 1)
    finite = any(getattr(item, "allow_inf_nan", True) is False for item in metadata)
    drawn = st.floats(
        low,
        high,
        exclude_min="gt" in limits,
        exclude_max="lt" in limits,
        allow_nan=None if not finite else False,
        allow_infinity=None if not finite else False,
    )
    share = any(getattr(item, "func", None) is fraction for item in metadata)
    return drawn | percent if share else drawn


def section(kind: type[Section]) -> st.SearchStrategy[Any]:
    fields = {name: field(name, info) for name, info in kind.model_fields.items() if name not in ("name", "target")}
    required = {name: found for name, found in fields.items() if kind.model_fields[name].is_required()}
    optional = {name: found for name, found in fields.items() if name not in required}
    drawn = st.fixed_dictionaries(required, optional=optional)
    if not issubclass(kind, Part):
        return drawn
    name = {"name": kind.key()}
    if name["name"] == "python":
        return st.dictionaries(words, plain, max_size=3).map(
            lambda given: {**given, **name, "target": "mymodel.py:build"}
        )
    named = drawn.map(lambda options: {**name, **options})
    return named if required else named | st.just(kind.key())


spec_values = section(Spec)
