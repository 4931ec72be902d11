"""What a sign is, and all of them by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from improve.diagnosis.findings.rule import Case

Reading = Callable[[Case], float | None]
SMALLEST = 1e-9  # what a logarithm is taken of, at least


@dataclass(frozen=True)
class Sign:
    """A number that is read off a run: its name, what it is in words, and how it is read; None where it was not
    recorded. `log`: log₁₀ of what the words say is read. Settings say something only beyond what is usual: values
    between `above` and `below` are all alike."""

    name: str
    title: str
    read: Reading
    log: bool = False
    above: float = -math.inf
    below: float = math.inf

    def loud(self, value: float) -> float:
        """The value, or the nearest one that says something."""
        return min(max(value, self.above), self.below)

    def natural(self, value: float) -> float:
        """What the words say, of a value that was read."""
        return float(f"{10**value if self.log else value:.3g}")


SIGNS: dict[str, Sign] = {}


def sign(
    title: str, log: bool = False, above: float = -math.inf, below: float = math.inf
) -> Callable[[Reading], Reading]:
    """Register the decorated function as the sign of its own name; it says something above or below a limit only."""

    def registered(read: Reading) -> Reading:
        SIGNS[read.__name__] = Sign(read.__name__, title, read, log, above, below)
        return read

    return registered


def signs_of(case: Case) -> dict[str, float]:
    """All signs of a run that has measured its errors, those that are no finite number left out."""
    found = {name: one.read(case) for name, one in SIGNS.items()}
    return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


def decades(value: float | None) -> float | None:
    """log₁₀ of a number; None of none, and of one that is not finite."""
    return math.log10(max(float(value), SMALLEST)) if value is not None and math.isfinite(value) else None
