"""What is exported, against the run it comes from: every format, loaded by its own runtime, on 100 validation images.

    IMPROVE_DATA=FOLDER python benchmarks/handover.py [--images 1500] [--epochs 2] [--keep FOLDER]

FOLDER holds cifar10.npz. Trains each architecture for a few epochs (weights that have moved, moving averages that are
not 0 and 1), and an ensemble of two; needs the extras onnx and litert. Writes a section into RESULTS.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from improve.engine.inference.export import Exported, export
from improve.engine.inference.export_formats import FORMATS
from improve.engine.inference.predictor import Predictor, load_predictor
from improve.engine.training.train import train
from improve.runs import run
from improve.spec.spec import Spec
from runner_tax_report import cpu, markdown, put

HEADING = "## Handed over"
MODELS: dict[str, Any] = {
    "lenet": "lenet",
    "minivggnet": "minivggnet",
    "minigooglenet": "minigooglenet",
    "resnet": {"name": "resnet", "stages": [2, 2], "filters": [16, 32, 64]},
    "cnn": {"name": "cnn", "filters": [16, 32], "batch_norm": True, "activation": "gelu"},
}
LIBRARIES = ("keras", "tensorflow", "tf2onnx", "onnxruntime", "ai-edge-litert")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="keep the runs and the files here")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp())
    runs = {name: trained(folder, name, arguments) for name in MODELS}
    runs["lenet and minivggnet"] = averaged(folder / "ensemble", ["lenet", "minivggnet"])
    rows = [row(name, found, kind) for name, made in runs.items() for found, kind in all_formats(folder, made)]
    told = (
        f"Each trained for {arguments.epochs} epochs on {arguments.images:,} images of CIFAR-10; the largest "
        "difference of a probability and the share of equal classes on 100 validation images. "
        f"{versions()}; {cpu()}. Made by `python benchmarks/handover.py`."
    )
    head = ["model", "format", "max \\|Δ probability\\|", "same class", "MB", "written and checked, s"]
    text = f"{HEADING}\n\n{told}\n\n{markdown(head, rows)}\n"
    print(text)
    put(Path(__file__).with_name("RESULTS.md"), text)


def trained(folder: Path, name: str, arguments: argparse.Namespace) -> Path:
    spec = Spec.model_validate(
        {"data": {"source": "cifar10", "subset": arguments.images}, "model": MODELS[name], "evidence": "light",
         "augmentation": ["flip", "shift"], "training": {"epochs": arguments.epochs}}
    )  # fmt: skip
    return train(spec, name, folder)


def averaged(folder: Path, members: list[str]) -> Path:
    """An ensemble folder with these members."""
    first = run.load_run(folder.parent / members[0])
    folder.mkdir()
    for name in ("spec.yaml", "environment.json"):
        (folder / name).write_bytes((first.folder / name).read_bytes())
    run.write_summary(folder, run.summary_as_written(first.folder) | {"name": folder.name, "members": members})
    return folder


def all_formats(folder: Path, made: Path) -> list[tuple[Exported, float]]:
    return [
        timed(load_predictor(made), name, folder / "exported" / f"{made.name}{FORMATS[name].suffix}")
        for name in FORMATS
    ]


def timed(predictor: Predictor, name: str, file: Path) -> tuple[Exported, float]:
    began = time.monotonic()
    found = export(predictor, name, FORMATS[name], file)
    return found, time.monotonic() - began


def row(name: str, found: Exported, seconds: float) -> list[str]:
    parity = found.parity
    return [name, found.format, f"{parity.difference:.1e}", f"{100 * parity.same_class:.0f} %",
            f"{found.bytes / 1e6:.2f}", f"{seconds:.1f}"]  # fmt: skip


def versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in LIBRARIES)


if __name__ == "__main__":
    main()
