"""How long a run takes from Ctrl+C to its end: in an epoch that takes minutes, and before its first batch.

    IMPROVE_DATA=FOLDER python benchmarks/ctrl_c.py [--rounds 5]

A ResNet in batches of 16 on CIFAR-10 images, a process each; the signal comes at an instant of the epoch that is drawn.
Writes a section into RESULTS.md.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runner_tax_report import put

HEADING = "## Ctrl+C"
SPEC = (
    "data: {source: cifar10, subset: 5000}\nmodel: {name: resnet}\naugmentation: [flip, shift]\n"
    "training: {epochs: 3, batch_size: 16}\n"
)
BEGINS = 45.0  # seconds until the first batches are surely done: reading, compiling, probes


def stopped(folder: Path, name: str, after: float) -> float:
    """Seconds from the signal to the end of the process, which has to leave with 130."""
    command = [
        sys.executable,
        "-m",
        "improve",
        "train",
        str(folder / "long.yaml"),
        "--runs",
        str(folder),
        "--name",
        name,
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list((folder / name).glob("state/0*/MANIFEST*")):
        time.sleep(0.05)
    time.sleep(after)
    began = time.perf_counter()
    process.send_signal(signal.SIGINT)
    if process.wait() != 130:
        raise SystemExit(f"exit code {process.returncode}")
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds, draws = parser.parse_args().rounds, random.Random(0)
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "long.yaml").write_text(SPEC)
        within = [stopped(Path(root), f"in{n}", BEGINS + 10 * draws.random()) for n in range(rounds)]
        before = [stopped(Path(root), f"before{n}", 1.0) for n in range(rounds)]
    told = (
        f"From the signal to the end of the process, {rounds} times each, by `python benchmarks/ctrl_c.py`: in an\n"
        f"epoch that takes minutes {spread(within)} s, before the first batch {spread(before)} s. Load of the\n"
        f"machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )
    put(Path(__file__).with_name("RESULTS.md"), f"{HEADING}\n\n{told}\n")
    print(told)


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


if __name__ == "__main__":
    main()
