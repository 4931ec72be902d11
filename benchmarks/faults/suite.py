"""The cases: what is put in, and which findings name it rightly.

`healthy` and `harmless` ones should raise nothing that does not pay; a mutant counts as a fault only where it is seen
to hurt (score.py). Codes are those of `improve list findings`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from workplace import merged
from worlds import World

Kind = Literal["healthy", "harmless", "small", "fault"]
Edits = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """`edits` of the world's spec, the `data` variant, and `causes`: the codes that name the cause."""

    name: str
    family: str
    kind: Kind
    edits: Edits = field(default_factory=dict)
    data: str = "plain"
    causes: tuple[str, ...] = ()

    @property
    def opens_test(self) -> bool:
        return self.family == "test"


def cases(world: World) -> list[Case]:
    from faults_data import data_faults
    from faults_training import training_faults
    from healthy import hard_negatives, healthy

    found = [*healthy(world), *hard_negatives(world), *training_faults(world), *data_faults(world)]
    twice = {case.name for case in found if [other.name for other in found].count(case.name) > 1}
    assert not twice, twice
    return found


def spec_of(world: World, case: Case, seed: int) -> Edits:
    """The spec of one run as plain data; paths are relative to the world's work folder."""
    source = {"data": {"source": {"name": "npz", "path": f"{case.data}.npz", "classes": 10}}}
    return merged(merged(merged(world.spec, source), case.edits), {"seed": seed})


def net(world: World, **options: Any) -> Edits:
    """The world's net from nets.py, with options that put something in."""
    return {"model": {"name": "python", "target": "nets.py:build", **world.net, **options}}


def rate(world: World, factor: float) -> Edits:
    return {"optimizer": {"learning_rate": world.rate * factor}}


def sgd(learning_rate: float, **options: Any) -> Edits:
    return {"optimizer": {"name": "sgd", "learning_rate": learning_rate, "momentum": 0.9, **options}}


def mlp(layers: int, units: int = 64, **options: Any) -> Edits:
    return {"model": {"name": "mlp", "hidden": [units] * layers, **options}}


def together(*edits: Edits) -> Edits:
    whole: Edits = {}
    for edit in edits:
        whole = merged(whole, edit)
    return whole


def of_family(family: str, kind: Kind, *rows: tuple[Any, ...]) -> Iterable[Case]:
    """Cases from rows of (name, causes, edits[, data])."""
    for name, causes, edits, *data in rows:
        yield Case(name, family, kind, edits, *data, causes=tuple(causes.split()))
