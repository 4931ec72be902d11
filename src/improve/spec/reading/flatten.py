"""A spec as dotted settings, such as optimizer.learning_rate: read, set, listed, and those in which specs differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from improve.spec.reading import yaml
from improve.spec.spec import COMPONENTS

MISSING = "–"
ALWAYS_TOLD = ("learning_rate", "path")  # options that say something even at their default
CLASS_WEIGHTS = "training.class_weights"  # a mapping from names of classes
LONG = 80  # characters; with what comes below, keys stay within the 250 of MLflow


def setting(spec: Any, path: str) -> Any:
    """The value that stands at the dotted `path`; None where there is no such key."""
    value = spec
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def with_setting(spec: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `spec` with `value` at the dotted `path`; sections that are not there yet are made."""
    key, _, rest = path.partition(".")
    return {**spec, key: with_setting(spec.get(key) or {}, rest, value) if rest else value}


def given_settings(spec: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value of everything in `spec` that is neither a section nor null."""
    for key, value in spec.items():
        if isinstance(value, dict):
            yield from given_settings(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value


def chosen_settings(spec: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted settings for a table: a component is its name plus the options that are not its defaults, a list one word
    per component."""
    settings: dict[str, Any] = {}
    for key, value in spec.items():
        path = f"{prefix}{key}"
        if isinstance(value, list):
            settings[path] = ", ".join(_short(item) for item in value) or MISSING
        elif not isinstance(value, dict):
            settings[path] = MISSING if value is None else value
        elif "name" in value:
            settings[path] = value["name"]
            settings |= {f"{path}.{option}": _plain(given) for option, given in _not_default(value).items()}
        else:
            settings |= chosen_settings(value, f"{path}.")
    return settings


def _plain(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _short(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    options = ", ".join(f"{key} {value}" for key, value in _not_default(item).items())
    return f"{item.get('name')}({options})" if options else str(item.get("name"))


def _not_default(component: dict[str, Any]) -> dict[str, Any]:
    """The options that differ from the component's defaults, and those that all of its shelf may well share."""
    known = COMPONENTS.get(component.get("name", ""))
    fields = known.model_fields if known else {}

    def is_told(key: str, value: Any) -> bool:
        return key in ALWAYS_TOLD or key not in fields or not _same(value, fields[key].default)

    return {key: value for key, value in component.items() if key != "name" and is_told(key, value)}


def _same(given: Any, default: Any) -> bool:
    return bool(given == (list(default) if isinstance(default, tuple) else default))


def scalar_settings(spec: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """Dotted settings for trackers, which know neither trees nor lists. A list, nothing (`null`), and a mapping whose
    keys are no words of a spec (names of classes can be anything) stand as YAML on one line."""
    return {key: _scalar(value) for key, value in _leaves(spec)}


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        inner = f"{path}{key}"
        section = isinstance(value, Mapping) and value and all(map(_is_word, value))
        if section and inner != CLASS_WEIGHTS and len(inner) <= LONG:
            yield from _leaves(value, f"{inner}.")
        else:
            yield inner, value


def _is_word(key: Any) -> bool:
    return isinstance(key, str) and key.isascii() and key.isidentifier() and len(key) <= LONG


def _scalar(value: Any) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float | str) else yaml.inline(value)


class Difference(NamedTuple):
    """A setting, by its dotted path, that is not the same in two specs; None where one of them has none."""

    path: str
    old: Any
    new: Any


def _never(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return False


def differences(
    old: Any, new: Any, whole: Callable[[dict[str, Any], dict[str, Any]], bool] = _never, path: str = ""
) -> Iterator[Difference]:
    """Setting by setting, in the order of the old spec; lists, and sections that `whole(old, new)` holds together, as
    one."""
    if isinstance(old, dict) and isinstance(new, dict) and not whole(old, new):
        for key in dict.fromkeys([*old, *new]):
            yield from differences(old.get(key), new.get(key), whole, f"{path}.{key}".lstrip("."))
    elif old != new:
        yield Difference(path, old, new)


def varying_keys(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys whose values are not the same in all of these flat settings, in the order of the spec."""
    keys = list(dict.fromkeys(key for one in settings for key in one))
    return [key for key in keys if len({str(one.get(key, MISSING)) for one in settings}) > 1]
