"""A sweep: a folder of runs, one for each point and seed. What is trained already is not trained again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from types import FrameType
from typing import Any, NamedTuple

from improve.errors import ImproveError
from improve.experiments.sweep.folder import write_plan
from improve.experiments.sweep.local_trials import LocalTrials
from improve.experiments.sweep.plan import Plan, Trial
from improve.experiments.sweep.search import Search, search
from improve.experiments.sweep.trials import NOBODY, SweepWatcher, Trials
from improve.interrupt import SIGNALS, BrokenOff
from improve.runs import begin, run
from improve.runs.begin import free_name, same_code
from improve.runs.lock import folder_lock
from improve.runs.run import Run
from improve.spec.identity import identity
from improve.spec.spec import Spec

ALIKE = 3  # trials in a row that fail with the same cause: the next ones would
WORST = 1.0  # the error of a run that diverged before its first epoch ended


@dataclass(frozen=True)
class Result:
    """What became of a trial: its runs, one per seed; `status` finished, diverged, pruned or failed; the mean
    validation error over the runs, where there is one; `cause` of a failure, or why it was pruned."""

    trial: Trial
    runs: tuple[Run, ...]
    status: str
    error: float | None
    cause: str = ""

    @property
    def values(self) -> tuple[Any, ...]:
        return self.trial.point.values


class TrialRun(NamedTuple):
    """One run that a trial needs."""

    trial: Trial
    name: str
    spec: Spec

    @property
    def key(self) -> str:
        return identity(self.spec.complete())


def sweep(
    plan: Plan,
    folder: Path,
    watcher: SweepWatcher = NOBODY,
    trials: Callable[[Path, SweepWatcher], Trials] = LocalTrials,
) -> list[Result]:
    """Train what is missing of a plan in `folder`; `trials` makes what trains it: a process beside this one, unless
    given.

    Raises UsageError, with nothing started, where the folder holds something else.
    """
    asked = search(plan)
    folder = begin.writable(folder)
    with folder_lock(folder):
        write_plan(plan, folder)
        place = trials(folder, watcher)
        walker = Sweep(folder, asked, plan.seeds, place, watcher)
        if plan.search == "hyperband":
            place.judge = walker.judge
        try:
            return walker.walk()
        finally:
            place.close()


class Sweep:
    """Walks through what a search asks for. `known`: the runs of the folder, `failed`: why there is none."""

    def __init__(self, folder: Path, search: Search, seeds: int, trials: Trials, watcher: SweepWatcher):
        self.folder, self.search, self.seeds, self.trials, self.watcher = folder, search, seeds, trials, watcher
        self.known = runs_by_spec(folder)
        self.failed: dict[str, str] = {}
        self.alike: list[str] = []
        self.told: set[str] = set()
        self.members: dict[str, TrialRun] = {}  # by the name of the run

    def walk(self) -> list[Result]:
        """All trials. Raises BrokenOff, and ImproveError where one trial after another fails alike."""
        results = []
        with stopping(self.trials) as pressed:
            while asked := self.search.ask(self.trials.at_once):
                self.train([trial for trial in asked if not trial.point.wrong])
                if pressed:
                    done = f"{len(self.told)} of {self.search.total * self.seeds} runs are done"
                    raise BrokenOff(signal.Signals(pressed[0]), f"{done}; the same command goes on")
                for trial in asked:
                    result = self.result(trial)
                    self.search.tell(trial, merit(result), result.status == "pruned")
                    results.append(result)
        return results

    def train(self, asked: Sequence[Trial]) -> None:
        """What is missing of these trials."""
        for member in self.wanted(asked):
            before = self.known.get(member.key)
            if before is not None and not same_code(before.folder, member.spec):
                before = None
            if before is not None and self.over(member, before):
                self.tell(member, before)
                continue
            named = member._replace(name=before.name if before else self.free(member.name))
            self.members[named.name] = named
            self.trials.submit(named.name, member.spec)
        for name, outcome in self.trials.finished():
            self.take(self.members[name], outcome)

    def wanted(self, asked: Sequence[Trial]) -> list[TrialRun]:
        """The runs of these trials, those with equal specs once."""
        members = [member for trial in asked for member in self.members_of(trial)]
        return [*{member.key: member for member in reversed(members)}.values()][::-1]

    def members_of(self, trial: Trial) -> Iterator[TrialRun]:
        spec = trial.point.spec
        for seed in range(spec.seed, spec.seed + self.seeds):
            yield TrialRun(trial, f"{trial.name}-seed{seed}", spec.model_copy(update={"seed": seed}))

    def over(self, member: TrialRun, made: Run) -> bool:
        """Whether there is nothing left to train; the judge hears of what was trained before."""
        reasons = [self.search.judge(member.trial, row) for row in made.history]
        if made.is_over:
            return True
        reason = next(filter(None, reasons), "")
        if reason:  # it was killed between that and writing it down
            run.update_summary(made.folder, {"status": "stopped", "stopped_because": reason})
            self.known[member.key] = run.load_run(made.folder)
        return bool(reason)

    def free(self, name: str) -> str:
        """A name that no other spec's run has taken: the space was another one, perhaps."""
        return free_name(name, {run.name for run in self.known.values()} | self.members.keys())

    def take(self, member: TrialRun, outcome: Path | ImproveError) -> None:
        """A run that is at its end, or a failure; one that was stopped waits for the next time."""
        made = run.load_run(outcome) if isinstance(outcome, Path) else outcome
        if isinstance(made, Run):
            self.known[member.key] = made
            if not made.is_over:
                return
        else:
            self.failed[member.key] = cause(made, member.name)
        self.tell(member, made)
        self.check_alike(member, made)

    def tell(self, member: TrialRun, made: Run | ImproveError) -> None:
        if member.key not in self.told:
            self.told.add(member.key)
            self.watcher.member(len(self.told), self.search.total * self.seeds, member.name, made)

    def check_alike(self, member: TrialRun, made: Run | ImproveError) -> None:
        """Raises ImproveError where the last few failed with the same cause."""
        if isinstance(made, Run):
            self.alike = []
            return
        self.alike.append(cause(made, member.name))
        last = self.alike[-ALIKE:]
        if len(last) == ALIKE and len(set(last)) == 1:
            raise ImproveError(f"{ALIKE} trials in a row failed alike: {last[0]}", made.where, made.fix)

    def judge(self, name: str, row: dict[str, Any]) -> str:
        return self.search.judge(self.members[name].trial, row)

    def result(self, trial: Trial) -> Result:
        """The trial's runs together."""
        keys = [member.key for member in self.members_of(trial)]
        failures = [self.failed[key] for key in keys if key in self.failed]
        runs = tuple(self.known[key] for key in keys if key in self.known and self.known[key].is_over)
        errors = [made.summary.validation.error for made in runs if made.summary.validation]
        error = fmean(errors) if len(errors) == len(keys) else None
        if trial.point.wrong or failures or len(runs) < len(keys):
            return Result(trial, runs, "failed", None, trial.point.wrong or [*failures, "it was stopped"][0])
        reason = next((why for made in runs if (why := made.stop_reason)), "")
        diverged = any(made.status == "diverged" for made in runs)
        status = "diverged" if diverged else "pruned" if reason else "finished"
        return Result(trial, runs, status, error, reason)


def runs_by_spec(folder: Path) -> dict[str, Run]:
    """The runs of a folder by their specs; of several with the same one, the one that got furthest."""
    runs = dict[str, Run]()
    for place in sorted(folder.iterdir()):
        try:
            made = run.load_run(place)
        except ImproveError:  # no run, or a damaged one: it is trained anew
            continue
        before = runs.get(identity(made.spec))
        if before is None or (made.is_over, len(made.history)) > (before.is_over, len(before.history)):
            runs[identity(made.spec)] = made
    return runs


def merit(result: Result) -> float | None:
    """What a search is told: a trial that diverged is as bad as can be, one that failed says nothing."""
    return WORST if result.status == "diverged" else None if result.status == "failed" else result.error


def cause(error: ImproveError, name: str) -> str:
    """What went wrong, without the name of the run it went wrong in."""
    return error.what.replace(name, "…")


@contextmanager
def stopping(trials: Trials) -> Iterator[list[int]]:
    """While inside, SIGINT and SIGTERM are passed on to the trials; the third one breaks off. Gives those that came."""
    pressed: list[int] = []

    def press(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        if len(pressed) > 2:
            raise BrokenOff(signal.Signals(number))
        trials.stop(number)

    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = {number: signal.signal(number, press) for number in SIGNALS}
    try:
        yield pressed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
