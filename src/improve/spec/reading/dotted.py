"""A spec as one flat list of settings, for tables that know no trees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from improve.spec.reading import yaml as yamlfile

NAMES = "training.class_weights"  # a mapping from names of classes
LONG = 80  # characters; with what comes below, keys stay within the 250 of MLflow


def flat(spec: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """Dotted keys, such as optimizer.learning_rate. A list, nothing (`null`), and a mapping whose keys are no words of
    a spec (names of classes can be anything) stand as YAML on one line."""
    return {key: plain(value) for key, value in leaves(spec)}


def leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        inner = f"{path}{key}"
        if isinstance(value, Mapping) and value and inner != NAMES and len(inner) <= LONG and all(map(word, value)):
            yield from leaves(value, f"{inner}.")
        else:
            yield inner, value


def word(key: Any) -> bool:
    return isinstance(key, str) and key.isascii() and key.isidentifier() and len(key) <= LONG


def plain(value: Any) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float | str) else yamlfile.inline(value)
