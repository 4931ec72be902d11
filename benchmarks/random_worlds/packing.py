"""What a diagnosis reads of a world's runs, in one small file that is kept with the code.

Numbers are cut to three digits, hashes of images to small numbers; of the reserve only its error is kept.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from suite import Case
from world import World

PACKED = Path(__file__).parent / "packed"
FILES = (
    "spec.yaml", "metrics.csv", "steps.csv", "summary.json", "environment.json",
    "predictions/train.npz", "predictions/validation.npz", "predictions/train_dev.npz",
    "evidence/start.json", "evidence/layers.csv", "evidence/kernels.csv", "evidence/epochs.csv", "evidence/images.npz",
    "evidence/last.npz",
)  # fmt: skip
DIGITS = 3  # of a number that are kept
HALF = 6e4  # what half precision holds
LONG = re.compile(r"-?\d+\.\d+(?:e[-+]\d+)?")


def pack(world: World, cases: Iterable[Case], seconds: float) -> None:
    """Write the runs of `cases`, and what the world is."""
    PACKED.mkdir(exist_ok=True)
    target = PACKED / f"{world.name}.tar.xz"
    about = {"source": world.source, "classes": world.pool.classes, "shape": world.shape, "seconds": round(seconds)}
    about |= {"attempt": world.attempt, "learning_rate": world.rate, "epochs": world.epochs}
    with tarfile.open(target.with_suffix(".part"), "w:xz", preset=9) as archive:
        rows = {case.name: {"group": case.group, "kinds": case.kinds, "seed": case.seed} for case in cases}
        add(archive, "world.json", json.dumps({**about, "cases": rows}, indent=1).encode())
        for file in FILES:  # alike files side by side: they take a third less
            for name in rows:
                path = world.runs / name / file
                if path.is_file():
                    add(archive, f"{name}/{file}", content(path))
    target.with_suffix(".part").replace(target)


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def content(path: Path) -> bytes:
    """The file with its numbers cut; arrays without compression of their own."""
    if path.suffix == ".csv":
        return LONG.sub(lambda number: f"{float(number[0]):.{DIGITS}g}", path.read_text(encoding="utf-8")).encode()
    if path.suffix != ".npz":
        return path.read_bytes()
    with np.load(path, allow_pickle=False) as arrays:
        kept = {name: rounded(arrays[name]) for name in arrays.files if not name.startswith("test_")}
    buffer = io.BytesIO()
    np.savez(buffer, **numbered(kept))
    return buffer.getvalue()


def rounded(array: Any) -> Any:
    if array.dtype == np.int64 and array.size and abs(array).max() < 2**15:
        return array.astype(np.int16)
    if array.dtype != np.float32 or not array.size:
        return array
    size = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.maximum(np.abs(array), 1e-12))))
    return (np.rint(array * size) / size).astype(np.float16 if np.abs(array).max() < HALF else np.float32)


def numbered(arrays: dict[str, Any]) -> dict[str, Any]:
    """Hashes as small numbers: equal ones stay equal, across the parts too."""
    hashes = [name for name in arrays if name.endswith("_hash")]
    if not hashes:
        return arrays
    _, places = np.unique(np.concatenate([arrays[name] for name in hashes]), return_inverse=True)
    ends = np.cumsum([len(arrays[name]) for name in hashes])[:-1]
    return arrays | dict(zip(hashes, np.split(places.astype(np.uint64), ends), strict=True))


@contextmanager
def unpacked(file: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """What a pack says of its world, and a folder with its runs, for as long as the block lasts."""
    with TemporaryDirectory() as folder:
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
        yield json.loads((Path(folder) / "world.json").read_text(encoding="utf-8")), Path(folder)
        shutil.rmtree(folder, ignore_errors=True)


def outcomes_file(world: str) -> Path:
    return PACKED / f"{world}.changes.json"


def confirmed_file(world: str) -> Path:
    return PACKED / f"{world}.confirm.json"


def read_outcomes(world: str) -> dict[str, Any]:
    """By run and by edits, the errors that a change reached."""
    return read(outcomes_file(world))


def read_confirmed(world: str) -> dict[str, Any]:
    """By run, what its confirm.json would hold."""
    return read(confirmed_file(world))


def read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
