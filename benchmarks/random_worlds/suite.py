"""Which runs a world has: its base with several seeds, alternatives to it, healthy and harmless variants, faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import damage  # noqa: F401 - registers its kinds
import numpy as np
from kinds import KINDS, Kind, own, rate
from world import NORM, Edits, Parts, World, merged

BASE_SEEDS = 5
FAULTS, DOUBLES = 13, 1  # of a world: faults of one kind each, and runs with two
HEALTHY, HARMLESS = 4, 2
PACKS = 64  # what the shuffling of a pack is drawn from, with its number

Group = Literal["base", "alternative", "healthy", "harmless", "fault", "double"]


@dataclass(frozen=True)
class Case:
    """One run: `edits` of the world's spec, the name of its data file, and the codes that name the cause."""

    name: str
    group: Group
    edits: Edits
    seed: int = 0
    data: str = "plain"
    kinds: tuple[str, ...] = ()

    @property
    def causes(self) -> tuple[str, ...]:
        return tuple(code for name in self.kinds for code in KINDS[name].causes)


def dealt(world: World) -> list[Kind]:
    """The kinds of a world. Cards are dealt from shuffled packs, so each kind comes as often as any other, and in
    worlds of every source."""
    mine, names, per_world = [], sorted(KINDS), FAULTS + 2 * DOUBLES
    for place in range(world.number * per_world, (world.number + 1) * per_world):
        pack, card = divmod(place, len(names))
        mine.append(KINDS[names[int(np.random.default_rng([pack, PACKS]).permutation(len(names))[card])]])
    return mine


def cases(world: World) -> tuple[list[Case], dict[str, Parts]]:
    """The runs of a world whose rate is set, and the data files that they read."""
    data, found = {"plain": world.parts}, list(sound(world))
    names = dealt(world)
    for at, kind in enumerate(names[:FAULTS]):
        found += put_in(world, f"{kind.name}_{at}", (kind,), data)
    for at in range(DOUBLES):
        pair = tuple(names[FAULTS + 2 * at : FAULTS + 2 * at + 2])
        found += put_in(world, "_and_".join(kind.name for kind in pair), pair, data)
    return found, data


def put_in(world: World, name: str, kinds: tuple[Kind, ...], data: dict[str, Parts]) -> Iterator[Case]:
    """The case with these faults; none where one of them does not fit this world."""
    edits, parts, damaged = Edits(), world.parts, False
    for kind in kinds:
        random = world.random("fault", kind.name)
        drawn = kind.draw(world, random)
        if drawn is None:
            return
        more, change = drawn if isinstance(drawn, tuple) else (drawn, None)
        edits = merged(edits, more)
        if change is not None:
            parts, damaged = change(parts), True
    file = name if damaged else "plain"
    data[file] = parts
    yield Case(name, "double" if len(kinds) > 1 else "fault", edits, data=file, kinds=tuple(one.name for one in kinds))


def sound(world: World) -> Iterator[Case]:
    for seed in range(BASE_SEEDS):
        yield Case(f"base_{seed}", "base", {}, seed)
    for name, group, chosen, count in (
        ("healthy", "healthy", healthy(world), HEALTHY),
        ("harmless", "harmless", harmless(world), HARMLESS),
    ):
        order = world.random(name).permutation(len(chosen))[:count]
        for place in sorted(order):
            title, edits = chosen[place]
            yield Case(f"{name}_{title}", group, edits, seed=int(place) + 1)  # type: ignore[arg-type]


def alternatives(world: World) -> list[Case]:
    """What the base must hold its own against."""
    longer = {"training": {"epochs": 2 * world.epochs}}
    found = {"slower": rate(world, 1 / 3), "faster": rate(world, 3), "longer": longer}
    return [Case(f"alternative_{name}", "alternative", edits) for name, edits in found.items()]


def healthy(world: World) -> list[tuple[str, Edits]]:
    """Other sound settings. Those that do not reach into an own network are left out."""
    batch, epochs = world.spec["training"]["batch_size"], world.epochs
    found: list[tuple[str, Edits]] = [
        ("other_seed", {}),
        ("longer", {"training": {"epochs": round(1.4 * epochs)}}),
        ("cosine", {"schedule": {"name": "cosine"}}),
        ("constant", {"schedule": {"name": "constant"}}),
        ("halved_batch", {"training": {"batch_size": max(8, batch // 2)}}),
        ("patient", {"training": {"early_stopping": {"patience": max(5, epochs // 3)}}}),
        ("smoothed", {"regularization": {"label_smoothing": 0.1}}),
        ("shifted", {"augmentation": [{"name": "shift", "width": 0.08, "height": 0.08}]}),
        ("standardized", {"data": {"normalize": "standardize"}}),
        ("mean_image", {"data": {"normalize": "mean_image"}}),
    ]
    if world.spec["model"]["name"] == "python":
        model = world.spec["model"]
        wider = {
            name: [2 * count for count in model[name]] for name in ("filters", "residual", "hidden") if name in model
        }
        return [*found, ("norm", {"model": {"norm_momentum": NORM}}), ("wider", {"model": wider})]
    return [*found, ("dropout", {"regularization": {"dropout": 0.25}}), ("l2", {"regularization": {"l2": 1e-4}})]


def harmless(world: World) -> list[tuple[str, Edits]]:
    """What looks like a fault and, most often, is none; whether it hurts, the reserve says."""
    return [
        ("rate_x3", rate(world, 3)),
        ("rate_d3", rate(world, 1 / 3)),
        ("dropout", {"regularization": {"dropout": 0.4}} if world.spec["model"]["name"] != "python" else own(world)),
        ("smoothing", {"regularization": {"label_smoothing": 0.3}}),
        ("clip", {"optimizer": {"global_clipnorm": 1.0}}),
        ("double_epochs", {"training": {"epochs": 2 * world.epochs}}),
        ("noise5", {"augmentation": [{"name": "gaussian_noise", "stddev": 0.2}]}),
    ]


def spec_of(world: World, case: Case) -> dict[str, Any]:
    """The spec of one run as plain data; paths are relative to the world's work folder."""
    file = {"data": {"source": {"path": f"{case.data}.npz"}}}
    spec: dict[str, Any] = merged(merged(merged(world.base, case.edits), file), {"seed": case.seed})
    return spec
