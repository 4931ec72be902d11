"""A .keras file that somebody else made. Loading a model can run what is in it, so this takes the user's word.

Before Keras sees the file its configuration is read as plain data: layers that carry code (Lambda), that load other
files (TFSMLayer), or that are not Keras's own are refused, and so is HDF5, which ignores Keras's safe mode
(CVE-2025-9905). Keras's safe mode stays on.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from improve.engine.inference.predictor import Form
from improve.engine.model.measure import logits_of
from improve.errors import ImproveError, UsageError, printable
from improve.images.array import Images
from improve.images.npz import DAMAGED, total_ram
from improve.lazy import keras, np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEMBERS = ("config.json", "metadata.json", "model.weights.h5", "assets")
LARGEST = 1 << 24  # bytes of config.json
REFUSED = ("Lambda", "__lambda__", "TFSMLayer")
NEAR_ONE = 1e-3


@dataclass(frozen=True)
class Foreign:
    """A loaded model: images (n, height, width, channels), pixels 0 to 255, → probabilities. Classes are numbers."""

    model: Any
    form: Form

    def probabilities(self, images: Images) -> NDArray[Any]:
        """Probabilities (n, classes; float64) of each class. Raises ImproveError where the outputs are none."""
        found = logits_of(self.model, images).astype(np.float64)
        found = np.concatenate([1 - found, found], axis=1) if found.shape[1] == 1 else found
        if found.min() < -NEAR_ONE or abs(found.sum(axis=1) - 1).max() > NEAR_ONE:
            raise ImproveError("the model's outputs are no probabilities", fix="end it in a softmax or a sigmoid")
        return found


def check(file: Path, trust: bool) -> None:
    """Raises UsageError, before Keras is loaded, where this should not be loaded."""
    if file.suffix.lower() in (".h5", ".hdf5"):
        raise UsageError(f"{file} is HDF5, which runs code whatever Keras is told", fix="give a run folder")
    if not trust:
        raise UsageError(
            f"{file} is a model file, and loading one can run what is in it",
            fix="give the run's folder; or --trust, if you trust who made it",
        )
    if file.suffix != ".keras":
        raise UsageError(f"{file} is neither a run folder nor a .keras file", fix="give the folder of a run")
    try:
        with zipfile.ZipFile(file) as archive:
            check_members(file, archive)
            check_config(file, json.loads(archive.read("config.json")))
    except UsageError:
        raise
    except (*DAMAGED, KeyError, RecursionError) as error:
        raise UsageError(f"{file} is not a model as Keras saves one", fix="save it again with model.save") from error


def check_members(file: Path, archive: zipfile.ZipFile) -> None:
    for member in archive.infolist():
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        if not parts or parts[0] not in MEMBERS or ".." in parts:
            raise UsageError(f"{file} holds {printable(member.filename)}, which is no part of a model")
    sizes = {member.filename: member.file_size for member in archive.infolist()}
    if sizes.get("config.json", 0) > LARGEST or sum(sizes.values()) > total_ram():
        raise UsageError(f"{file} unpacks to more than a model can need")


def check_config(file: Path, config: Any) -> None:
    for part in objects(config):
        name, module = str(part.get("class_name")), part.get("module")
        own = str(module).split(".")[0] == "keras" or module is None or (module, name) == ("builtins", "function")
        if name.endswith(REFUSED) or not own:
            what = f"{name} of {module}" if module else name
            raise UsageError(
                f"{file} has {printable(what)} in it, which runs code that is not Keras's", fix="not even with --trust"
            )


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every serialised object within."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        for inner in value.values():
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def load(file: Path) -> Foreign:
    """Load a file that was checked. Raises ImproveError where Keras refuses it, or it is no image classifier."""
    try:
        model = keras.saving.load_model(os.fspath(file), compile=False, safe_mode=True)
    except Exception as error:  # Keras raises nearly anything on a file that is damaged or refused
        reason = printable((str(error).splitlines() or [type(error).__name__])[0])
        raise ImproveError(f"{file} cannot be loaded: {reason}", fix="save it again with model.save") from error
    takes, gives = ends(model, "inputs"), ends(model, "outputs")
    right = [len(shape) for shape in takes] == [4] and [len(shape) for shape in gives] == [2]
    if not right or None in (*takes[0][1:], *gives[0][1:]) or takes[0][3] not in (1, 3):
        raise ImproveError(f"{file} is no classifier of images of one size: {takes} to {gives}", fix="give another one")
    height, width, channels = takes[0][1:]
    return Foreign(model, Form((height, width, channels), "uint8", tuple(map(str, range(max(2, gives[0][1]))))))


def ends(model: Any, side: str) -> list[tuple[Any, ...]]:
    """The shapes of a model's inputs or outputs."""
    return [tuple(tensor.shape) for tensor in getattr(model, side, None) or []]
