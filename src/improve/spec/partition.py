"""Which example goes where: stratified orders of a source, cut into parts. Row numbers only, no images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from improve.lazy import np
from improve.spec.datasets import Source
from improve.spec.spec import Data
from improve.spec.splits import Sizes, Split, stratified, taken, target_sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rows = dict[str, "NDArray[Any]"]


def divide(data: Data, source: Source, target: Source | None, seed: int) -> Rows:
    """Rows of each part by its name; those of `target` are numbered after those of `source`."""
    count = data.whole_sizes(source.counts, target.counts if target else None)
    rows = cut_source(data, source, count, seed) if target is None else cut_target(data, source, target, count, seed)
    # only the training part is shortened, from its end: what judges it is what it was
    return rows | {"train": rows["train"][: taken(data.train_size, count.train)]}


def cut_source(data: Data, source: Source, count: Sizes, seed: int) -> Rows:
    rows = cut_sets(data.split, source, count, seed)
    if data.joining:
        rows["train"] = with_joining(data, source, rows, count, seed)
    rows["train_dev"], rows["train"] = cut(rows["train"], count.train_dev, count.train)
    return rows


def with_joining(data: Data, source: Source, rows: Rows, count: Sizes, seed: int) -> Any:
    """The training set and those of the source's own validation images that are not to judge it, mixed."""
    theirs = source.counts.at_most(data.subset).validation
    joining = shuffled(source, own_sets(source)[1], seed, 2)[count.validation : theirs]
    left = count.train + count.train_dev - len(joining)
    pool = np.concatenate([rows["train"][:left], joining])
    # two strata per class, so that any cut holds both origins in their shares
    strata = 2 * source.labels[pool] + (np.arange(len(pool)) >= left)
    return pool[stratified(strata, seed, 4)]


def cut_target(data: Data, source: Source, target: Source, count: Sizes, seed: int) -> Rows:
    """All that `source` has trains, with the share of the target that joins; the rest of the target is what counts."""
    assert data.target is not None
    theirs_count = target_sizes(data.split, target.counts.at_most(data.target.subset), data.target.train)
    theirs = cut_sets(data.split, target, theirs_count, seed, 3)
    theirs["train"] = theirs["train"][: theirs_count.train]
    mine = shuffled(source, np.arange(len(source.labels)), seed)[: count.train + count.train_dev - len(theirs["train"])]
    pool = np.concatenate([mine, len(source.labels) + theirs["train"]])
    # two strata per class, so that any cut holds both origins in their shares
    strata = 2 * np.concatenate([source.labels, target.labels])[pool] + (pool >= len(source.labels))
    train_dev, train = cut(pool[stratified(strata, seed, 4)], count.train_dev, count.train)
    rest = {name: len(source.labels) + theirs[name] for name in ("validation", "test")}
    return {"train": train, "train_dev": train_dev, **rest}


def cut_sets(split: Split, source: Source, count: Sizes, seed: int, *where: int) -> Rows:
    """Rows for validation and test, and in "train" those that are left to train with, in stratified order.

    Validation comes first, so it stays the same while a subset grows.
    """
    train, validation, test = own_sets(source)
    if split.shares is not None:
        order = shuffled(source, np.concatenate([train, validation, test]), seed, *where)
        first, second = count.validation, count.validation + count.test
        return {"validation": order[:first], "test": order[first:second], "train": order[second:]}
    rows = {"test": shuffled(source, test, seed, 1)[: count.test]}
    if split.validation is None:
        chosen = shuffled(source, validation, seed, 2)[: count.validation]
        return rows | {"validation": chosen, "train": shuffled(source, train, seed, *where)}
    order = shuffled(source, np.concatenate([train, validation]), seed, *where)
    return rows | {"validation": order[: count.validation], "train": order[count.validation :]}


def own_sets(source: Source) -> list[NDArray[Any]]:
    """The rows of the training, validation and test set that a source comes in."""
    return cut(np.arange(len(source.labels)), *source.counts)


def shuffled(source: Source, rows: NDArray[Any], seed: int, *where: int) -> Any:
    return rows[stratified(source.labels[rows], seed, *where)]


def cut(order: NDArray[Any], *lengths: int) -> list[NDArray[Any]]:
    ends = np.cumsum(lengths)
    return [order[end - length : end] for end, length in zip(ends, lengths, strict=True)]
