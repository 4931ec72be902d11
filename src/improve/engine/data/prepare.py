"""Spec → PreparedData: load, divide, fit normalisation on the training part. NumPy only; images stay as they came."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from improve.engine.data.image_statistics import ImageStatistics, duplicate_counts, image_hashes, image_statistics
from improve.errors import UsageError
from improve.images.array import Images, Tick, as_images
from improve.lazy import np
from improve.randomness import keyed_generator
from improve.spec.augmentations import Batch, Pixels, augment
from improve.spec.datasets import Counts, Source, no_tick
from improve.spec.normalizations import Statistics
from improve.spec.partition import part_rows, part_sizes
from improve.spec.spec import Spec
from improve.statistics import cost

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = ("train", "train_dev", "validation", "test")
MEASURED = 5000  # training images, at the end


@dataclass(frozen=True)
class Examples:
    """Images (n, height, width, channels; uint8 or float32), labels (n,), and ids: positions in the source, those in
    the target's after them."""

    images: Images
    labels: NDArray[Any]
    ids: NDArray[Any]

    def __len__(self) -> int:
        return len(self.labels)

    def head(self, count: int) -> Examples:
        return Examples(self.images.head(count), self.labels[:count], self.ids[:count])

    def only(self, kept: NDArray[Any]) -> Examples:
        """The examples that a mask (n,) keeps, in their order."""
        return Examples(self.images.only(kept), self.labels[kept], self.ids[kept])


@dataclass(frozen=True)
class PreparedData:
    """The parts by name (train, validation, and train_dev and test where there are any), and what is known of
    them; `available` examples are in the source, `dropped` were left out as duplicates, `cost` (classes,) is what an
    error on each class costs where the spec says so, `statistics` are by part, `target` the target's own sizes;
    `probed` is what a probe has seen of a network on these data."""

    parts: dict[str, Examples]
    normalization: Statistics
    pixels: Pixels
    class_names: tuple[str, ...]
    found: str
    available: int
    skipped: tuple[tuple[str, str], ...]
    dropped: int
    cost: NDArray[Any] | None
    statistics: dict[str, ImageStatistics]
    target: Counts | None = None
    probed: dict[str, Any] = field(default_factory=dict)

    @property
    def duplicates(self) -> dict[str, int]:
        return duplicate_counts(self.statistics)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.parts["train"].images.shape[1:]

    @property
    def train_sample(self) -> Examples:
        """The fixed part of the training set that the clean training error of each epoch is measured on: as large as
        validation.

        The training part is in stratified order, so its head is a stratified sample.
        """
        return self.parts["train"].head(len(self.parts["validation"]))

    @property
    def large_train_sample(self) -> Examples:
        """What the training error of the best epoch is measured on, once, at the end: 5,000 images, or all there are.

        Of 541 training images a sample of 181 hid a variance: its gap was [−0.5, 14.8] points, that of all of them
        [1.2, 14.1].
        """
        return self.parts["train"].head(max(MEASURED, len(self.parts["validation"])))

    @property
    def measured(self) -> dict[str, Examples]:
        """What is measured after every epoch: the test part stays sealed until the end."""
        names = [name for name in ("validation", "train_dev") if name in self.parts]
        return {"train": self.train_sample} | {name: self.parts[name] for name in names}


def prepare(spec: Spec, tick: Tick = no_tick) -> PreparedData:
    """Load the source and divide it. Raises UsageError where the data cannot be had or make no sense."""
    source = spec.data.source.load(tick)
    costs = cost.by_class(spec.diagnosis.cost, source.class_names)
    target = spec.data.target.source.load(tick) if spec.data.target and spec.data.target.source else None
    if target:
        check_alike(source, target)
    parts = examples(spec, source, target)
    divided = sum(map(len, parts.values()))
    if spec.data.duplicates == "drop":
        parts = without_duplicates(parts)
        check_batch(spec, len(parts["train"]))
    normalization = spec.data.normalize.fit(parts["train"].images)
    pixels = pixels_of(parts["train"].images, normalization)
    if spec.data.target and spec.data.target.simulate:
        for name in {"validation", "test"} & set(parts):
            parts[name] = simulated(spec, parts[name], PARTS.index(name), pixels)
    sources = [source, target] if target else [source]
    return PreparedData(
        parts,
        normalization,
        pixels,
        source.class_names,
        " and ".join(found.found for found in sources),
        len(source.labels),
        tuple(bad for found in sources for bad in found.skipped),
        divided - sum(map(len, parts.values())),
        costs,
        {name: image_statistics(part.images, part.labels, len(source.class_names)) for name, part in parts.items()},
        target.counts if target else None,
    )


class LastPrepared:
    """The data of the run before: most that follow train on the same."""

    key, data = "", None

    def of(self, spec: Spec, tick: Tick = no_tick) -> PreparedData:
        plain = spec.complete()
        batch = spec.training.batch_size if spec.data.duplicates == "drop" else None  # there it is checked with pixels
        key = json.dumps([plain["data"], plain["diagnosis"]["cost"], spec.seed, batch], sort_keys=True)
        if self.data is None or self.key != key:
            self.data = None  # before others are read: there may be no room for both
            self.data, self.key = prepare(spec, tick), key
        return self.data


def training_size(spec: Spec) -> int:
    """Examples in the training part; images are read only where it takes their pixels to tell."""
    return len(prepare(spec).parts["train"]) if spec.data.duplicates == "drop" else part_sizes(spec.data).train


def examples(spec: Spec, source: Source, target: Source | None) -> dict[str, Examples]:
    """The parts that have examples."""
    pools, labels = source.pools, source.labels
    if target:
        pools, labels = pools + target.pools, np.concatenate([labels, target.labels])
    rows = part_rows(spec.data, source, target, spec.split_seed)
    return {
        name: Examples(Images(pools, rows[name]), labels[rows[name]], rows[name])
        for name in PARTS
        if len(rows.get(name, ()))
    }


def without_duplicates(parts: dict[str, Examples]) -> dict[str, Examples]:
    """The parts, but for what is left out of training: images that judge it as well, pixel for pixel."""
    judges = np.concatenate([image_hashes(parts[name].images) for name in ("validation", "test") if name in parts])
    kept = dict(parts)
    for name in {"train", "train_dev"} & set(parts):
        kept[name] = parts[name].only(~np.isin(image_hashes(parts[name].images), judges))
    return {name: part for name, part in kept.items() if len(part) or name == "train"}


def check_batch(spec: Spec, left: int) -> None:
    if spec.training.batch_size > left:
        raise UsageError(
            f"a batch of {spec.training.batch_size:,} is larger than the training set: data.duplicates: drop leaves "
            f"{left:,} images",
            fix=f"take at most {left} for training.batch_size" if left else "every training image is a duplicate",
        )


def check_alike(source: Source, target: Source) -> None:
    """A target can stand for what counts only if its images and classes are of the same form."""
    forms = [(found.pools[0].shape[1:], str(found.pools[0].dtype), found.class_names) for found in (source, target)]
    for what, mine, theirs in zip(("image shape", "type", "classes"), *forms, strict=True):
        if mine != theirs:
            raise UsageError(
                f"source and target differ in their {what}: {mine} and {theirs}",
                fix="give both the same classes, size and colours",
            )


def pixels_of(images: Images, normalization: Statistics) -> Pixels:
    """Black is 0 and white 255 for bytes; for other numbers the smallest and the largest one in the training part."""
    if images.dtype == np.uint8:
        return Pixels(0.0, 255.0, normalization.divide)
    lows, highs = zip(*((chunk.min(), chunk.max()) for chunk in images.chunks()), strict=True)
    low, high = float(min(lows)), float(max(highs))
    return Pixels(low, high if high > low else low + 1.0, normalization.divide)


def simulated(spec: Spec, part: Examples, number: int, pixels: Pixels) -> Examples:
    """The part as the target sees it: changed once, the same for every epoch and every run divided by this seed."""
    assert spec.data.target is not None
    changed = []
    for place, chunk in enumerate(part.images.chunks()):
        random = keyed_generator(spec.split_seed, "target", number, place)
        blank = np.zeros((len(chunk), 1), np.float32)
        changed.append(augment(spec.data.target.simulate, Batch(chunk, blank), random, pixels).images)
    images = np.concatenate(changed)
    if part.images.dtype == np.uint8:
        images = np.rint(images).clip(0, 255).astype(np.uint8)
    return replace(part, images=as_images(images))
