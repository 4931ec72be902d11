"""What a signal does to a real training: how long it takes to end, and whether it ends well at any instant.

    IMPROVE_DATA=FOLDER python benchmarks/ctrl_c.py [--part lenet|resnet|compiling] [--rounds 5] [--presses 40]

`lenet`, `resnet`: on CIFAR-10 images, the ResNet in batches of 16; the signal comes within a long epoch, and a second
after the first state is saved. `compiling`: eighty layers on digits; it comes while TensorFlow traces the first step,
where an exception has to find its way through C++, finalizers and whatever else runs then. A process each; instants are
drawn.
Writes a section for each part into RESULTS.md.
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
from collections import Counter
from functools import partial
from pathlib import Path

from runner_tax_report import put

NETWORKS = {
    "lenet": (
        "data: {source: cifar10, subset: 5000}\nmodel: {name: lenet}\naugmentation: [flip, shift]\n"
        "training: {epochs: 3000, batch_size: 8}\n"
    ),
    "resnet": (
        "data: {source: cifar10, subset: 5000}\nmodel: {name: resnet}\naugmentation: [flip, shift]\n"
        "training: {epochs: 3, batch_size: 16}\n"
    ),
}
DEEP = f"data: {{source: digits}}\nmodel: {{name: mlp, hidden: {[16] * 80}}}\n"
BEGINS = 20.0  # seconds after the first state is saved, until the first batches are surely done
CODES = {signal.SIGINT: 130, signal.SIGTERM: 75}


def stopped(spec: Path, name: str, after: float, number: signal.Signals = signal.SIGINT) -> tuple[float, str]:
    """The signal comes `after` seconds from the first saved state. Seconds from it to the end of the process, and what
    is wrong with that end, if anything is."""
    runs = spec.parent
    command = [sys.executable, "-m", "improve", "train", str(spec), "--runs", str(runs), "--name", name]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list((runs / name).glob("state/0*/MANIFEST*")):
        time.sleep(0.05)
    time.sleep(after)
    began = time.perf_counter()
    process.send_signal(number)
    told = process.communicate()[1]
    took = time.perf_counter() - began
    status = json.loads((runs / name / "summary.json").read_text())["status"]
    wrong = {
        "a traceback": "Traceback" in told,
        f"exit code {process.returncode}": process.returncode != CODES[number],
        f"status {status}": status != "stopped",
    }
    return took, ", ".join(what for what, is_so in wrong.items() if is_so)


def seconds(root: Path, arguments: argparse.Namespace, draws: random.Random, network: str) -> str:
    spec, rounds = root / f"{network}.yaml", arguments.rounds
    spec.write_text(NETWORKS[network])
    within = [stopped(spec, f"in{n}", BEGINS + 10 * draws.random()) for n in range(rounds)]
    before = [stopped(spec, f"before{n}", 1.0) for n in range(rounds)]
    wrong = [what for _, what in within + before if what]
    if wrong:
        raise SystemExit("; ".join(wrong))
    return (
        f"## Ctrl+C, {network}\n\nFrom the signal to the end of the process, {rounds} times each, by\n"
        f"`python benchmarks/ctrl_c.py --part {network}`: within an epoch {spread(within)} s, a second after the\n"
        f"first state is saved {spread(before)} s. It waits for the step in hand, or for an epoch that is within\n"
        f"a quarter of a second of its end. Load of the machine at the end: {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} cores.\n"
    )


def compiling(root: Path, arguments: argparse.Namespace, draws: random.Random) -> str:
    spec, presses = root / "deep.yaml", arguments.presses
    spec.write_text(DEEP)
    ends = []
    for number in range(presses):
        after, which = draws.uniform(0.0, 1.5), draws.choice([*CODES])
        ends.append(stopped(spec, f"deep{number}", after, which))
        print(f"{number}: {which.name} after {after:.2f} s: {ends[-1][0]:.2f} s {ends[-1][1]}", flush=True)
    wrong = Counter(what for _, what in ends if what)
    told = "; ".join(f"{count} × {what}" for what, count in wrong.items()) or "none"
    return (
        f"## A signal while the first step is traced\n\n{presses} runs of a network of eighty layers, Ctrl+C or\n"
        f"SIGTERM up to 1.5 s after the first state is saved, by `python benchmarks/ctrl_c.py --part compiling`.\n"
        f"With a traceback, an exit code other than 130 or 75, or a status other than stopped: {told}. From the\n"
        f"signal to the end {spread(ends)} s.\n"
    )


def spread(ends: list[tuple[float, str]]) -> str:
    values = [took for took, _ in ends]
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


PARTS = {network: partial(seconds, network=network) for network in NETWORKS} | {"compiling": compiling}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--presses", type=int, default=40)
    arguments = parser.parse_args()
    for name in arguments.part or PARTS:
        with tempfile.TemporaryDirectory() as root:
            told = PARTS[name](Path(root), arguments, random.Random(0))
        put(Path(__file__).with_name("RESULTS.md"), told)
        print(told)


if __name__ == "__main__":
    main()
