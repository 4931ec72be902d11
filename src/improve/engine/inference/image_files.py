"""Image files as a run sees them: found, read, and brought to its size and colours as its own images were."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.engine.inference.predictor import Form
from improve.errors import UsageError
from improve.images.decode import Decoding
from improve.images.file import BadImage, read_image
from improve.images.folder import images_below
from improve.images.index import stamped_bytes
from improve.spec.datasets.folder import Folder
from improve.spec.spec import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Look(NamedTuple):
    """How files become the pixels of a run. `rule`: where that is said, for the reader; empty: in the spec."""

    decoding: Decoding
    shape: tuple[int, int, int]
    rule: str = ""

    def pixels(self, file: str) -> NDArray[Any]:
        """The image (height, width, channels; uint8). Raises BadImage."""
        if not regular(file):
            raise BadImage("not a file")
        _, data = stamped_bytes(file)
        image = read_image(data, *self.decoding)
        if image.shape != self.shape:
            height, width = image.shape[:2]
            raise BadImage(f"{width}×{height} pixels, not {self.shape[1]}×{self.shape[0]} as the run's images are")
        return image


def regular(file: str) -> bool:
    """Whether it is no pipe or device, which would be read for ever. What is not there counts as a file: opening it
    tells."""
    try:
        return stat.S_ISREG(os.stat(file).st_mode)
    except OSError:
        return True


def look_of(spec: Spec | None, form: Form) -> Look:
    """How image files are read for a run: as the images it is judged by; where those came as arrays, stretched to their
    shape.

    Raises UsageError for a run on images that are no bytes: nobody says which of its numbers is white.
    """
    if not form.bytes:
        raise UsageError(
            f"the run was trained on arrays of {form.type}, and image files hold bytes",
            fix="improve evaluate takes arrays in an .npz file",
        )
    target = spec.data.target if spec else None
    source = target.source if target and target.source else spec.data.source if spec else None
    if isinstance(source, Folder):
        return Look(Decoding(source.size, source.color, source.resize), form.shape)
    height, width, channels = form.shape
    decoding = Decoding((height, width), "grey" if channels == 1 else "rgb", "stretch")
    return Look(decoding, form.shape, f"images of another size than {width}×{height} pixels are stretched to it")


def files_of(paths: Iterable[Path]) -> tuple[list[str], int]:
    """Files as they are named, and all images in folders; how many other files lie there."""
    files, others = [], 0
    for path in paths:
        if not os.path.isdir(path):
            files.append(str(path))
            continue
        found, ignored = images_below(path, ".")
        files += [str(path / name) for name in found]
        others += ignored
    return files, others
