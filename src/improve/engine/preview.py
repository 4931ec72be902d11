"""What a spec will do, before it does it: the rates, the size of the net, augmented samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.engine.data.prepare import Examples, PreparedData, prepare, training_size
from improve.engine.model.build import assemble
from improve.engine.model.timeline import timeline
from improve.engine.training.batches import steps_per_epoch
from improve.images.array import as_images
from improve.lazy import np
from improve.randomness import keyed_generator
from improve.spec.augmentations import Batch, Pixels, augment
from improve.spec.spec import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLES = 8
DRAWS = 3


@dataclass(frozen=True)
class Preview:
    """`learning_rate` at the start of each epoch; `parameters` and `layers` of the network."""

    learning_rate: list[float]
    steps_per_epoch: int
    parameters: int
    layers: list[dict[str, Any]]


class Row(NamedTuple):
    """Images (n, height, width, channels; from 0 to 1) beside each other: what they are, and a name above each."""

    label: str
    images: Any
    names: Sequence[str] = ()


def preview(spec: Spec) -> Preview:
    """Sizes come from the source's own facts; images are read only to leave duplicates out."""
    facts = spec.data.source.facts()
    steps = steps_per_epoch(training_size(spec), spec.training.batch_size)
    classes = facts.classes or len(spec.data.source.load().class_names)
    blank = spec.data.normalize.fit(as_images(np.zeros((1, *facts.shape), np.uint8)))
    model = assemble(spec.on_one_device(), facts.shape, classes, blank, timeline(spec, steps))
    layers = [layer_facts(layer) for layer in model.layers]
    return Preview(spec.rates(steps)[::steps].tolist(), steps, model.count_params(), layers)


def layer_facts(layer: Any) -> dict[str, Any]:
    """`shape` of what a Keras layer gives, without the axis of the batch; `parameters` counts all of its weights."""
    facts = {"name": layer.name, "type": type(layer).__name__, "shape": list(layer.output.shape[1:])}
    return facts | {"parameters": layer.count_params()}


def sample_rows(spec: Spec) -> list[Row]:
    """Training images, below them augmented versions of the same; where the target differs from the source, images of
    the target as well."""
    data = prepare(spec)
    train = data.parts["train"].head(SAMPLES)
    rows = [sample_row("original", train, data)]
    batch = Batch(train.images[:], np.eye(len(data.class_names), dtype=np.float32)[train.labels])
    for epoch in range(DRAWS if spec.augmentation else 0):
        drawn = augment(spec.augmentation, batch, keyed_generator(spec.seed, "augmentation", epoch, 0), data.pixels)
        rows.append(Row(f"draw {epoch + 1}", scaled(drawn.images, data.pixels)))
    if spec.data.target:
        rows.append(sample_row("target", data.parts["validation"].head(SAMPLES), data))
    return rows


def sample_row(label: str, part: Examples, data: PreparedData) -> Row:
    return Row(label, scaled(part.images[:], data.pixels), [data.class_names[label] for label in part.labels])


def scaled(images: NDArray[Any], pixels: Pixels) -> NDArray[Any]:
    """The images with pixels from 0 to 1, for drawing."""
    return np.asarray((images - pixels.low) / (pixels.high - pixels.low)).clip(0, 1)
