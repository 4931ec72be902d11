"""What the three ways of improving start from: four tasks, for each a usual spec and six faulty ones, and the space
that random search and TPE draw from. The space holds every setting in which the starts differ: it knows no start."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

RUNS = Path(__file__).parent / "runs"
CLASSES = ("airplane", "automobile")  # of CIFAR-10, its classes 0 and 1
SHIFT = {"name": "shift", "width": 0.1, "height": 0.1}
COMMON = (
    "regularization.dropout=0,0.25,0.5,0.9",
    "regularization.l2=0,1e-5,1e-4,1e-3,0.1",
    "regularization.label_smoothing=0,0.1",
    "training.batch_size=16,32,64,128",
    "schedule=constant,cosine",
    "augmentation=[],[{name: shift, width: 0.1, height: 0.1}]",
    "model.activation=relu,sigmoid",
    "model.batch_norm=false,true",
)
MLP = ("model.hidden=[2],[16],[64],[128],[64, 64],[64, 64, 64, 64, 64, 64, 64, 64]",)
CNN = ("model.filters=[1],[4, 8],[8, 16],[16, 32]", "model.hidden=[2],[16],[32],[64]")


@dataclass(frozen=True)
class Task:
    """`spec` is the usual start; `rates` what the learning rate may be."""

    name: str
    spec: dict[str, Any]
    rates: str
    sizes: tuple[str, ...]

    @property
    def epochs(self) -> int:
        return int(self.spec["training"]["epochs"])

    @property
    def space(self) -> list[str]:
        return [f"optimizer.learning_rate={self.rates}", *COMMON, *self.sizes]


def task(name: str, data: Any, model: dict[str, Any], epochs: int, optimizer: dict[str, Any] | None = None) -> Task:
    chosen = optimizer or {"name": "adam", "learning_rate": 1e-3}
    spec = {"data": data, "model": model, "optimizer": chosen, "training": {"epochs": epochs, "batch_size": 32}}
    rate = chosen["learning_rate"]
    sizes = MLP if model["name"] == "mlp" else CNN
    return Task(name, spec, f"log({rate / 200:.0e},{rate * 200:.0e})", sizes)


def split(source: Any, **more: Any) -> dict[str, Any]:
    return {"source": source, "split": "50/25/25", **more}


MOMENTUM = {"name": "sgd", "learning_rate": 0.02, "momentum": 0.9}
SMALL = {"name": "cnn", "filters": [8, 16], "hidden": [32]}
FOLDER = {"name": "folder", "path": str(RUNS / "two_classes")}
TASKS = {
    one.name: one
    for one in (
        task("digits", split("digits"), {"name": "mlp", "hidden": [64]}, 15),
        task("fashion", split("fashion_mnist", subset=4000), {"name": "mlp", "hidden": [64, 64]}, 12, MOMENTUM),
        task("folder", split(FOLDER), SMALL, 12),
        task("cifar10", split("cifar10", subset=2000), SMALL, 12),
    )
}


def starts(one: Task) -> dict[str, dict[str, Any]]:
    """By name: the usual spec, and what the fault suite calls lr_d100, lr_x100, l2_strong, dropout9, a network that is
    too small, and one that is deep with sigmoids (of a CNN: has sigmoids)."""
    rate, dense = one.spec["optimizer"]["learning_rate"], one.spec["model"]["name"] == "mlp"
    tiny = {"hidden": [2]} if dense else {"filters": [1], "hidden": [2]}
    sigmoid = {"activation": "sigmoid"} | ({"hidden": [64] * 8} if dense else {})
    return {
        "default": one.spec,
        "rate_too_low": edited(one.spec, "optimizer", learning_rate=rate / 100),
        "rate_too_high": edited(one.spec, "optimizer", learning_rate=rate * 100),
        "l2_strong": edited(one.spec, "regularization", l2=0.1),
        "dropout9": edited(one.spec, "regularization", dropout=0.9),
        "tiny_net": edited(one.spec, "model", **tiny),
        "sigmoid": edited(one.spec, "model", **sigmoid),
    }


def edited(spec: dict[str, Any], section: str, **values: Any) -> dict[str, Any]:
    return {**spec, section: {**spec.get(section, {}), **values}}


def write_folder() -> None:
    """The images of two classes of CIFAR-10 as PNG files, from cifar10.npz in $IMPROVE_DATA."""
    place = Path(FOLDER["path"])
    if place.is_dir():
        return
    arrays = np.load(Path(os.environ["IMPROVE_DATA"]) / "cifar10.npz")
    for label, name in enumerate(CLASSES):
        (place / name).mkdir(parents=True, exist_ok=True)
        chosen = arrays["x_train"][arrays["y_train"].ravel() == label]
        for number, pixels in enumerate(chosen):
            Image.fromarray(pixels).save(place / name / f"{number:04d}.png")
