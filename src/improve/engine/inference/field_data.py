"""Images from where a model is used, with the labels that somebody gave them: a folder, an .npz file or a source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.engine.inference.image_files import Look, look_of
from improve.engine.inference.predictor import Form
from improve.errors import UsageError, printable
from improve.images import npz
from improve.images.array import Images, Tick, as_images
from improve.images.cache import cached_images
from improve.images.folder import labelled_images
from improve.lazy import np
from improve.spec.datasets.base import Source, no_tick
from improve.spec.reading.load import resolve_files
from improve.spec.reading.merge import override
from improve.spec.reading.validate import spec_of_tree
from improve.spec.spec import SHELVES, Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAIRS = (("x", "y"), ("x_test", "y_test"), ("x_validation", "y_validation"))
NAMED = 8  # classes, in a message


@dataclass(frozen=True)
class Field:
    """Images of the run's shape and type, and the numbers of their classes (n,): `class_names` are the run's, then
    those that it does not know. `skipped` files are no good images, each with the reason."""

    images: Images
    labels: NDArray[Any]
    class_names: tuple[str, ...]
    found: str
    skipped: tuple[tuple[str, str], ...] = ()

    def only(self, kept: NDArray[Any]) -> Field:
        """The field's images that a mask (n,) keeps."""
        return replace(self, images=self.images.only(kept), labels=self.labels[kept])


def read_field(name: str, spec: Spec, form: Form, tick: Tick = no_tick) -> Field:
    """What `--data` names, for a run of this `spec` and `form`.

    A folder of class folders, an .npz file with x and y (or x_test and y_test), or a source as a spec writes it: its
    test set, or all of it where it has none. Raises UsageError where there is none, or it does not fit.
    """
    path = Path(name).expanduser()
    if os.path.isdir(path):
        field = from_folder(path, form, look_of(spec, form), tick)
    elif path.suffix == ".npz" or os.path.isfile(path):
        field = from_npz(path, form)
    else:
        field = from_source(source_of(name).load(tick), form)
    shape, kind = field.images.shape[1:], str(field.images.dtype)
    if (shape, kind) != (form.shape, form.type or kind):
        raise UsageError(
            f"the images of {field.found} are {shape} of {kind}, the run's are {form.shape} of {form.type or kind}",
            fix="bring them to that form first",
        )
    return field


def from_folder(folder: Path, form: Form, look: Look, tick: Tick) -> Field:
    listing = labelled_images(folder)
    # without names: no class has to have an image that can be read
    kept = cached_images(folder, listing._replace(class_names=()), *look.decoding, "skip", tick)
    bad = tuple((name.encode(errors="backslashreplace").decode(), reason) for name, reason in kept.bad)
    return Field(as_images(kept.images), *matched(kept.labels, listing.class_names, form), str(folder), bad)


def from_npz(file: Path, form: Form) -> Field:
    """Labels are the run's own numbers of its classes."""
    pair = next((names for names in PAIRS if npz.header(file, names[0]).dtype), None)
    if pair is None or not npz.header(file, pair[1]).dtype:
        raise UsageError(f"{file} holds no images with labels", fix="save x and y, or x_test and y_test")
    try:
        arrays = npz.load(file, pair)
    except npz.DAMAGED as error:
        raise UsageError(f"{file} cannot be read: {npz.reason(error)}", fix="write the file again") from error
    images = npz.checked_images(arrays[pair[0]], f"{pair[0]} in {file}")
    labels = npz.checked_labels(arrays[pair[1]], len(images), f"{pair[1]} in {file}")
    numbers, labels = np.unique(labels, return_inverse=True)
    known = range(len(form.class_names))
    names = tuple(form.class_names[number] if number in known else f"label {number}" for number in numbers.tolist())
    return Field(as_images(images), *matched(labels, names, form), f"{pair[0]} in {file}")


def source_of(what: str) -> Any:
    """The part of the shelf of data sources that `what` writes. Raises UsageError, or SpecError for its options."""
    names = [part.key() for part in SHELVES["datasets"]]
    if not what.lstrip().startswith("{") and what not in names:
        raise UsageError(
            f"{what} is no folder, no .npz file and no data source",
            fix=f"sources: {', '.join(names)}; with options: '{{name: folder, path: photos, size: 64}}'",
        )
    tree = override(f"data.source={what}")
    resolve_files(tree, Path.cwd())
    return spec_of_tree(tree).data.source


def from_source(source: Source, form: Form) -> Field:
    """A source's own test set, else its validation set, else all that it has."""
    ends = np.cumsum(source.counts)
    number = next((place for place in (2, 1) if source.counts[place]), None)
    rows = np.arange(len(source.labels)) if number is None else np.arange(ends[number - 1], ends[number])
    part = "" if number is None else (" (its validation set)", " (its test set)")[number - 1]
    matching = matched(source.labels[rows], source.class_names, form)
    return Field(Images(source.pools, rows), *matching, f"{source.found}{part}", source.skipped)


def matched(labels: NDArray[Any], names: Sequence[str], form: Form) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Labels (n,) of classes `names` as numbers of the run's classes, by name, and of those that it does not know,
    which come after them."""
    unknown = tuple(name for name in names if name not in form.class_names)
    if len(unknown) == len(names):
        raise UsageError(
            f"no class in common: the images are {some(names)}, the run knows {some(form.class_names)}",
            fix="call the class folders as in training",
        )
    together = form.class_names + unknown
    place = {name: number for number, name in enumerate(together)}
    return np.array([place[name] for name in names], np.int64)[labels], together


def some(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name, 40) for name in names[:NAMED])
    return shown + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")
