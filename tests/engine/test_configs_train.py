"""Every spec that comes along builds its model and trains two steps, on made-up images of the right shape."""

import csv
import math
import signal

import numpy as np
import pytest

from conftest import CONFIGS, Silent
from improve.engine.training.train import train
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


@pytest.mark.parametrize("file", sorted(CONFIGS.rglob("*.yaml")), ids=lambda file: str(file.relative_to(CONFIGS)))
def test_every_config_trains_two_steps(file, made_up, monkeypatch, tmp_path, at_once):
    monkeypatch.setenv("IMPROVE_DATA", str(made_up))

    class TwoSteps(Silent):
        def step(self, epoch, step):
            if step == 2:
                signal.raise_signal(signal.SIGINT)

    # the probes of every architecture would take minutes; test_probes.py has them
    fewer = ["training.batch_size=8", "data.subset=200", "data.train_size=null", "evidence=light", "training.members=1"]
    small = load_spec(file, fewer)
    made = run.load(train(small, "two", tmp_path / "runs", TwoSteps()))
    with (made.folder / "steps.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert (made.status, len(rows)) == ("stopped", 2)
    assert all(math.isfinite(float(row["loss"])) and float(row["gradient_norm"]) > 0 for row in rows)
