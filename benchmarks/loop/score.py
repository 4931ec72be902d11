"""The table of benchmarks/loop/walks.py: test errors, and how likely `improve auto` beats random search and TPE.

    python benchmarks/loop/score.py

P(lower) is the share of bootstrap draws, over seeds and over the test images within each, in which auto's winner errs
less than the search's on the same images; every seed has its own division of the images. Writes a section into
benchmarks/RESULTS.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from outcomes import Outcome, read
from tasks import TASKS, starts

sys.path.insert(0, str(Path(__file__).parents[1]))
from improve.diagnosis.comparison.configurations import students_t
from runner_tax_report import put

DRAWS = 10_000
SEARCHES = ("random", "tpe")
LEAST = 5  # seeds


found_so_far = cache(read)


def of(task: str, way: str) -> dict[int, Outcome]:
    """By seed."""
    return {seed: found for (one, each, seed), found in found_so_far().items() if (one, each) == (task, way)}


def lower(ours: dict[int, Outcome], theirs: dict[int, Outcome]) -> tuple[float, float, float, float]:
    """P(ours errs less), and the mean difference ours − theirs over the seeds with its 95 % interval (paired t)."""
    seeds = sorted(ours.keys() & theirs.keys())
    differences = [ours[seed].wrong.astype(float) - theirs[seed].wrong for seed in seeds]
    chance, sums = np.random.default_rng(0), np.zeros(DRAWS)
    rows = chance.integers(len(seeds), size=(DRAWS, len(seeds)))
    for each in range(len(seeds)):
        for number in range(len(seeds)):
            chosen = rows[:, each] == number
            n = len(differences[number])
            drawn = chance.multinomial(n, counts(differences[number]), size=int(chosen.sum()))
            sums[chosen] += (drawn[:, 2] - drawn[:, 0]) / n
    means = [float(one.mean()) for one in differences]
    half = students_t(len(means) - 1) * float(np.std(means, ddof=1)) / len(means) ** 0.5 if len(means) > 1 else 1.0
    return float(((sums < 0) + 0.5 * (sums == 0)).mean()), fmean(means), fmean(means) - half, fmean(means) + half


def counts(difference: Any) -> list[float]:
    """The shares of -1, 0 and 1."""
    return [float((difference == value).mean()) for value in (-1, 0, 1)]


class Row(NamedTuple):
    task: str
    start: str
    auto: dict[int, Outcome]
    against: dict[str, tuple[float, float, float, float]]


def rows() -> Iterator[Row]:
    for task in TASKS:
        searches = {way: of(task, way) for way in SEARCHES}
        for start in starts(TASKS[task]):
            ours = of(task, start)
            if len(ours) >= LEAST and all(len(found.keys() & ours.keys()) >= LEAST for found in searches.values()):
                yield Row(task, start, ours, {way: lower(ours, found) for way, found in searches.items()})


def table(found: Sequence[Row]) -> Iterator[str]:
    yield "| task | start | the start | auto | random | TPE | P(auto < random) | P(auto < TPE) | auto − TPE, points |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for row in found:
        searches = [mean(of(row.task, way)) for way in SEARCHES]
        p_random, p_tpe = (row.against[way][0] for way in SEARCHES)
        _, value, low, high = row.against["tpe"]
        apart = f"{100 * value:+.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        cells = [row.task, row.start, began(row), mean(row.auto), *searches, f"{p_random:.3f}", f"{p_tpe:.3f}", apart]
        yield f"| {' | '.join(cells)} |"


def began(row: Row) -> str:
    """The test error of the starts themselves, each trained as it is."""
    return spread([one.told["start"] for one in row.auto.values()])


def mean(found: dict[int, Outcome]) -> str:
    return spread([one.told["test"] for one in found.values()])


def spread(errors: Sequence[float]) -> str:
    return f"{100 * fmean(errors):.1f} % ± {100 * float(np.std(errors, ddof=1)):.1f}"


def goals(found: Sequence[Row]) -> Iterator[str]:
    faulty, usual = [row for row in found if row.start != "default"], [row for row in found if row.start == "default"]
    won = [row for row in faulty if all(p > 0.95 for p, *_ in row.against.values())]
    per_task = "; ".join(
        f"{task} {sum(row.task == task for row in won)} of {sum(row.task == task for row in faulty)}"
        for task in dict.fromkeys(row.task for row in faulty)
    )
    yield "| | goal | measured |"
    yield "| --- | --- | --- |"
    yield f"| faulty start: lower than random and than TPE, P > 0.95 | 5 of 6 | {per_task} |"
    no_worse = sum(row.against["tpe"][2] <= 0 for row in usual)
    yield f"| default start: not worse than TPE (interval) | every task | {no_worse} of {len(usual)} |"
    better = sum(row.against["random"][0] > 0.9 for row in usual)
    yield f"| default start: better than random, P > 0.9 | 3 of 4 | {better} of {len(usual)} |"
    told = [one.told for row in found for one in row.auto.values()]
    true, tried = sum(one["came_true"] for one in told), sum(one["tried"] for one in told)
    share = f"{true} of {tried} = {100 * true / max(1, tried):.0f} %"
    yield f"| advice that came true, of what was tried | ≥ 60 % | {share} |"


def exploring(found: Sequence[Row]) -> str:
    """What a run's epochs that are spent on exploring bring: what advice has to be more likely than."""
    walks = [(TASKS[row.task].epochs, one.told["explored"]) for row in found for one in row.auto.values()]
    lengths, kept = sum(one["epochs"] / epochs for epochs, one in walks), sum(one["kept"] for _, one in walks)
    return (
        f"Exploring: {kept} changes kept in the epochs of {lengths:.0f} runs of the start = {kept / lengths:.3f} a run."
    )


def hours() -> float:
    return sum(found.told["seconds"] for found in found_so_far().values()) / 3600


def main() -> None:
    found = list(rows())
    budgets = {
        task: max(one.told["epochs"] for (each, *_), one in found_so_far().items() if each == task)
        for task in {row.task for row in found}
    }
    told = ", ".join(f"{task} {budgets[task]}" for task in TASKS if task in budgets)
    seeds = {task: min(len(row.auto) for row in found if row.task == task) for task in budgets}
    each = ", ".join(f"{task} {seeds[task]}" for task in TASKS if task in seeds)
    lines = [
        "## The loop against random search and TPE",
        "",
        "Test error of the winner, mean ± sd over seeds; all choose by the validation images, with the same epochs "
        f"({told}; range tests and second seeds counted). The searches' space holds every setting in which the starts "
        f"differ. Seeds, each with its own division of the images: {each}; {hours():.1f} CPU hours. By `python "
        "benchmarks/loop/walks.py` and `score.py`; what came of each walk and search stands in "
        "benchmarks/loop/results.jsonl.",
        "",
        *table(found),
        "",
        *goals(found),
        "",
        exploring(found),
        "",
    ]
    print("\n".join(lines))
    put(Path(__file__).parents[1] / "RESULTS.md", "\n".join(lines))


if __name__ == "__main__":
    main()
