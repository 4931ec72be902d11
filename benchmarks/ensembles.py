"""What an ensemble brings: LeNets that differ in their seed, and the snapshots of one run, on images of CIFAR-10.

    IMPROVE_DATA=FOLDER python benchmarks/ensembles.py [--images 3000] [--epochs 12] [--members 5] [--keep FOLDER]

FOLDER holds cifar10.npz. Half of the images train, a quarter validates, a quarter tests. The snapshots come from warm
restarts in twice the epochs; one run with one cosine over the same epochs stands beside them, because that is what else
the time would buy. The best member is chosen by validation, in the test columns too. Prints a section of Markdown and
puts it into benchmarks/RESULTS.md (--quick only prints). It takes four minutes of CPU time.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from case_study_numbers import measured
from improve.diagnosis.comparison.ensembles import Report, ensemble_report
from improve.engine.training.members import train_run
from improve.runs.ensemble import Score, ensemble, members
from improve.runs.run import Run, load_run
from improve.spec.spec import Spec
from improve.statistics.paired import Paired, paired_comparison
from runner_tax_report import cpu, markdown, put

HERE = Path(__file__).parent
HEADING = "## Ensembles"
HEAD = ["", "validation error", "cross-entropy", "test error", "cross-entropy"]
CYCLES = 4


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as temporary:
        text = section(arguments, arguments.keep or Path(temporary))
    print(text)
    if not arguments.quick:
        put(HERE / "RESULTS.md", text)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="keep the runs here")
    parser.add_argument("--quick", action="store_true", help="print only")
    return parser.parse_args()


def section(arguments: argparse.Namespace, runs: Path) -> str:
    together = load_run(train_run(of_members(arguments), "lenets", runs))
    chosen = load_run(ensemble(members(together)[0], runs, "lenets_greedy", greedy=True))
    snapped, plain = (load_run(train_run(spec, name, runs)) for name, spec in of_snapshots(arguments))
    snapshots = load_run(runs / snapped.summary.snapshots)
    told = (
        f"LeNet on {arguments.images:,} images of CIFAR-10, half of them train, a quarter validates, a quarter tests; "
        f"{cpu()}. Made by `python benchmarks/ensembles.py`. The best member is the best on validation."
    )
    return "\n\n".join([HEADING, told, *of_seeds(together, chosen, arguments),
                        *of_cycles(snapshots, [snapped, plain])])  # fmt: skip


def of_members(arguments: argparse.Namespace) -> Spec:
    training = {"epochs": arguments.epochs, "members": arguments.members}
    return Spec.model_validate(base(arguments) | {"training": training})


def of_snapshots(arguments: argparse.Namespace) -> list[tuple[str, Spec]]:
    """A run with snapshots, and one without restarts in the same epochs."""
    epochs = CYCLES * max(1, arguments.epochs // 2)
    restarts = {"name": "warm_restarts", "first_decay_epochs": epochs // CYCLES, "t_mul": 1}
    ways = {"restarts": (restarts, {"epochs": epochs, "snapshots": CYCLES}), "cosine": ("cosine", {"epochs": epochs})}
    return [(name, Spec.model_validate(base(arguments) | {"schedule": schedule, "training": training}))
            for name, (schedule, training) in ways.items()]  # fmt: skip


def base(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "data": {"source": "cifar10", "subset": arguments.images, "split": "50/25/25"},
        "model": "lenet",
        "regularization": {"dropout": 0.5},
        "optimizer": {"name": "sgd", "learning_rate": 0.02, "momentum": 0.9},
        "evidence": "light",
    }


def of_seeds(together: Run, chosen: Run, arguments: argparse.Namespace) -> list[str]:
    found = ensemble_report(together, test=True)
    rows = table(found)
    greedy = ensemble_report(chosen, test=True)
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(greedy.names, greedy.weights, strict=True))
    rows.append(["greedy selection", *both(greedy, lambda standing: standing.ensemble)])
    return [
        f"### {arguments.members} seeds, {arguments.epochs} epochs each",
        markdown(HEAD, rows),
        f"{against(found)} Greedy selection (by the validation cross-entropy) gave the weights {weights}.",
    ]


def of_cycles(snapshots: Run, alone: list[Run]) -> list[str]:
    found = ensemble_report(snapshots, test=True)
    rows = table(found)
    for name, one in zip(("best epoch of the same run", "one cosine, best epoch"), alone, strict=True):
        rows.append([name, *(cell for part in ("validation", "test") for cell in cells(measured(one, part).as_json()))])
    seen = wrongly(snapshots, alone[1])
    return [
        f"### {CYCLES} snapshots of one run of {alone[0].summary.epochs} epochs",
        markdown(HEAD, rows),
        f"{against(found)} Against the run with one cosine, on the test part: {points(seen)}.",
    ]


def wrongly(first: Run, second: Run) -> Paired:
    """The two on the same test images, which both have in the same order."""
    mine, theirs = first.evidence.best("test"), second.evidence.best("test")
    assert mine is not None
    assert theirs is not None
    return paired_comparison(mine.wrong, theirs.wrong)


def table(found: Report) -> list[list[str]]:
    """A row for each member, for their mean and for the ensemble."""
    rows = []
    for place, name in enumerate(found.names):
        label = f"{name}, the best member" if place == found.best else name
        rows.append([label, *both(found, lambda standing, place=place: standing.members[place])])
    rows.append(["mean member", *both(found, lambda standing: standing.mean)])
    rows.append(["**ensemble**", *both(found, lambda standing: standing.ensemble)])
    return rows


def both(found: Report, of: Any) -> list[str]:
    return [cell for part in ("validation", "test") for cell in cells(of(found.parts[part]))]


def cells(score: Score | dict[str, Any]) -> list[str]:
    one = score if isinstance(score, dict) else score._asdict()
    return [
        f"{100 * one['error']:.1f} % [{100 * one['low']:.1f}, {100 * one['high']:.1f}]",
        f"{one['cross_entropy']:.3f}",
    ]


def against(found: Report) -> str:
    told = "; ".join(f"{part} {points(found.parts[part].against)}" for part in ("validation", "test"))
    return f"The ensemble against its best member, in points of error: {told}."


def points(seen: Paired) -> str:
    return f"{100 * seen.value:+.1f} [{100 * seen.low:.1f}, {100 * seen.high:.1f}], p = {seen.p:.2g}, n = {seen.n:,}"


if __name__ == "__main__":
    main()
