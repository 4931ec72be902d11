"""Every spec that comes along builds its model and trains two steps, on made-up images of the right shape."""

import csv
import json
import math
import signal
from functools import partialmethod

import numpy as np
import pytest

from conftest import CONFIGS, Silent
from improve.engine.training.train import train
from improve.lazy import keras
from improve.runs import run
from improve.spec.reading.load import load_spec

pytestmark = pytest.mark.trains

SHAPES = {"cifar10": (32, 32, 3), "fashion_mnist": (28, 28)}


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """A folder for $IMPROVE_DATA: noise with ten labels."""
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for name, shape in SHAPES.items():
        arrays = {}
        for part, count in (("train", 160), ("test", 40)):
            arrays[f"x_{part}"] = random.integers(0, 256, (count, *shape), dtype=np.uint8)
            arrays[f"y_{part}"] = np.arange(count) % 10
        np.savez(folder / f"{name}.npz", **arrays)
    return folder


def network(file):
    """What makes a network's graph, as text."""
    spec = load_spec(file).complete()
    return json.dumps([spec["model"], spec["regularization"], spec["data"]["source"], spec["training"]["loss"]])


def cases():
    """Every config, and whether its network is compiled: of those with the same one the first; the others take their
    steps operation by operation. On another backend one of each architecture is enough."""
    seen, architectures = set(), set()
    for file in sorted(CONFIGS.rglob("*.yaml")):
        compiled = (graph := network(file)) not in seen
        marks = [pytest.mark.backend] if (kind := load_spec(file).model.name) not in architectures else []
        seen.add(graph)
        architectures.add(kind)
        yield pytest.param(file, compiled, id=str(file.relative_to(CONFIGS)), marks=marks)


def fewer_skies(spec):
    """Overrides for images that are drawn: thousands take seconds."""
    data = spec.complete()["data"]
    places = {"data.source": data["source"], "data.target.source": (data["target"] or {}).get("source") or {}}
    drawn = {place: source for place, source in places.items() if source.get("name") == "peacetopia"}
    counts = ("images", "validation", "test")
    return [f"{place}.{part}=200" for place, source in drawn.items() for part in counts if source[part]]


def fewer_modules(spec):
    """Overrides for a network whose 56 layers TensorFlow takes half a minute to trace; test_networks.py builds it
    whole."""
    return ["model.stages=[1, 2, 1]"] if spec.model.name == "resnet" and len(spec.model.stages) == 3 else []


@pytest.mark.parametrize(("file", "compiled"), list(cases()))
def test_every_config_trains_two_steps(file, compiled, made_up, monkeypatch, tmp_path, at_once):
    monkeypatch.setenv("IMPROVE_DATA", str(made_up))
    if not compiled:
        monkeypatch.setattr(keras.Model, "compile", partialmethod(keras.Model.compile, run_eagerly=True))

    class TwoSteps(Silent):
        def step(self, epoch, step):
            if step == 2:
                signal.raise_signal(signal.SIGINT)

    # the probes of every architecture would take minutes; test_probes.py has them
    fewer = ["training.batch_size=8", "data.subset=200", "data.train_size=null", "evidence=light", "training.members=1"]
    base = load_spec(file, fewer)
    small = load_spec(file, [*fewer, *fewer_skies(base), *fewer_modules(base)])
    made = run.load_run(train(small, "two", tmp_path / "runs", TwoSteps()))
    with (made.folder / "steps.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert (made.status, len(rows)) == ("stopped", 2)
    assert all(math.isfinite(float(row["loss"])) and float(row["gradient_norm"]) > 0 for row in rows)
