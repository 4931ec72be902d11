"""What each section allows but the whole does not: parts without examples, a batch larger than the training set …"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from improve.datasets import Facts
from improve.errors import UsageError
from improve.spec import Spec
from improve.splits import Sizes
from improve.yamlfile import Path


class Complaint(NamedTuple):
    """A mistake, with the keys it concerns: the first one that stands in a file is the one to point at."""

    paths: tuple[Path, ...]
    what: str
    fix: str = ""


def complaints(spec: Spec) -> Iterator[Complaint]:
    """Everything about `spec` as a whole that cannot work. Looks at file headers, never at images; no Keras."""
    try:
        facts = spec.data.source.facts()
    except UsageError as error:
        yield Complaint((("data", "source", "path"), ("data", "source")), error.what, error.fix)
        facts = None
    if facts is not None:
        yield from _part_complaints(spec, facts)
        why = spec.model.cannot_take(*facts.shape[:2])
        if why:
            yield Complaint(
                (("model", "name"), ("model",), ("data", "source")), why, "take another model or larger images"
            )
    why = spec.schedule.too_long(spec.training.epochs)
    if why:
        paths: tuple[Path, ...] = (("schedule", "every"), ("schedule",), ("training", "epochs"))
        yield Complaint(paths, f"this schedule is longer than the run: {why}", "shorten it or train longer")


def _part_complaints(spec: Spec, facts: Facts) -> Iterator[Complaint]:
    data = spec.data
    available = facts.train + facts.test
    if data.subset is not None and data.subset > available:
        what = f"a subset of {data.subset:,} is more than the {available:,} examples of {data.source.name}"
        yield Complaint((("data", "subset"),), what, f"take at most {available}")
        return
    parts = data.sizes(facts.train, facts.test)
    problem = _empty_part(spec, parts)
    if problem:
        paths: tuple[Path, ...] = (("data", "split"), ("data", "subset"), ("data", "source"))
        yield Complaint(paths, problem, f"{parts.total:,} examples in all: give each part some")
    elif spec.training.batch_size > parts.train:
        what = f"a batch of {spec.training.batch_size:,} is larger than the training set of {parts.train:,}"
        yield Complaint((("training", "batch_size"), ("data", "subset")), what, f"take at most {parts.train}")
    if parts.train > 0 and data.train_dev and not parts.train_dev:
        what = f"train_dev of {data.train_dev:.3g} leaves no example in the train-dev set"
        yield Complaint((("data", "train_dev"),), what, "hold out a larger share")


def _empty_part(spec: Spec, parts: Sizes) -> str:
    split = spec.data.split
    wanted = {"training": True, "validation": True, "test": split.shares is not None and split.shares[2] > 0}
    counts = {"training": parts.train, "validation": parts.validation, "test": parts.test}
    empty = [name for name, asked in wanted.items() if asked and counts[name] <= 0]
    return f"no example is left for the {' and the '.join(empty)} set" if empty else ""
