"""How far something simple gets on the same pixels: what a network that learns has to beat, and whether what is learned
from the training images holds for the others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from improve.engine.data.prepare import Examples
from improve.images.array import Images
from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGES, OTHERS = 2000, 1000  # at most, of the training part and of each other one
FEATURES = 256  # of an image, about: larger ones are averaged down
PENALTIES = tuple(10.0**power for power in range(-4, 5))  # times the mean square of the features
ROUNDING = 1e-12  # of the largest sum of squares
NEIGHBOURS = 5
LABELLED = ("train_dev", "validation")  # the labels of the test part stay sealed


def baselines(parts: Mapping[str, Examples], classes: int) -> dict[str, Any]:
    """Errors of a linear model and of the nearest neighbours on training images (`n` of them, at most 2,000).

    `linear`: of ridge regression on one column for each class, on the images that it was fitted to; `linear_new` and
    `neighbours_new`: on each image by all others. The penalty is the one with the lowest such error (leave-one-out by
    the diagonal of the hat matrix; Hastie, Tibshirani and Friedman, 2009, section 7.10). `classes`: images of each;
    with `_by_class`, how many of them are missed. `others`: what `compared` gives for each other part.
    """
    few = spaced(parts["train"], IMAGES)
    known, labels = features(few.images), few.labels
    model, votes = Ridge.fitted(known, np.eye(classes)[labels], labels), neighbour_votes(known, labels, classes)
    found = {"n": len(few), "linear": model.fitted_error, "linear_new": model.new_error}
    found |= {"neighbours_new": missed(votes, labels), "classes": np.bincount(labels, minlength=classes).tolist()}
    for name, wrong in (("linear_new", model.new_wrong), ("neighbours_new", votes.argmax(axis=1) != labels)):
        found[f"{name}_by_class"] = np.bincount(labels[wrong], minlength=classes).tolist()
    names = [name for name in (*LABELLED, "test") if name in parts and len(parts[name])]
    return found | {"others": {name: compared(model, known, labels, parts[name], name, classes) for name in names}}


def compared(
    model: Ridge, known: NDArray[Any], labels: NDArray[Any], part: Examples, name: str, classes: int
) -> dict[str, Any]:
    """Another part (`n` of its images) beside the training images. `linear` and `neighbours`: errors there of what was
    learned from the training images; `linear_new` and `neighbours_new`: on each image of the part by all others of it;
    `apart`: the error of telling the two parts from each other, 0.5 where they look alike (no label is needed)."""
    few = spaced(part, OTHERS)
    pixels, found = features(few.images), dict[str, Any](n=len(few))
    if name in LABELLED:
        own = Ridge.fitted(pixels, np.eye(classes)[few.labels], few.labels)
        found["linear"] = missed(model.answers(pixels), few.labels)
        found["neighbours"] = missed(neighbour_votes(known, labels, classes, pixels), few.labels)
        found["linear_new"] = own.new_error
        found["neighbours_new"] = missed(neighbour_votes(pixels, few.labels, classes), few.labels)
    return found | {"apart": apart(known, pixels)}


def apart(one: NDArray[Any], other: NDArray[Any]) -> float:
    count = min(len(one), len(other))
    parts = np.repeat([0, 1], count)
    return Ridge.fitted(np.concatenate([one[:count], other[:count]]), np.eye(2)[parts], parts).new_error


def spaced(part: Examples, count: int) -> Examples:
    """At most `count` of the examples, evenly spaced: a part may be sorted."""
    if len(part) <= count:
        return part
    kept = np.zeros(len(part), bool)
    kept[np.linspace(0, len(part) - 1, count).round().astype(int)] = True
    return part.only(kept)


def features(images: Images) -> NDArray[Any]:
    """Pixels (n, d; float64) of images averaged down to at most FEATURES each."""
    whole = images[:].astype(np.float64)
    count, height, width, channels = whole.shape
    factor = min(height, width, math.ceil(math.sqrt(height * width * channels / FEATURES)))
    cut = whole[:, : height // factor * factor, : width // factor * factor]
    blocks = cut.reshape(count, height // factor, factor, width // factor, factor, channels)
    found: NDArray[Any] = np.nan_to_num(blocks.mean(axis=(2, 4)).reshape(count, -1))
    return found


@dataclass(frozen=True)
class Ridge:
    """A linear model of features (n, d) with the penalty that does best on new ones: `centre` (d,) and `mean`
    (classes,) of what it was fitted to, `weights` (d, classes), its share of misses there, and which it misses without
    having seen them, (n,; bool)."""

    centre: NDArray[Any]
    mean: NDArray[Any]
    weights: NDArray[Any]
    fitted_error: float
    new_wrong: NDArray[Any]

    @property
    def new_error(self) -> float:
        return float(self.new_wrong.mean())

    @classmethod
    def fitted(cls, pixels: NDArray[Any], targets: NDArray[Any], labels: NDArray[Any]) -> Ridge:
        centre, mean = pixels.mean(axis=0), targets.mean(axis=0)
        along, squares, back = principal(pixels - centre)
        wanted, usual = along.T @ (targets - mean), float(squares.mean())
        found = []
        for penalty in PENALTIES:
            kept = shrunk(squares, penalty * usual)
            answers = mean + along @ (kept[:, None] * wanted)
            leverage = np.minimum((along**2) @ kept + 1 / len(labels), 1 - 1e-9)[:, None]
            without = targets - (targets - answers) / (1 - leverage)
            wrong = without.argmax(axis=1) != labels
            found.append((float(wrong.mean()), missed(answers, labels), penalty, wrong))
        _, fitted, penalty, new = min(found, key=lambda one: one[:3])
        weights = back @ (shrunk(squares, penalty * usual)[:, None] * wanted)
        return cls(centre, mean, weights, fitted, new)

    def answers(self, pixels: NDArray[Any]) -> NDArray[Any]:
        found: NDArray[Any] = self.mean + (pixels - self.centre) @ self.weights
        return found


def shrunk(squares: NDArray[Any], penalty: float) -> NDArray[Any]:
    """1 / (s² + penalty), and 0 along axes on which nothing varies but rounding."""
    varies = squares > ROUNDING * squares.max(initial=0)
    found: NDArray[Any] = np.divide(1, squares + penalty, out=np.zeros_like(squares), where=varies)
    return found


def principal(centred: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Along the principal axes of features (n, d): their coordinates (n, r), the sums of squares (r,), and the axes
    (d, r). Of the two matrices of products the smaller one is taken apart."""
    count, width = centred.shape
    if width <= count:
        squares, axes = np.linalg.eigh(centred.T @ centred)
        return centred @ axes, np.maximum(squares, 0), axes
    squares, vectors = np.linalg.eigh(centred @ centred.T)
    sizes = np.sqrt(np.maximum(squares, ROUNDING * max(float(squares.max(initial=0)), 1e-30)))
    return vectors * sizes, np.maximum(squares, 0), centred.T @ (vectors / sizes)


def missed(answers: NDArray[Any], labels: NDArray[Any]) -> float:
    return float((answers.argmax(axis=1) != labels).mean())


def neighbour_votes(
    known: NDArray[Any], labels: NDArray[Any], classes: int, new: NDArray[Any] | None = None
) -> NDArray[Any]:
    """How many of the nearest `known` images have each label, for `new` images (n, classes); for the known ones
    themselves, but for themselves, where there are no new ones."""
    asked, itself = (known, 1) if new is None else (new, 0)
    distances = (asked**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * asked @ known.T
    if new is None:
        np.fill_diagonal(distances, np.inf)
    count = min(NEIGHBOURS, len(known) - itself)
    nearest = np.argpartition(distances, count - 1, axis=1)[:, :count] if count else np.zeros((len(asked), 0), int)
    votes = np.zeros((len(asked), classes))
    for column in nearest.T:
        votes[np.arange(len(asked)), labels[column]] += 1
    return votes
