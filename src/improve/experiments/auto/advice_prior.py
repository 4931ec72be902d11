"""How often advice comes true: a posterior for each finding and change.

It starts from the fault suite (advice.json, which benchmarks/faults/advice.py writes) and goes on with what `improve
auto` has tried in this folder of runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).with_name("advice.json")
PRIOR = 2.0  # a change that was never tried counts like this many tries of its finding, those like as many of any
GREY, COLOUR = " (grey)", " (colour)"
Counts = Mapping[str, Mapping[str, tuple[int, int]]]


class Tally(NamedTuple):
    """How often it came true, of how many times it was tried."""

    true: int = 0
    tried: int = 0

    def plus(self, true: int, tried: int) -> Tally:
        return Tally(self.true + true, self.tried + tried)


def change_key(path: str, value: Any, image: Sequence[int]) -> str:
    """What counts as one change of a run on images of the shape `image` (height, width, channels): its path, of
    augmentations which, and whether in colour. Flip and shift come true on photographs, and not on centred clothes."""
    parts = [str(part.get("name")) for part in value if isinstance(part, Mapping)] if isinstance(value, list) else []
    colour = "" if len(image) < 3 else GREY if image[2] == 1 else COLOUR
    return (f"{path}: {', '.join(parts)}" if parts else path) + colour


def plain(change: str) -> str:
    """A change's key without its mark for grey or colour images."""
    return change.removesuffix(GREY).removesuffix(COLOUR)


def total_tally(tallies: Iterable[Tally]) -> Tally:
    seen = list(tallies)
    return Tally(sum(one.true for one in seen), sum(one.tried for one in seen))


@cache
def shipped() -> dict[str, dict[str, Tally]]:
    """The tallies that come with the package, by code and change; empty where the file is missing or damaged: then
    everything is as likely as anything."""
    try:
        found = json.loads(FILE.read_text(encoding="utf-8"))
        return {code: {path: Tally(*counts) for path, counts in paths.items()} for code, paths in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


class AdvicePrior:
    """P(a change lowers the error), by finding, change and kind of images: Beta posteriors' means, each level the next
    one's prior."""

    def __init__(self, tried: Mapping[tuple[str, str], Tally] | None = None):
        self.cells: dict[str, dict[str, Tally]] = {code: dict(paths) for code, paths in shipped().items()}
        for (code, change), tally in (tried or {}).items():
            changes = self.cells.setdefault(code, {})
            changes[change] = changes.get(change, Tally()).plus(*tally)

    def of(self, code: str, change: str) -> float:
        cells = self.cells.get(code, {})
        anything = total_tally(tally for changes in self.cells.values() for tally in changes.values())
        finding = mean(total_tally(cells.values()), mean(anything, 0.5))
        alike = mean(total_tally(tally for name, tally in cells.items() if plain(name) == plain(change)), finding)
        return alike if change == plain(change) else mean(cells.get(change, Tally()), alike)


def mean(seen: Tally, prior: float) -> float:
    return (seen.true + PRIOR * prior) / (seen.tried + PRIOR)
