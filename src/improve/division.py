"""Which example goes where: stratified orders of a source, cut into parts. Row numbers only, no images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from improve.datasets import Source
from improve.lazy import np
from improve.spec import Data
from improve.splits import Sizes, stratified, target_sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rows = dict[str, "NDArray[Any]"]


def divide(data: Data, source: Source, target: Source | None, seed: int) -> Rows:
    """Rows of each part by its name; those of `target` are numbered after those of `source`."""
    counts = data.sizes_of(source.counts, target.counts if target else None)
    if target is None:
        return cut_source(data, source, counts, seed)
    return cut_target(data, source, target, counts, seed)


def cut_source(data: Data, source: Source, count: Sizes, seed: int) -> Rows:
    """Validation comes first, so it stays the same while a subset grows."""
    train, validation, test = own_sets(source)
    if data.split.shares is not None:
        order = shuffled(source, np.concatenate([train, validation, test]), seed)
        names = ("validation", "test", "train_dev", "train")
        return dict(zip(names, cut(order, *(getattr(count, name) for name in names)), strict=True))
    rows = {"test": shuffled(source, test, seed, 1)[: count.test]}
    if data.split.validation is None:
        rows["validation"] = shuffled(source, validation, seed, 2)[: count.validation]
        order = shuffled(source, train, seed)
    else:
        order = shuffled(source, np.concatenate([train, validation]), seed)
        rows["validation"], order = order[: count.validation], order[count.validation :]
    rows["train_dev"], rows["train"] = cut(order, count.train_dev, count.train)
    return rows


def cut_target(data: Data, source: Source, target: Source, count: Sizes, seed: int) -> Rows:
    """All that `source` has trains, with the share of the target that joins; the rest of the target is what counts."""
    theirs = target_rows(data, target, seed)
    mine = shuffled(source, np.arange(len(source.labels)), seed)[: count.train + count.train_dev - len(theirs["train"])]
    pool = np.concatenate([mine, len(source.labels) + theirs["train"]])
    # two strata per class, so that any cut holds both origins in their shares
    strata = 2 * np.concatenate([source.labels, target.labels])[pool] + (pool >= len(source.labels))
    train_dev, train = cut(pool[stratified(strata, seed, 4)], count.train_dev, count.train)
    rest = {name: len(source.labels) + theirs[name] for name in ("validation", "test")}
    return {"train": train, "train_dev": train_dev, **rest}


def target_rows(data: Data, target: Source, seed: int) -> Rows:
    """The target's own rows of the parts: those that join the training set, validation and test."""
    assert data.target is not None
    count = target_sizes(data.split, target.counts.at_most(data.target.subset), data.target.train)
    train, validation, test = own_sets(target)
    if data.split.shares is not None:
        order = shuffled(target, np.arange(len(target.labels)), seed, 3)
        return dict(zip(("validation", "test", "train"), cut(order, *count[1:3], count.train), strict=True))
    rows = {"test": shuffled(target, test, seed, 1)[: count.test]}
    if data.split.validation is None:
        rows["validation"] = shuffled(target, validation, seed, 2)[: count.validation]
        return rows | {"train": shuffled(target, train, seed, 3)[: count.train]}
    order = shuffled(target, np.concatenate([train, validation]), seed, 3)
    return rows | dict(zip(("validation", "train"), cut(order, count.validation, count.train), strict=True))


def own_sets(source: Source) -> list[NDArray[Any]]:
    """The rows of the training, validation and test set that a source comes in."""
    return cut(np.arange(len(source.labels)), *source.counts)


def shuffled(source: Source, rows: NDArray[Any], seed: int, *where: int) -> Any:
    return rows[stratified(source.labels[rows], seed, *where)]


def cut(order: NDArray[Any], *lengths: int) -> list[NDArray[Any]]:
    ends = np.cumsum(lengths)
    return [order[end - length : end] for end, length in zip(ends, lengths, strict=True)]
