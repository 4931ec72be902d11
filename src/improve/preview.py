"""What a spec will do, before it does it: the rates, the size of the net, augmented samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.assemble import assemble
from improve.augmentations import augment
from improve.batches import steps_per_epoch
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
    parts = spec.data.sizes(facts.train, facts.test)
    steps = steps_per_epoch(parts.train, spec.training.batch_size)
    classes = facts.classes or len(spec.data.source.load().class_names)
    blank = spec.data.normalize.fit(np.zeros((1, *facts.shape), np.uint8))
    model = assemble(spec, facts.shape, classes, blank, steps)
    layers = [
        {"name": layer.name, "type": type(layer).__name__, "shape": list(layer.output.shape[1:]),
         "parameters": layer.count_params()}
        for layer in model.layers
    ]  # fmt: skip
    return Preview(rates(spec, steps), steps, model.count_params(), layers)


def rates(spec: Spec, steps: int) -> list[float]:
    """The learning rate at the start of each epoch."""
    return [spec.rate(epoch * steps, steps) for epoch in range(spec.training.epochs)]


def draw(spec: Spec, found: Preview, file: Path) -> None:
    """A picture: the learning rate over the run, and training images beside augmented versions of them."""
    train = prepare(spec).parts["train"].head(SAMPLES).images
    draw_preview(file, found.learning_rate, [train, *augmented(spec, train)])


def augmented(spec: Spec, images: NDArray[Any]) -> list[NDArray[Any]]:
    if not spec.augmentation:
        return []
    draws = [keyed(spec.seed, "augmentation", epoch, 0) for epoch in range(DRAWS)]
    return [augment(spec.augmentation, images, random) for random in draws]
