"""The numbers that the case study's claims are made of."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from improve.runs.run import Run, load_run
from improve.runs.schema import Measured
from improve.runs.test_part import open_test
from improve.spec.datasets.peacetopia.labellers import LABELLERS, labelled
from improve.spec.datasets.peacetopia.skies import skies
from improve.spec.datasets.peacetopia.source import Peacetopia
from improve.statistics.cost import Cost, weighted
from improve.statistics.intervals import Rate
from improve.statistics.paired import Paired, paired_comparison

DRAWS = 2_000
SEEN = 20_000  # skies for the labellers


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def points(low: float, high: float) -> str:
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def measured(run: Run, part: str = "validation") -> Measured:
    found = open_test(run) if part == "test" else run.summary.part(part)
    assert found is not None
    return found


def error(run: Run, part: str = "validation") -> float:
    return measured(run, part).error


def rate(run: Run, part: str = "validation") -> Rate:
    return Rate(error(run, part), measured(run, part).n)


def wrong(run: Run, part: str = "validation") -> Any:
    found = run.evidence.best(part)
    assert found is not None
    return found.wrong


class Birds(NamedTuple):
    """Shares of the birds that are missed, of the skies without one that are taken for one, and the cost of both where
    a missed bird counts ten times."""

    missed: float
    alarms: float
    cost: Cost

    @property
    def says(self) -> str:
        told = f"misses {percent(self.missed)} of the birds and raises {percent(self.alarms)} false alarms"
        return f"{told} (cost {percent(self.cost.cost)})"


def birds(run: Run) -> Birds:
    found = run.evidence.best("validation")
    assert found is not None
    missed, alarms = (float(found.wrong[found.label == label].mean()) for label in (1, 0))
    return Birds(missed, alarms, weighted(found.wrong, found.label, np.array([1.0, 10.0])))


def same_images(first: Run, second: Run) -> Paired:
    """First − second validation error, image by image."""
    assert first.fingerprint["validation"] == second.fingerprint["validation"]
    return paired_comparison(wrong(first), wrong(second))


def standard_error(share: float, n: int) -> float:
    """Of an error rate measured on n images: √(p (1 − p) / n)."""
    return math.sqrt(share * (1 - share) / n)


def labellers() -> list[tuple[str, float, Rate]]:
    """Who, the planted error, and what was measured on simulated labels."""
    source = Peacetopia()
    found = skies(SEEN, source.domain, source.birds, source.hidden, 0.0, 16, source.seed)  # 16: for speed
    table = []
    for name, planted in LABELLERS.items():
        said = labelled(name, found.labels, found.hidden, source.bayes_error)
        table.append((name, planted, Rate(float((said != found.labels).mean()), SEEN)))
    return table


def trials(runs: Path) -> list[Run]:
    return [load_run(folder) for folder in sorted((runs / "trials").iterdir()) if (folder / "summary.json").is_file()]


def optimism(tried: list[Run], n: int) -> float:
    """How much lower the error of the best of these runs is, on the n images it is chosen by, than on all; over DRAWS
    sets of n test images, which none of the runs has seen."""
    missed = np.stack([wrong(run, "test") for run in tried])
    random, truth, promised = np.random.default_rng(0), missed.mean(axis=1), []
    for _ in range(DRAWS):
        seen = missed[:, random.choice(missed.shape[1], n, replace=False)].mean(axis=1)
        best = int(seen.argmin())
        promised.append(truth[best] - seen[best])
    return float(np.mean(promised))
