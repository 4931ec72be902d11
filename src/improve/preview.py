"""What a spec will do, before it does it: the rates, the size of the net, augmented samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.assemble import assemble
from improve.augmentations import Batch, Pixels, augment
from improve.batches import steps_per_epoch
from improve.images import in_memory
from improve.lazy import np
from improve.plots import draw_preview
from improve.prepare import prepare
from improve.randomness import keyed
from improve.spec import Spec

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


def preview(spec: Spec) -> Preview:
    """Read no image: sizes come from the source's own facts."""
    facts = spec.data.source.facts()
    steps = steps_per_epoch(spec.data.sizes().train, spec.training.batch_size)
    classes = facts.classes or len(spec.data.source.load().class_names)
    blank = spec.data.normalize.fit(in_memory(np.zeros((1, *facts.shape), np.uint8)))
    model = assemble(spec, facts.shape, classes, blank, steps)
    layers = [
        {"name": layer.name, "type": type(layer).__name__, "shape": list(layer.output.shape[1:]),
         "parameters": layer.count_params()}
        for layer in model.layers
    ]  # fmt: skip
    return Preview(rates(spec, steps), steps, model.count_params(), layers)


def rates(spec: Spec, steps: int) -> list[float]:
    """The learning rate at the start of each epoch."""
    return [float(rate) for rate in spec.rates(steps)[::steps]]


def draw(spec: Spec, found: Preview, file: Path) -> None:
    """A picture: the learning rate over the run, and training images beside augmented versions of them."""
    data = prepare(spec)
    train = data.parts["train"].head(SAMPLES)
    drawn = augmented(spec, Batch(train.images[:], np.eye(len(data.class_names))[train.labels]), data.pixels)
    rows = [shown(images, data.pixels) for images in (train.images[:], *drawn)]
    draw_preview(file, found.learning_rate, rows, [data.class_names[label] for label in train.labels])


def augmented(spec: Spec, batch: Batch, pixels: Pixels) -> list[NDArray[Any]]:
    if not spec.augmentation:
        return []
    draws = [keyed(spec.seed, "augmentation", epoch, 0) for epoch in range(DRAWS)]
    return [augment(spec.augmentation, batch, random, pixels).images for random in draws]


def shown(images: NDArray[Any], pixels: Pixels) -> NDArray[Any]:
    """From 0 to 1, for drawing."""
    return ((images - pixels.low) / (pixels.high - pixels.low)).clip(0, 1)
