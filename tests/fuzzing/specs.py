"""Specs drawn from the Spec's own types: every shelf, every option, as people write them and as far as they may go."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic.fields import FieldInfo

from improve.spec.component import Component, Section, fraction
from improve.spec.spec import Spec

MODULE = "def build(input_shape, classes, **options):\n    ...\n"
NEED_FILES = ("npz", "folder")
LIMITS = ("ge", "gt", "le", "lt")

ODD_WORDS = (
    "", " ", "a, b", "a: b", "- a", "# a", " a ", "a\n", "'", '"', "[a]", "{", "null", "1e3", "010", ".nan", "yes", "~",
)  # fmt: skip
words = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(ODD_WORDS)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
percent = st.decimals(0, 100, places=3).map("{}%".format)
SIMPLE: dict[Any, SearchStrategy[Any]] = {bool: st.booleans(), str: words, type(None): st.none()}
#: options whose validators say more than their types
OWN: dict[str, SearchStrategy[Any]] = {
    "split": st.sampled_from(("60/20/20", "70/30", "99.5/0.25/0.25", "1/1/98"))
    | st.floats(0, 100).map(lambda share: f"{100 - share}/{share}")
    | st.fixed_dictionaries({"validation": percent | st.integers(1, 900)}),
    "class_weights": st.sampled_from(("none", "balanced")) | st.dictionaries(words, st.floats(0, 1e300), max_size=3),
    "train_size": st.none() | percent | st.integers(1, 900),
    "range": st.floats(0, 0.99) | st.tuples(st.floats(0.1, 1), st.floats(1, 9)).map(list),
}


def value(annotation: Any, metadata: Iterable[Any] = ()) -> SearchStrategy[Any]:
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
        return st.one_of(*map(value, filter(drawable, get_args(annotation))))
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return section(annotation)
    return SIMPLE[annotation] if annotation in SIMPLE else number(annotation, metadata)


def flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from item.metadata if isinstance(item, FieldInfo) else (item,)


def drawable(choice: Any) -> bool:
    return not (isinstance(choice, type) and issubclass(choice, Component) and choice.key() in NEED_FILES)


def number(kind: type, metadata: Iterable[Any]) -> SearchStrategy[Any]:
    """Often a small one, but any that the limits allow."""
    limits = {name: getattr(item, name) for item in metadata for name in LIMITS if hasattr(item, name)}
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if kind is int:
        return st.integers(low or 0, (low or 0) + 40) | st.integers(low, high and high - 1)
    endless = None if all(getattr(item, "allow_inf_nan", True) for item in metadata) else False
    drawn = st.floats(
        low, high, exclude_min="gt" in limits, exclude_max="lt" in limits, allow_nan=endless, allow_infinity=endless
    )
    return drawn | percent if any(getattr(item, "func", None) is fraction for item in metadata) else drawn


def section(kind: type[Section]) -> SearchStrategy[Any]:
    """Some of its keys; for a part without options also its bare name."""
    if issubclass(kind, Component) and kind.key() in ODD:
        return ODD[kind.key()].map(lambda options: {**options, "name": kind.key()})
    fields = kind.model_fields.items()
    drawn = {name: OWN[name] if name in OWN else value(field.annotation, field.metadata) for name, field in fields}
    if not issubclass(kind, Component):
        return st.fixed_dictionaries({}, optional=drawn)
    del drawn["name"]
    named = st.fixed_dictionaries({"name": st.just(kind.key())}, optional=drawn)
    return named | st.just(kind.key())


#: parts whose options depend on each other, or are not known here
ODD: dict[str, SearchStrategy[dict[str, Any]]] = {
    "python": st.dictionaries(words, plain, max_size=3).map(lambda options: {**options, "target": "mymodel.py:build"}),
    "piecewise": st.dictionaries(st.integers(1, 30), st.floats(1e-9, 1e3), min_size=1, max_size=3).map(
        lambda rates: {"boundaries": sorted(rates), "values": [rates[epoch] for epoch in sorted(rates)]}
    ),
}
specs = section(Spec)
