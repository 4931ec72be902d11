"""How far something simple gets on the same pixels: what a network that learns has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from improve.engine.data.prepare import Examples
from improve.images.array import Images
from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGES = 2000  # at most
SIDE = 16  # pixels: larger images are averaged down to about that
PENALTIES = tuple(10.0**power for power in range(-4, 5))  # times the mean square of the features
NEIGHBOURS = 5


def baselines(train: Examples, classes: int) -> dict[str, Any]:
    """Errors of a linear model and of the nearest neighbours on training images (`n` of them, at most 2,000).

    `linear`: of ridge regression on one column for each class, on the images that it was fitted to; `linear_new` and
    `neighbours_new`: on each image by all others. The penalty is the one with the lowest such error (leave-one-out by
    the diagonal of the hat matrix; Hastie, Tibshirani and Friedman, 2009, section 7.10).
    """
    few = train.head(IMAGES)
    pixels, labels = features(few.images), few.labels
    fitted, new = linear_errors(pixels, np.eye(classes)[labels], labels)
    return {"n": len(few), "linear": fitted, "linear_new": new, "neighbours_new": neighbours_error(pixels, labels)}


def features(images: Images) -> NDArray[Any]:
    """Pixels (n, d; float64) of images averaged down to about SIDE pixels, each feature around 0."""
    whole = images[:].astype(np.float64)
    count, height, width, channels = whole.shape
    factor = max(1, min(height, width) // SIDE)
    cut = whole[:, : height // factor * factor, : width // factor * factor]
    blocks = cut.reshape(count, height // factor, factor, width // factor, factor, channels)
    flat: NDArray[Any] = np.nan_to_num(blocks.mean(axis=(2, 4)).reshape(count, -1))
    centred: NDArray[Any] = flat - flat.mean(axis=0)
    return centred


def linear_errors(pixels: NDArray[Any], targets: NDArray[Any], labels: NDArray[Any]) -> tuple[float, float]:
    """The share of images that the best ridge regression misses of those it was fitted to, and of new ones."""
    mean = targets.mean(axis=0)
    vectors, sizes, _ = np.linalg.svd(pixels, full_matrices=False)
    along = vectors.T @ (targets - mean)
    found = []
    for penalty in PENALTIES:
        kept = sizes**2 / (sizes**2 + penalty * max(float((sizes**2).mean()), 1e-30))
        answers = mean + vectors @ (kept[:, None] * along)
        leverage = np.minimum((vectors**2) @ kept + 1 / len(labels), 1 - 1e-9)[:, None]
        without = targets - (targets - answers) / (1 - leverage)
        found.append((missed(without, labels), missed(answers, labels)))
    new, fitted = min(found)
    return fitted, new


def missed(answers: NDArray[Any], labels: NDArray[Any]) -> float:
    return float((answers.argmax(axis=1) != labels).mean())


def neighbours_error(pixels: NDArray[Any], labels: NDArray[Any]) -> float:
    """The share of images whose nearest neighbours, but for themselves, mostly have another label."""
    squares = (pixels**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * pixels @ pixels.T
    np.fill_diagonal(distances, np.inf)
    count = min(NEIGHBOURS, len(labels) - 1)
    nearest = np.argpartition(distances, count - 1, axis=1)[:, :count] if count else np.zeros((len(labels), 0), int)
    votes = np.zeros((len(labels), int(labels.max()) + 1))
    for column in nearest.T:
        votes[np.arange(len(labels)), labels[column]] += 1
    return missed(votes, labels)
