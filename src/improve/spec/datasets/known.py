"""Public data sets: looked for in $IMPROVE_DATA, in what Keras has downloaded, in what the system ships, and then
downloaded by keras.datasets."""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from improve.errors import UsageError
from improve.images.array import Tick
from improve.images.npz import check_arrays
from improve.lazy import keras, np
from improve.spec.datasets.arrays import from_arrays, load_npz, npz_facts
from improve.spec.datasets.base import Counts, Facts, Source, SourceComponent, no_tick

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 1 << 30  # bytes; a gzip file can unpack to a thousand times its size
SYSTEM = Path("/usr/share/datasets")
IDX = {"train": "train-{}-idx{}-ubyte.gz", "test": "t10k-{}-idx{}-ubyte.gz"}


class Known(SourceComponent):
    """A public data set, found as the head of this file says."""

    known: ClassVar[Facts]
    class_names: ClassVar[tuple[str, ...]]

    def _mine(self) -> Path | None:
        """The file or folder of that name in $IMPROVE_DATA."""
        folder = Path(os.environ.get("IMPROVE_DATA") or os.devnull)
        found = (folder / f"{self.name}.npz", folder / self.name)
        return next((path for path in found if path.exists()), None)

    @property
    def at_hand(self) -> bool:
        return self._mine() is not None

    def facts(self) -> Facts:
        mine = self._mine()
        if mine is None or mine.is_dir():
            return self.known
        return npz_facts(mine)._replace(classes=self.known.classes)

    def load(self, tick: Tick = no_tick) -> Source:
        mine = self._mine()
        if mine is not None:
            return load_npz(mine, class_names=self.class_names) if mine.is_file() else self._load_folder(mine)
        return self._load_elsewhere()

    def _load_folder(self, folder: Path) -> Source:
        raise UsageError(f"{folder} is a folder; {self.name} is read from {folder}.npz", fix="put the arrays there")

    def _load_elsewhere(self) -> Source:
        return self._load_keras()

    def _load_keras(self) -> Source:
        """What Keras has in its cache, or downloads; its progress bar goes to standard error."""
        try:
            with contextlib.redirect_stdout(sys.stderr):
                (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, self.name).load_data()
        except Exception as error:  # Keras raises a bare Exception where a download fails
            raise UsageError(
                f"{self.name} is not on this machine, and the download failed: {str(error).splitlines()[0]}",
                fix=f"give it one of four ways: path: in the spec (name: npz), $IMPROVE_DATA/{self.name}.npz with "
                "x_train, y_train, x_test, y_test, "
                f"{self._system_way()}, or a network for keras.datasets",
            ) from error
        arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
        arrays = check_arrays(arrays, Path("keras.datasets"), self.known.classes)
        return from_arrays(arrays, self.class_names, "keras.datasets")

    def _system_way(self) -> str:
        return "Keras's cache (~/.keras/datasets)"


class IdxKnown(Known):
    """A data set that also comes as four IDX files (LeCun's format)."""

    def _load_folder(self, folder: Path) -> Source:
        arrays = {}
        for part, pattern in IDX.items():
            for letter, kind, dimensions in (("x", "images", 3), ("y", "labels", 1)):
                arrays[f"{letter}_{part}"] = read_idx(folder / pattern.format(kind, dimensions))
        return from_arrays(check_arrays(arrays, folder, self.known.classes), self.class_names, str(folder))

    @property
    def at_hand(self) -> bool:
        return super().at_hand or self._shipped() is not None

    def _load_elsewhere(self) -> Source:
        folder = self._shipped()
        return self._load_folder(folder) if folder else self._load_keras()

    def _shipped(self) -> Path | None:
        """The system's folder, unless Keras has its own in its cache."""
        folder = SYSTEM / self.name.replace("_", "-")
        cached = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"
        in_cache = any((cached / name).exists() for name in (f"{self.name}.npz", self.name.replace("_", "-")))
        return folder if folder.is_dir() and not in_cache else None


def read_idx(file: Path) -> NDArray[Any]:
    """An array of bytes in IDX format: two zeros, the type (8: unsigned byte), the dimensions, big-endian sizes."""
    try:
        with gzip.open(file) as stream:
            data = stream.read(LARGEST)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{file} cannot be read: {error}", fix="four IDX .gz files belong here") from error
    dimensions = data[3] if len(data) > 4 else 0
    shape = tuple(int.from_bytes(data[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(dimensions))
    start = 4 + 4 * dimensions
    if data[:3] != b"\0\0\x08" or dimensions not in (1, 3) or len(data) - start != math.prod(shape):
        raise UsageError(f"{file} is not an IDX file of bytes, or is cut short")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


class Mnist(IdxKnown):
    """MNIST: 70,000 handwritten digits, 28×28 grey (LeCun et al., 1998). People err on about 0.2 %."""

    name: Literal["mnist"] = "mnist"
    title = "MNIST"
    human_level = 0.002, "LeCun et al., 1995"
    known = Facts(Counts(60_000, 0, 10_000), (28, 28, 1), 10)
    class_names = tuple("0123456789")


class FashionMnist(IdxKnown):
    """Fashion-MNIST: 70,000 pieces of clothing, 28×28 grey (Xiao et al., 2017)."""

    name: Literal["fashion_mnist"] = "fashion_mnist"
    title = "Fashion-MNIST"
    mirrored_is_the_same = True
    known = Facts(Counts(60_000, 0, 10_000), (28, 28, 1), 10)
    class_names = (
        "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    )  # fmt: skip

    def _system_way(self) -> str:
        return "Debian's package dataset-fashion-mnist"


class Cifar10(Known):
    """CIFAR-10: 60,000 photographs of ten things, 32×32 colour (Krizhevsky, 2009). People err on about 6 %."""

    name: Literal["cifar10"] = "cifar10"
    title = "CIFAR-10"
    human_level = 0.06, "one person, Karpathy, 2011"
    mirrored_is_the_same = True
    known = Facts(Counts(50_000, 0, 10_000), (32, 32, 3), 10)
    class_names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class Cifar100(Known):
    """CIFAR-100: 60,000 photographs of a hundred things, 32×32 colour (Krizhevsky, 2009)."""

    name: Literal["cifar100"] = "cifar100"
    title = "CIFAR-100"
    mirrored_is_the_same = True
    known = Facts(Counts(50_000, 0, 10_000), (32, 32, 3), 100)
    class_names = tuple(str(label) for label in range(100))
