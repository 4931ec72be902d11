"""Two images in one: the label is shared in the same proportion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from improve.lazy import np
from improve.spec.augmentations.base import AugmentationComponent, Batch, Pixels
from improve.spec.augmentations.pixels import rectangles
from improve.spec.component import Positive

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray


class MixUp(AugmentationComponent):
    """Each image blended with another of its batch: λ x + (1 − λ) x′, labels likewise (Zhang et al., 2018).

    λ is drawn per image from Beta(alpha, alpha).
    """

    name: Literal["mixup"] = "mixup"
    mixes = True
    alpha: Positive = Field(0.2, description="small: mostly one of the two; 1: any blend is as likely")

    def apply(self, batch: Batch, random: Generator, pixels: Pixels) -> Batch:
        other, kept = partners(batch, random), random.beta(self.alpha, self.alpha, len(batch.images))
        images = blend(batch.images.astype(np.float32), batch.images[other], kept[:, None, None, None])
        return Batch(images, blend(batch.labels, batch.labels[other], kept[:, None]))


class CutMix(AugmentationComponent):
    """A rectangle of each image replaced by that of another; the label is shared by area (Yun et al., 2019).

    The rectangle's share is 1 − λ with λ from Beta(alpha, alpha); it lies wholly inside the image, and the label counts
    the pixels that were really replaced.
    """

    name: Literal["cutmix"] = "cutmix"
    mixes = True
    alpha: Positive = Field(1.0, description="1: any area is as likely; small: nearly nothing or nearly all")

    def apply(self, batch: Batch, random: Generator, pixels: Pixels) -> Batch:
        count, height, width, _ = batch.images.shape
        other, kept = partners(batch, random), random.beta(self.alpha, self.alpha, count)
        side = np.sqrt(1 - kept)
        inside = rectangles(side * height, side * width, height, width, random)
        images = np.where(inside[..., None], batch.images[other], batch.images)
        return Batch(images, blend(batch.labels, batch.labels[other], 1 - inside.mean(axis=(1, 2))[:, None]))


def partners(batch: Batch, random: Generator) -> NDArray[Any]:
    return random.permutation(len(batch.images))


def blend(first: NDArray[Any], second: NDArray[Any], share: NDArray[Any]) -> Any:
    """`share` of the first and the rest of the second, in float32."""
    share = share.astype(np.float32)
    return first * share + second * (1 - share)
