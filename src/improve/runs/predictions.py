"""What a run said of every image of a part: predictions/*.npz, read in one place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.images import npz
from improve.lazy import np
from improve.runs.files import read_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAMAGED = (*npz.DAMAGED, KeyError, IndexError)


class Predictions(NamedTuple):
    """What a run said of one part, in its order: `label` (n,), `probability` (n, classes), and `id` (n,), positions in
    the source, where these were written."""

    label: NDArray[Any]
    probability: NDArray[Any]
    id: NDArray[Any] | None = None

    @property
    def predicted(self) -> NDArray[Any]:
        """The class with the highest probability (n,)."""
        return np.asarray(self.probability.argmax(axis=1))

    @property
    def wrong(self) -> NDArray[Any]:
        """Which images are misclassified (n,)."""
        return np.asarray(self.predicted != self.label)

    @property
    def wrong_by_id(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The ids in ascending order, and which of these images are misclassified. Without ids: by their place."""
        ids = np.arange(len(self.label)) if self.id is None else self.id
        order = np.argsort(ids, kind="stable")
        return ids[order], self.wrong[order]


def read_predictions(folder: Path, part: str) -> Predictions:
    """What the best epoch of the run in `folder` said of a part. Raises FileNotFoundError where there is nothing,
    another of DAMAGED where the file is not to be believed."""
    return predictions_of(read_arrays(folder / "predictions" / f"{part}.npz"))


def predictions_of(arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> Predictions:
    """Predictions from arrays by name. Raises one of DAMAGED where labels, probabilities of each class, and ids do not
    fit."""
    found = Predictions(arrays[f"{prefix}label"], arrays[f"{prefix}probability"], arrays.get(f"{prefix}id"))
    fits = found.label.shape == found.probability.shape[:1] and found.probability.ndim == 2
    fits = fits and 0 <= found.label.min() <= found.label.max() < found.probability.shape[1]  # min: ValueError for none
    if not fits or (found.id is not None and found.id.shape != found.label.shape):
        raise ValueError("ids, labels and probabilities do not fit together")
    return found
