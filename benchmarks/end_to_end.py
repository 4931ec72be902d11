"""Faults from spec to recovery, as a user goes: train, diagnose, next, train the next spec, diagnose that.

    IMPROVE_DATA=FOLDER python benchmarks/end_to_end.py [FOLDER]

Keeps specs and runs in FOLDER (a temporary one unless given); writes a section into RESULTS.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from improve.spec.datasets.arrays import Digits
from runner_tax_report import put

HEADING = "## From the spec to the recovery"
MLP = "model: {name: mlp, hidden: [64]}\ntraining: {epochs: 30, batch_size: 32}\ndiagnosis: {human_error: 0.2%}\n"
WEB_TO_APP = Path(__file__).parents[1] / "configs" / "web_to_app.yaml"
LENET = Path(__file__).parents[1] / "configs" / "lenet.yaml"


class Fault(NamedTuple):
    """What was put in, and the spec; `healthy` ones should raise no alarm."""

    put_in: str
    spec: str
    healthy: bool = False


FAULTS = {
    "rate": Fault("a learning rate of 1e-5", f"data: {{source: digits}}\noptimizer: {{learning_rate: 1e-5}}\n{MLP}"),
    "noise": Fault("20 % wrong training labels", "data: {source: {name: npz, path: noise.npz}, split: own}\n" + MLP),
    "leak": Fault("half of the validation images also train, of 100 others",
                  "data: {source: {name: npz, path: leak.npz}, split: own}\n" + MLP),
    "web_to_app": Fault("training images of one kind, a target of another, train_dev", f"extends: {WEB_TO_APP}\n"),
    "deep": Fault("8 hidden layers with sigmoid units",
                  "data: {source: digits}\n"
                  "model: {name: mlp, hidden: [64, 64, 64, 64, 64, 64, 64, 64], activation: sigmoid}\n"
                  "training: {epochs: 30, batch_size: 32}\ndiagnosis: {human_error: 0.2%}\n"),
    "penalty": Fault("an L2 penalty of 0.1 on CIFAR-10 images",
                     f"extends: {LENET}\ndata: {{subset: 3000}}\nregularization: {{l2: 0.1}}\n"
                     "optimizer: {name: adam, learning_rate: 0.001}\nschedule: constant\n"),
    "healthy_digits": Fault("nothing", "data: {source: digits}\nmodel: {name: cnn, filters: [16, 32], hidden: [32]}\n"
                            "training: {epochs: 25, batch_size: 32}\ndiagnosis: {human_error: 1%}\n", True),
    "healthy_cifar10": Fault("nothing", f"extends: {LENET}\ndata: {{subset: 6000}}\ntraining: {{epochs: 12}}\n"
                             "schedule: cosine\naugmentation: [flip, {name: shift, width: 0.1, height: 0.1}]\n"
                             "regularization: {dropout: 0.5}\ndiagnosis: {human_error: null}\n", True),
    "30_validation_images": Fault("only 30 validation images", "data: {source: digits, split: 58/2/40}\n" + MLP, True),
}  # fmt: skip


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    write_data(folder)
    lines = [row(name, fault, folder) for name, fault in FAULTS.items()]
    text = "\n".join([HEADING, "", *ABOUT, "", *HEAD, *lines, ""])
    put(Path(__file__).with_name("RESULTS.md"), text)
    print(text)


ABOUT = (
    "One run each, seed 0, by `python benchmarks/end_to_end.py`: the spec is trained and diagnosed, `improve next`",
    "writes the next spec, that one is trained and diagnosed. Validation errors in per cent.",
)
HEAD = (
    "| put in | before | found | change | after | what the child's diagnosis says of the advice |",
    "| --- | --- | --- | --- | --- | --- |",
)


def write_data(folder: Path) -> None:
    """The digits with wrong labels, and with validation images among the training images."""
    digits, random = Digits().load(), np.random.default_rng(0)
    x, y = digits.pools[0], digits.labels
    order = random.permutation(len(y))
    x, y = x[order], y[order]
    hit = random.permutation(1000) < 200
    noisy = np.where(hit, (y[:1000] + random.integers(1, 10, 1000)) % 10, y[:1000])
    rest = {"x_validation": x[1000:1400], "y_validation": y[1000:1400], "x_test": x[1400:], "y_test": y[1400:]}
    np.savez(folder / "noise.npz", x_train=x[:1000], y_train=noisy, **rest)
    leaked = np.r_[0:100, 1000:1200]
    np.savez(folder / "leak.npz", x_train=x[leaked], y_train=y[leaked], **rest)


def row(name: str, fault: Fault, folder: Path) -> str:
    (folder / f"{name}.yaml").write_text(fault.spec, encoding="utf-8")
    before, first = trained(folder, name)
    if fault.healthy or not first["findings"]:
        return f"| {fault.put_in} | {error(before)} | {said(first)} | – | – | – |"
    improve(folder, "next", f"runs/{name}", "-o", f"{name}_next.yaml")
    after, second = trained(folder, f"{name}_next")
    change = first["findings"][0]["changes"][0]
    edits = {change["path"]: change["value"], **change.get("also", {})}
    changed = ", ".join(f"`{path}: {json.dumps(value)}`" for path, value in edits.items())
    told = next(iter(second["notes"]), "") if second["advice"] else ""
    return f"| {fault.put_in} | {error(before)} | {said(first)} | {changed} | {error(after)} | {told} |"


def trained(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Its summary and its diagnosis."""
    improve(folder, "train", f"{name}.yaml")
    diagnosis = json.loads(improve(folder, "diagnose", f"runs/{name}", "--json"))
    return json.loads((folder / "runs" / name / "summary.json").read_text()), diagnosis


def improve(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "improve", *arguments]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout


def error(summary: dict[str, Any]) -> str:
    part = summary["validation"]
    return f"{100 * part['error']:.1f} (n={part['n']:,})"


def said(diagnosis: dict[str, Any]) -> str:
    """What was found; else what there is not enough evidence for."""
    found = [f"{one['code']} {one['title']}" for one in diagnosis["findings"] if one["status"] in ("found", "likely")]
    waiting = [f"not enough evidence: {one['says']}" for one in diagnosis["findings"][:1]]
    return "; ".join(found or waiting) or "nothing"


if __name__ == "__main__":
    main()
