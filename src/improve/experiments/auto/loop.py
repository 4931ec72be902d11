"""The loop: train, diagnose, change one thing, train again; what is better beyond seed noise is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from improve.diagnosis.diagnose import diagnose
from improve.engine.training.watcher import Watcher
from improve.errors import ImproveError, visible
from improve.experiments.auto.accept import behind_half_way, with_verdict
from improve.experiments.auto.advice_prior import AdvicePrior
from improve.experiments.auto.budget import Budget, BudgetWatcher
from improve.experiments.auto.explore import points_to_explore
from improve.experiments.auto.journal import FAILED, KEPT, AutoStep, Journal, Tried, advice_tallies, read_journal
from improve.experiments.auto.proposals import Proposal, edited_spec, proposals, suspected_proposals
from improve.experiments.auto.rate_check import with_tested_rate
from improve.experiments.auto.refutation import refuted_early
from improve.experiments.auto.successive_halving import affordable_count, successive_halving
from improve.experiments.paused_run import trained_run
from improve.interrupt import goes_on
from improve.runs import begin, files
from improve.runs.begin import names
from improve.runs.lock import folder_lock
from improve.runs.run import Run
from improve.spec.reading import yaml
from improve.spec.reading.load import load_spec
from improve.spec.spec import Spec

FAILURES = 3  # in a row
EXPLORED = 0.06  # changes kept in as many epochs as one run takes, where points are explored (benchmarks/RESULTS.md)


class AutoWatcher(Watcher):
    """Told of the steps of the loop as well."""

    def begun(self, journal: Journal, step: AutoStep) -> None:
        """The run of this step is about to be trained."""

    def decided(self, journal: Journal, step: AutoStep) -> None:
        """Told when it is known whether this step is kept."""


NOBODY = AutoWatcher()  # watches


def auto(spec: Spec, name: str, runs: Path, budget: Budget, watcher: AutoWatcher = NOBODY) -> Journal:
    """Improve `spec` into a folder under `runs`; one that was begun with this spec goes on."""
    folder = folder_for(spec, begin.checked_name(name), begin.writable(runs))
    with folder_lock(folder), goes_on(f"the same command goes on from here: {folder}"):
        journal = read_journal(folder)
        limited = BudgetWatcher(watcher, budget, journal)
        while steps := journal.open or next_steps(journal, budget, spec.seed, limited):
            for step in steps:
                watcher.begun(journal, step)
            step, behind = successive_halving(journal, steps, spec_of, limited)
            for decided in (*behind, journal.write(decide(journal, step, budget, limited))):
                watcher.decided(journal, decided)
            give_up(journal)
    return journal


def give_up(journal: Journal) -> None:
    """Raises ImproveError where the last three failed: the fourth would, too."""
    last = journal.decided[-FAILURES:]
    if len(last) == FAILURES and all(step.verdict == FAILED for step in last):
        why = "; ".join(dict.fromkeys(step.why for step in last))
        raise ImproveError(
            f"the last {FAILURES} runs in {journal.folder} failed: {why}", fix="improve diagnose the start"
        )


def folder_for(spec: Spec, name: str, runs: Path) -> Path:
    """The folder of this name, where it was begun with this spec; else one that is new."""
    text = yaml.write(spec.complete())
    for candidate in names(name):
        folder = runs / candidate
        try:
            folder.mkdir()
            files.write_text(folder / "start.yaml", text)
            if spec.model.code:
                begin.bring_code(spec.model.code, folder)
            return folder
        except FileExistsError:
            if (folder / "start.yaml").is_file() and (folder / "start.yaml").read_text(encoding="utf-8") == text:
                return folder
    raise AssertionError("names do not end")


def next_steps(journal: Journal, budget: Budget, seed: int, watcher: BudgetWatcher) -> list[AutoStep]:
    """The start; then the change with the best expected gain per epoch; where none is likely to pay, points around the
    best spec beside each other; none at the end. Written down."""
    if not journal.steps:
        return journal.write_all([AutoStep(journal.next_name(), title="the start")])
    left = budget.left(journal)
    if journal.best is None or left <= 0:
        return []
    best, tried = journal.load(journal.best), journal.tried
    found = advised(journal, best, tried, left)
    if found:
        step = proposed_step(journal, found[0])
        return journal.write_all([with_tested_rate(journal, step, spec_of(journal, step), left, watcher)])
    wanted = affordable_count(left, int(best.spec["training"]["epochs"])) if budget.trials is None else 1
    points = points_to_explore(best, list(journal.runs()), seed + len(journal.steps), tried, wanted) if wanted else []
    return journal.write_all([proposed_step(journal, point, place, len(points)) for place, point in enumerate(points)])


def advised(journal: Journal, best: Run, tried: Tried, left: int) -> Sequence[Proposal]:
    """What the diagnosis of the best run proposes, and else what it suspects, where that is more likely to pay than
    exploring is."""
    length = int(best.spec["training"]["epochs"])
    with contextlib.suppress(ImproveError):  # it may have ended before its first epoch did, and nobody can say why
        asked = diagnose(best), AdvicePrior(advice_tallies(journal.folder.parent)), tried, left
        for proposed in (proposals, suspected_proposals):
            if found := [one for one in proposed(*asked) if one.chance * length >= EXPLORED * one.epochs]:
                return found
    return []


def proposed_step(journal: Journal, proposal: Proposal, place: int = 0, bracket: int = 1) -> AutoStep:
    return AutoStep(
        journal.next_name(place),
        journal.best,
        proposal.code,
        proposal.title,
        proposal.edits,
        proposal.because,
        proposal.expected,
        bracket=bracket,
        change=proposal.change,
    )


def decide(journal: Journal, step: AutoStep, budget: Budget, watcher: BudgetWatcher) -> AutoStep:
    """Train the step's run and hold it against its parent."""
    spec = spec_of(journal, step)
    if step.parent is None:
        trained_run(journal.folder, step.run, spec, watcher)
        return replace(step, verdict=KEPT)
    parent = journal.load(step.parent)
    if given_up := refuted_early(journal, step, spec, parent, watcher) or behind_half_way(
        journal, step, spec, parent, watcher
    ):
        return given_up
    made = trained_run(journal.folder, step.run, spec, watcher)
    if made.status == "failed" or not made.has_result:
        return replace(step, verdict=FAILED, why=str(made.summary.error or made.status))
    if not parent.has_result:
        return replace(step, verdict=KEPT, why="its parent had no result at all")
    return with_verdict(journal, step, [made], [parent], budget, watcher)


def spec_of(journal: Journal, step: AutoStep) -> Spec:
    """Written beside the runs, with its reason: it can be trained by hand."""
    if step.parent is None:
        return load_spec(journal.folder / "start.yaml", [])
    parent = journal.load(step.parent)
    made = edited_spec(parent.spec, step.edits, parent.folder)
    assert made is not None, "a step was begun whose spec is not valid"
    file = journal.folder / f"{step.run}.yaml"
    files.write_text(file, f"# {visible(f'{step.code} {step.title}: {step.because}')}\n{yaml.write(made)}")
    return load_spec(file, [])
