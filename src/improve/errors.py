"""The errors that a person can act on: what is wrong, where, and what to do. Caught once, in cli.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


class ImproveError(Exception):
    """It failed. `what` went wrong, `where`, and how to `fix` it; the exit code is 1."""

    exit_code = 1

    def __init__(self, what: str, where: str = "", fix: str = ""):
        super().__init__(what)
        self.what, self.where, self.fix = what, where, fix


class UsageError(ImproveError):
    """The command line, the spec or the data it names is wrong; nothing was started. The exit code is 2."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One mistake in a spec: its place, the source line and the stretch to underline."""

    what: str
    fix: str = ""
    source: str = ""
    line: int = 1
    column: int = 1
    length: int = 1
    text: str = ""

    @property
    def where(self) -> str:
        return f"{self.source}:{self.line}:{self.column}"


class SpecError(UsageError):
    """Every mistake of a spec, found in one pass."""

    def __init__(self, problems: list[Problem]):
        self.problems = sorted(problems, key=lambda problem: (problem.source, problem.line, problem.column))
        super().__init__("; ".join(f"{problem.where} {problem.what}" for problem in self.problems))


def nearest(word: str, known: Iterable[str], most: int = 1) -> list[str]:
    """The `known` words that `word` may have been meant for, the likeliest first; `most` of them at most."""
    return get_close_matches(word, list(known), n=most)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown `word`: the known one that was perhaps meant, or nothing."""
    close = nearest(word, known)
    return f"; did you mean '{close[0]}'?" if close else ""


def visible(text: str) -> str:
    """`text` on one line, its control characters as dots: whatever others have named can hold terminal escapes."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "·" for char in text)


def printable(text: str, limit: int = 160) -> str:
    """`text` with its control characters made visible, and cut to `limit`."""
    shown = visible(text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
