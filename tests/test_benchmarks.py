"""What the benchmarks need of the package is still there."""

import os
import subprocess
import sys

import numpy as np
import pytest

from conftest import CONFIGS

BENCHMARKS = CONFIGS.parent / "benchmarks"


def test_images_are_exported_for_all_ways_alike(tmp_path):
    images, labels = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), dtype=np.uint8), np.arange(30) % 10
    np.savez(tmp_path / "cifar10.npz", x_train=images, y_train=labels, x_test=images[:5], y_test=labels[:5])
    command = [sys.executable, BENCHMARKS / "ways" / "export.py", "cifar10", "12", tmp_path / "out.npz"]
    subprocess.run(command, check=True, env={**os.environ, "IMPROVE_DATA": str(tmp_path)})
    with np.load(tmp_path / "out.npz") as found:
        assert (found["x_train"] == images[:12]).all()
        assert (found["y_train"] == labels[:12]).all()


@pytest.mark.parametrize("script", ["runner_tax.py", "augmentation.py", "folder.py", "evidence.py"])
def test_every_benchmark_says_what_it_takes(script):
    done = subprocess.run([sys.executable, BENCHMARKS / script, "--help"], capture_output=True, text=True, check=True)
    assert "--rounds" in done.stdout


@pytest.mark.parametrize(("script", "option"), [("ensembles.py", "--members"), ("walk.py", "--spec")])
def test_other_benchmarks_say_what_they_take(script, option):
    done = subprocess.run([sys.executable, BENCHMARKS / script, "--help"], capture_output=True, text=True, check=True)
    assert option in done.stdout


@pytest.mark.trains
def test_the_augmentation_benchmark_runs(tmp_path):
    images, labels = np.random.default_rng(0).integers(0, 256, (300, 32, 32, 3), dtype=np.uint8), np.arange(300) % 10
    np.savez(tmp_path / "cifar10.npz", x_train=images, y_train=labels, x_test=images[:10], y_test=labels[:10])
    command = [sys.executable, BENCHMARKS / "augmentation.py", "--quick"]
    pytest.importorskip("tensorflow")
    env = {**os.environ, "IMPROVE_DATA": str(tmp_path)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert "| improve / keras in model |" in done.stdout
