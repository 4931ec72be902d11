"""A sweep on a Ray cluster of two nodes, one of which is killed in the middle: what moved where, and is it the same?

    python benchmarks/cluster.py [--keep FOLDER]

`ray start --head`, and a second node that joins by address, both on this machine. The same sweep is trained by one
process as well, and the end states are compared. Writes a section into RESULTS.md.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from runner_tax_report import put

SPEC = """\
data: {source: digits}
model: {name: cnn, filters: [8], hidden: [16]}
regularization: {dropout: 0.2}
optimizer: {name: adam, learning_rate: 0.003}
training: {epochs: 12, batch_size: 32}
"""
GRID = "optimizer.learning_rate=3e-4,1e-3,3e-3,1e-2", "model.hidden=[8],[16],[32]"
PATIENCE = 120.0  # seconds


def start_node(*arguments: str) -> subprocess.Popen[bytes]:
    """A node with one CPU, until the process ends."""
    command = [str(Path(sys.executable).with_name("ray")), "start", *arguments, "--num-cpus=1", "--block"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}, **quiet)  # type: ignore[call-overload]


def until(found: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not found():
        if time.monotonic() > ends:
            raise AssertionError("it did not happen in time")
        time.sleep(0.1)


def raylets() -> dict[str, int]:
    """The process numbers of the nodes on this machine, by the first digits of their ids."""
    found = {}
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = place.read_text().split("\0")
            if words[0].endswith("raylet"):
                found |= {word.partition("=")[2][:8]: int(place.parent.name) for word in words if "node_id=" in word}
    return found


@contextlib.contextmanager
def head() -> Iterator[str]:
    """The first node of a cluster; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place, before = f"/tmp/improve-ray-{os.getpid()}", len(raylets())  # short: it holds sockets, whose names are
    node = start_node("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={place}")
    try:
        until(lambda: len(raylets()) > before)
        yield f"127.0.0.1:{port}"
    finally:
        node.terminate()
        node.wait()


@contextlib.contextmanager
def second(address: str) -> Iterator[str]:
    """A node that joins; gives the first digits of its id. Ray lists one that was killed as alive for some seconds."""
    import ray

    ray.init(address, log_to_driver=False, logging_level="ERROR")
    before, node = alive(), start_node(f"--address={address}")
    try:
        until(lambda: bool(alive() - before))
        (joined,) = alive() - before
        ray.shutdown()
        yield joined[:8]
    finally:
        node.terminate()
        node.wait()


def alive() -> set[str]:
    """The ids of the nodes that Ray takes for alive."""
    import ray

    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


def log_of(folder: Path) -> list[dict[str, str]]:
    from improve.experiments.ray.trials import LOG

    if not (folder / LOG).is_file():
        return []
    with (folder / LOG).open() as stream:
        return list(csv.DictReader(stream))


def on(folder: Path, event: str) -> str:
    """The node that the log names first with this event."""
    return next((row["node"] for row in log_of(folder) if row["event"] == event), "")


def at_work(folder: Path, node: str) -> bool:
    """Whether the node has done a trial, and is at another."""
    events = Counter(row["event"] for row in log_of(folder) if row["node"] == node)
    return events["done"] >= 1 and events["begun"] > events["done"]


def swept(folder: Path, name: str, *more: str) -> subprocess.Popen[bytes]:
    file = folder / "points.yaml"
    file.write_text(SPEC)
    words = [str(file), *GRID, "--runs", str(folder), "--name", name, *more]
    return subprocess.Popen([sys.executable, "-m", "improve", "sweep", *words], stdout=subprocess.DEVNULL)


def digests(folder: Path) -> dict[str, str]:
    return {file.parent.name: json.loads(file.read_text())["state_sha256"] for file in folder.glob("*/summary.json")}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path, help="keep the runs here")
    folder = parser.parse_args().keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    with head() as address, second(address):
        process = swept(folder, "cluster", "--ray", address)
        until(lambda: at_work(folder / "cluster", on(folder / "cluster", "there")))
        time.sleep(1)
        victim = on(folder / "cluster", "there")
        os.kill(raylets()[victim[-8:]], signal.SIGKILL)
        killed = len(log_of(folder / "cluster"))
        assert process.wait() == 0
    assert swept(folder, "alone").wait() == 0
    lines = section(folder, victim, killed)
    print("\n".join(lines))
    put(Path(__file__).with_name("RESULTS.md"), "\n".join(lines))


def section(folder: Path, victim: str, killed: int) -> list[str]:
    rows, mine, alone = log_of(folder / "cluster"), digests(folder / "cluster"), digests(folder / "alone")
    runs = Counter(row["event"] for row in rows if row["run"])
    moved = [
        name for name, count in Counter(row["run"] for row in rows if row["event"] == "begun").items() if count > 1
    ]
    first = rows[0]["time"]
    table = [
        f"| {seconds(first, row['time']):.1f} | {row['run'] or '–'} | {row['event']} | "
        f"{'second' if row['node'] == victim else 'head'} |"
        for row in rows
    ]  # fmt: skip
    table.insert(killed, f"| – | – | **SIGKILL** | second, {victim[-8:]} |")
    return [
        "## A sweep on two nodes, one of them killed",
        "",
        f"A grid of {len(alone)} points (a small CNN on digits, 12 epochs), one CPU a node, by "
        "`python benchmarks/cluster.py`.",
        "",
        f"- finished: **{len(mine)} of {len(alone)}**; received once each: {runs['done']} times `done`",
        f"- begun again elsewhere after the node was lost: {', '.join(moved)}",
        f"- end states equal to those of the same sweep in one process: **{sum(mine[k] == alone[k] for k in alone)} of "
        f"{len(alone)}**",
        "",
        "| s | run | event | node |",
        "| --- | --- | --- | --- |",
        *table,
        "",
    ]


def seconds(first: str, now: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(now) - datetime.fromisoformat(first)).total_seconds()


if __name__ == "__main__":
    main()
