"""What recording the evidence costs: a whole run of LeNet on CIFAR-10 with `evidence: full` against `light`.

    IMPROVE_DATA=FOLDER python benchmarks/evidence.py [--rounds 3] [--epochs 4] [--images 4500]

FOLDER holds cifar10.npz. Both ways train the same spec to the same end, one after the other in one process; every ratio
is taken within a round, and the first round, which compiles, does not count. The probes before the first step cost the
same whatever the number of epochs, so a longer run has a smaller share of them: the table gives both parts. Two runs of
the same work differ by some per cent in CPU time; what the probes take of their own run is the steadier number.

Prints a section of Markdown and puts it into benchmarks/RESULTS.md (--quick only prints).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from improve.engine.training.probes import Probes
from improve.engine.training.train import train
from improve.spec.spec import Spec
from runner_tax_report import cpu, markdown, put, spread

HERE = Path(__file__).parent
HEADING = "## Evidence"


def main() -> None:
    arguments = parse()
    spent = timed(Probes)
    rounds = [one_round(arguments, spent) for _ in range(arguments.rounds + 1)][1:]
    text = section(rounds, arguments)
    print(text)
    if not arguments.quick:
        put(HERE / "RESULTS.md", text)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--images", type=int, default=4500)
    parser.add_argument("--quick", action="store_true", help="print only")
    return parser.parse_args()


def timed(probes: type[Probes]) -> dict[str, float]:
    """CPU seconds that the probes take, by method; counted from now on."""
    spent = {"start": 0.0, "epoch": 0.0}
    for name in spent:
        setattr(probes, name, counted(getattr(probes, name), name, spent))
    return spent


def counted(method: Any, name: str, spent: dict[str, float]) -> Any:
    def counting(*arguments: Any) -> Any:
        began = time.process_time()
        try:
            return method(*arguments)
        finally:
            spent[name] += time.process_time() - began

    return counting


def one_round(arguments: argparse.Namespace, spent: dict[str, float]) -> dict[str, float]:
    """CPU seconds of a whole run by way, and of the probes within the full one."""
    found = {}
    for way in ("light", "full"):
        spent.update(start=0.0, epoch=0.0)
        found[way] = run(arguments, way)
    return {**found, **spent}


def run(arguments: argparse.Namespace, evidence: str) -> float:
    spec = Spec.model_validate(
        {"data": {"source": "cifar10", "subset": arguments.images}, "model": "lenet", "optimizer": "sgd",
         "training": {"epochs": arguments.epochs}, "evidence": evidence}
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        train(spec, "run", Path(folder))
        return time.process_time() - began


def section(rounds: list[dict[str, float]], arguments: argparse.Namespace) -> str:
    rows = []
    for name, what in (("light", "a run without probes"), ("full", "a run with them"),
                       ("start", "probes before the first step"), ("epoch", "probes after the epochs")):  # fmt: skip
        rows.append([what, spread([found[name] for found in rounds], seconds)])
    rows.append(["with / without", spread([found["full"] / found["light"] for found in rounds], seconds)])
    probes = [found["start"] + found["epoch"] for found in rounds]
    within = [spent / (found["full"] - spent) for spent, found in zip(probes, rounds, strict=True)]
    rows.append(["probes / the rest of their run", spread(within, seconds)])
    later = [found["epoch"] / (found["full"] - spent) for spent, found in zip(probes, rounds, strict=True)]
    rows.append(["those after the epochs / the rest of their run", spread(later, seconds)])
    told = (
        f"LeNet on {arguments.images:,} images of CIFAR-10, {arguments.epochs} epochs, {len(rounds)} rounds; {cpu()}."
    )
    table = markdown(["", "CPU-s, median [lowest, highest]"], rows)
    return f"{HEADING}\n\n{told} Made by `python benchmarks/evidence.py`.\n\n{table}\n"


def seconds(value: float) -> str:
    return f"{value:.3g}"


if __name__ == "__main__":
    main()
