"""What a trial says of a cause: confirmed, refuted, or not settled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Literal

from improve.experiments.confirmation.plan import Part, Trial
from improve.statistics.intervals import Z_ONE_SIDED, Rate, Z
from improve.statistics.significance import holm

#: standard deviation between seeds, of √(e(1−e)): of the training error after a quarter of the epochs, and of the error
#: on new images at the best one; measured on random worlds by benchmarks/random_worlds/seed_noise.py
SEEDS: dict[Part, float] = {"train": 0.125, "validation": 0.049}
SURE = 0.05  # p, adjusted for all that were tried
PART_OF_HARM = 0.5  # a change that wins nothing, and surely less than this of what its cause costs, has refuted it
NAMES: dict[Part, str] = {"train": "training", "validation": "validation"}

Outcome = Literal["confirmed", "refuted", "not settled"]


@dataclass(frozen=True)
class Seen:
    """A trial with both errors at its last epoch: the run's, without n where it had diverged, and the changed one's,
    None where that had; `images`: the standard deviation of their difference that the choice of images makes."""

    trial: Trial
    before: Rate
    after: Rate | None
    images: float

    @property
    def won(self) -> float:
        return self.before.value - (self.after.value if self.after else 1.0)

    @property
    def deviation(self) -> float:
        """Of `won`: images and seeds."""
        rates = [rate.value for rate in (self.before, self.after) if rate]
        seeds = SEEDS[self.trial.part] * math.sqrt(sum(rate * (1 - rate) for rate in rates))
        return math.hypot(self.images, seeds)

    @property
    def p(self) -> float:
        """That a change of no effect wins as much."""
        if self.after is None or self.deviation == 0:
            return float(self.after is None or self.won <= 0)
        return 1 - NormalDist(0.0, self.deviation).cdf(self.won)


@dataclass(frozen=True)
class Judged:
    """The outcome of a trial; `won`: points of the error, as a share, with its 95 % interval."""

    code: str
    edits: tuple[tuple[str, Any], ...]
    outcome: Outcome
    says: str
    won: float
    low: float
    high: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def judged(seen: Sequence[Seen], matters: float) -> list[Judged]:
    """All trials of a run; `matters`: the smallest difference that does."""
    adjusted = holm([one.p for one in seen])
    return [judgement(one, p, matters) for one, p in zip(seen, adjusted, strict=True)]


def judgement(seen: Seen, p: float, matters: float) -> Judged:
    outcome, half = outcome_of(seen, p, matters), Z * seen.deviation
    told = (seen.trial.code, seen.trial.edits, outcome, sentence(seen, outcome))
    return Judged(*told, seen.won, seen.won - half, seen.won + half)


def outcome_of(seen: Seen, p: float, matters: float) -> Outcome:
    if seen.after is not None and p <= SURE and seen.won >= matters:
        return "confirmed"
    most = seen.won + Z_ONE_SIDED * seen.deviation
    hopeless = seen.after is None or (seen.won <= 0 and most < PART_OF_HARM * seen.trial.harm)
    excused = seen.trial.slow or seen.trial.masked or seen.before.n is None
    return "refuted" if hopeless and not excused else "not settled"


def sentence(seen: Seen, outcome: Outcome) -> str:
    """ "confirmed: after 3 of 12 epochs the training error is 31.2 %, without it 58.1 %; it wins 26.9 points
    [15.1, 38.7]"."""
    trial, half = seen.trial, 100 * Z * seen.deviation
    at = f"after {trial.epochs} epochs" if trial.longer else f"after {trial.epochs} of {trial.of} epochs"
    if seen.after is None:
        return f"{outcome}: {at} it had diverged"
    won = 100 * seen.won
    errors = f"{100 * seen.after.value:.1f} %, without it {100 * seen.before.value:.1f} %"
    points = f"it wins {won:.1f} points [{won - half:.1f}, {won + half:.1f}]"
    slow = "; it slows learning at first" if outcome == "not settled" and trial.slow else ""
    return f"{outcome}: {at} the {NAMES[trial.part]} error is {errors}; {points}{slow}"
