"""A walk of `improve auto` and its runs, as far as they can be read: what a page of it rests on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from improve.diagnosis.diagnose import Diagnosis, diagnose
from improve.errors import ImproveError
from improve.experiments.auto.advice_prior import AdvicePrior
from improve.experiments.auto.journal import (
    FILE,
    KEPT,
    AutoStep,
    Journal,
    advice_tallies,
)
from improve.experiments.auto.proposals import Proposal, proposals
from improve.runs import ledger
from improve.runs.run import Run
from improve.statistics.paired import Paired, paired_comparison

START, BEST = "the start", "the best"
PLENTY = 10**9  # epochs: a budget that anything fits


def is_auto_folder(folder: Path) -> bool:
    """Whether `improve auto` has made the folder."""
    return all(os.path.isfile(folder / name) for name in (FILE, "start.yaml"))


class Place(NamedTuple):
    """A step, and how many changes lie between the start and it."""

    step: AutoStep
    depth: int


class Advice(NamedTuple):
    """What became of one finding's changes. `expected` and `recovered`: means, as shares of the images; nobody expects
    anything of what was explored."""

    code: str
    title: str
    tried: int
    true: int
    expected: float | None
    recovered: float | None


@dataclass(frozen=True)
class AutoView:
    """The best is the winner's run."""

    journal: Journal

    @cached_property
    def runs(self) -> dict[str, Run]:
        return {one.name: one for one in self.journal.runs()}

    @property
    def start(self) -> Run | None:
        return self.runs.get(next((step.run for step in self.journal.steps if step.parent is None), ""))

    @property
    def best(self) -> Run | None:
        return self.runs.get(self.journal.winner.run) if self.journal.winner else None

    @property
    def ends(self) -> dict[str, Path]:
        """The folders of the start and the best, whether they can be read or not; one where they are the same."""
        first = next((step.run for step in self.journal.steps if step.parent is None), None)
        last = self.journal.winner.run if self.journal.winner else None
        named = {BEST: first} if first == last else {START: first, BEST: last}
        return {name: self.journal.folder / run for name, run in named.items() if run is not None}

    @property
    def tried(self) -> list[AutoStep]:
        return [step for step in self.journal.decided if step.parent is not None]

    @property
    def kept(self) -> int:
        return sum(step.verdict == KEPT for step in self.tried)

    @property
    def epochs(self) -> int:
        """Spent in all, range tests counted."""
        runs = sum(int(one.summary.epochs) for one in self.runs.values())
        return runs + sum(step.spent for step in self.journal.steps)

    @property
    def seconds(self) -> float:
        return sum(float(one.summary.seconds or 0) for one in self.runs.values())

    @property
    def opened(self) -> int:
        """The number of experiments for which the test part was opened; at the end of a walk it is, for the best."""
        digest = self.best.fingerprint.get("test") if self.best and self.best.has_test else None
        return ledger.tried(self.journal.folder, "test", digest) if digest else 0

    @cached_property
    def diagnosis(self) -> Diagnosis | None:
        """The diagnosis of the run kept last, from which the loop would go on; None where it has no result."""
        try:
            return diagnose(self.journal.load(self.journal.best)) if self.journal.best else None
        except ImproveError:
            return None

    @property
    def lost(self) -> list[str]:
        """Runs that were decided on and cannot be read."""
        return [step.run for step in self.journal.decided if step.run not in self.runs]


def epochs_spent(view: AutoView) -> dict[str, int]:
    """How many epochs were spent in all when each run ended, by run, the range test before it counted: in the order in
    which they were begun, or gone on with last."""
    total, found = 0, {}
    before = {step.run: step.spent for step in view.journal.steps}
    for one in sorted(view.runs.values(), key=lambda one: (str(one.summary.since or ""), one.name)):
        total += int(one.summary.epochs) + before.get(one.name, 0)
        found[one.name] = total
    return found


def step_tree(journal: Journal) -> Iterator[Place]:
    """Each step below the one that it changes; one whose parent does not stand before it is a root."""
    below: dict[str | None, list[AutoStep]] = {None: []}
    for step in journal.steps:
        below[step.parent if step.parent in below else None].append(step)
        below[step.run] = []
    waiting = [Place(step, 0) for step in reversed(below[None])]
    while waiting:
        place = waiting.pop()
        waiting += [Place(step, place.depth + 1) for step in reversed(below[place.step.run])]
        yield place


def advice_by_finding(view: AutoView) -> list[Advice]:
    """What became of the advice, by finding, the most tried first; what no finding had proposed comes last."""
    groups: dict[str, list[AutoStep]] = {}
    for step in view.tried:
        groups.setdefault(step.code, []).append(step)
    found = [advice_of(code, steps) for code, steps in groups.items()]
    return sorted(found, key=lambda one: (not one.code, -one.tried, one.code))


def advice_of(code: str, steps: list[AutoStep]) -> Advice:
    won = [step.recovered for step in steps if step.recovered is not None]
    return Advice(
        code,
        steps[0].title,
        len(steps),
        sum(step.verdict == KEPT for step in steps),
        sum(step.expected for step in steps) / len(steps) if code else None,
        sum(won) / len(won) if won else None,
    )


def untried_proposals(view: AutoView) -> list[Proposal]:
    """What is found in the run kept last and was not tried: it did not fit the budget any more."""
    if view.diagnosis is None:
        return []
    return proposals(
        view.diagnosis, AdvicePrior(advice_tallies(view.journal.folder.parent)), view.journal.tried, PLENTY
    )


def difference_from_start(view: AutoView) -> Paired | None:
    """The best's error − the start's, image by image; None where that cannot be told."""
    if view.best is None or view.start is None or view.best is view.start:
        return None
    best, start = (run.evidence.best("validation") for run in (view.best, view.start))
    if best is None or start is None:
        return None
    first, second = best.wrong_by_id, start.wrong_by_id
    return paired_comparison(first[1], second[1]) if first[0].tolist() == second[0].tolist() else None
