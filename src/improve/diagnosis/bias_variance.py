"""The bias/variance recipe on five error rates: which gap is high, which is low, which cannot be told yet.

After Andrew Ng, Machine Learning Yearning (chapters 20–23, 40–41), with an interval for every gap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from improve.statistics.intervals import Z_ONE_SIDED, Rate, difference, examples_needed

TAU = 0.02  # a gap from 2 points matters, unless a target says how much does; 12 of 12 of Ng's examples (1.5–2 points)
LEAST_TAU, TIMES_HUMAN = 0.01, 10  # where people hardly err, less matters: ten times as much, a point at least
SHARE = 1 / 3  # of the excess over the human level; the same 12 hold from 0.25 to 0.40
LARGE = 0.1  # a gap that surely is as large matters, whatever people reach
SLACK = 1e-9  # 0.03 - 0.01 is 0.0199… in binary

GapVerdict = Literal["high", "minor", "low", "not_enough_evidence", "unknown"]
Verdict = Literal[
    "ok", "high_bias", "high_variance", "high_bias_and_variance", "data_mismatch", "validation_overfit", "broken",
    "not_enough_evidence",
]  # fmt: skip


@dataclass(frozen=True)
class Errors:
    """Clean error rates of one model. `human` None: unknown; `target`: the error that is needed; `simple`: what a
    linear model or the nearest neighbours reach on training images that they have not seen."""

    train: Rate
    validation: Rate
    human: Rate | None = None
    train_dev: Rate | None = None
    test: Rate | None = None
    target: float | None = None
    simple: Rate | None = None

    @property
    def tau(self) -> float:
        """From where on a gap matters: half the way to the target; nothing does where that is reached; or 2 points, and
        where people err on less than 0.2 %, ten times that, but a point at least. A human error of 0 stands for "hardly
        any", as in Ng's examples."""
        distance = self.validation.value - self.target if self.target is not None else 0.0
        if distance > 0:
            return distance / 2
        if self.reached:
            return 1.0
        human = self.human.value if self.human else 0.0
        return min(TAU, max(LEAST_TAU, TIMES_HUMAN * human)) if human else TAU

    @property
    def reached(self) -> bool:
        """The validation error is surely no higher than the target."""
        return self.target is not None and self.validation.interval()[1] <= self.target

    @property
    def excess(self) -> float | None:
        """What could be won in all: validation error above the human level, or that of the test where it is worse."""
        worst = max(rate.value for rate in (self.validation, self.test) if rate is not None)
        return None if self.human is None else worst - self.human.value


class Gap(NamedTuple):
    """One component of the error, as a fraction, with its 95 % interval. `needed`: the number of examples in the
    larger-error set that would settle it, where it is open and any number would."""

    value: float
    low: float
    high: float
    verdict: GapVerdict
    needed: int | None = None


class Components(NamedTuple):
    """The four gaps of the ladder; None where a set is missing."""

    avoidable_bias: Gap
    variance: Gap
    data_mismatch: Gap | None
    validation_overfit: Gap | None


def components(errors: Errors) -> Components:
    """The gaps between neighbouring error rates: avoidable bias, variance, mismatch and overfitting of the validation
    set; the last two are None where nothing was measured."""
    fitted = errors.train_dev or errors.validation
    return Components(
        avoidable_bias(errors),
        gap_between(fitted, errors.train, errors),
        gap_between(errors.validation, errors.train_dev, errors) if errors.train_dev else None,
        gap_between(errors.test, errors.validation, errors, share=False) if errors.test else None,
    )


def gap_between(larger: Rate, smaller: Rate, errors: Errors, share: bool = True) -> Gap:
    """high: from τ on, at least a third of the excess, and its interval excludes 0. low: surely below τ.

    "Surely below" is a claim in one direction, so it takes the one-sided 95 % bound (the 90 % interval of equivalence
    testing; Schuirmann, 1987); the interval that is shown is two-sided.
    """
    value = larger.value - smaller.value
    low, high = difference(larger, smaller)
    _, bound = difference(larger, smaller, Z_ONE_SIDED)
    if value < errors.tau - SLACK:
        if bound < errors.tau:
            return Gap(value, low, high, "low")
        missing = examples_needed(larger, smaller, errors.tau - value, Z_ONE_SIDED)
        return Gap(value, low, high, "not_enough_evidence", more_than(larger, missing))
    if low <= SLACK:
        return Gap(value, low, high, "not_enough_evidence", more_than(larger, examples_needed(larger, smaller, value)))
    return Gap(value, low, high, _weighed(value, low, errors) if share else "high")


def more_than(larger: Rate, count: int | None) -> int | None:
    """The number that would settle it; the formula's normal approximation can come out below what there is already."""
    return count if count is None or larger.n is None else max(count, math.ceil(1.1 * larger.n))


def _weighed(value: float, low: float, errors: Errors) -> GapVerdict:
    """Whether a gap that is there is a large enough part of what could be won."""
    if errors.excess is not None:
        return "high" if value >= SHARE * errors.excess - SLACK else "minor"
    # the human level is at least 0, so the excess is at most the whole validation error
    return "high" if value >= SHARE * errors.validation.value - SLACK or low >= LARGE - SLACK else "unknown"


def avoidable_bias(errors: Errors) -> Gap:
    """Training error above the human level. Without one it is at most the training error. It is called high where
    something simple does surely better on new images than this model on those that it trained on, or where it surely
    is ten points: unless people do no better."""
    if errors.human is not None:
        return gap_between(errors.train, errors.human, errors)
    low, high = errors.train.interval()
    _, bound = errors.train.interval(Z_ONE_SIDED)
    if bound < errors.tau:
        return Gap(errors.train.value, 0.0, high, "low")
    if worse_than_simple(errors) or low >= LARGE - SLACK:
        return Gap(errors.train.value, 0.0, high, "high")
    return Gap(errors.train.value, 0.0, high, "unknown")


def worse_than_simple(errors: Errors) -> bool:
    """Whether a linear model or the nearest neighbours err surely, and by what matters, less on images that they have
    not seen than this model on its training set: then it does not fit, whatever people reach."""
    if errors.simple is None:
        return False
    low, _ = difference(errors.train, errors.simple)
    return low > SLACK and errors.train.value - errors.simple.value >= errors.tau - SLACK


def verdict(gaps: Components, held_up: bool = False) -> Verdict:
    """One word for the whole: the first high gap in the order of the recipe. `held_up`: a cause of bias was found,
    which tells more than a human level that is not known."""
    bias, variance = gaps.avoidable_bias.verdict, gaps.variance.verdict
    if bias == "high" or (bias == "unknown" and held_up):
        return "high_bias_and_variance" if variance == "high" else "high_bias"
    if variance == "high":
        return "high_variance"
    for name in ("data_mismatch", "validation_overfit"):
        gap = getattr(gaps, name)
        if gap is not None and gap.verdict == "high":
            return name
    open_ones = [gap for gap in gaps if gap is not None and gap.verdict in ("not_enough_evidence", "unknown")]
    return "not_enough_evidence" if open_ones else "ok"
