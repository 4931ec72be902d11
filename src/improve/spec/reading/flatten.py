"""The settings of a spec as flat words, for a table: what is told of a part, and in what runs differ."""

from __future__ import annotations

from typing import Any

from improve.spec.spec import PARTS

MISSING = "–"
ALWAYS_TOLD = ("learning_rate", "path")  # options that say something even at their default


def flat(spec: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted settings; a part is its name plus the options that are not its defaults, a list one word per part."""
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
            settings |= flat(value, f"{path}.")
    return settings


def _plain(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _short(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    options = ", ".join(f"{key} {value}" for key, value in _not_default(item).items())
    return f"{item.get('name')}({options})" if options else str(item.get("name"))


def _not_default(part: dict[str, Any]) -> dict[str, Any]:
    """The options of a part that differ from its defaults, and those that every part of the shelf may well share."""
    known = PARTS.get(part.get("name", ""))
    fields = known.model_fields if known else {}
    plain = {key: value for key, value in part.items() if key != "name"}
    return {key: value for key, value in plain.items()
            if key in ALWAYS_TOLD or key not in fields or not _same(value, fields[key].default)}  # fmt: skip


def _same(given: Any, default: Any) -> bool:
    return bool(given == (list(default) if isinstance(default, tuple) else default))


def differences(settings: list[dict[str, Any]]) -> list[str]:
    """The keys whose values are not the same in all runs, in the order of the spec."""
    keys = list(dict.fromkeys(key for one in settings for key in one))
    return [key for key in keys if len({str(one.get(key, MISSING)) for one in settings}) > 1]
