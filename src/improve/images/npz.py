"""Reading arrays that somebody else wrote: nothing is unpickled, and nothing senseless gets through."""

from __future__ import annotations

import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.errors import UsageError
from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# RuntimeError: an encrypted member, or a compression that zipfile does not know; MemoryError and TokenError: a header
# that is nested too deep, or no Python literal
DAMAGED = (
    ValueError, zipfile.BadZipFile, OSError, EOFError, RuntimeError, MemoryError, tokenize.TokenError, zlib.error,
)  # fmt: skip
PARTS = {"train": "training", "validation": "validation", "test": "test"}
WANTED = "x_train and y_train, and x_validation, y_validation, x_test and y_test where there are such sets"


class Header(NamedTuple):
    """What an array in an .npz file says of itself; empty where there is no such array."""

    shape: tuple[int, ...]
    dtype: str


def _open(file: Path) -> zipfile.ZipFile:
    if not os.path.isfile(file):  # unlike Path.is_file it is False for what cannot be looked at or cannot be a name
        raise UsageError(f"there is no file {file}", fix="give the path of an .npz file")
    try:
        return zipfile.ZipFile(file)
    except DAMAGED as error:
        raise UsageError(f"{file} is not an .npz file: {error}", fix="write it with numpy.savez") from error


def header(file: Path, name: str) -> Header:
    """Shape and type of one array, from its first bytes. Raises UsageError for what no image array can be."""
    with _open(file) as archive:
        if f"{name}.npy" not in archive.namelist():
            if name.endswith("train"):
                raise UsageError(f"{file} holds no array {name}", fix=f"save {WANTED}")
            return Header((), "")
        try:
            with archive.open(f"{name}.npy") as stream:
                version = np.lib.format.read_magic(stream)
                reader = (
                    np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = reader(stream)
                expected = stream.tell() + int(np.prod(shape, dtype=object)) * dtype.itemsize
        except DAMAGED as error:
            raise UsageError(f"{name} in {file} is damaged: {reason(error)}", fix="write the file again") from error
        if dtype.hasobject:
            raise UsageError(
                f"{name} in {file} holds Python objects, which are not unpickled",
                fix="save one array of numbers; images of different sizes must be resized to one first",
            )
        if archive.getinfo(f"{name}.npy").file_size != expected:
            raise UsageError(f"{name} in {file} is not as large as it says", fix="write the file again")
        if expected > total_ram():
            raise UsageError(f"{name} in {file} {_too_large(expected)}", fix="save fewer or smaller images")
    if name.startswith("x") and len(shape) not in (3, 4):
        raise UsageError(
            f"{name} in {file} has the shape {shape}",
            fix="images are (n, height, width) or (n, height, width, channels)",
        )
    return Header(shape, dtype.kind)


def read_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """Images x and labels y of each part; what is not there is left out."""
    names = [f"{letter}_{part}" for part in PARTS for letter in "xy"]
    names = [name for name in names if header(file, name).dtype]
    try:
        return load(file, names)
    except DAMAGED as error:
        raise UsageError(f"{file} cannot be read: {reason(error)}", fix="write the file again") from error


def reason(error: BaseException) -> str:
    """What is wrong, in one line; NumPy's others advise to trust the file."""
    return (str(error) or type(error).__name__).splitlines()[0]


def load(file: Path, names: Iterable[str] = ()) -> dict[str, NDArray[Any]]:
    """The arrays of these names, or all. Raises one of DAMAGED, before anything is read that no memory could hold."""
    archive: Any = np.load(file, allow_pickle=False)
    if not hasattr(archive, "zip"):
        raise ValueError("it is one array, not an .npz file")
    with archive:
        size = sum(member.file_size for member in archive.zip.infolist())
        if size > total_ram():
            raise ValueError(_too_large(size))
        return {name: archive[name] for name in names or archive.files}


def _too_large(size: int) -> str:
    return f"unpacks to {size / 1e9:,.1f} GB, this machine has {total_ram() / 1e9:,.1f} GB"


def total_ram() -> float:
    """Bytes that this machine has; infinite where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return math.inf


def check_arrays(arrays: dict[str, NDArray[Any]], file: Path, classes: int | None) -> dict[str, NDArray[Any]]:
    """The arrays in the shape that everything else expects, images of one type in all parts; empty validation and test
    sets where there are none."""
    checked: dict[str, NDArray[Any]] = {}
    for part in PARTS:
        if part != "train" and f"x_{part}" not in arrays:
            checked[f"x_{part}"], checked[f"y_{part}"] = checked["x_train"][:0], checked["y_train"][:0]
            continue
        checked[f"x_{part}"] = checked_images(arrays[f"x_{part}"], f"x_{part} in {file}")
        checked[f"y_{part}"] = checked_labels(arrays.get(f"y_{part}"), len(checked[f"x_{part}"]), f"y_{part} in {file}")
    _check_shapes(checked, file)
    if len({checked[f"x_{part}"].dtype for part in PARTS}) > 1:  # bytes could not hold the others' numbers
        checked |= {f"x_{part}": checked[f"x_{part}"].astype(np.float32) for part in PARTS}
    _check_classes(np.concatenate([checked[f"y_{part}"] for part in PARTS]), file, classes)
    return checked


def _check_shapes(checked: dict[str, NDArray[Any]], file: Path) -> None:
    shapes = {part: checked[f"x_{part}"].shape[1:] for part in PARTS}
    for part, shape in shapes.items():
        if shape != shapes["train"]:
            raise UsageError(
                f"in {file}, training images are {shapes['train']} and {PARTS[part]} images {shape}",
                fix="resize them to one shape",
            )


def checked_images(images: NDArray[Any], where: str) -> NDArray[Any]:
    """Images (n, height, width, 1 or 3): uint8 for integers from 0 to 255, else float32. Raises UsageError for any
    other shape or type, and for pixels that are NaN or infinite; `where` names the array in it."""
    if len(images) == 0 or images.ndim not in (3, 4):
        raise UsageError(f"{where} has the shape {images.shape}", fix="images are (n, height, width[, channels])")
    if images.ndim == 3:
        images = images[..., None]
    if images.shape[-1] not in (1, 3):
        raise UsageError(f"{where} has {images.shape[-1]} channels", fix="use 1 (grey) or 3 (colour), channels last")
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind not in "iufb":
        raise UsageError(f"{where} holds {images.dtype}", fix="images are uint8 (0 to 255) or float")
    bad = len(images) - int(np.isfinite(images).all(axis=(1, 2, 3)).sum()) if images.dtype.kind == "f" else 0
    if bad:
        raise UsageError(f"{where} has pixels that are NaN or infinite, in {bad:,} of {len(images):,} images")
    if images.dtype.kind in "iu" and images.min() >= 0 and images.max() <= 255:
        return images.astype(np.uint8)
    return images.astype(np.float32)


def checked_labels(labels: NDArray[Any] | None, count: int, where: str) -> NDArray[Any]:
    """Labels (count,; int64). Raises UsageError where there are none, or not one whole number per image; `where` names
    the array in it."""
    if labels is None:
        raise UsageError(f"there is no {where}", fix=f"save {WANTED}")
    labels = labels.reshape(len(labels)) if labels.shape == (len(labels), 1) else labels
    if labels.shape != (count,):
        raise UsageError(f"{where} has the shape {labels.shape} for {count:,} images", fix="one label per image")
    if labels.dtype.kind not in "iub" and not (labels.dtype.kind == "f" and (labels == np.rint(labels)).all()):
        raise UsageError(f"{where} holds {labels.dtype}", fix="labels are whole numbers from 0")
    return labels.astype(np.int64)


def _check_classes(labels: NDArray[Any], file: Path, classes: int | None) -> None:
    present = np.unique(labels)
    top = classes or len(present)
    if present[0] < 0 or present[-1] >= top:
        said = f"{classes} classes" if classes else f"{len(present)} different labels"
        raise UsageError(
            f"labels in {file} run from {present[0]} to {present[-1]}, out of range for {said}",
            fix="number the classes 0, 1, 2 … without gaps, or say how many there are (classes:)",
        )
    if len(present) < 2:
        raise UsageError(f"all labels in {file} are {present[0]}: there is only one class", fix="give at least two")
