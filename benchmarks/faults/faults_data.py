"""Faults in the images and the labels, and in how they are divided."""

from __future__ import annotations

from collections.abc import Iterator

from suite import Case, Edits, of_family
from worlds import World


def data_faults(world: World) -> Iterator[Case]:
    for family in (labels, amounts, distributions):
        yield from family(world)


def labels(world: World) -> Iterator[Case]:
    yield from of_family(
        "labels",
        "fault",
        ("labels_shuffled", "T14", {}, "shuffled"),
        ("noise10", "T13", {}, "noise10"),
        ("noise20", "T13", {}, "noise20"),
        ("noise40", "T13", {}, "noise40"),
        ("noise20_dev", "T13", {}, "noise20_validation"),
        ("noise30_next", "T13", {}, "confused30"),
        ("off_by_one_dev", "T14 M2", {}, "off_by_one"),
        ("permuted_dev", "T14 M2 V5", {}, "permuted"),
    )


def amounts(world: World) -> Iterator[Case]:
    yield from of_family(
        "amount",
        "fault",
        *((f"n{count}", "V1 V3 V4", train_size(world, count)) for count in (50, 100, 200)),
        ("imbalance50", "V5 M2", {}, "imbalance50"),
        ("missing_class", "T16 V5", {}, "without_7"),
        ("leak50", "V6", {}, "leak"),
    )


def train_size(world: World, count: int) -> Edits:
    """All images are in the file; only so many of them are used."""
    return {"data": {"train_size": count}, "training": {"batch_size": min(32, world.spec["training"]["batch_size"])}}


def distributions(world: World) -> Iterator[Case]:
    held_out = {"data": {"train_dev": 0.2}}
    yield from of_family(
        "mismatch",
        "fault",
        ("mismatch_noise", "M1", held_out, "mismatch_noise"),
        ("mismatch_invert", "M1", held_out, "mismatch_invert"),
        ("upside_down", "M1", held_out, "upside_down"),
        ("pale", "R6 M1", {}, "pale"),
    )
    yield from of_family("test", "fault", ("test_shift", "S4 S1", {}, "test_shift"))
