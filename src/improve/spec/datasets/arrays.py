"""Sources that are arrays already."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from improve.errors import UsageError
from improve.images.array import Tick
from improve.images.npz import PARTS, check_arrays, header, read_arrays
from improve.lazy import np
from improve.spec.component import Count
from improve.spec.datasets.base import Counts, Facts, OwnImages, Source, SourceComponent, no_tick

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Digits(SourceComponent):
    """1,797 real handwritten digits of 8×8 pixels, embedded in scikit-learn; pixels scaled from 0–16 to 0–255."""

    name: Literal["digits"] = "digits"
    title = "digits"

    def facts(self) -> Facts:
        return Facts(Counts(1797, 0, 0), (8, 8, 1), 10)

    def load(self, tick: Tick = no_tick) -> Source:
        rows = digits_rows()
        images = np.rint(rows[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
        labels = rows[:, 64].astype(np.int64)
        return Source((images,), labels, Counts(len(labels), 0, 0), tuple("0123456789"), "scikit-learn")


def digits_rows() -> NDArray[Any]:
    """scikit-learn's digits, (1797, 65): 64 pixels from 0 to 16, and the label. Its file is read without the package,
    whose import takes a second."""
    package = find_spec("sklearn")
    if package and package.origin:
        file = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.column_stack([bunch.data, bunch.target])


class Npz(OwnImages):
    """Your own arrays in one .npz file: x_train and y_train, and x_validation, y_validation, x_test and y_test where
    there are such sets.

    A validation set stays what it is (split: own) unless the spec says how to split.
    """

    name: Literal["npz"] = "npz"
    title: ClassVar[str] = "npz"
    path: str = Field(description="the file; relative to the spec that names it")
    classes: Count | None = Field(None, description="number of classes, where not all of them occur")

    @property
    def own_split(self) -> Any:
        try:
            return "own" if header(Path(self.path), "x_validation").shape else super().own_split
        except UsageError:  # whoever reads the file is told
            return super().own_split

    def facts(self) -> Facts:
        return npz_facts(Path(self.path))._replace(classes=self.classes)

    def load(self, tick: Tick = no_tick) -> Source:
        return load_npz(Path(self.path), self.classes)


def npz_facts(file: Path) -> Facts:
    """The number of images in each part, and their shape, from the headers of an .npz file."""
    shapes = {part: header(file, f"x_{part}").shape for part in PARTS}
    height, width, channels = (*shapes["train"][1:], 1)[:3]
    counts = Counts(*(shape[0] if shape else 0 for shape in shapes.values()))
    return Facts(counts, (height, width, channels))


def load_npz(file: Path, classes: int | None = None, class_names: tuple[str, ...] = ()) -> Source:
    """The images and labels of an .npz file. Without `classes` or `class_names` there are as many classes as the
    largest label says."""
    arrays = check_arrays(read_arrays(file), file, classes or len(class_names) or None)
    count = classes or len(class_names) or max(int(arrays[f"y_{part}"].max(initial=0)) for part in PARTS) + 1
    return from_arrays(arrays, class_names or tuple(str(label) for label in range(count)), str(file))


def from_arrays(arrays: dict[str, NDArray[Any]], class_names: tuple[str, ...], found: str) -> Source:
    """A source from checked arrays: x and y of each part."""
    labels = [arrays[f"y_{part}"] for part in PARTS]
    counts = Counts(*map(len, labels))
    pools = tuple(arrays[f"x_{part}"] for part in PARTS if len(arrays[f"x_{part}"]))
    return Source(pools, np.concatenate(labels), counts, class_names, found)
