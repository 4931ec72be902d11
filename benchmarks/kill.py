"""Real trainings killed with SIGKILL at random instants, some twice, and taken up again: do they end identically?

    python benchmarks/kill.py [--network small|larger] [--trainings 50] [--seed 0] [--keep FOLDER]

On TensorFlow the small network takes many steps in a call, the larger one takes one; KERAS_BACKEND=jax has a way of its
own. Every third training is killed twice. Compared with the uninterrupted run: state_sha256, every array of the
predictions, metrics.csv without its times, steps.csv and the tables of the evidence. Writes a section into RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from runner_tax_report import put

NETWORKS = {"small": "filters: [8, 16], hidden: [32]", "larger": "filters: [64, 64], hidden: [64]"}
SPEC = """\
data: {source: digits}
model: {name: cnn, NETWORK, batch_norm: true}
regularization: {dropout: 0.3}
optimizer: {name: adam, learning_rate: 0.003}
schedule: cosine
augmentation: [shift, {name: rotate, degrees: 10}]
training: {epochs: 12, batch_size: 32, save_every_seconds: 0.2}
"""
OFTEN = ", save_every_seconds: 0.2"
TIMES = ("seconds", "training_seconds")
TABLES = ("metrics.csv", "steps.csv", "evidence/layers.csv", "evidence/kernels.csv", "evidence/epochs.csv")


def trained(file: Path, runs: Path, name: str) -> None:
    from improve.engine.training.train import train
    from improve.spec.reading.load import load_spec

    train(load_spec(file), name, runs)


def resumed(folder: Path) -> None:
    from improve.engine.training.resume import resume

    resume(folder, [])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, default="small")
    parser.add_argument("--trainings", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="keep the runs here")
    arguments = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    folder = arguments.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    spec, chance = SPEC.replace("NETWORK", NETWORKS[arguments.network]), random.Random(arguments.seed)
    text = [heading(arguments.network), "", *measured(folder, spec, arguments.trainings, chance)]
    print("\n".join(text))
    put(Path(__file__).with_name("RESULTS.md"), "\n".join(text))


def heading(network: str) -> str:
    backend = {"jax": "JAX", "tensorflow": "TensorFlow"}[os.environ.get("KERAS_BACKEND", "tensorflow")]
    return f"## Killed at random: the {network} network on {backend}"


def measured(folder: Path, spec: str, count: int, chance: random.Random) -> list[str]:
    """Kill and compare; the lines of the report."""
    processes = multiprocessing.get_context("forkserver")  # imports once, so that a training costs its steps only
    processes.set_forkserver_preload(["improve.engine.training.resume"])
    file = folder / "spec.yaml"
    file.write_text(spec, encoding="utf-8")
    whole, took = folder / "whole", 0.0
    for _ in range(2):  # the second one says how long it takes
        began = time.monotonic()
        run_process(processes, trained, file, folder, "whole")
        took, whole = time.monotonic() - began, max(folder.glob("whole*"))
    file.write_text(spec.replace(OFTEN, ""), encoding="utf-8")
    run_process(processes, trained, file, folder, "default")
    file.write_text(spec, encoding="utf-8")
    same, kills, repeated = 0, 0, list[int]()
    for number in range(count):
        name, wanted = f"killed{number}", 2 if number % 3 == 0 else 1
        after = chance.uniform(0.02, 1.0) * took
        while not (done := killed(processes, trained, (file, folder, name), after)):
            shutil.rmtree(folder / name)  # it was at its end already: the machine is faster than it was
            after *= 0.8
        while wanted and done:
            wanted, kills = wanted - 1, kills + 1
            repeated.append(lost(folder / name))
            if not wanted:
                break
            done = killed(processes, resumed, (folder / name,), chance.uniform(0.02, 1.0) * took)
        if not (folder / name).is_dir():
            run_process(processes, trained, file, folder, name)  # killed before its folder was made
        elif status(folder / name) != "finished":
            run_process(processes, resumed, folder / name)
        difference = differs(whole, folder / name)
        same += not difference
        print(f"{name}: {difference or 'the same'}", file=sys.stderr, flush=True)
    return report(count, same, kills, repeated, [share(found) for found in (folder / "default", whole)])


def run_process(processes: Any, work: Any, *arguments: Any) -> None:
    process = processes.Process(target=work, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{work.__name__} ended with {process.exitcode}")


def killed(processes: Any, work: Any, arguments: tuple[Any, ...], after: float) -> bool:
    """Whether it was still at work when it was killed."""
    process = processes.Process(target=work, args=arguments)
    process.start()
    process.join(after)
    if not process.is_alive():
        return False
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return True


def status(folder: Path) -> str:
    return str(json.loads((folder / "summary.json").read_text())["status"])


def lost(folder: Path) -> int:
    """Steps that have to be repeated: those of whole epochs in metrics.csv that the newest state does not have."""
    from improve.engine.training import checkpoint

    try:
        meta = checkpoint.read(folder)[0].meta
        written = len((folder / "metrics.csv").read_text().splitlines()) - 1
    except (FileNotFoundError, NotADirectoryError):
        return 0
    steps = meta["timeline"]["steps_per_epoch"]
    return max(0, (written - len(meta["history"]["rows"])) * steps)


def share(folder: Path) -> float:
    """Of the seconds of the last process, those that saving took."""
    summary = json.loads((folder / "summary.json").read_text())
    return float(summary["seconds_saving"] / summary["seconds"])


def differs(whole: Path, other: Path) -> str:
    """What is not the same, in words."""
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (whole, other)]
    for key in ("status", "epochs", "best_epoch", "state_sha256", "train", "validation", "test"):
        if summaries[0][key] != summaries[1][key]:
            return f"{key} of summary.json"
    for table in TABLES:
        if rows(whole / table) != rows(other / table):
            return table
    for file in [*sorted(whole.glob("predictions/*.npz")), whole / "evidence" / "last.npz"]:
        with np.load(file) as mine, np.load(other / file.relative_to(whole)) as theirs:
            if mine.files != theirs.files or any(not np.array_equal(mine[key], theirs[key]) for key in mine.files):
                return file.name
    return ""


def rows(file: Path) -> list[list[str]]:
    """A table without its times."""
    head, *body = [line.split(",") for line in file.read_text().splitlines()]
    kept = [place for place, name in enumerate(head) if name not in TIMES]
    return [[row[place] for place in kept] for row in [head, *body]]


def report(count: int, same: int, kills: int, repeated: list[int], saving: list[float]) -> list[str]:
    median = statistics.median(repeated)
    default, often = (f"{100 * one:.1f} %" for one in saving)
    return [
        f"{count} trainings of a convolutional network (augmentation, dropout, batch normalisation, Adam, cosine;",
        f"12 epochs of 34 steps), killed with SIGKILL {kills} times at random instants and taken up with",
        "`improve resume`; by `python benchmarks/kill.py`.",
        "",
        f"- equal to the uninterrupted run in state, metrics, steps, evidence and predictions: **{same} of {count}**",
        f"- steps of whole epochs that had to be repeated after a kill: median {median:.0f}, at most {max(repeated)}",
        f"- saving took {default} of the training time by default, {often} where it is done every 0.2 s, as here",
        "",
    ]


if __name__ == "__main__":
    main()
