"""A world: images, a network, an optimizer and a length of training, drawn from one number."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from last_sources import LAST_SOURCES
from numpy.random import Generator
from sources import SOURCES, Pool

sys.path.append(str(Path(__file__).parents[1] / "faults"))
from workplace import Parts, Workplace, merged

RUNS = Path(__file__).parent / "runs"
FIRST = 20261130  # a world is drawn from this and its own number
LAST = 100  # the first of the worlds that nothing is fitted to: they are drawn from other sources, and from FROZEN
FROZEN: str | None = None  # the digest of the commit after which no rule, sign or forest changed
RESERVE = 2000  # images at most that stand for all others: the test part
FEWEST, MOST_USED = 300, 3000  # images of a world beside the reserve
FEWEST_OF = {"skies": 2500}  # a bird is small and anywhere: of a few hundred skies nothing is learned
OPTIMIZERS = ("adam", "sgd", "adamw", "nadam", "rmsprop", "momentum", "adagrad", "adamax")
NETWORKS = ("mlp", "cnn", "own_cnn", "own_dense", "own_residual", "lenet5", "resnet")
ACTIVATIONS = ("relu", "relu", "relu", "elu", "tanh", "leaky_relu", "gelu")
SCHEDULES: tuple[dict[str, Any], ...] = (
    {"name": "constant"},
    {"name": "constant"},
    {"name": "cosine"},
    {"name": "linear"},
    {"name": "constant", "warmup": 1},
)
SMALLEST = 28  # pixels that lenet5 needs
NORM = 0.99  # the momentum of batch normalisation, Keras's default

Edits = dict[str, Any]


@dataclass(frozen=True)
class World(Workplace):
    """`spec` is what every case edits; its learning rate is only where the range test starts from. Where nothing can be
    learned with it, the next `attempt` draws another one for the same images."""

    number: int
    attempt: int = 0

    @property
    def name(self) -> str:
        return f"w{self.number:03d}"

    @property
    def source(self) -> str:
        """Each source in turn, so that all have as many worlds."""
        known = LAST_SOURCES if self.is_last else SOURCES
        return list(known)[self.number % len(known)]

    @property
    def is_last(self) -> bool:
        return self.number >= LAST

    @property
    def first(self) -> int:
        """What its numbers are drawn from, beside its own one."""
        if not self.is_last:
            return FIRST
        if FROZEN is None:
            raise SystemExit(
                "nothing is frozen yet: the last worlds are drawn from the commit that freezes the diagnosis"
            )
        return int(FROZEN, 16)

    @property
    def runs(self) -> Path:
        return RUNS / self.name

    def random(self, *what: object) -> Generator:
        """Numbers of their own for each use: one more draw here changes nothing there."""
        words = "/".join(map(str, what)).encode()
        return np.random.default_rng([self.first, self.number, *words])

    @cached_property
    def pool(self) -> Pool:
        random = self.random("images")
        return (SOURCES | LAST_SOURCES)[self.source](random, int(random.integers(2, 11)))

    @cached_property
    def parts(self) -> Parts:
        """The three parts: half to three quarters of 300 to 3,000 images are for training, the others for validation;
        the test part is the reserve."""
        pool, random = self.pool, self.random("parts")
        fewest = FEWEST_OF.get(self.source, FEWEST)
        used = int(min(np.exp(random.uniform(np.log(fewest), np.log(MOST_USED))), 0.7 * len(pool)))
        train = round(random.uniform(0.5, 0.75) * used)
        cuts = {"train": (0, train), "validation": (train, used), "test": (used, used + RESERVE)}
        return {
            f"{letter}_{part}": kept[slice(*cut)]
            for part, cut in cuts.items()
            for letter, kept in (("x", pool.images), ("y", pool.labels))
        }

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.pool.images.shape[1:])

    @cached_property
    def spec(self) -> Edits:
        random = self.random("spec", *([self.attempt] if self.attempt else []))
        network, epochs = self.network(random), int(np.exp(random.uniform(np.log(5), np.log(40))))
        batch = int(min(2 ** random.integers(3, 9), len(self.parts["y_train"]) // 6))
        return {
            "data": {
                "source": {"name": "npz", "path": "plain.npz", "classes": self.pool.classes},
                "split": "own",
                "normalize": str(random.choice(["standardize", "rescale", "mean_image"])),
            },
            "model": network,
            "optimizer": optimizer(random),
            "schedule": dict(SCHEDULES[int(random.integers(len(SCHEDULES)))]),
            "regularization": regularization(random, network),
            "augmentation": augmentation(random, self.source),
            "training": {"batch_size": max(8, batch), "epochs": epochs},
        }

    @property
    def setting_file(self) -> Path:
        return self.runs / "base.json"

    @property
    def begun(self) -> int:
        """The attempt whose setting is written down; 0 where none is."""
        found = json.loads(self.setting_file.read_text(encoding="utf-8")) if self.setting_file.exists() else {}
        return int(found.get("attempt", 0))

    def set(self, rate: float, epochs: int) -> None:
        """Write down the base's rate and its length."""
        self.runs.mkdir(parents=True, exist_ok=True)
        found = {"attempt": self.attempt, "learning_rate": rate, "epochs": epochs}
        self.setting_file.write_text(json.dumps(found), encoding="utf-8")

    @property
    def base(self) -> Edits:
        """The spec of the base, once its rate and its length are set."""
        found = json.loads(self.setting_file.read_text(encoding="utf-8"))
        edits = {"optimizer": {"learning_rate": found["learning_rate"]}, "training": {"epochs": found["epochs"]}}
        base: Edits = merged(self.spec, edits)
        return base

    @property
    def steps(self) -> int:
        """Updates of the base in all."""
        return self.epochs * -(-len(self.parts["y_train"]) // self.spec["training"]["batch_size"])

    def network(self, random: Generator) -> Edits:
        """Built-in and own networks, of any width, depth and activation."""
        usable = [name for name in NETWORKS if name != "lenet5" or min(self.shape[:2]) >= SMALLEST]
        name = str(random.choice(usable))
        activation, norm = str(random.choice(ACTIVATIONS)), bool(random.random() < 0.4)
        width, units = int(random.choice([8, 12, 16])), int(random.choice([32, 64, 128]))
        blocks = int(random.integers(1, 1 + max(1, int(np.log2(min(self.shape[:2]) / 2)))))
        if name == "mlp":
            hidden = [units] * int(random.integers(1, 4))
            return {"name": "mlp", "hidden": hidden, "activation": activation, "batch_norm": norm}
        if name == "cnn":
            filters = [width * 2**block for block in range(min(blocks, 3))]
            return {"name": "cnn", "filters": filters, "hidden": [units], "activation": activation, "batch_norm": norm}
        if name == "lenet5":
            return {"name": "lenet5", "activation": str(random.choice(["tanh", "relu"]))}
        if name == "resnet":
            return {"name": "resnet", "stages": [1] * min(blocks, 2), "filters": [width] * (1 + min(blocks, 2))}
        own = {"name": "python", "target": "nets.py:build", "activation": activation}
        return own | {"norm_momentum": NORM if norm else None, **own_layers(name, width, units, min(blocks, 3))}


def numbers(text: str) -> list[int]:
    """The numbers of worlds in words such as 0-39, or 3,7."""
    ends = [[int(end) for end in part.split("-")] for part in text.split(",")]
    return [number for part in ends for number in range(part[0], part[-1] + 1)]


def own_layers(name: str, width: int, units: int, blocks: int) -> Edits:
    filters = [width * 2**block for block in range(blocks)]
    if name == "own_dense":
        return {"filters": [], "hidden": [units, units]}
    if name == "own_residual":
        return {"filters": [], "residual": filters, "hidden": [4 * width]}
    return {"filters": filters, "hidden": [4 * width]}


def optimizer(random: Generator) -> Edits:
    name = str(random.choice(OPTIMIZERS))
    if name == "momentum":
        return {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": bool(random.random() < 0.5)}
    return {"name": name, "learning_rate": 0.01 if name in ("sgd", "adagrad") else 0.001}


def regularization(random: Generator, network: Edits) -> Edits:
    held: Edits = {}
    if network["name"] == "python":
        return held
    if random.random() < 0.3:
        held["dropout"] = round(float(random.uniform(0.1, 0.4)), 2)
    if random.random() < 0.3:
        held["l2"] = float(f"{10 ** random.uniform(-5, -3.5):.1e}")
    if random.random() < 0.15:
        held["label_smoothing"] = 0.1
    return held


def augmentation(random: Generator, source: str) -> list[Edits]:
    """A gentle one in a quarter of the worlds; a mirror only where a mirrored image keeps its class."""
    if random.random() > 0.25:
        return []
    share = round(float(random.uniform(0.05, 0.12)), 2)
    mirror = [{"name": "flip"}] if source in ("photographs", "skies", "fashion") else []
    return [*mirror, {"name": "shift", "width": share, "height": share}]
