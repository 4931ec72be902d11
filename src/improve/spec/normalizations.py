"""Shelf: input normalisations. One class each; all of them are (pixel − subtract) / divide.

`fit` sees training images only; what it finds is kept in the run and used again for every other part, for prediction
and for export.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field

from improve.images.array import Images
from improve.lazy import keras, np
from improve.spec.component import Component, bare_name

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Statistics(NamedTuple):
    """What to `subtract` from and then `divide` a pixel by; both broadcast against (height, width, channels)."""

    subtract: NDArray[Any]
    divide: NDArray[Any]

    def layer(self) -> Any:
        """The normalisation as a Keras layer, for uint8 or float images."""
        scale = 1.0 / self.divide
        offset = -self.subtract / self.divide
        return keras.layers.Rescaling(scale=scale.tolist(), offset=offset.tolist(), name="normalization")


class NormalizationComponent(Component):
    """What all normalisations share."""

    shelf = "normalizations"

    def fit(self, images: Images) -> Statistics:
        """Statistics of training `images` (n, height, width, channels)."""
        raise NotImplementedError


def moments(images: Images) -> tuple[NDArray[Any], NDArray[Any]]:
    """Mean and mean square of each channel in float64; exact sums for bytes."""
    _, height, width, channels = images.shape
    small = images.dtype == np.uint8
    total, squares = np.zeros(width * channels), np.zeros(width * channels)
    for chunk in images.chunks():
        rows = chunk.reshape(-1, width * channels)  # NumPy adds long rows twenty times as fast as rows of three
        total += rows.sum(axis=0, dtype=np.float64)
        squares += np.square(rows, dtype=np.uint16 if small else np.float64).sum(axis=0, dtype=np.float64)
    count = len(images) * height * width
    return total.reshape(width, channels).sum(axis=0) / count, squares.reshape(width, channels).sum(axis=0) / count


def mean_image(images: Images) -> NDArray[Any]:
    total = np.zeros(images.shape[1:])
    for chunk in images.chunks():
        total += chunk.sum(axis=0, dtype=np.float64)
    return total / len(images)


class Standardize(NormalizationComponent):
    """(pixel − mean) / standard deviation, per channel over the training set.

    Divided by σ, the population standard deviation. One of the course's slides prints σ², a slip: that inverts the
    imbalance between channels instead of removing it. A channel that never changes is only centred.
    """

    name: Literal["standardize"] = "standardize"

    def fit(self, images: Images) -> Statistics:
        mean, square = moments(images)
        deviation = np.sqrt(np.maximum(square - np.square(mean), 0.0))
        return Statistics(mean, np.where(deviation > 1e-6 * (1 + np.abs(mean)), deviation, 1.0))


class NoNormalization(NormalizationComponent):
    """Pixels as they are: 0 to 255 for most sources."""

    name: Literal["none"] = "none"

    def fit(self, images: Images) -> Statistics:
        return Statistics(np.zeros(1), np.ones(1))


class Rescale(NormalizationComponent):
    """pixel / 255: from 0 to 1 for 8-bit images."""

    name: Literal["rescale"] = "rescale"

    def fit(self, images: Images) -> Statistics:
        return Statistics(np.zeros(1), np.full(1, 255.0))


class Center(NormalizationComponent):
    """pixel − mean of its channel over the training set."""

    name: Literal["center"] = "center"

    def fit(self, images: Images) -> Statistics:
        mean, _ = moments(images)
        return Statistics(mean, np.ones_like(mean))


class MeanImage(NormalizationComponent):
    """pixel − mean of the same pixel over the training set: the mean image of the book's CIFAR-10 experiments."""

    name: Literal["mean_image"] = "mean_image"

    def fit(self, images: Images) -> Statistics:
        return Statistics(mean_image(images), np.ones(1))


NORMALIZATIONS = (Standardize, NoNormalization, Rescale, Center, MeanImage)
Normalization = Annotated[
    Standardize | NoNormalization | Rescale | Center | MeanImage, Field(discriminator="name"), bare_name("standardize")
]
