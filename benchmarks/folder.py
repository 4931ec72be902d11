"""A folder of images as batches: improve's cache against keras.utils.image_dataset_from_directory.

    python benchmarks/folder.py FOLDER [--rounds 5] [--side 64]

FOLDER holds one folder of images per class (or train/ with them). Every way reads all its images as shuffled batches
of 64, two epochs long, without training; the imports (TensorFlow, NumPy, Pillow) come before the clock starts.

    improve           listing, digests, decoding into a new cache; then batches of bytes (uint8)
    improve, again    the same in the next process, which finds the cache
    keras             image_dataset_from_directory, as it comes; batches of float32
    keras + cache()   the same with .cache(), all its float32 images in memory

They take turns, each time in a fresh process, and every ratio is taken within a round. All files are read once before,
so the disk is not measured. Prints a section of Markdown. Linux only.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from child import busy_seconds
from runner_tax_report import BUSY, cpu, markdown, spread

WAYS = ("improve", "improve, again", "keras", "keras + cache()")
BATCH = 64
PACKAGES = ("improve-keras", "pillow", "numpy", "keras", "tensorflow")


class Figures(NamedTuple):
    """One process: seconds and CPU-seconds of its two epochs, and the cores that others used meanwhile."""

    images: int
    first: float
    second: float
    first_cpu: float
    second_cpu: float
    others: float


class Goal(NamedTuple):
    """How many times faster one way is than another, in one of its epochs."""

    mine: str
    other: str
    epoch: str
    least: float | None = None


GOALS = (
    Goal("improve", "keras", "first", 1.0),
    Goal("improve", "keras", "second", 4.0),
    Goal("improve", "keras", "first_cpu"),
    Goal("improve", "keras + cache()", "first"),
    Goal("improve", "keras + cache()", "second"),
    Goal("improve, again", "keras", "first"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, default=64, help="of the images, in pixels")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for others to leave the CPU alone")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    train = arguments.folder.resolve() / "train"
    folder = train if train.is_dir() else train.parent
    if arguments.way:
        measure_here(arguments.way, folder, arguments.side)
        return
    for file in folder.rglob("*.*"):
        file.read_bytes()
    print(section(folder, arguments.side, rounds(folder, arguments.side, arguments.rounds, arguments.patience)))


def rounds(folder: Path, side: int, number: int, patience: float) -> list[dict[str, Figures]]:
    """Every way once per round, in another order each time; "again" needs its cache, so it follows on "improve"."""
    results = []
    for first in range(number):
        with tempfile.TemporaryDirectory(prefix="folder-benchmark-") as cache:
            order = [["improve", "improve, again"], ["keras"], ["keras + cache()"]]
            turn = [way for group in order[first % 3 :] + order[: first % 3] for way in group]
            found = {}
            for way in turn:
                wait_for_quiet(patience)
                found[way] = in_process(way, folder, side, cache)
            results.append(found)
        said = ", ".join(f"{way} {found.first:.2f} + {found.second:.2f} s" for way, found in results[-1].items())
        print(f"round {first + 1}/{number}: {said}", file=sys.stderr, flush=True)
    return results


def wait_for_quiet(patience: float) -> None:
    """Until others use less than a tenth of a core for a second, but no longer than `patience` seconds."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        before = busy_seconds()
        time.sleep(1)
        if busy_seconds() - before < BUSY:
            return


def in_process(way: str, folder: Path, side: int, cache: str) -> Figures:
    command = [sys.executable, __file__, str(folder), "--side", str(side), "--way", way]
    environment = {**os.environ, "IMPROVE_CACHE": cache, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def measure_here(way: str, folder: Path, side: int) -> None:
    start = improve_batches if way.startswith("improve") else keras_batches
    build = start(folder, side, way)
    busy, times, used = busy_seconds(), [time.perf_counter()], [cpu_seconds()]
    epoch = build()
    for _ in range(2):
        images = sum(len(batch) for batch, _ in epoch())
        times.append(time.perf_counter())
        used.append(cpu_seconds())
    others = max(0.0, busy_seconds() - busy - (used[2] - used[0])) / (times[2] - times[0])
    found = (later - before for series in (times, used) for before, later in itertools.pairwise(series))
    print(json.dumps(Figures(images, *found, others)._asdict()))


Epoch = Callable[[], Iterable[tuple[object, object]]]


def improve_batches(folder: Path, side: int, way: str) -> Callable[[], Epoch]:
    import numpy as np

    from improve.images.cache import cached_images
    from improve.images.file import readers
    from improve.images.folder import listing

    readers()  # imports Pillow
    random = np.random.default_rng(0)

    def build() -> Epoch:
        images, labels, *_ = cached_images(folder, listing(folder), (side, side), "rgb", "stretch", "error")

        def epoch() -> Iterable[tuple[object, object]]:
            order = random.permutation(len(images))
            for start in range(0, len(order), BATCH):
                chosen = order[start : start + BATCH]
                yield images[chosen], labels[chosen]

        return epoch

    return build


def keras_batches(folder: Path, side: int, way: str) -> Callable[[], Epoch]:
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices()

    def build() -> Epoch:
        read = keras.utils.image_dataset_from_directory
        dataset = read(folder, image_size=(side, side), batch_size=BATCH, verbose=False)
        dataset = dataset.cache() if "cache" in way else dataset
        return lambda: dataset

    return build


def cpu_seconds() -> float:
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in found)


def section(folder: Path, side: int, results: list[dict[str, Figures]]) -> str:
    images = {found.images for round_ in results for found in round_.values()}
    if len(images) != 1:
        sys.exit(f"the ways do not read equally many images: {images}")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    kinds = sorted({file.suffix for file in folder.rglob("*.*")})
    busiest = max(found.others for round_ in results for found in round_.values())
    doubt = f"\n\n**Doubtful**: other processes used up to {busiest:.2f} cores meanwhile." if busiest > BUSY else ""
    return (
        "## A folder of images\n\n"
        f"{len(results)} rounds; {images.pop():,} images ({', '.join(kinds)}) as shuffled batches of {BATCH}, "
        f"{side}×{side} pixels, no training. The first epoch holds everything from the listing of the folder on "
        "(digests, decoding and writing the cache to the disk for improve; building the dataset for Keras), but no "
        "imports. improve's batches are uint8, Keras's float32, each as they come. All files are in the page cache. "
        "Before each process the benchmark waits for a quiet machine (--patience). "
        "Median [min, max] over the rounds. Made by `python benchmarks/folder.py FOLDER`.\n\n"
        f"{cpu()}, {len(os.sched_getaffinity(0))} cores. {versions}, Python {platform.python_version()}."
        f"{doubt}\n\n{of_ways(results)}\n\n{of_goals(results)}"
    )


def of_ways(results: list[dict[str, Figures]]) -> str:
    def cells(way: str) -> list[str]:
        found = [round_[way] for round_ in results]
        return [
            spread([one.images / one.first for one in found], "{:,.0f}".format),
            spread([one.images / one.second for one in found], "{:,.0f}".format),
            spread([one.first_cpu for one in found], "{:.2f}".format),
            spread([one.second_cpu for one in found], "{:.2f}".format),
            spread([one.others for one in found], "{:.2f}".format),
        ]

    head = [
        "way",
        "first epoch, images/s",
        "second epoch, images/s",
        "first, CPU-s",
        "second, CPU-s",
        "others' CPU, cores",
    ]
    return markdown(head, [[way, *cells(way)] for way in WAYS])


def of_goals(results: list[dict[str, Figures]]) -> str:
    rows = []
    for goal in GOALS:
        found = sorted(getattr(one[goal.other], goal.epoch) / getattr(one[goal.mine], goal.epoch) for one in results)
        met = "" if goal.least is None else "met" if found[len(found) // 2] >= goal.least else "**missed**"
        least = "" if goal.least is None else f"≥ {goal.least:g}×"
        epoch = f"{goal.epoch} epoch" if "cpu" not in goal.epoch else "first epoch, per CPU-second"
        rows.append([f"{epoch}: {goal.mine} / {goal.other}", spread(found, "{:.2f}×".format), least, met])
    return markdown(["images per second, ratio", "median [min, max]", "goal", ""], rows)


if __name__ == "__main__":
    main()
