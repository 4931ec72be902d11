"""YAML as people mean it, with the place of every key and value.

PyYAML follows YAML 1.1, where `1e-3` is a string, `no` is False and `010` is 8, and where the last of two equal keys
wins silently. Here scalars are read by the YAML 1.2 core schema, and duplicate keys, aliases, tags, and files too
large or too deep to be a spec are refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import yaml

from improve.errors import Problem, SpecError, printable

Path = tuple[str | int, ...]

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
TOO_DEEP = "this is nested too deep or holds too much to be a spec"
MAX_NODES = 50_000
LARGEST = 2**63 - 1  # beyond it a whole number is a float: no setting is that large, and arithmetic overflows
WIDEST = 1000  # columns: a longer line is not shown with its mistakes, of which it can hold thousands

ASIDE: Path = ("a value without a place",)  # where what is refused is read past

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}


class Place(NamedTuple):
    """A stretch of a source: line and column count from 1."""

    source: str
    text: str
    line: int
    column: int
    length: int

    def problem(self, what: str, fix: str = "") -> Problem:
        text = self.text if len(self.text) <= WIDEST else ""
        return Problem(
            printable(what, 400), fix, printable(self.source, 4096), self.line, self.column, self.length, text
        )


@dataclass
class Tree:
    """A value, the place of every value and key in it (by path), and the mistakes found on the way."""

    value: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path) -> Place | None:
        """The place of `path`, or of the nearest thing around it."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.values:
                return self.values[path[:end]]
        return None


def scalar(text: str) -> Any:
    """The value of a plain scalar by the YAML 1.2 core schema."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    if INTEGER.fullmatch(text) and len(text) < 400:  # longer ones hit Python's limit on digits
        number = int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        return number if abs(number) <= LARGEST else float(str(number))
    if FLOAT.fullmatch(text):
        return float(text)
    return text


def parse(text: str, source: str, places: bool = True) -> Tree:
    """Read YAML `text`; `source` names it in messages. Raises SpecError where it is no YAML at all. Without `places`
    every value stands nowhere: a third quicker."""
    reader = Reader(text, source, places)
    try:
        reader.document()
    except yaml.YAMLError as error:
        raise SpecError([reader.syntax(error)]) from None
    return reader.tree


class Reader:
    """Turns PyYAML's events into a Tree, in one pass: what a spec never needs is refused before anything is built."""

    def __init__(self, text: str, source: str, places: bool):
        self.lines = text.splitlines() or [""]
        self.source, self.tree = source, Tree()
        self.nowhere = None if places else Place(source, "", 0, 0, 0)
        self.events: Any = yaml.parse(text, Loader=LOADER)
        self.depth = self.nodes = 0

    def place(self, start: Any, end: Any = None) -> Place:
        if self.nowhere is not None:
            return self.nowhere
        line = self.lines[min(start.line, len(self.lines) - 1)]
        same_line = end is not None and end.line == start.line
        length = end.column - start.column if end is not None and same_line else len(line.rstrip()) - start.column
        return Place(self.source, line, start.line + 1, start.column + 1, max(1, length))

    def refuse(self, start: Any, what: str, fix: str = "") -> None:
        raise SpecError([self.place(start).problem(what, fix)])

    def syntax(self, error: yaml.YAMLError) -> Problem:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        fix = "indent with spaces; write keys as 'key: value'"
        if mark is not None and "nesting depth" in what:  # PyYAML has a limit of its own since 6.0.4, and reads ahead
            return self.place(mark).problem(TOO_DEEP, "")
        if mark is None:
            return Problem(f"this is not YAML: {what}", fix, self.source)
        return replace(self.place(mark).problem(f"this is not YAML: {what}", fix), length=1)

    def document(self) -> None:
        """Read one document at most, and nothing after it."""
        next(self.events)  # the stream starts
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return
        self.tree.value = self.construct(next(self.events), ())
        next(self.events)  # the document ends
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            self.refuse(after.start_mark, "a second document starts here", "one file, one spec: take the '---' out")

    def checked(self, event: Any) -> Any:
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            self.refuse(event.start_mark, "anchors and aliases (& and *) are not read here", "write the value out")
        if event.tag:
            self.refuse(event.start_mark, f"tags such as {event.tag} are not read here", "leave the tag out")
        self.nodes += 1
        if self.depth > MAX_DEPTH or self.nodes > MAX_NODES:
            self.refuse(event.start_mark, TOO_DEEP)
        return event

    def construct(self, event: Any, path: Path) -> Any:
        event = self.checked(event)
        if isinstance(event, yaml.ScalarEvent):
            self.tree.values[path] = self.place(event.start_mark, event.end_mark)
            return scalar(event.value) if not event.style else event.value
        self.depth += 1
        read = self.mapping if isinstance(event, yaml.MappingStartEvent) else self.sequence
        value, end = read(path)
        self.depth -= 1
        self.tree.values[path] = self.place(event.start_mark, end.end_mark)
        return value

    def sequence(self, path: Path) -> tuple[list[Any], Any]:
        """The list, and the event that ends it."""
        result: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            result.append(self.construct(event, (*path, len(result))))
        return result, event

    def mapping(self, path: Path) -> tuple[dict[str, Any], Any]:
        """The mapping, and the event that ends it; of a key that stands there twice the first counts."""
        result: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event, path, result)
            value = self.construct(next(self.events), (*path, key) if key is not None else ASIDE)
            if key is not None:
                result[key] = value
        return result, event

    def key(self, event: Any, path: Path, known: dict[str, Any]) -> str | None:
        """The key that `event` starts; None, with the problem noted, where it cannot be one."""
        place = self.place(event.start_mark, event.end_mark)
        if not isinstance(event, yaml.ScalarEvent):
            self.construct(event, ASIDE)
            self.tree.problems.append(place.problem("a key must be a word", "write keys as 'key: value'"))
            return None
        key = str(self.checked(event).value)
        if key in known:
            first = self.tree.keys[(*path, key)].line
            self.tree.problems.append(place.problem(f"'{key}' stands here twice, first in line {first}", "keep one"))
            return None
        self.tree.keys[(*path, key)] = place
        return key


class Writer(yaml.SafeDumper):
    """Writes what `parse` reads back as it was: it quotes by the rules of YAML 1.2, as `scalar` reads."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (a class attribute of PyYAML's)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _write_number(writer: Writer, number: float) -> yaml.ScalarNode:
    # SafeDumper's own form of 1e-05 is 1.0e-05, which nobody writes
    special = {math.inf: ".inf", -math.inf: "-.inf"}.get(number, ".nan" if number != number else repr(number))
    return writer.represent_scalar("tag:yaml.org,2002:float", special)


def _write_text(writer: Writer, text: str) -> yaml.ScalarNode:
    # some line breaks survive in double quotes only
    style = None if all(char.isprintable() or char == "\n" for char in text) else '"'
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Writer.add_representer(str, _write_text)
Writer.add_representer(float, _write_number)
for _kind, _pattern in (
    ("int", INTEGER),
    ("float", FLOAT),
    ("float", re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")),
    ("bool", re.compile("true|True|TRUE|false|False|FALSE")),
    ("null", re.compile("~|null|Null|NULL|")),
):
    Writer.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"(?:{_pattern.pattern})$"), None)


class InlineWriter(Writer):
    """Writes YAML on one line, however long it is; quotes as `Writer` does."""


def _write_words(writer: Writer, text: str) -> yaml.ScalarNode:
    style = None if text.isprintable() else '"'
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


InlineWriter.add_representer(str, _write_words)


def inline(value: Any) -> str:
    """`value` as YAML on one line."""
    text = dumped(value, InlineWriter, True, math.inf)
    return text.removesuffix("\n").removesuffix("\n...")


def write(value: Any) -> str:
    """`value` as YAML, in the order it has."""
    return dumped(value, Writer, False, 120)


def dumped(value: Any, writer: type[Writer], flow: bool, width: float) -> str:
    """PyYAML escapes terminal controls but not those of the writing direction; both writers quote what holds any."""
    text: str = yaml.dump(
        value, Dumper=writer, sort_keys=False, allow_unicode=True, default_flow_style=flow, width=width
    )
    return "".join(char if char.isprintable() or char == "\n" else escaped(char) for char in text)


def escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 1 << 16 else f"\\U{ord(char):08x}"
