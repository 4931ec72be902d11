"""Keeps a few runs of the suite, trimmed, in tests/fixtures/runs/: the diagnosis of them must not change unseen.

python benchmarks/faults/golden.py
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from worlds import WORLDS

from improve.runs import files, run
from improve.spec.reading import yaml as yamlfile

GOLDEN = Path(__file__).parents[2] / "tests" / "fixtures" / "runs"
KEPT = {
    "digits": (
        "base", "noise20", "lr_x100", "lr_d100", "nan_rate", "double_softmax", "deep_sigmoid", "l2_strong", "tiny_net",
        "n100", "leak50", "mismatch_invert",
    ),
    "fashion": ("base", "imbalance50"),
}  # fmt: skip
FILES = (
    "metrics.csv", "steps.csv", "summary.json", "predictions/train.npz", "predictions/validation.npz",
    "predictions/train_dev.npz", "evidence/start.json", "evidence/layers.csv", "evidence/kernels.csv",
    "evidence/epochs.csv",
)  # fmt: skip


def main() -> None:
    shutil.rmtree(GOLDEN, ignore_errors=True)
    for world, names in KEPT.items():
        for name in names:
            keep(WORLDS[world].runs / name / "seed0", GOLDEN / f"{world}_{name}")


def keep(source: Path, target: Path) -> None:
    """The run without what repeats a machine's paths, and without the files that only rarer findings read."""
    for name in FILES:
        if (source / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            copy(source / name, target / name)
    found = run.load_run(source)
    data = Path(found.spec["data"]["source"]["path"]).name
    spec = found.spec | {"data": found.spec["data"] | {"source": found.spec["data"]["source"] | {"path": data}}}
    if spec["model"]["name"] == "python":
        spec["model"] |= {"target": f"nets.py:{spec['model']['target'].rpartition(':')[2]}"}
    files.write_text(target / "spec.yaml", yamlfile.write(spec))
    about = json.loads((source / "environment.json").read_text(encoding="utf-8"))
    about |= {"data": about["data"] | {"found": data}, "platform": "Linux"}
    files.write_json(target / "environment.json", about)


def copy(source: Path, target: Path) -> None:
    if source.suffix != ".npz":
        shutil.copyfile(source, target)
        return
    with np.load(source, allow_pickle=False) as arrays:
        np.savez_compressed(target, **{name: arrays[name] for name in arrays.files})


if __name__ == "__main__":
    main()
