"""What a linear model and the nearest neighbours make of the same pixels: do the labels mean something, and do they
mean the same in both parts? True whatever the network did."""

from __future__ import annotations

from typing import Any, NamedTuple

from improve.diagnosis.findings.indicators import copies, part_of
from improve.diagnosis.findings.rule import Case
from improve.statistics.intervals import Rate, difference
from improve.statistics.significance import binomial_tail

METHODS = {"linear": "a linear model", "neighbours": "the nearest neighbours"}
SURELY = 3.9  # standard errors: by chance once in ten thousand
POINTS = 0.05  # that two errors are apart, at least
NOISE_P = 1e-3  # of labels that say nothing: by chance the simple models do so well
REPEATED = 0.05  # of the training images, that stand there once already
TOLD_APART = 0.4  # error of telling two parts apart; 0.5: they look alike


class SimpleModel(NamedTuple):
    """Errors of one method: `known` on training images, each by all others, with the classes in the other part's
    shares; `across` on the other part, by the training images; `own` on it, each image by all others of the part;
    `apart` of telling the two parts from each other by their images alone."""

    method: str
    known: Rate
    across: Rate
    own: Rate
    apart: Rate

    @property
    def told_apart(self) -> bool:
        """The two parts surely hold images of different kinds."""
        return surely_apart(self.apart)

    @property
    def looks_alike(self) -> bool:
        """Nothing says that the images of the two parts are of different kinds."""
        return self.apart.interval()[1] > 0.5 - POINTS


def simple_model(case: Case, part: str = "validation") -> SimpleModel | None:
    """The method whose worse error, of training images and of the other part's, is the smaller one: what it finds wrong
    the other does as well. None where it was not looked at, or where many training images are copies."""
    found = case.evidence.start.get("baselines") or {}
    other, shares, again = (found.get("others") or {}).get(part), class_shares(case, part), copies(case)
    if again is not None and again.mean() > REPEATED:  # each is known by its copy: that is no error on new images
        return None
    if not other or other.get("linear") is None or not found.get("classes") or shares is None:
        return None
    models = [one for method in METHODS if (one := of_method(method, found, other, shares))]
    return min(models, key=lambda model: max(model.known.value, model.across.value), default=None)


def class_shares(case: Case, part: str) -> list[float] | None:
    counts = part_of(case, part).get("classes") or []
    return [count / sum(counts) for count in counts] if sum(counts) else None


def of_method(method: str, found: dict[str, Any], other: dict[str, Any], shares: list[float]) -> SimpleModel | None:
    """None where a class of the other part has no training image."""
    counts, wrong = found["classes"], found[f"{method}_new_by_class"]
    if len(counts) != len(shares) or any(share and not count for share, count in zip(shares, counts, strict=True)):
        return None
    parts = [(share, count, miss) for share, count, miss in zip(shares, counts, wrong, strict=True) if share]
    known = sum(share * miss / count for share, count, miss in parts)
    n = max(1, round(1 / sum(share**2 / count for share, count, _ in parts)))  # as many would be as sure
    return SimpleModel(
        method,
        Rate(min(1.0, known), n),
        Rate(other[method], other["n"]),
        Rate(other[f"{method}_new"], other["n"]),
        apart_rate(found, other),
    )


def apart_rate(found: dict[str, Any], other: dict[str, Any]) -> Rate:
    """The error of telling another part from the training images, as many of each."""
    return Rate(other["apart"], 2 * min(found["n"], other["n"]))


def surely_apart(rate: Rate) -> bool:
    return rate.interval(SURELY)[1] < TOLD_APART


def surely_above(larger: Rate, smaller: Rate) -> bool:
    """One error is above another, by what counts and not by chance."""
    return difference(larger, smaller, SURELY)[0] > 0 and larger.value - smaller.value >= POINTS


def labels_mean_something(case: Case) -> bool | None:
    """Whether something simple tells training labels from pixels better than guessing does; None: not looked at."""
    found = case.evidence.start.get("baselines") or {}
    counts = found.get("classes")
    if not counts or not sum(counts):
        return None
    n, guess = found["n"], max(counts) / sum(counts)
    return any(binomial_tail(round(n * (1 - found[f"{name}_new"])), n, guess) < NOISE_P / 2 for name in METHODS)


def percent(rate: Rate) -> str:
    return f"{100 * rate.value:.0f} %"
