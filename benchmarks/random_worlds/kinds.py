"""What is put into a world: kinds of faults in the spec and the network. Those in the data: damage.py.

A kind draws its strength for each world. `causes` are the codes that name it rightly; whether it hurts in this world,
the reserve says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator
from world import NORM, Edits, Parts, World, merged

Drawn = tuple[Edits, Callable[[Parts], Parts] | None]
Draw = Callable[[World, Generator], Drawn | Edits | None]


@dataclass(frozen=True)
class Kind:
    """`draw(world, random)` gives the edits of the spec and what is done to the parts; None where it does not fit."""

    name: str
    family: str
    causes: tuple[str, ...]
    draw: Draw = field(compare=False)


KINDS: dict[str, Kind] = {}


def kind(family: str, causes: str) -> Callable[[Draw], Draw]:
    """Register the decorated function under its own name."""

    def registered(draw: Draw) -> Draw:
        KINDS[draw.__name__] = Kind(draw.__name__, family, tuple(causes.split()), draw)
        return draw

    return registered


def between(random: Generator, low: float, high: float) -> float:
    """Drawn evenly on a logarithmic scale, to two digits."""
    return float(f"{np.exp(random.uniform(np.log(low), np.log(high))):.2g}")


def rate(world: World, factor: float) -> Edits:
    return {"optimizer": {"learning_rate": float(f"{world.rate * factor:.2g}")}}


def own(world: World, **options: Any) -> Edits:
    """The world's own network, or one of its size, with options that put something in."""
    if world.spec["model"]["name"] == "python":
        return {"model": options}
    net = {"name": "python", "target": "nets.py:build", "filters": [8, 16], "hidden": [32], "activation": "relu"}
    norm = NORM if world.spec["model"].get("batch_norm") else None
    return {"model": {**net, "norm_momentum": norm, **options}, "regularization": {"dropout": None, "l2": None}}


@kind("optimizer", "T2")
def rate_too_low(world: World, random: Generator) -> Edits:
    return rate(world, 1 / between(random, 20, 1000))


@kind("optimizer", "T3 R1 R2")
def rate_too_high(world: World, random: Generator) -> Edits:
    return rate(world, between(random, 10, 300))


@kind("optimizer", "T1 T15")
def too_few_epochs(world: World, random: Generator) -> Edits | None:
    epochs = max(1, round(world.epochs / between(random, 6, 20)))
    return {"training": {"epochs": epochs}} if epochs < world.epochs / 3 else None


@kind("optimizer", "T4")
def rate_falls_early(world: World, random: Generator) -> Edits | None:
    if world.epochs < 6:
        return None
    every = max(1, round(world.epochs * random.uniform(0.04, 0.12)))
    return {"schedule": {"name": "step", "factor": round(float(random.uniform(0.05, 0.2)), 2), "every": every}}


@kind("optimizer", "T12")
def clipped_away(world: World, random: Generator) -> Edits | None:
    """Adaptive optimizers divide by the gradient's size, so clipping does not reach them."""
    if world.spec["optimizer"]["name"] != "sgd":
        return None
    option = str(random.choice(["global_clipnorm", "clipnorm", "clipvalue"]))
    strength = between(random, 1e-3, 2e-2)
    return {"optimizer": {option: strength / 100 if option == "clipvalue" else strength}}


@kind("optimizer", "T15 T1")
def batch_is_everything(world: World, random: Generator) -> Edits:
    return {"training": {"batch_size": int(len(world.parts["y_train"]) / random.integers(1, 3))}}


@kind("optimizer", "T1")
def impatient(world: World, random: Generator) -> Edits | None:
    if world.epochs < 10:
        return None
    slower = rate(world, 1 / between(random, 2, 6))
    return merged(slower, {"training": {"early_stopping": {"patience": 1}}})


@kind("optimizer", "T21")
def mean_lags(world: World, random: Generator) -> Edits:
    return {
        "optimizer": {"use_ema": True, "ema_momentum": float(f"{1 - 1 / (world.steps * random.uniform(1, 6)):.6f}")}
    }


@kind("start", "T9 R4")
def starts_large(world: World, random: Generator) -> Edits:
    return own(world, normal=between(random, 0.4, 3))


@kind("start", "T9")
def starts_tiny(world: World, random: Generator) -> Edits:
    return own(world, normal=between(random, 1e-7, 1e-4), norm_momentum=None)


@kind("start", "T9")
def starts_constant(world: World, random: Generator) -> Edits:
    return own(world, constant=between(random, 1e-3, 0.3))


@kind("start", "T7")
def starts_dead(world: World, random: Generator) -> Edits:
    return own(world, bias=-between(random, 5, 100), activation="relu", norm_momentum=None)


@kind("head", "R5")
def double_softmax(world: World, random: Generator) -> Edits:
    return own(world, head="double_softmax")


@kind("head", "R5")
def squashed_head(world: World, random: Generator) -> Edits:
    return own(world, head=str(random.choice(["tanh", "sigmoid"])))


@kind("head", "R5 T16")
def relu_head(world: World, random: Generator) -> Edits:
    return own(world, head="relu")


@kind("head", "R5 R4")
def not_logits(world: World, random: Generator) -> Edits:
    return own(world, head="as_probabilities")


@kind("head", "R2 R1")
def gradient_turned_round(world: World, random: Generator) -> Edits:
    return own(world, head="flipped")


@kind("head", "R8 T11 V7 R5")
def dropout_at_test(world: World, random: Generator) -> Edits:
    return own(world, lasting_dropout=round(float(random.uniform(0.3, 0.7)), 2))


@kind("head", "V7")
def cold_statistics(world: World, random: Generator) -> Edits:
    return own(world, norm_momentum=float(f"{1 - 1 / (world.steps * random.uniform(2, 8)):.6f}"))


@kind("capacity", "T10 T5 T9")
def squashed_and_deep(world: World, random: Generator) -> Edits:
    layers, units = int(random.integers(6, 16)), int(random.choice([16, 32, 64]))
    activation = str(random.choice(["sigmoid", "hard_sigmoid"]))
    return {"model": {"name": "mlp", "hidden": [units] * layers, "activation": activation}}


@kind("capacity", "T10 T5 T6 T9")
def plain_and_deep(world: World, random: Generator) -> Edits:
    layers, units = int(random.integers(18, 40)), int(random.choice([16, 32]))
    return {"model": {"name": "mlp", "hidden": [units] * layers, "activation": str(random.choice(["relu", "tanh"]))}}


@kind("capacity", "T20")
def frozen(world: World, random: Generator) -> Edits:
    return own(world, frozen=True)


@kind("capacity", "T10 T17")
def linear(world: World, random: Generator) -> Edits:
    if random.random() < 0.5:
        return {"model": {"name": "mlp", "hidden": []}}
    return own(world, activation="linear")


@kind("capacity", "T17")
def too_small(world: World, random: Generator) -> Edits:
    return {"model": {"name": "mlp", "hidden": [int(random.integers(1, max(2, world.pool.classes // 2) + 1))]}}


@kind("restraint", "T11 R3")
def l2_too_strong(world: World, random: Generator) -> Edits | None:
    return held(world, l2=between(random, 0.03, 1))


@kind("restraint", "T11 R3")
def dropout_too_strong(world: World, random: Generator) -> Edits | None:
    return held(world, dropout=round(float(random.uniform(0.75, 0.95)), 2))


@kind("restraint", "T11")
def smoothing_too_strong(world: World, random: Generator) -> Edits | None:
    return held(world, label_smoothing=round(float(random.uniform(0.75, 0.95)), 2))


@kind("restraint", "T11")
def max_norm_too_small(world: World, random: Generator) -> Edits | None:
    return held(world, max_norm=between(random, 0.02, 0.15))


@kind("restraint", "T11 R3")
def weight_decay_too_strong(world: World, random: Generator) -> Edits:
    return {"optimizer": {"name": "adamw", "learning_rate": 0.001, "weight_decay": between(random, 5, 100)}}


@kind("restraint", "T11")
def augmented_away(world: World, random: Generator) -> Edits:
    parts: list[Edits] = [
        {"name": "shift", "width": 0.5, "height": 0.5},
        {"name": "erasing", "probability": 1.0, "smallest": 0.4, "largest": 0.8},
        {"name": "gaussian_noise", "stddev": between(random, 1.5, 4)},
        {"name": "rotate", "degrees": 180},
    ]
    some = random.permutation(len(parts))[: int(random.integers(2, 4))]
    return {"augmentation": [parts[place] for place in sorted(some)]}


def held(world: World, **options: Any) -> Edits | None:
    """None where the network is the user's own: these options do not reach into it."""
    reaches = world.spec["model"]["name"] != "python" or "label_smoothing" in options
    return {"regularization": options} if reaches else None
