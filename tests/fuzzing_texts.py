"""Specs bent out of shape: text with bytes, lines, keys and values that are not what they should be."""

from __future__ import annotations

import re
from typing import Any

import yaml
from hypothesis import strategies as st

from conftest import CONFIGS
from fuzzing_specs import plain, spec_values, words
from improve.yamlfile import inline, write

FILES = {str(file.relative_to(CONFIGS)): file.read_text(encoding="utf-8") for file in sorted(CONFIGS.rglob("*.yaml"))}
KEY = re.compile(r"([A-Za-z_0-9]+)(?=:)")
VALUE = re.compile(r"(?<=: )([^{}\[\],\n]+|[\[{][^\n]*)")
SCRAPS = (
    "", " ", "\n", "  ", ":", ": ", "- ", "{", "}", "[", "]", ",", "~", "-1", "1e999", ".nan", "-.inf", "%", "101%", "'", '"',
    "#", "&a", "*a", "!!x", "!!python/object:os.system", "<<: ", "? ", "|", ">", "%YAML 9", "---\n", "...\n", "\t", "\0", "\x1b[31m", "\x85", "\u2028",
    "\ufeff", "\u200b", "\u202e", "é", "😀", "\\", "/", "~nobody/x", "..", "name", "null", "true", "0", "00", "0x", "9" * 30, "9" * 500,
    "1/0", "100/0", "1e308/0/0", "sgd", "python", "npz", "folder", "extends: lenet.yaml\n", "path", "[" * 60, "[]", "{}", "[[]]", "{a: }", "x" * 300, "x" * 5000, r'"a\0b"', "9" * 399, "[" + "2, " * 15000 + "]",
)  # fmt: skip


@st.composite
def replaced(draw: Any, text: str) -> str:
    """A short stretch gives way to a scrap."""
    start = draw(st.integers(0, len(text)))
    return text[:start] + draw(st.sampled_from(SCRAPS) | words) + text[start + draw(st.integers(0, 12)) :]


@st.composite
def relined(draw: Any, text: str) -> str:
    """A line is gone, twice or many times there, exchanged with another one, or further in."""
    lines = text.splitlines(keepends=True) or [""]
    at, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    kind = draw(st.sampled_from(["gone", "twice", "often", "exchanged", "indented"]))
    if kind == "exchanged":
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = {"gone": "", "twice": 2 * lines[at], "often": 50 * lines[at], "indented": f" {lines[at]}"}[kind]
    return "".join(lines)


@st.composite
def rekeyed(draw: Any, text: str) -> str:
    """A key or a value gives way to another one of the same text, or to something else."""
    pattern = draw(st.sampled_from([KEY, VALUE]))
    found = [*pattern.finditer(text)]
    if not found:
        return text
    at = draw(st.sampled_from(found))
    new = draw(st.sampled_from([other[0] for other in found]) | st.sampled_from(SCRAPS) | words)
    return text[: at.start()] + new + text[at.end() :]


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, item in inner for path in paths(item, (*here, key)))]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


@st.composite
def replanted(draw: Any, value: Any) -> str:
    """Something at some depth is of another type, or stands in another place as well."""
    everywhere = paths(value)
    new = draw(plain | st.sampled_from([None, [], {}, "", 10**30, float("nan"), float("inf"), [[[1]]], {"name": 1}]))
    return write(put(value, draw(st.sampled_from(everywhere)), new))


@st.composite
def bent_specs(draw: Any) -> tuple[str, bytes]:
    """The name of a config, and what stands in it now."""
    name = draw(st.sampled_from([*FILES]))
    value = draw(st.none() | spec_values)
    text = FILES[name] if value is None else write(value)
    if draw(st.booleans()):
        text = draw(replanted(value if value is not None else yaml.safe_load(text)))
    for _ in range(draw(st.integers(0, 3))):
        text = draw(draw(st.sampled_from([replaced, relined, rekeyed]))(text))
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 2)) if data else 0):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return name, bytes(data)


anything = st.text(
    st.characters(), max_size=12
)  # lone surrogates too: what a shell passes on of bytes that are no UTF-8


@st.composite
def override(draw: Any) -> str:
    """A key that there is, with the value of a valid spec or any other one; or what is no override at all."""
    value = draw(spec_values)
    path = draw(st.sampled_from(paths(value)))
    for step in path:
        value = value[step]
    dotted = ".".join(map(str, path))
    key = draw(st.just(dotted) | anything.map(f"{dotted}.".__add__) | anything)
    return f"{key}={draw(st.just(inline(value)) | st.sampled_from(SCRAPS) | anything | plain.map(inline))}"


overrides = st.lists(override() | anything, max_size=3)
