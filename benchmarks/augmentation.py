"""What augmentation costs: an epoch of LeNet on CIFAR-10 with shift, rotate, zoom and flip against a plain epoch.

    IMPROVE_DATA=FOLDER python benchmarks/augmentation.py [--rounds 7] [--images 18000]

FOLDER holds cifar10.npz. All ways train the same model on the same images in the same order, one epoch per turn; they
take turns in one process, and every ratio is taken within a round. The first round, which compiles, does not count.

    plain             no augmentation
    improve           one affine map per image, made beside the training step
    keras in model    RandomTranslation, RandomRotation, RandomZoom and RandomFlip, chained before the normalisation
    keras in tf.data  the same four layers mapped over the batches, in parallel

Prints a section of Markdown and puts it into benchmarks/RESULTS.md (--quick only prints).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from improve.engine.data.prepare import PreparedData, prepare
from improve.engine.model.build import assemble
from improve.engine.model.timeline import timeline
from improve.engine.training.batches import steps_per_epoch, training_batches
from improve.lazy import keras, np
from improve.spec.spec import Spec
from runner_tax_report import cpu, markdown, put, spread

HERE = Path(__file__).parent
HEADING = "## Augmentation"
PACKAGES = ("improve-keras", "keras", "tensorflow", "numpy")
AUGMENTATION = [
    {"name": "shift", "width": 0.1, "height": 0.1},
    {"name": "rotate", "degrees": 20},
    {"name": "zoom", "range": 0.15},
    {"name": "flip"},
]
GOALS = (("improve", "plain", 1.3), ("improve", "keras in model", 1.0), ("improve", "keras in tf.data", 1.0))

Epoch = Callable[[int], None]
Times = tuple[float, float]  # wall and CPU seconds


def main() -> None:
    arguments = parse()
    spec, data = prepared(arguments.images)
    ways = {
        "plain": own(spec, data, []),
        "improve": own(spec, data, AUGMENTATION),
        "keras in model": in_model(spec, data),
        "keras in tf.data": in_tf_data(spec, data),
    }
    rounds = [{way: timed(epoch, number) for way, epoch in ways.items()} for number in range(arguments.rounds + 1)]
    section = report(rounds[1:], len(data.parts["train"]))
    print(section)
    if not arguments.quick:
        put(HERE / "RESULTS.md", section)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=18_000, help="training images")
    parser.add_argument("--quick", action="store_true", help="2 rounds, 1,000 images: does it run at all?")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.images = 2, 1000
    return arguments


def prepared(images: int) -> tuple[Spec, PreparedData]:
    """LeNet on so many training images, or on all there are."""
    plain: dict[str, Any] = {
        "data": {"source": "cifar10", "split": {"validation": 100}},
        "model": "lenet",
        "optimizer": {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9},
        "training": {"batch_size": 64},
    }
    counts = Spec.model_validate(plain).data.source.facts().counts
    share = counts.train / counts.total
    plain["data"]["subset"] = min(counts.total, round((images + 100) / share))
    spec = Spec.model_validate(plain)
    return spec, prepare(spec)


def compiled(spec: Spec, data: PreparedData) -> Any:
    steps = steps_per_epoch(len(data.parts["train"]), spec.training.batch_size)
    return assemble(spec, data.shape, len(data.class_names), data.normalization, timeline(spec, steps))


def own(spec: Spec, data: PreparedData, augmentation: list[dict[str, Any]]) -> Epoch:
    spec = Spec.model_validate({**spec.complete(), "augmentation": augmentation})
    return fitting(compiled(spec, data), training_batches(spec, data))


def fitting(model: Any, batches: Any) -> Epoch:
    def epoch(number: int) -> None:
        batches.epoch = number
        model.fit(batches, epochs=1, verbose=0, shuffle=False)

    return epoch


def layers() -> list[Any]:
    """The same four, in Keras's words: its shares are of the size, of a whole turn, and of the size again."""
    return [
        keras.layers.RandomTranslation(height_factor=0.1, width_factor=0.1, fill_mode="nearest"),
        keras.layers.RandomRotation(factor=20 / 360, fill_mode="nearest"),
        keras.layers.RandomZoom(height_factor=0.15, width_factor=0.15, fill_mode="nearest"),
        keras.layers.RandomFlip("horizontal"),
    ]


def in_model(spec: Spec, data: PreparedData) -> Epoch:
    plain = compiled(spec, data)
    images = keras.Input(data.shape, name="images")
    x = images
    for layer in layers():
        x = layer(x)
    model = type(plain)(images, plain(x))  # the same class, so that it records the same
    model.step_log = plain.step_log
    model.compile(optimizer=plain.optimizer, loss=plain.loss)
    return fitting(model, training_batches(spec, data))


def in_tf_data(spec: Spec, data: PreparedData) -> Epoch:
    import tensorflow as tf

    model, batches, chain = compiled(spec, data), training_batches(spec, data), layers()

    def augmented(images: Any, labels: Any) -> tuple[Any, Any]:
        for layer in chain:
            images = layer(images, training=True)
        return images, labels

    def epoch(number: int) -> None:
        batches.epoch = number
        signature = (
            tf.TensorSpec((None, *data.shape), tf.uint8),
            tf.TensorSpec((None, len(data.class_names)), tf.float32),
        )
        all_batches = (batches[index] for index in range(batches.num_batches))
        pipeline = tf.data.Dataset.from_generator(lambda: all_batches, output_signature=signature)
        pipeline = pipeline.map(augmented, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
        model.fit(pipeline, epochs=1, verbose=0)

    return epoch


def timed(epoch: Epoch, number: int) -> Times:
    wall, own_cpu = time.perf_counter(), time.process_time()
    epoch(number)
    return time.perf_counter() - wall, time.process_time() - own_cpu


def report(rounds: list[dict[str, Times]], images: int) -> str:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    rows = [
        [way, *(spread([turn[way][kind] for turn in rounds], "{:.2f}".format) for kind in (0, 1))] for way in rounds[0]
    ]
    return "\n\n".join(
        [
            HEADING,
            f"{len(rounds)} rounds after the one that compiles; LeNet, batches of 64, {images:,} training images of "
            "CIFAR-10; shift 0.1, rotate 20°, zoom 0.15, flip. One epoch of training, nothing measured after it. "
            "Median [min, max]. Made by `python benchmarks/augmentation.py`.",
            f"{cpu()}. {versions}, Python {platform.python_version()}.",
            markdown(["way", "epoch, s", "epoch, CPU-s"], rows),
            markdown(
                ["ratio", "wall time", "fastest against fastest", "CPU time", "goal", "wall", "CPU"],
                [judged(rounds, *goal) for goal in GOALS],
            ),
            "On two cores TensorFlow's threads sometimes share one for a whole epoch, in every way alike, so the wall "
            "times of single epochs jump by a third; CPU times and the fastest epochs do not.",
        ]
    )


def judged(rounds: list[dict[str, Times]], way: str, other: str, most: float) -> list[str]:
    wall, of_cpu = ([turn[way][kind] / turn[other][kind] for turn in rounds] for kind in (0, 1))
    fastest = min(turn[way][0] for turn in rounds) / min(turn[other][0] for turn in rounds)
    show = "{:.3f}".format
    verdicts = ["met" if float(np.median(found)) <= most else "**missed**" for found in (wall, of_cpu)]
    return [f"{way} / {other}", spread(wall, show), show(fastest), spread(of_cpu, show), f"≤ {most:g}", *verdicts]


if __name__ == "__main__":
    main()
