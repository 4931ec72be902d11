"""How many examples go where, and which: the sizes of the parts, and the rows that each gets. No images are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np
from improve.randomness import keyed_generator
from improve.spec.datasets import Counts, Source
from improve.spec.spec import SpecData
from improve.spec.splits import Split, portion_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rows = dict[str, "NDArray[Any]"]


class Sizes(NamedTuple):
    """Examples per part."""

    train: int
    validation: int
    test: int
    train_dev: int

    @property
    def total(self) -> int:
        return sum(self)


def part_sizes(data: SpecData) -> Sizes:
    """Examples per part, told from what the sources say of themselves. Raises UsageError where one cannot tell."""
    target = data.target.source.facts().counts if data.target and data.target.source else None
    return used_sizes(data, full_sizes(data, data.source.facts().counts, target))


def used_sizes(data: SpecData, full: Sizes) -> Sizes:
    """The sizes after `data.train_size` has shortened the training part."""
    return full if data.train_size is None else full._replace(train=train_examples(data.train_size, full.train))


def train_examples(train_size: float | int, available: int) -> int:
    """How many of the training part's available examples `data.train_size` takes."""
    return min(available, portion_of(train_size, available))


def full_sizes(data: SpecData, source: Counts, target: Counts | None) -> Sizes:
    """Examples per part before `data.train_size`, of a source and a target that have so many. Parts can be empty."""
    if target is None or data.target is None:
        return source_sizes(data, source.at_most(data.subset))
    theirs = target_sizes(data, target)
    train = source.at_most(data.subset).total + theirs.train
    held_out = round(train * data.train_dev)
    return theirs._replace(train=train - held_out, train_dev=held_out)


def source_sizes(data: SpecData, have: Counts) -> Sizes:
    if data.split.shares is not None:
        validation, test = (round(have.total * share / 100) for share in data.split.shares[1:])
    else:
        validation, test = own_validation(data.split, have), have.test
    validation -= round(validation * joining_share(data))
    train = have.total - validation - test
    held_out = round(train * data.train_dev)
    return Sizes(train - held_out, validation, test, held_out)


def target_sizes(data: SpecData, have: Counts) -> Sizes:
    """How a target's examples are divided: `train` of them join the training set, the rest validates and tests, in the
    ratio of the split's shares; or its own sets stay what they are."""
    assert data.target is not None
    have, split = have.at_most(data.target.subset), data.split
    if split.shares is not None:
        joining = round(have.total * data.target.train)
        validation = round((have.total - joining) * split.shares[1] / (split.shares[1] + split.shares[2] or 1))
        return Sizes(joining, validation, have.total - joining - validation if split.shares[2] else 0, 0)
    validation = own_validation(split, have)
    rest = have.train if split.validation is None else have.train + have.validation - validation
    return Sizes(round(rest * data.target.train), validation, have.test, 0)


def own_validation(split: Split, have: Counts) -> int:
    """The size of the validation set where a source's own test set stays."""
    return have.validation if split.validation is None else portion_of(split.validation, have.train + have.validation)


def joining_share(data: SpecData) -> float:
    """The share of the source's own validation set that joins its training set."""
    return 0.0 if data.target is None or data.target.source is not None else data.target.train


def part_rows(data: SpecData, source: Source, target: Source | None, seed: int) -> Rows:
    """Rows (n,) of each part by its name; those of `target` are numbered after those of `source`."""
    full = full_sizes(data, source.counts, target.counts if target else None)
    rows = source_rows(data, source, full, seed) if target is None else target_rows(data, source, target, full, seed)
    # only the training part is shortened, from its end: what judges it is what it was
    return rows | {"train": rows["train"][: used_sizes(data, full).train]}


def source_rows(data: SpecData, source: Source, size: Sizes, seed: int) -> Rows:
    rows = set_rows(data.split, source, size, seed)
    if joining_share(data):
        rows["train"] = joined_rows(data, source, rows, size, seed)
    rows["train_dev"], rows["train"] = pieces(rows["train"], size.train_dev, size.train)
    return rows


def joined_rows(data: SpecData, source: Source, rows: Rows, size: Sizes, seed: int) -> Any:
    """The training set and those of the source's own validation images that are not to judge it, mixed."""
    own = source.counts.at_most(data.subset).validation
    joining = shuffled_rows(source, own_sets(source)[1], seed, 2)[size.validation : own]
    left = size.train + size.train_dev - len(joining)
    pool = np.concatenate([rows["train"][:left], joining])
    return mixed_rows(pool, source.labels, np.arange(len(pool)) >= left, seed)


def target_rows(data: SpecData, source: Source, target: Source, size: Sizes, seed: int) -> Rows:
    """All that `source` has trains, with the share of the target that joins; the rest of the target is what counts."""
    of_target = target_sizes(data, target.counts)
    theirs = set_rows(data.split, target, of_target, seed, 3)
    joining = theirs["train"][: of_target.train]
    mine = shuffled_rows(source, np.arange(len(source.labels)), seed)[: size.train + size.train_dev - len(joining)]
    pool = np.concatenate([mine, len(source.labels) + joining])
    mixed = mixed_rows(pool, np.concatenate([source.labels, target.labels]), pool >= len(source.labels), seed)
    train_dev, train = pieces(mixed, size.train_dev, size.train)
    judging = {name: len(source.labels) + theirs[name] for name in ("validation", "test")}
    return {"train": train, "train_dev": train_dev, **judging}


def mixed_rows(pool: NDArray[Any], labels: NDArray[Any], joining: NDArray[Any], seed: int) -> Any:
    """The rows of `pool` with two strata per class, so that any cut holds both origins in their shares."""
    return pool[stratified(2 * labels[pool] + joining, seed, 4)]


def set_rows(split: Split, source: Source, size: Sizes, seed: int, *where: int) -> Rows:
    """Rows for validation and test, and in "train" those that are left to train with, in stratified order.

    Validation comes first, so it stays the same while a subset grows.
    """
    train, validation, test = own_sets(source)
    if split.shares is not None:
        order = shuffled_rows(source, np.concatenate([train, validation, test]), seed, *where)
        first, second = size.validation, size.validation + size.test
        return {"validation": order[:first], "test": order[first:second], "train": order[second:]}
    rows = {"test": shuffled_rows(source, test, seed, 1)[: size.test]}
    if split.validation is None:
        chosen = shuffled_rows(source, validation, seed, 2)[: size.validation]
        return rows | {"validation": chosen, "train": shuffled_rows(source, train, seed, *where)}
    order = shuffled_rows(source, np.concatenate([train, validation]), seed, *where)
    return rows | {"validation": order[: size.validation], "train": order[size.validation :]}


def own_sets(source: Source) -> list[NDArray[Any]]:
    """The rows of the training, validation and test set that a source comes in."""
    return pieces(np.arange(len(source.labels)), *source.counts)


def shuffled_rows(source: Source, rows: NDArray[Any], seed: int, *where: int) -> Any:
    return rows[stratified(source.labels[rows], seed, *where)]


def pieces(order: NDArray[Any], *lengths: int) -> list[NDArray[Any]]:
    """Consecutive pieces of `order`, of these lengths."""
    ends = np.cumsum(lengths)
    return [order[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def stratified(labels: NDArray[Any], seed: int, *where: int) -> NDArray[Any]:
    """An order of all examples in which every stretch holds the classes in their shares, to within one example.

    Each class is shuffled and spread evenly over [0, 1]; sorting by that position interleaves the classes. So any
    cut of this order is a stratified part, and a smaller subset is contained in a larger one.
    """
    random = keyed_generator(seed, "split", *where)
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        position[random.permutation(members)] = (np.arange(len(members)) + random.random()) / len(members)
    return np.argsort(position, kind="stable")
