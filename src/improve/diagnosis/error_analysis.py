"""What the answers on a set of images say: which class is taken for which, how sure they are, the surest mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np
from improve.runs.predictions import Predictions
from improve.statistics.calibration import Calibrated, calibrated_error, calibration_error
from improve.statistics.intervals import Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 15  # of Guo et al. (2017)


class ClassErrors(NamedTuple):
    """The errors on one class: how many of its images are taken for another class, and for which one most often."""

    name: str
    rate: Rate
    taken_for: str
    times: int


class Bin(NamedTuple):
    """Answers of about the same confidence: their number, their mean confidence, the share that is right."""

    n: int
    confidence: float
    right: Rate


class Calibration(NamedTuple):
    """Reliability diagram and expected calibration error; `by_chance`: what a perfectly calibrated model would show."""

    bins: tuple[Bin, ...]
    error: float
    by_chance: Calibrated
    confidence: float


class Mistake(NamedTuple):
    """A wrong answer: the image's `place` in the part and `id` in the source, what it is, what it is taken for, and the
    probabilities of both."""

    place: int
    id: int
    label: str
    answer: str
    probability: float
    own: float


def confusions(seen: Predictions) -> NDArray[Any]:
    """Counts (classes, classes): rows are what the images are, columns what they are taken for."""
    classes = seen.probability.shape[1]
    cells = classes * seen.label.astype(int) + seen.predicted
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def names_of(seen: Predictions, known: Sequence[str]) -> list[str]:
    """A name for each class: the known ones where there are as many, else their numbers."""
    count = seen.probability.shape[1]
    return list(known) if len(known) == count else [str(number) for number in range(count)]


def by_class(counts: NDArray[Any], names: Sequence[str]) -> list[ClassErrors]:
    """The errors of every class that has images, the highest first."""
    found = []
    for label, row in enumerate(counts):
        n, others = int(row.sum()), np.where(np.arange(len(row)) == label, -1, row)
        if n:
            most = int(others.argmax())
            rate = Rate(1 - int(row[label]) / n, n)
            found.append(ClassErrors(names[label], rate, names[most] if others[most] > 0 else "", int(others[most])))
    return sorted(found, key=lambda one: (-one.rate.value, one.name))


def most_confused(counts: NDArray[Any], names: Sequence[str], most: int) -> Iterator[tuple[str, str, int]]:
    """(what it is, what it is taken for, how often), the most frequent first."""
    wrong = counts - np.diag(np.diag(counts))
    for place in np.argsort(-wrong, axis=None, kind="stable")[:most]:
        label, answer = divmod(int(place), len(counts))
        if wrong[label, answer]:
            yield names[label], names[answer], int(wrong[label, answer])


def calibration(seen: Predictions) -> Calibration:
    """How far the probability of the answer given can be trusted, in `BINS` bins of equal width (Guo et al., 2017)."""
    confidence, right = seen.probability.max(axis=1).astype(float), ~seen.wrong
    bin_of = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = []
    for number in range(BINS):
        mine = bin_of == number
        n = int(mine.sum())
        if n:
            bins.append(Bin(n, float(confidence[mine].mean()), Rate(float(right[mine].mean()), n)))
    error, by_chance = calibration_error(confidence, right, BINS), calibrated_error(confidence, BINS)
    return Calibration(tuple(bins), error, by_chance, float(confidence.mean()))


def surest_mistakes(
    predictions: Predictions, names: Sequence[str], ids: NDArray[Any] | None, most: int
) -> list[Mistake]:
    """The wrong answers that it gives with the highest probability."""
    wrong, confidence = np.flatnonzero(predictions.wrong), predictions.probability.max(axis=1)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    return [
        Mistake(
            int(place),
            int(place if ids is None else ids[place]),
            names[int(predictions.label[place])],
            names[int(predictions.predicted[place])],
            float(confidence[place]),
            float(predictions.probability[place, predictions.label[place]]),
        )
        for place in surest
    ]
