"""Texts made from the Spec's own types: the complete spec with its marks, one to start from, and the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticUndefined

from improve.errors import UsageError
from improve.spec.component import Component
from improve.spec.reading.search_space import MOST, SEARCHES
from improve.spec.reading.search_space_syntax import FORMS, SECTION
from improve.spec.reading.yaml import inline
from improve.spec.spec import SHELVES, Spec
from improve.spec.splits import Split

DRAFT = "http://json-schema.org/draft-07/schema#"  # what editors' YAML servers know completely
COLUMN = 34


def complete_yaml(spec: Spec) -> str:
    """The whole spec as YAML; what differs from the default is marked."""
    return "\n".join(_lines(spec, spec.complete(), described=False)) + "\n"


def starter(model: str | None) -> str:
    """A commented spec to start from, with the given architecture."""
    known = {component.key(): component for component in SHELVES["models"]}
    if model is not None and model not in known:
        raise UsageError(f"there is no model '{model}'", fix=f"one of {', '.join(known)}")
    chosen: dict[str, Any] = {"model": _example(known[model])} if model else {}
    spec = Spec.model_validate(chosen)
    if spec.model.cannot_take(*spec.data.source.facts().shape[:2]):
        spec = Spec.model_validate({"data": {"source": "cifar10"}, **chosen})
    head = (
        "# What stands here are the defaults: every key may be left out that you do not change.\n"
        "# For completion in an editor: improve schema -o improve.schema.json, then let this be the first line:\n"
        "# yaml-language-server: $schema=improve.schema.json\n\n"
    )
    return head + "\n".join(_lines(spec, spec.complete(), described=True)) + "\n"


def _example(component: type[Component]) -> dict[str, Any]:
    """The component with an example for each option that must be given."""
    required = {name: field.examples for name, field in component.model_fields.items() if field.is_required()}
    return {"name": component.key(), **{name: examples[0] for name, examples in required.items() if examples}}


def _lines(
    section: BaseModel, plain: dict[str, Any], described: bool, usual: str = "", depth: int = 0
) -> Iterator[str]:
    """The section's lines; `usual` is the name of the component that stands here by default."""
    for key, field in type(section).model_fields.items():
        value, inner, indent = plain[key], getattr(section, key), "  " * depth
        if described and not field.is_required() and key not in section.model_fields_set:
            value = _plain(field.default)  # null stays null, not what it means for this architecture
        if isinstance(inner, BaseModel) and not isinstance(inner, Split):
            yield _noted(f"{indent}{key}:", field.description if described else "")
            yield from _lines(inner, value, described, getattr(field.default, "name", ""), depth + 1)
            continue
        note = field.description if described else _difference(section, key, value, usual)
        if described and isinstance(section, Component) and key == "name":
            note = section.summary()
        yield _noted(f"{indent}{key}: {inline(value)}", note)
    for key, value in (section.model_extra or {}).items():  # options of the user's own function
        yield f"{'  ' * depth}{inline(key)}: {inline(value)}"


def _difference(section: BaseModel, key: str, value: Any, usual: str) -> str:
    """The default, where somebody has chosen another value."""
    field = type(section).model_fields[key]
    default = usual if key == "name" else _plain(field.default)
    chosen = key in section.model_fields_set and value != default and not field.is_required()
    return f"default: {inline(default)}" if chosen else ""


def _plain(default: Any) -> Any:
    """A field's default as it stands in a complete spec; nothing for a key that must be given."""
    if isinstance(default, BaseModel):
        return default.model_dump(mode="json")
    return list(default) if isinstance(default, tuple) else None if default is PydanticUndefined else default


def _noted(line: str, note: str | None) -> str:
    return f"{line:<{COLUMN}}  # {note}" if note else line


class _Draft7(GenerateJsonSchema):
    schema_dialect = DRAFT


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft-07) of a spec as people write it: bare names for components, percentages for shares."""
    schema = Spec.model_json_schema(ref_template="#/definitions/{model}", schema_generator=_Draft7, mode="validation")
    definitions = schema.pop("$defs", {})
    definitions["Split"] = {
        "description": Split.__doc__,
        "oneOf": [
            {"type": "string", "pattern": r"^(own|[0-9.]+(/[0-9.]+){1,2})$", "examples": ["60/20/20", "70/30"]},
            {
                "type": "object",
                "properties": {"validation": {"type": ["number", "string"]}},
                "required": ["validation"],
                "additionalProperties": False,
            },
        ],
    }
    extends = {"type": "string", "description": "another spec, merged under this one; relative to this file"}
    schema["properties"] = {"extends": extends, **schema["properties"], SECTION: _sweep()}
    return {"$schema": DRAFT, **_named({**schema, "title": "improve spec", "definitions": definitions})}


def _sweep() -> dict[str, Any]:
    """The section that `improve sweep` reads."""
    count = {"type": "integer", "minimum": 1, "maximum": MOST}
    values = {"type": "array", "minItems": 2, "description": "values to try"}
    words = {"type": "string", "description": FORMS, "examples": ["log(1e-4, 1e-1)", "int(8, 64)", "0, 0.25, 0.5"]}
    space = {"type": "object", "additionalProperties": {"anyOf": [words, values]}}
    return {
        "type": "object",
        "description": "what `improve sweep` varies; other commands leave it alone",
        "properties": {
            "search": {"enum": [*SEARCHES]},
            "trials": count,
            "seeds": count,
            "space": space,
            **{
                key: {"type": "number", "minimum": 0, "maximum": MOST, "description": f"{key} of one trial, with --ray"}
                for key in ("cpus", "gpus")
            },
        },
        "additionalProperties": False,
    }


def _named(node: Any) -> Any:
    """Let every choice of components also be a bare name."""
    if isinstance(node, list):
        return [_named(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _named(value) for key, value in node.items()}
    if "discriminator" in node:
        mapping = node.pop("discriminator")["mapping"]
        node["anyOf"] = [{"enum": list(mapping)}, *node.pop("oneOf")]
    return node
