"""What each section allows but the whole does not: parts without examples, a batch larger than the training set …"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import NamedTuple

from improve.errors import UsageError
from improve.spec.datasets import Counts, Dataset, Facts
from improve.spec.partition import Sizes, full_sizes, train_examples, used_sizes
from improve.spec.reading.yaml import Path
from improve.spec.spec import Spec, SpecData, Target

SOURCE, TARGET = ("data", "source"), ("data", "target", "source")


class Complaint(NamedTuple):
    """A mistake, with the keys it concerns: the first one that stands in a file is the one to point at."""

    paths: tuple[Path, ...]
    what: str
    fix: str = ""


def complaints(spec: Spec) -> Iterator[Complaint]:
    """Everything about `spec` as a whole that cannot work. Looks at file headers, never at images; no Keras."""
    data = spec.data
    facts = yield from _facts(data.source, SOURCE)
    theirs = None
    if data.target is not None:
        yield from _target_complaints(data.target, data.split.own)
        theirs = (yield from _facts(data.target.source, TARGET)) if data.target.source else None
    if facts is not None and (theirs is not None or data.target is None or data.target.source is None):
        yield from _data_complaints(spec, facts, theirs)
    if facts is not None:
        why = spec.model.cannot_take(*facts.shape[:2])
        if why:
            yield Complaint((("model", "name"), ("model",), SOURCE), why, "take another model or larger images")
    wrong = spec.model.wrong(spec.regularization)
    if wrong:
        key, why, fix = wrong
        yield Complaint((tuple(key.split(".")), ("model",)), why, fix)
    too_long = spec.schedule.too_long(spec.training.epochs)
    if too_long:
        option, why = too_long
        paths: tuple[Path, ...] = (("schedule", option), ("schedule",), ("training", "epochs"))
        yield Complaint(paths, f"this schedule is longer than the run: {why}", "shorten it or train longer")
    if spec.training.snapshots is not None:
        yield from _snapshot_complaints(spec, spec.training.snapshots)


def _snapshot_complaints(spec: Spec, wanted: int) -> Iterator[Complaint]:
    """Snapshots are taken where a cycle of the schedule ends, of one network, to its end."""
    training, ends = spec.training, spec.schedule.cycle_ends(spec.training.epochs)
    at = ("training", "snapshots")
    if len(ends) < wanted:
        cycles = "1 cycle ends" if len(ends) == 1 else f"{len(ends) or 'no'} cycles end"
        what = f"{wanted} snapshots, but in {training.epochs} epochs of this schedule {cycles} with an epoch"
        fix = "schedule: {name: warm_restarts, first_decay_epochs: 10, t_mul: 1} ends one every 10 epochs"
        yield Complaint((at, ("schedule",)), what, fix)
    if training.members > 1:
        fix = "take one of them, and improve ensemble for what else is to join"
        paths: tuple[Path, ...] = (at, ("training", "members"))
        yield Complaint(paths, "snapshots of one network, or several members: not both", fix)
    if training.early_stopping is not None:
        fix = "leave early_stopping out: a restart makes the validation error worse for a while"
        paths = (at, ("training", "early_stopping"))
        yield Complaint(paths, "early stopping would end a cycle before its end", fix)


def _facts(source: Dataset, at: Path) -> Generator[Complaint, None, Facts | None]:
    """What is known of a source, or the complaint that it cannot be had."""
    try:
        facts = source.facts()
    except UsageError as error:
        yield Complaint(((*at, "path"), at), error.what, error.fix)
        return None
    if source.one_output and facts.classes not in (None, 2):
        what = f"binary needs two classes, {source.name} has {facts.classes}"
        yield Complaint(((*at, "binary"), at), what, "leave binary out")
    return facts


def _target_complaints(target: Target, own_sets: bool) -> Iterator[Complaint]:
    at = ("data", "target")
    if target.source is None and not target.simulate and not target.train:
        yield Complaint((at,), "a target without a source and without simulate changes nothing", "give it source: …")
    if target.source is None and target.train and (not own_sets or target.simulate):
        what = "train divides a source of the target, or the validation set that its source comes with"
        yield Complaint(((*at, "train"),), what, "give it source: …, or take split: own")
    if target.source is None and target.subset:
        yield Complaint(((*at, "subset"),), "subset divides a source, and this target has none", "give it source: …")
    for number, part in enumerate(target.simulate):
        if part.mixes:
            yield Complaint(((*at, "simulate", number),), f"{part.name} mixes labels", "take another augmentation")


def _data_complaints(spec: Spec, facts: Facts, target: Facts | None) -> Iterator[Complaint]:
    data, sources = spec.data, list(_sources(spec.data, facts, target))
    for source, counts, subset, path in sources:
        if subset is not None and subset > counts.total:
            what = f"a subset of {subset:,} is more than the {counts.total:,} examples of {source.name}"
            yield Complaint((path,), what, f"take at most {counts.total}")
            return
    validates, counts = sources[-1][:2]
    if data.split.own and not counts.validation:
        fix = "write split: 60/20/20, or {validation: 10%} of its training set"
        yield Complaint((("data", "split"), SOURCE), f"{validates.name} has no validation set of its own", fix)
        return
    if target is not None and facts.shape != target.shape:
        mine, other = ("×".join(map(str, found.shape)) for found in (facts, target))
        yield Complaint((TARGET,), f"source has images of {mine}, target of {other}", "give both the same size")
    yield from _part_complaints(spec, full_sizes(data, facts.counts, target.counts if target else None))


def _sources(data: SpecData, facts: Facts, theirs: Facts | None) -> Iterator[tuple[Dataset, Counts, int | None, Path]]:
    """The source, then the target's where it has one: what it holds, how much of it is asked for, and the key."""
    yield data.source, facts.counts, data.subset, ("data", "subset")
    if theirs is not None and data.target is not None and data.target.source is not None:
        yield data.target.source, theirs.counts, data.target.subset, ("data", "target", "subset")


def _part_complaints(spec: Spec, full: Sizes) -> Iterator[Complaint]:
    """What is wrong with parts of these sizes, of which `data.train_size` uses some."""
    parts = used_sizes(spec.data, full)
    problem = _empty_part(spec, full)
    if problem:
        paths: tuple[Path, ...] = (("data", "split"), ("data", "subset"), SOURCE)
        yield Complaint(paths, problem, f"{full.total:,} examples in all: give each part some")
    elif wrong := _wrong_train_size(spec.data.train_size, full.train):
        yield Complaint((("data", "train_size"),), wrong, f"take at most {full.train}, or a share such as 25%")
    elif spec.training.batch_size > parts.train:
        what = f"a batch of {spec.training.batch_size:,} is larger than the training set of {parts.train:,}"
        keys: tuple[Path, ...] = (("training", "batch_size"), ("data", "train_size"), ("data", "subset"))
        yield Complaint(keys, what, f"take at most {parts.train}")
    if full.train > 0 and spec.data.train_dev and not parts.train_dev:
        what = f"train_dev of {spec.data.train_dev:.3g} leaves no example in the train-dev set"
        yield Complaint((("data", "train_dev"),), what, "hold out a larger share")


def _wrong_train_size(train_size: float | int | None, count: int) -> str:
    if train_size is None:
        return ""
    if isinstance(train_size, int) and train_size > count:
        return f"a train_size of {train_size:,} is more than the {count:,} training examples there are"
    return (
        ""
        if train_examples(train_size, count)
        else f"a train_size of {train_size:g} of {count:,} leaves no training example"
    )


def _empty_part(spec: Spec, parts: Sizes) -> str:
    split = spec.data.split
    wanted = {"training": True, "validation": True, "test": split.shares is not None and split.shares[2] > 0}
    counts = {"training": parts.train, "validation": parts.validation, "test": parts.test}
    empty = [name for name, asked in wanted.items() if asked and counts[name] <= 0]
    return f"no example is left for the {' and the '.join(empty)} set" if empty else ""
