"""How long `improve compare` takes over 1,000 runs, in processes of its own.

    python benchmarks/thousand.py [--runs 1000] [--rounds 5]

The runs are made up: 200 recipes with five seeds each, the errors of each on the same 1,000 images. Writes a section
into RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from improve.spec.reading import yaml as yamlfile
from improve.spec.spec import Spec
from improve.statistics.intervals import Rate
from runner_tax_report import put

HEADING = "## A thousand runs side by side"
IMAGES, SEEDS = 1000, 5


def make(folder: Path, number: int, random: np.random.Generator) -> None:
    rate, dropout = 10 ** -(1 + (number // SEEDS % 40) / 10), (number // SEEDS // 40) / 10
    spec = Spec.model_validate({
        "seed": number % SEEDS, "data": {"source": "digits", "split_seed": 0}, "model": {"name": "mlp"},
        "optimizer": {"name": "adam", "learning_rate": float(f"{rate:.3g}")}, "regularization": {"dropout": dropout},
    })  # fmt: skip
    (folder / "predictions").mkdir(parents=True)
    (folder / "spec.yaml").write_text(yamlfile.write(spec.complete()), encoding="utf-8")
    wrong = random.random(IMAGES) < 0.1 + 0.05 * dropout
    probability = np.where(wrong[:, None], [0.2, 0.8], [0.7, 0.3]).astype(np.float32)
    np.savez(folder / "predictions" / "validation.npz", id=np.arange(IMAGES), label=np.zeros(IMAGES, int),
             probability=probability)  # fmt: skip
    error = float(wrong.mean())
    low, high = Rate(error, IMAGES).interval()
    part = {"error": error, "low": low, "high": high, "n": IMAGES, "cross_entropy": error}
    summary = {"status": "finished", "epochs": 20, "best_epoch": 18, "parameters": 1000, "seconds": 10.0,
               "train": part, "validation": part}  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    (folder / "environment.json").write_text(json.dumps({"data": {"fingerprint": {"validation": "a"}}}))
    rows = "".join(f"{epoch},0.1,0.1,0.001\n" for epoch in range(1, 21))
    (folder / "metrics.csv").write_text(f"epoch,train_error,validation_error,learning_rate\n{rows}")


def timed(folders: list[Path]) -> tuple[float, float]:
    """Wall and CPU seconds of one command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "improve", "compare", *map(str, folders)], check=True, capture_output=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as root:
        folders = [Path(root) / f"run{number:04d}" for number in range(arguments.runs)]
        for number, folder in enumerate(folders):
            make(folder, number, random)
        walls, cpus = zip(*(timed(folders) for _ in range(arguments.rounds)), strict=True)
    what = f"{arguments.runs:,} runs ({arguments.runs // SEEDS} recipes, all pairs on {IMAGES:,} images)"
    how = f"by `python benchmarks/thousand.py`, {arguments.rounds} rounds"
    took = f"{spread(walls)} s of wall time, {spread(cpus)} s of CPU time, the interpreter's start included"
    told = f"`improve compare` over {what}, {how}: {took}."
    put(Path(__file__).with_name("RESULTS.md"), f"{HEADING}\n\n{told}\n")
    print(told)


def spread(values: tuple[float, ...]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


if __name__ == "__main__":
    main()
