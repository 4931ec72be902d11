"""Changes of pixel values, and crops: they keep the label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from improve.lazy import np
from improve.spec.augmentations.base import AugmentationComponent, Batch, Pixels
from improve.spec.component import Count, Fraction, NonNegative, Positive, refusal

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

Share = Annotated[Fraction, Field(gt=0)]


class Crop(AugmentationComponent):
    """Pad the image all round and cut out a window of the old size, at a place of its own for each image.

    Keras's RandomCrop cuts the whole batch at one place.
    """

    name: Literal["crop"] = "crop"
    padding: Count = Field(4, description="pixels added on each side")
    fill: Literal["black", "nearest", "reflect"] = Field("black", description="what the padding shows")

    def apply(self, batch: Batch, random: Generator, pixels: Pixels) -> Batch:
        count, height, width, _ = batch.images.shape
        moves = random.integers(-self.padding, self.padding, (2, count), endpoint=True)
        rows, columns = np.arange(height) + moves[0][:, None], np.arange(width) + moves[1][:, None]
        inside = self.place(rows, height)[:, :, None], self.place(columns, width)[:, None, :]
        images = batch.images[np.arange(count)[:, None, None], *inside]
        if self.fill == "black":
            outside = ((rows < 0) | (rows >= height))[:, :, None] | ((columns < 0) | (columns >= width))[:, None, :]
            images[outside] = pixels.low
        return batch._replace(images=images)

    def place(self, index: NDArray[Any], size: int) -> Any:
        if self.fill != "reflect" or size == 1:
            return index.clip(0, size - 1)
        period = 2 * (size - 1)
        folded = index % period
        return np.minimum(folded, period - folded)


class GaussianNoise(AugmentationComponent):
    """Add noise from a normal distribution to each normalised value.

    After the normalisation, so `stddev` is in its units: 0.1 is a tenth of a standard deviation with `standardize`.
    Applied last, whatever stands behind it in the list.
    """

    name: Literal["gaussian_noise"] = "gaussian_noise"
    after_normalization = True
    stddev: NonNegative = Field(0.1, description="standard deviation, in normalised units")

    def apply(self, batch: Batch, random: Generator, pixels: Pixels) -> Batch:
        noise = random.standard_normal(batch.images.shape, dtype=np.float32)
        noise *= np.asarray(self.stddev * pixels.divide, dtype=np.float32)  # pixels are normalised in the model
        return batch._replace(images=batch.images + noise)


class Brightness(AugmentationComponent):
    """Add one value to all pixels of an image, up to a share of the range from black to white."""

    name: Literal["brightness"] = "brightness"
    factor: Fraction = Field(0.2, description="largest change either way, as a share of the range")

    def apply(self, batch: Batch, random: Generator, pixels: Pixels) -> Batch:
        change = random.uniform(-self.factor, self.factor, (len(batch.images), 1, 1, 1)) * (pixels.high - pixels.low)
        return batch._replace(images=clipped(batch.images + change.astype(np.float32), pixels))


class Contrast(AugmentationComponent):
    """Stretch or squeeze each channel of an image about its mean: (x − mean) · c + mean, with c in 1 ± `factor`."""

    name: Literal["contrast"] = "contrast"
    factor: Fraction = Field(0.2, description="largest change either way")

    def apply(self, batch: Batch, random: Generator, pixels: Pixels) -> Batch:
        images = batch.images.astype(np.float32)
        factor = random.uniform(1 - self.factor, 1 + self.factor, (len(images), 1, 1, 1)).astype(np.float32)
        mean = images.mean(axis=(1, 2), keepdims=True)
        return batch._replace(images=clipped((images - mean) * factor + mean, pixels))


class Erasing(AugmentationComponent):
    """Fill a rectangle with noise in some of the images (random erasing, Zhong et al., 2017)."""

    name: Literal["erasing"] = "erasing"
    probability: Fraction = Field(0.5, description="share of the images that lose a rectangle")
    smallest: Share = Field(0.02, description="its area at least, as a share of the image")
    largest: Share = Field(0.33, description="its area at most")
    aspect: Annotated[Positive, Field(ge=1)] = Field(3.3, description="its sides differ at most so many times")

    @model_validator(mode="after")
    def _a_range(self) -> Erasing:
        if self.smallest > self.largest:
            raise refusal(f"smallest {self.smallest:g} is above largest {self.largest:g}", "swap them")
        return self

    def apply(self, batch: Batch, random: Generator, pixels: Pixels) -> Batch:
        count, height, width, _ = batch.images.shape
        area = random.uniform(self.smallest, self.largest, count) * height * width
        ratio = np.exp(random.uniform(-np.log(self.aspect), np.log(self.aspect), count))
        inside = rectangles(np.sqrt(area * ratio), np.sqrt(area / ratio), height, width, random)
        inside &= random.random((count, 1, 1)) < self.probability
        images = batch.images.copy()
        noise = random.uniform(pixels.low, pixels.high, (int(inside.sum()), images.shape[-1]))
        images[inside] = noise.astype(images.dtype)
        return batch._replace(images=images)


def rectangles(heights: Any, widths: Any, height: int, width: int, random: Generator) -> NDArray[Any]:
    """Masks (n, height, width) of one rectangle each, wholly inside the image."""
    sizes = np.rint(heights).clip(1, height), np.rint(widths).clip(1, width)
    tops = np.floor(random.random(len(sizes[0])) * (height - sizes[0] + 1))[:, None]
    lefts = np.floor(random.random(len(sizes[1])) * (width - sizes[1] + 1))[:, None]
    rows, columns = np.arange(height), np.arange(width)
    in_rows = (rows >= tops) & (rows < tops + sizes[0][:, None])
    in_columns = (columns >= lefts) & (columns < lefts + sizes[1][:, None])
    return np.asarray(in_rows[:, :, None] & in_columns[:, None, :])


def clipped(images: NDArray[Any], pixels: Pixels) -> Any:
    return images.clip(pixels.low, pixels.high)
