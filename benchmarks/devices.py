"""The losses of one model on one device and on two, step by step: two logical devices of this machine's CPU.

    python benchmarks/devices.py [--epochs 3]

Runs on TensorFlow, and on JAX where it is installed, each in a process of its own. Nothing is said about speed: the two
logical devices share the same cores.

Prints a section of Markdown and puts it into benchmarks/RESULTS.md (--quick only prints).
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from improve.engine.training.train import train
from improve.lazy import keras
from improve.spec.spec import Spec
from runner_tax_report import cpu, markdown, put

HERE = Path(__file__).parent
HEADING = "## Two devices"
NET = {"name": "cnn", "filters": [8, 16], "hidden": [32], "batch_norm": True}
REGULAR = {"l2": 0.001, "activity_l1": 0.0001}
MOMENTUM = {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9}
CLIPPED = {"name": "sgd", "learning_rate": 0.01, "clipnorm": 0.1, "gradient_accumulation_steps": 2}
ADAM = {"name": "adam", "learning_rate": 0.001}


class Case(NamedTuple):
    """Of 719 images: batches of 74 share evenly, the last one of 53 does not; those of 75 do not, those 44 do."""

    name: str
    optimizer: dict[str, Any]
    batch_size: int = 74
    dropout: float = 0.0
    bits: int = 32


CASES = (
    Case("SGD with momentum 0.9", MOMENTUM),
    Case("the same, shares of unequal size", MOMENTUM, 75),
    Case("the same, in float64", MOMENTUM, 75, bits=64),
    Case("SGD, clipped, 2 batches per update", CLIPPED, 75),
    Case("Adam", ADAM),
    Case("Adam, dropout 0.5", ADAM, dropout=0.5),
)
SHOWN = (0, 1, 2, 4, 9, 19, 29)
FIRST = 10  # steps: one epoch


def main() -> None:
    arguments = parse()
    if arguments.into:
        train_all(arguments.into, arguments.epochs)
        return
    backends = [name for name in ("tensorflow", "jax") if importlib.util.find_spec(name)]
    with tempfile.TemporaryDirectory() as folder:
        for backend in backends:
            train_apart(Path(folder) / backend, backend, arguments.epochs)
        text = section({backend: Path(folder) / backend for backend in backends})
    print(text)
    if not arguments.quick:
        put(HERE / "RESULTS.md", text)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="print only")
    return parser.parse_args()


def train_apart(folder: Path, backend: str, epochs: int) -> None:
    """Devices have to be set up before Keras is loaded."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    command = [sys.executable, __file__, "--into", str(folder), "--epochs", str(epochs)]
    subprocess.run(command, env=environment, check=True)


def train_all(runs: Path, epochs: int) -> None:
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        two = [tensorflow.config.LogicalDeviceConfiguration()] * 2
        tensorflow.config.set_logical_device_configuration(tensorflow.config.list_physical_devices("CPU")[0], two)
    for number, case in enumerate(CASES):
        if not left_out(case, keras.backend.backend()):
            keras.config.set_floatx(f"float{case.bits}")
            for devices in (1, 2):
                train(specified(case, epochs, devices), f"{number}_{devices}", runs)


def left_out(case: Case, backend: str) -> bool:
    """JAX has no float64 unless all of a process has."""
    return case.bits == 64 and backend == "jax"


def specified(case: Case, epochs: int, devices: int) -> Spec:
    training = {"epochs": epochs, "batch_size": case.batch_size, "devices": devices}
    spec = {"data": {"source": "digits", "split": "40/40/20"}, "model": NET, "optimizer": case.optimizer}
    return Spec.model_validate(spec | {"regularization": REGULAR | {"dropout": case.dropout}, "training": training})


def section(found: dict[str, Path]) -> str:
    lines = [HEADING, "", about(), ""]
    for backend, runs in found.items():
        lines += [f"### {backend}: the losses side by side, {CASES[0].name}", "", side_by_side(runs), ""]
    return "\n".join([*lines, "### All cases: the largest relative difference", "", differences(found), ""])


def about() -> str:
    return (
        "A small CNN with batch normalisation and penalties on digits, the same spec with `training.devices: 1` and "
        "`2`, on two logical CPU devices. In float64 nothing differs in the seven digits that are kept. In float32 "
        "sums are rounded in another order; momentum carries that on, and where a maximum or a ReLU tips over it "
        "grows. Dropout: JAX draws for the whole batch; on TensorFlow each device draws for its share, so these are "
        f"other draws. Made by `python benchmarks/devices.py`.\n\n{cpu()}"
    )


def losses(runs: Path, number: int, devices: int, column: str = "loss") -> np.ndarray:
    with (runs / f"{number}_{devices}" / "steps.csv").open() as stream:
        return np.array([float(row[column]) for row in csv.DictReader(stream)])


def side_by_side(runs: Path) -> str:
    one, two = losses(runs, 0, 1), losses(runs, 0, 2)
    rows = [[str(step), f"{one[step]:.6f}", f"{two[step]:.6f}", f"{abs(one[step] - two[step]):.0e}"]
            for step in SHOWN if step < len(one)]  # fmt: skip
    return markdown(["step", "one device", "two devices", "difference"], rows)


def differences(found: dict[str, Path]) -> str:
    rows = []
    for number, case in enumerate(CASES):
        for backend, runs in found.items():
            if not left_out(case, backend):
                of_loss, of_norm = (apart(runs, number, column) for column in ("loss", "gradient_norm"))
                shown = [of_loss[:FIRST].max(), of_loss.max(), of_norm[:FIRST].max(), of_norm.max()]
                rows.append([case.name, backend, *(f"{value:.0e}" for value in shown)])
    ten, every = f"{FIRST} steps", "all steps"
    return markdown(["case", "backend", f"loss, {ten}", every, f"gradient norm, {ten}", every], rows)


def apart(runs: Path, number: int, column: str) -> np.ndarray:
    """Relative, step by step."""
    one, two = (losses(runs, number, devices, column) for devices in (1, 2))
    return np.abs(one - two) / np.abs(one)


if __name__ == "__main__":
    main()
