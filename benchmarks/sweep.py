"""Sweeps: what survives kill -9, what memory many trials take, and how many trials a minute brings.

    python benchmarks/sweep.py [--part killed|memory|speed|tuner] [--trials 200] [--rounds 3] [--keep FOLDER]

Small networks on digits. Writes a section for each part into RESULTS.md. The part `tuner` needs Keras Tuner
(pip install keras-tuner).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from child import Usage, run
from improve.experiments.sweep.trials import SweepWatcher
from runner_tax_report import put

TINY = """\
data: {source: digits, subset: 300, split: 50/25/25}
model: {name: mlp, hidden: [8]}
optimizer: {name: adam, learning_rate: 0.003}
training: {epochs: 3, batch_size: 32}
"""
SHORT = """\
data: {source: digits}
model: {name: cnn, filters: [16, 32], hidden: [64]}
optimizer: {name: adam, learning_rate: 0.003}
training: {epochs: 25, batch_size: 32}
"""
GRID = ("optimizer.learning_rate=1e-4,1e-3,1e-2,1e-1", "model.hidden=[4],[8],[16]", "regularization.dropout=0,0.3")
RATES = "3e-4,1e-3,2e-3,3e-3,1e-2,3e-2"
IMPROVE = [sys.executable, "-m", "improve"]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=PARTS, action="append", help="which part; all of them unless given")
    parser.add_argument("--trials", type=int, default=200, help="of the memory part")
    parser.add_argument("--rounds", type=int, default=3, help="of the speed part")
    parser.add_argument("--seed", type=int, default=0, help="when it is killed")
    parser.add_argument("--keep", type=Path, help="keep the runs here")
    arguments = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    folder = arguments.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.part or PARTS:
        print("\n".join(lines := PARTS[name](folder, arguments)), flush=True)
        put(Path(__file__).with_name("RESULTS.md"), "\n".join(lines))


def killed(folder: Path, arguments: Any) -> list[str]:
    """A grid of 24 points; SIGKILL within each quarter but the last."""
    (folder / "tiny.yaml").write_text(TINY)
    place, chance, at = folder / "killed", random.Random(arguments.seed), list[int]()
    command = [*IMPROVE, "sweep", str(folder / "tiny.yaml"), *GRID, "--runs", str(folder), "--name", "killed", "--json"]
    for quarter in range(3):
        at.append(epochs_of(place, command, round(18 * (quarter + chance.random()))))
    done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    runs = sorted(file.parent for file in place.glob("*/summary.json"))
    statuses = [json.loads((run / "summary.json").read_text())["status"] for run in runs]
    specs = {(run / "spec.yaml").read_text() for run in runs}
    epochs = [(run / "metrics.csv").read_text().count("\n") - 1 for run in runs]
    same = sum(equal(run, folder) for run in runs[:: max(1, len(runs) // 6)])
    return [
        "## A sweep that is killed",
        "",
        "A grid of 24 points (small networks on digits, 3 epochs each), its process killed with SIGKILL three times",
        "and started again with the same command; by `python benchmarks/sweep.py --part killed`.",
        "",
        f"- killed when {', '.join(map(str, at[:-1]))} and {at[-1]} of 72 epochs were done",
        f"- run folders at the end: **{len(runs)}**, different specs among them: **{len(specs)}**, finished: "
        f"{statuses.count('finished')}, with 3 epochs: {epochs.count(3)}; points told: {len(done['trials'])}",
        f"- of every fourth run `state_sha256` is that of `improve train` with its spec.yaml: {same} of "
        f"{len(runs[:: max(1, len(runs) // 6)])}",
        "",
    ]


def epochs_of(place: Path, command: list[str], wanted: int) -> int:
    """Kill the sweep once so many epochs are done in all; how many there were."""
    process = subprocess.Popen(command, **QUIET)
    while process.poll() is None and total(place) < wanted + 1:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return total(place)


def total(place: Path) -> int:
    return sum(max(0, file.read_text().count("\n") - 1) for file in place.glob("*/metrics.csv"))


def equal(run: Path, folder: Path) -> bool:
    command = [*IMPROVE, "train", str(run / "spec.yaml"), "--runs", str(folder / "alone"), "--json", "--quiet"]
    alone = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return bool(alone["state_sha256"] == json.loads((run / "summary.json").read_text())["state_sha256"])


class Memory(SweepWatcher):
    """A watcher that reads the worker's resident memory, in MB, after each run."""

    def __init__(self) -> None:
        self.trials: Any = None
        self.sizes: list[float] = []

    def member(self, *told: Any) -> None:
        status = Path(f"/proc/{self.trials.workers[0].process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        self.sizes.append(int(line.split()[1]) / 1024)


def memory(folder: Path, arguments: Any) -> list[str]:
    from improve.experiments.sweep.local_trials import LocalTrials
    from improve.experiments.sweep.plan import plan
    from improve.experiments.sweep.sweep import sweep

    (folder / "tiny.yaml").write_text(TINY)
    place, watcher = folder / "memory", Memory()
    place.mkdir()
    watcher.trials = LocalTrials(place, watcher)
    words = ["optimizer.learning_rate=log(1e-4,1e-1)", "model.hidden=[4],[8],[16]", "training.epochs=1"]
    made = plan(folder / "tiny.yaml", words, search="random", trials=arguments.trials)
    began = time.monotonic()
    sweep(made, place, watcher, lambda *_: watcher.trials)
    took = time.monotonic() - began
    at = [number for number in (1, 10, 50, 100, 150, 200) if number <= arguments.trials]
    told = ", ".join(f"{watcher.sizes[number - 1]:,.0f} after {number}" for number in at)
    return [
        "## Memory of a long sweep",
        "",
        f"{arguments.trials} trials of one epoch (small networks on digits, three widths) in one worker "
        "process; by `python benchmarks/sweep.py --part memory`.",
        "",
        f"- resident memory of the worker in MB: **{told}**; the most {max(watcher.sizes):,.0f}",
        f"- {took / arguments.trials:.2f} s per trial, start-up included",
        "",
    ]


def speed(folder: Path, arguments: Any) -> list[str]:
    """A sweep of six trials, with one worker and with two, against a loop of `improve train`, in turn."""
    (folder / "short.yaml").write_text(SHORT)
    ways = {
        "a shell loop of `improve train`": loop,
        "`improve sweep`": swept,
        "`improve sweep --workers 2`": side_by_side,
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(arguments.rounds):
        for name, way in ways.items():
            took[name].append(way(folder, number))
        told = ", ".join(f"{name} {each[-1]:.1f} s" for name, each in took.items())
        print(f"round {number}: {told}", file=sys.stderr, flush=True)
    first = next(iter(took.values()))
    return [
        "## Trials per minute",
        "",
        f"{len(RATES.split(','))} trials (a small convolutional network on digits, 25 epochs), {arguments.rounds} "
        f"rounds in turn, on {os.cpu_count()} cores; by `python benchmarks/sweep.py --part speed`.",
        "The goal was twice as many as the loop's.",
        "",
        "| | seconds per trial, median (range) | trials per minute | against the loop, round by round |",
        "| --- | --- | --- | --- |",
        *(row(name, each, first) for name, each in took.items()),
        "",
    ]


def row(name: str, seconds: list[float], first: list[float]) -> str:
    each = [one / len(RATES.split(",")) for one in seconds]
    ratios = [one / other for one, other in zip(first, seconds, strict=True)]
    middle, times = statistics.median(each), f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
    return f"| {name} | {middle:.1f} ({min(each):.1f}–{max(each):.1f}) | {60 / middle:.1f} | {times} |"


def loop(folder: Path, number: int) -> float:
    began = time.monotonic()
    for rate in RATES.split(","):
        words = [str(folder / "short.yaml"), f"optimizer.learning_rate={rate}", "--runs", str(folder / f"loop{number}")]
        subprocess.run([*IMPROVE, "train", *words], check=True, **QUIET)
    return time.monotonic() - began


def swept(folder: Path, number: int, *more: str) -> float:
    words = [str(folder / "short.yaml"), f"optimizer.learning_rate={RATES}", "--runs", str(folder), *more]
    name = f"swept{number}{''.join(more)}"
    began = time.monotonic()
    subprocess.run([*IMPROVE, "sweep", *words, "--name", name], check=True, **QUIET)
    return time.monotonic() - began


def side_by_side(folder: Path, number: int) -> float:
    return swept(folder, number, "--workers", "2")


def tuner(folder: Path, arguments: Any) -> list[str]:
    """The CPU time of `improve sweep` against that of a Keras Tuner script that takes the same trials, in turn."""
    (folder / "short.yaml").write_text(SHORT)
    digits, ways = folder / "digits.npz", Path(__file__).with_name("ways")
    run([sys.executable, ways / "export.py", "digits", 1_000_000, digits], {}, folder)
    took: dict[str, list[Usage]] = {"improve": [], "tuner": []}
    for number in range(arguments.rounds):
        words = ["sweep", "short.yaml", f"optimizer.learning_rate={RATES}", "--runs", folder, "--name", f"t{number}"]
        commands = {"improve": [*IMPROVE, *words], "tuner": [sys.executable, ways / "sweep_keras_tuner.py", digits]}
        for name in sorted(commands, reverse=bool(number % 2)):
            took[name].append(run([*commands[name]], {}, folder))
            print(f"round {number}: {name}: {took[name][-1]}", file=sys.stderr, flush=True)
    return tuner_report(took)


def tuner_report(took: dict[str, list[Usage]]) -> list[str]:
    trials, pairs = len(RATES.split(",")), list(zip(took["improve"], took["tuner"], strict=True))
    cpu, wall = [a.cpu / b.cpu for a, b in pairs], [a.wall / b.wall for a, b in pairs]
    each = {name: statistics.median(one.cpu for one in usages) / trials for name, usages in took.items()}
    others = max(one.others for usages in took.values() for one in usages)
    return [
        "## A sweep against Keras Tuner",
        "",
        f"{trials} trials (a small convolutional network on digits, 25 epochs), {len(pairs)} rounds in turn, whole "
        f"processes on {os.cpu_count()} cores,",
        f"others at most {others:.1f} of them; by `python benchmarks/sweep.py --part tuner`. The script:",
        "`ways/sweep_keras_tuner.py`. The goal was a CPU time of 0.40 of it.",
        "",
        f"- CPU time of `improve sweep` / Keras Tuner: **{ratio(cpu)}**; wall time {ratio(wall)}",
        f"- CPU-seconds per trial, start included: {each['improve']:.1f} and {each['tuner']:.1f}",
        "",
    ]


def ratio(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


PARTS = {"killed": killed, "memory": memory, "speed": speed, "tuner": tuner}

if __name__ == "__main__":
    main()
