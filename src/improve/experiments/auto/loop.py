"""The loop: train, diagnose, change one thing, train again; what is better beyond seed noise is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from improve.diagnosis.diagnose import diagnose
from improve.engine.training.watcher import Watcher
from improve.errors import ImproveError, visible
from improve.experiments.auto import successive_halving as race
from improve.experiments.auto.accept import behind_half_way, weigh
from improve.experiments.auto.advice_prior import Trust
from improve.experiments.auto.budget import Budget, BudgetWatcher, trained
from improve.experiments.auto.explore import exploring
from improve.experiments.auto.journal import FAILED, KEPT, Step, Story, Tried, came_true, read
from improve.experiments.auto.proposals import Proposal, edited, guesses, proposals
from improve.experiments.auto.rate_check import probed
from improve.interrupt import goes_on
from improve.runs import files, run
from improve.runs.begin import names
from improve.runs.lock import locked
from improve.runs.run import Run
from improve.spec.reading import yaml as yamlfile
from improve.spec.reading.load import load_spec
from improve.spec.spec import Spec

FAILURES = 3  # in a row
EXPLORED = 0.06  # changes kept in as many epochs as one run takes, where points are explored (benchmarks/RESULTS.md)


class AutoWatcher(Watcher):
    """Told of the steps of the loop as well."""

    def begun(self, story: Story, step: Step) -> None:
        """The run of this step is about to be trained."""

    def decided(self, story: Story, step: Step) -> None:
        """It is known whether this step is kept."""


NOBODY = AutoWatcher()  # watches


def auto(spec: Spec, name: str, runs: Path, budget: Budget, watcher: AutoWatcher = NOBODY) -> Story:
    """Improve `spec` into a folder under `runs`; one that was begun with this spec goes on."""
    folder = folder_for(spec, run.checked_name(name), run.writable(runs))
    with locked(folder), goes_on(f"the same command goes on from here: {folder}"):
        story = read(folder)
        clock = BudgetWatcher(watcher, budget, story)
        while steps := story.open or next_steps(story, budget, spec.seed, clock):
            for step in steps:
                watcher.begun(story, step)
            step, behind = race.race(story, steps, spec_of, clock)
            for decided in (*behind, story.write(decide(story, step, budget, clock))):
                watcher.decided(story, decided)
            give_up(story)
    return story


def give_up(story: Story) -> None:
    """Raises ImproveError where the last three failed: the fourth would, too."""
    last = story.decided[-FAILURES:]
    if len(last) == FAILURES and all(step.verdict == FAILED for step in last):
        why = "; ".join(dict.fromkeys(step.why for step in last))
        raise ImproveError(
            f"the last {FAILURES} runs in {story.folder} failed: {why}", fix="improve diagnose the start"
        )


def folder_for(spec: Spec, name: str, runs: Path) -> Path:
    """The folder of this name, where it was begun with this spec; else one that is new."""
    text = yamlfile.write(spec.complete())
    for candidate in names(name):
        folder = runs / candidate
        try:
            folder.mkdir()
            files.write_text(folder / "start.yaml", text)
            if spec.model.code:
                run.bring_code(spec.model.code, folder)
            return folder
        except FileExistsError:
            if (folder / "start.yaml").is_file() and (folder / "start.yaml").read_text(encoding="utf-8") == text:
                return folder
    raise AssertionError("names do not end")


def next_steps(story: Story, budget: Budget, seed: int, clock: BudgetWatcher) -> list[Step]:
    """The start; then the change with the best expected gain per epoch; where none is likely to pay, points around the
    best spec that race; none at the end. Written down."""
    if not story.steps:
        return story.write_all([Step(story.next_name(), title="the start")])
    left = budget.left(story)
    if story.best is None or left <= 0:
        return []
    best, tried = story.load(story.best), story.tried
    found = advised(story, best, tried, left)
    if found:
        step = begun(story, found[0])
        return story.write_all([probed(story, step, spec_of(story, step), left, clock)])
    wanted = race.affordable(left, int(best.spec["training"]["epochs"])) if budget.trials is None else 1
    points = exploring(best, list(story.runs()), seed + len(story.steps), tried, wanted) if wanted else []
    return story.write_all([begun(story, point, place, len(points)) for place, point in enumerate(points)])


def advised(story: Story, best: Run, tried: Tried, left: int) -> Sequence[Proposal]:
    """What the diagnosis of the best run proposes, and else what it suspects, where that is more likely to pay than
    exploring is."""
    length = int(best.spec["training"]["epochs"])
    with contextlib.suppress(ImproveError):  # it may have ended before its first epoch did, and nobody can say why
        asked = diagnose(best), Trust(came_true(story.folder.parent)), tried, left
        for proposed in (proposals, guesses):
            if found := [one for one in proposed(*asked) if one.chance * length >= EXPLORED * one.epochs]:
                return found
    return []


def begun(story: Story, proposal: Proposal, place: int = 0, bracket: int = 1) -> Step:
    return Step(
        story.next_name(place), story.best, proposal.code, proposal.title, proposal.edits, proposal.because,
        proposal.expected, bracket=bracket, change=proposal.change,
    )  # fmt: skip


def decide(story: Story, step: Step, budget: Budget, clock: BudgetWatcher) -> Step:
    """Train the step's run and weigh it against its parent."""
    spec = spec_of(story, step)
    if step.parent is None:
        trained(story, step.run, spec, clock)
        return replace(step, verdict=KEPT)
    parent = story.load(step.parent)
    if given_up := behind_half_way(story, step, spec, parent, clock):
        return given_up
    made = trained(story, step.run, spec, clock)
    if made.status == "failed" or not made.has_result:
        return replace(step, verdict=FAILED, why=str(made.summary.error or made.status))
    if not parent.has_result:
        return replace(step, verdict=KEPT, why="its parent had no result at all")
    return weigh(story, step, [made], [parent], budget, clock)


def spec_of(story: Story, step: Step) -> Spec:
    """Written beside the runs, with its reason: it can be trained by hand."""
    if step.parent is None:
        return load_spec(story.folder / "start.yaml", [])
    made = edited(story.load(step.parent).spec, step.edits)
    assert made is not None, "a step was begun whose spec is not valid"
    file = story.folder / f"{step.run}.yaml"
    files.write_text(file, f"# {visible(f'{step.code} {step.title}: {step.because}')}\n{yamlfile.write(made)}")
    return load_spec(file, [])
