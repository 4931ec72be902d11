"""A run → a file that others run: raw images in, probabilities out; the normalisation is inside, augmentation is not.

What was written is loaded by its own runtime and must give the same probabilities as the run, or it is thrown away.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.engine.data.prepare import prepare
from improve.engine.inference.export_formats import FORMATS, Format
from improve.engine.inference.predictor import Predictor
from improve.errors import ImproveError, UsageError, printable
from improve.images.array import Images, as_images
from improve.lazy import keras, np, without_banner
from improve.randomness import keyed_generator
from improve.runs.files import write_json
from improve.runs.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHECKED = 100  # images
TOLERANCE = 1e-4  # of a probability; float32 in another order of sums gives 1e-7 to 1e-6


class Parity(NamedTuple):
    """How far the file's probabilities are from the run's on `n` images, `images` says which: the largest difference,
    and the share of images that get the same class."""

    difference: float
    same_class: float
    n: int
    images: str

    @property
    def holds(self) -> bool:
        return self.difference <= TOLERANCE


@dataclass(frozen=True)
class Exported:
    """What was written."""

    file: Path
    format: str
    bytes: int
    parity: Parity

    def as_json(self) -> dict[str, Any]:
        return {"file": str(self.file), "format": self.format, "bytes": self.bytes, "parity": self.parity._asdict()}


def export_target(name: str, output: Path | None, found: Run, force: bool) -> tuple[Format, Path]:
    """The format and where it goes, before anything slow. Raises UsageError where it is not known, what it takes is
    not installed, or something is in the way."""
    if name not in FORMATS:
        raise UsageError(f"there is no format '{name}'", fix=f"one of {', '.join(FORMATS)}")
    chosen = FORMATS[name]
    check_installed(name, chosen)
    file = output or Path(f"{found.name}{chosen.suffix}")
    if name != "savedmodel" and file.suffix != chosen.suffix:
        raise UsageError(f"a file of {name} is called …{chosen.suffix}, not {file.name}", fix="give another name to -o")
    if os.path.lexists(file) and not force:
        raise UsageError(f"{file} is there already", fix="--force replaces it; or give another name with -o")
    if os.path.islink(file) or (os.path.isdir(file) and not (file / "saved_model.pb").is_file()):
        raise UsageError(f"{file} is nothing that was exported, and is not replaced", fix="give another name with -o")
    return chosen, file


def check_installed(name: str, chosen: Format) -> None:
    missing = [module for module in chosen.needs if importlib.util.find_spec(module) is None]
    if missing:
        install = " ".join(missing).replace("_", "-")
        raise UsageError(f"not installed, and {name} needs it: {', '.join(missing)}", fix=f"pip install {install}")
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if chosen.needs and backend != "tensorflow":
        raise UsageError(
            f"Keras writes {name} on TensorFlow only, and KERAS_BACKEND is {backend}",
            fix="KERAS_BACKEND=tensorflow improve export …: weights are the same on every backend",
        )


def export(predictor: Predictor, name: str, chosen: Format, file: Path) -> Exported:
    """Write `file` and what its numbers mean beside it; nothing is left, and what was there stays, where it cannot be
    written, cannot be loaded by its own runtime, or does not give the same probabilities (ImproveError)."""
    images, origin = sample(predictor)
    single_precision()
    mine = predictor.probabilities(images)
    with temporary(file, chosen) as written:
        theirs = written_and_run(predictor, name, chosen, written, images)
        parity = compared(mine, theirs, origin)
        if not parity.holds:
            raise misfit(
                name,
                f"{file} was thrown away: its probabilities are up to {parity.difference:.2g} from the run's on "
                f"{parity.n} {origin}, and {100 * (1 - parity.same_class):.0f} % get another class",
            )
        put(written, file)
    exported = Exported(file, name, bytes_of(file), parity)
    write_json(file.with_name(f"{file.name}.json"), card(predictor, exported))
    return exported


def written_and_run(predictor: Predictor, name: str, chosen: Format, file: Path, images: Images) -> NDArray[Any]:
    """Write the file, and give what its own runtime makes of the images."""
    try:
        with contextlib.redirect_stdout(sys.stderr), without_banner(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the converters' own, about NumPy
            chosen.write(predictor.model(), file)
            return chosen.run(file, images[:].astype(np.float32))
    except (ImproveError, OSError):
        raise
    except Exception as error:  # converters and runtimes raise nearly anything
        reason = printable((str(error).splitlines() or [repr(error)])[0], 300)
        raise misfit(name, f"{name} cannot hold this model: {reason}") from error


def misfit(name: str, what: str) -> ImproveError:
    others = ", ".join(other for other in FORMATS if other != name)
    return ImproveError(what, fix=f"another format may hold this model: {others}")


def single_precision() -> None:
    """Let TensorFlow multiply in full float32. On a GPU it would use 10 bits (TF32), and the check is of the file, not
    of the arithmetic."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_tensor_float_32_execution(False)


def sample(predictor: Predictor) -> tuple[Images, str]:
    """The first validation images, a stratified sample; where the data are not at hand, drawn at random."""
    form = predictor.form
    try:
        data = prepare(predictor.spec)
    except ImproveError:
        data = None
    if data is not None and data.shape == form.shape:
        same = data.statistics["validation"].digest == predictor.run.fingerprint.get("validation")
        found = data.parts["validation"].images.head(CHECKED)
        return found, "validation images" if same else "images of its data, which are others than it was trained on"
    random, (subtract, divide) = keyed_generator(0, "sample"), predictor.members[0].normalization
    if form.bytes:
        drawn = random.integers(0, 256, (CHECKED, *form.shape)).astype(np.uint8)
    else:
        drawn = (random.standard_normal((CHECKED, *form.shape)) * divide + subtract).astype(np.float32)
    return as_images(drawn), "images drawn at random (the run's data are not here)"


def compared(mine: NDArray[Any], theirs: NDArray[Any], said: str) -> Parity:
    """`mine` (n, classes); `theirs` the same, or (n, 1): the probability of the second of two classes."""
    theirs = np.concatenate([1 - theirs, theirs], axis=1) if theirs.shape[1] == 1 else theirs
    far = np.abs(theirs.astype(np.float64) - mine)
    same = theirs.argmax(axis=1) == mine.argmax(axis=1)
    return Parity(float(far.max()) if np.isfinite(far).all() else float("inf"), float(same.mean()), len(mine), said)


@contextlib.contextmanager
def temporary(file: Path, chosen: Format) -> Iterator[Path]:
    """A name beside `file` for what is not whole yet, gone afterwards."""
    written = file.with_name(f".{os.getpid()}.tmp{chosen.suffix}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        remove(written)
        yield written
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror or error}", fix="give another file to -o"
        ) from error
    finally:
        remove(written)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def put(written: Path, file: Path) -> None:
    if file.is_dir():  # a SavedModel: no folder is replaced in one step
        remove(file)
    os.replace(written, file)


def bytes_of(file: Path) -> int:
    return sum(path.stat().st_size for path in ([file] if file.is_file() else file.rglob("*")) if path.is_file())


def card(predictor: Predictor, exported: Exported) -> dict[str, Any]:
    """What whoever runs the file must know: which output is which class, and what goes in."""
    form, one_output = predictor.form, predictor.spec.data.source.one_output
    pixels = "0 to 255, as they come" if form.bytes else "as the run's arrays"
    return {
        "run": predictor.run.name,
        "format": exported.format,
        "input": {"shape": [None, *form.shape], "type": "float32", "pixels": pixels, "normalised": "inside"},
        "output": f"probability of {form.class_names[1]}" if one_output else "probability of each class",
        "classes": list(form.class_names),
        "versions": predictor.run.environment.versions,
        "parity": exported.parity._asdict(),
    }
