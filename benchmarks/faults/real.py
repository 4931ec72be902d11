"""Does advice against variance come true on real images? Photographs (CIFAR-10) and centred clothes (Fashion-MNIST).

    IMPROVE_DATA=… python benchmarks/faults/real.py [--seeds 6] [--jobs 2]

A sound network, without a fault, and trained anew with each change that V1 and V3 propose, as they come from
`improve diagnose`. advice.py counts what came true.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from running import Job, train_all

from improve.diagnosis.advice_log import difference_on_the_same_images
from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.next_spec import revised_spec
from improve.experiments.auto.proposals import left_to_people
from improve.runs import run
from improve.spec.reading.yaml import inline

sys.path.insert(0, str(Path(__file__).parents[1]))
from runner_tax_report import markdown, put

RUNS = Path(__file__).parent / "runs"
CODES = ("V1", "V3")
FIRST = 100  # seed: the loop's benchmark has others
SOURCES = {"photographs": "cifar10", "clothes": "fashion_mnist"}
SPEC: dict[str, Any] = {
    "data": {"split": "50/25/25", "subset": 2000},
    "model": {"name": "cnn", "filters": [8, 16], "hidden": [64]},
    "optimizer": {"name": "adam", "learning_rate": 1e-3},
    "training": {"batch_size": 32, "epochs": 12},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--jobs", type=int, default=2, help="processes; each uses one thread")
    arguments = parser.parse_args()
    seeds = range(FIRST, FIRST + arguments.seeds)
    starts = [job(name, seed) for name in SOURCES for seed in seeds]
    train_all(starts, arguments.jobs)
    train_all((one for start in starts for one in changed(start)), arguments.jobs)
    text = report()
    print(text)
    put(Path(__file__).parents[1] / "RESULTS.md", text)


def job(name: str, seed: int) -> Job:
    work = RUNS / name / ".work"
    work.mkdir(parents=True, exist_ok=True)
    spec = {**SPEC, "data": {"source": SOURCES[name], **SPEC["data"]}, "seed": seed}
    return Job(RUNS / name / "base" / f"seed{seed}", spec, work)


def changed(start: Job) -> Iterator[Job]:
    """A run for every change that is proposed; one that two findings propose counts for the first."""
    parent, proposed = run.load_run(start.folder), list[str]()
    for finding in diagnose(parent).findings:
        for place, change in enumerate(finding.changes):
            edits = json.dumps(change.edits)
            if finding.code in CODES and not left_to_people(change) and edits not in proposed:
                proposed.append(edits)
                name = f"patch_{finding.code}_{place}_{parent.name.removeprefix('seed')}"
                told = {"code": finding.code, **asdict(change)}
                yield Job(start.folder.with_name(name), revised_spec(parent.spec, change), start.work, told)


def report() -> str:
    """What each change recovered, and how often beyond chance."""
    rows = []
    for name in SOURCES:
        for change, found in recovered(RUNS / name).items():
            values = [100 * value for value, *_ in found]
            spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
            beyond = f"{sum(low > 0 for _, low, _ in found)} of {len(found)}"
            rows.append([name, f"`{change}`", f"{fmean(values):+.1f}{spread}", beyond])
    return (
        "## Advice against variance on real images\n\n"
        f"A sound network (`{inline(SPEC['model'])}`, {SPEC['training']['epochs']} epochs) on 1,000 images, judged by "
        "500, and what\nV1 and V3 propose for it: photographs (CIFAR-10) and centred clothes (Fashion-MNIST). By\n"
        "`python benchmarks/faults/real.py`. Points of validation error that were recovered, mean ± sd over seeds;\n"
        "beyond chance: the 95 % interval of a seed, paired, is above 0.\n\n"
        f"{markdown(['images', 'change', 'recovered', 'beyond chance'], rows)}\n"
    )


def recovered(runs: Path) -> dict[str, list[tuple[float, float, float]]]:
    """By change, in words: of each seed the share of the images that was recovered, with its interval."""
    found = defaultdict(list)
    for file in sorted(runs.glob("*/patch*/patch.json")):
        patch, seed = json.loads(file.read_text(encoding="utf-8")), file.parent.name.rpartition("_")[2]
        if seen := difference_on_the_same_images(
            run.load_run(file.parent), run.load_run(file.parent.with_name(f"seed{seed}"))
        ):
            edits = [(patch["path"], patch["value"]), *patch["also"]]
            found[", ".join(f"{path}: {inline(value)}" for path, value in edits)].append(seen)
    return found


if __name__ == "__main__":
    main()
