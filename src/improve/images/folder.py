"""A folder of images with one sub-folder per class: what is in it, without opening a file.

Either class/… or train/class/…, then with validation/ and test/ if there are any. Hidden files are passed over.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from improve.errors import UsageError, printable

EXTENSIONS = {"png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"}
PARTS = {"train": "train", "validation": "validation", "val": "validation", "valid": "validation", "test": "test"}
ORDER = ("train", "validation", "test")
LAYOUT = "one folder per class: {0}/cat/1.jpg, {0}/dog/2.jpg …; or the same inside {0}/train and {0}/test"


class Listing(NamedTuple):
    """The images of a folder, the training ones first, then those for validation, then for test; sorted within."""

    class_names: tuple[str, ...]
    files: tuple[str, ...]  # relative to the folder, with / between
    labels: tuple[int, ...]
    sizes: tuple[int, int, int]
    ignored: int  # files that are no images by their extension, and links to folders


class Found(NamedTuple):
    """The images of one part."""

    files: list[str]
    labels: list[int]
    ignored: int


class Content(NamedTuple):
    """What lies in one folder itself."""

    folders: list[str]
    images: list[str]
    others: list[str]
    links: list[str]  # to folders


NOTHING = Found([], [], 0)


def listing(folder: Path) -> Listing:
    """The classes and images of a folder. Raises UsageError where they are not laid out as they should be."""
    if not os.path.isdir(folder):  # unlike Path.is_dir it is False for what cannot be looked at or cannot be a name
        what = "is a file, not a folder of images" if os.path.exists(folder) else "is not there"
        raise UsageError(f"{folder} {what}", fix="give a folder with " + LAYOUT.format("images"))
    parts = _parts(folder)
    class_names = _classes(folder / parts["train"])
    found = [_found(folder, parts, part, class_names) if part in parts else NOTHING for part in ORDER]
    outside = len(_content(folder).others) if parts["train"] else 0
    return Listing(
        class_names,
        tuple(file for part in found for file in part.files),
        tuple(label for part in found for label in part.labels),
        (len(found[0].files), len(found[1].files), len(found[2].files)),
        outside + sum(part.ignored for part in found),
    )


def labelled_images(folder: Path) -> Listing:
    """Images to judge by: one class folder is enough, whatever it is called. Of train/, validation/ and test/ it is
    test/, else validation/. Raises UsageError where there are no class folders."""
    if not os.path.isdir(folder):
        raise UsageError(f"{folder} is not there", fix="give a folder with " + LAYOUT.format("images"))
    parts = _parts(folder)
    place = next(parts[part] for part in reversed(ORDER) if part in parts)
    content = _content(folder / place)
    _check_stray(folder / place, content)
    files: list[str] = []
    labels: list[int] = []
    ignored = len(content.others)
    for label, name in enumerate(content.folders):
        found, others = images_below(folder, f"{place}/{name}".removeprefix("/"))
        files, labels, ignored = files + found, labels + [label] * len(found), ignored + others
    if not files:
        raise UsageError(f"{folder / place} has no images in class folders", fix=LAYOUT.format(folder))
    return Listing(tuple(content.folders), tuple(files), tuple(labels), (len(files), 0, 0), ignored)


def _found(folder: Path, parts: dict[str, str], part: str, class_names: tuple[str, ...]) -> Found:
    """The images of one part. Each of its class folders must be one that the training part has, too."""
    place = folder / parts[part]
    content = _content(place)
    _check_stray(place, content)
    _check_known(place, content.folders, folder / parts["train"], class_names)
    found = Found([], [], len(content.others))
    for name in content.folders:
        files, others = images_below(folder, f"{parts[part]}/{name}".removeprefix("/"))
        found.files.extend(files)
        found.labels.extend([class_names.index(name)] * len(files))
        found = found._replace(ignored=found.ignored + others)
    _check_filled(place, part, class_names, set(found.labels))
    return found


def _content(folder: Path) -> Content:
    content = Content([], [], [], [])
    try:
        with os.scandir(folder) as entries:
            for entry in sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name):
                _kind(entry, content).append(entry.name)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be read: {(error.strerror or str(error)).lower()}", fix="check who may read it"
        ) from error
    return content


def _kind(entry: os.DirEntry[str], content: Content) -> list[str]:
    if entry.is_dir(follow_symlinks=False):
        return content.folders
    if entry.name.rpartition(".")[2].lower() in EXTENSIONS and entry.is_file():
        return content.images
    return content.links if entry.is_dir() else content.others


def images_below(folder: Path, start: str) -> tuple[list[str], int]:
    """All images under folder/start, sorted, and how many other files there are."""
    images, others, waiting = [], 0, [start]
    while waiting:
        place = waiting.pop()
        content = _content(folder / place)
        images += [f"{place}/{name}" for name in content.images]
        waiting += [f"{place}/{name}" for name in content.folders]
        others += len(content.others) + len(content.links)
    return sorted(images), others


def _parts(folder: Path) -> dict[str, str]:
    """The folder of each part; that of "train" is empty where the classes lie in the folder itself."""
    content = _content(folder)
    _check_stray(folder, content)
    # a folder with images in it is a class, whatever its name: CIFAR-100 has a class "train"
    named = [name for name in content.folders if name.lower() in PARTS]
    parts = [name for name in named if not _content(folder / name).images]
    classes = [name for name in content.folders if name not in parts]
    if classes and len(named) == len(content.folders):
        _check_stray(folder / classes[0], _content(folder / classes[0]))
    if not parts:
        return {"train": ""}
    if not any(PARTS[name.lower()] == "train" for name in parts):
        raise UsageError(f"{folder} has {parts[0]}/ but no train/", fix=f"put the training images in {folder}/train")
    if classes:
        raise UsageError(
            f"in {folder}, train/ lies beside {_some(classes)}",
            fix=f"either class folders only, or only train/, validation/ and test/ with class folders in each: "
            f"move {_some(classes)} into {folder}/train",
        )
    return _one_of_each(folder, parts)


def _one_of_each(folder: Path, found: list[str]) -> dict[str, str]:
    parts: dict[str, str] = {}
    for name in found:
        part = PARTS[name.lower()]
        if part in parts:
            raise UsageError(f"{folder} has both {parts[part]}/ and {name}/", fix="join them to one folder")
        parts[part] = name
    return parts


def _check_stray(folder: Path, content: Content) -> None:
    """Raises UsageError for an image outside the class folders, and for a class folder that is a link."""
    if content.images:
        count = len(content.images)
        raise UsageError(
            f"{_some(content.images)} {'lies' if count == 1 else 'lie'} in {folder} itself, outside the class folders",
            fix=LAYOUT.format(folder),
        )
    if content.links:
        raise UsageError(
            f"{_some(content.links)} in {folder} is a link to a folder; only links to files are followed",
            fix="put the folder itself there, or links to its files",
        )


def _classes(folder: Path) -> tuple[str, ...]:
    content = _content(folder)
    _check_stray(folder, content)
    for name in content.folders:
        if not is_text(name):
            what = f"the name of the class folder {printable(name)} in {folder} is not UTF-8"
            raise UsageError(what, fix="rename it")
    if not content.folders:
        raise UsageError(f"{folder} has no class folders", fix=LAYOUT.format(folder))
    if len(content.folders) == 1:
        raise UsageError(
            f"{folder} has only one class folder, {_some(content.folders)}", fix="give at least two classes"
        )
    return tuple(content.folders)


def is_text(name: str) -> bool:
    """Whether a file's name can be written down: on Linux it may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_known(place: Path, names: list[str], train: Path, class_names: tuple[str, ...]) -> None:
    unknown = [name for name in names if name not in class_names]
    if unknown:
        raise UsageError(
            f"{place} has the class {_some(unknown)}, which {train} has not",
            fix=f"the classes are {_some(list(class_names))}: rename the folder, or add training images for it",
        )


def _check_filled(place: Path, part: str, class_names: tuple[str, ...], present: set[int]) -> None:
    empty = [f"{name}/" for label, name in enumerate(class_names) if label not in present]
    if not present or (empty and part == "train"):
        what = f"no image in {_some(empty)}" if present else "no image in any class folder"
        raise UsageError(
            f"{place} has {what}", fix=f"put images there ({', '.join(sorted(EXTENSIONS))}), or remove the folder"
        )


def _some(names: list[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(printable(name, 60) for name in names[:3]) + more
