"""What every rule measures, its limit, and on which side of it the rule speaks."""

from __future__ import annotations

from typing import Any, NamedTuple

A_BIT = 1.001  # times the limit: just over it
Seen = tuple[tuple[Any, bool], ...]


class Sweep(NamedTuple):
    """One quantity of a rule: `run` makes the arguments of make_run from a value; `seen` pairs each value with whether
    the rule says it is found. Values stand under, at and over the limit."""

    what: str
    run: Any
    seen: Seen
    test: bool = False


def above(limit: float) -> Seen:
    """It speaks above the limit, not at it."""
    return (limit / A_BIT, False), (limit, False), (limit * A_BIT, True)


def from_(limit: float) -> Seen:
    """It speaks from the limit on."""
    return (limit / A_BIT, False), (limit, True), (limit * A_BIT, True)


def above_or_at(limit: float) -> Seen:
    """The same, where fitting a line leaves the last digit open."""
    return (limit / A_BIT, False), (limit * (1 + 1e-9), True), (limit * A_BIT, True)


def under(limit: float) -> Seen:
    """It speaks under the limit, not at it."""
    return (limit / A_BIT, True), (limit, False), (limit * A_BIT, False)


def counts_from(limit: int) -> Seen:
    return (limit - 1, False), (limit, True), (limit + 1, True)


def counts_under(limit: int) -> Seen:
    return (limit - 1, True), (limit, False), (limit + 1, False)
