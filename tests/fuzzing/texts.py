"""Specs bent out of shape: bytes, lines, keys and values that are not what they should be."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import strategies as st

from conftest import CONFIGS
from fuzzing.specs import MODULE, plain, specs, words
from improve.spec.reading.yaml import inline, write

NAMES = sorted(str(file.relative_to(CONFIGS)) for file in CONFIGS.rglob("*.yaml"))
BENT = "bent.yaml"
KEY, VALUE = re.compile(r"\w+(?=:)"), re.compile(r"(?<=: )([^{}\[\],\n]+|[\[{][^\n]*)")
SCRAPS = (
    "", " ", "\n", ":", ": ", "- ", "? ", "{", "}", "[", "]", ",", "[]", "{}", "[[1]]", "{a: }", "[" * 60, "~", "%",
    "'", '"', "#", "&a", "*a", "!!x", "|", ">", "<<: ", "---\n", "...\n", "%YAML 9", "\\", "/", "..", "~nobody/x",
    r'"a\0b"', "\t", "\0", "\x1b[31m", "\x85", "\u2028", "\ufeff", "\u200b", "\u202e", "é", "😀", "null", "true",
    "-1", "0", "00", "0x", "1e999", ".nan", "-.inf", "9" * 30, "9" * 399, "9" * 500, "101%", "nan%", "1/0",
    "100/0", "1e308/0/0", "x" * 300, "x" * 5000, "name", "path", "sgd", "python", "npz", "folder",
    "extends: lenet.yaml\n", "extends: bent.yaml\n", f"[{'2, ' * 3000}]",
)  # fmt: skip
TYPES = (None, [], {}, "", 10**30, 10**400, float("nan"), float("inf"), [[[1]]], {"name": 1})
scraps = st.sampled_from(SCRAPS)


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory()  # lives as long as the cache


@cache
def configs() -> Path:
    """A copy of the configs, so that a bent one finds what it extends."""
    copy = Path(_folder().name, "configs")
    shutil.copytree(CONFIGS, copy)
    (copy / "mymodel.py").write_text(MODULE)
    return copy


@st.composite
def replaced(draw: Any, text: str) -> str:
    """A short stretch gives way to something else."""
    start = draw(st.integers(0, len(text)))
    return text[:start] + draw(scraps | words) + text[start + draw(st.integers(0, 12)) :]


@st.composite
def relined(draw: Any, text: str) -> str:
    """A line is gone, there twice or often, further in, or exchanged with another one."""
    lines = text.splitlines(keepends=True) or [""]
    at, other = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    line = lines[at]
    lines[at] = draw(st.sampled_from(("", 2 * line, 20 * line, f" {line}", lines[other])))
    lines[other] = line if lines[at] == lines[other] else lines[other]
    return "".join(lines)


@st.composite
def rekeyed(draw: Any, text: str) -> str:
    """A key or a value gives way to another one of the same text, or to something else."""
    found = [*draw(st.sampled_from((KEY, VALUE))).finditer(text)]
    if not found:
        return text
    at = draw(st.sampled_from(found))
    new = draw(st.sampled_from([other[0] for other in found]) | scraps | words)
    return text[: at.start()] + new + text[at.end() :]


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of everything in a value."""
    yield here
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(inner, (*here, key))


def planted(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with something new at a place."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = planted(value[path[0]], path[1:], new)
    return copy


def at(value: Any, path: tuple[Any, ...]) -> Any:
    return at(value[path[0]], path[1:]) if path else value


@st.composite
def bent_specs(draw: Any) -> tuple[str, bytes]:
    """The name of a config, and what stands there in its place: it or a drawn spec, bent."""
    name = draw(st.sampled_from(NAMES))
    value = draw(st.just(yaml.safe_load((CONFIGS / name).read_text())) | specs)
    text = (CONFIGS / name).read_text() if draw(st.booleans()) else write(value)
    if draw(st.booleans()):
        text = write(planted(value, draw(st.sampled_from([*paths(value)])), draw(st.sampled_from(TYPES) | plain)))
    for _ in range(draw(st.integers(0, 3))):
        text = draw(draw(st.sampled_from((replaced, relined, rekeyed)))(text))
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 2)) if data else 0):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return name, bytes(data)


anything = st.text(st.characters(), max_size=12)  # lone surrogates too: bytes of a command line that are no UTF-8


@st.composite
def override(draw: Any) -> str:
    """A key that there is, with a value that it may have or any other one; or a key that there is not."""
    value = draw(specs)
    path = draw(st.sampled_from([*paths(value)]))
    dotted = ".".join(map(str, path))
    key = draw(st.sampled_from((dotted, dotted, f"{dotted}.x", f"{dotted}.0")) | anything)
    return f"{key}={draw(st.just(inline(at(value, path))) | scraps | anything | plain.map(inline))}"


overrides = st.lists(override() | anything, min_size=1, max_size=3).map(tuple)
