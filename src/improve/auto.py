"""The loop: train, diagnose, change one thing, train again; what is better beyond seed noise is kept."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from improve import npzfile, resume, run, train, yamlfile
from improve.diagnose import diagnose
from improve.errors import ImproveError, visible
from improve.lazy import np
from improve.lock import locked
from improve.paired import Paired, paired, wrong
from improve.proposals import Proposal, edited, proposals, steps_aside
from improve.recipes import Block, probability
from improve.run import Run
from improve.spec import Spec
from improve.specfile import load as load_spec
from improve.story import DROPPED, FAILED, KEPT, Step, Story, came_true, read
from improve.trust import Trust

CLEAR = 0.999  # P(better) from which on one seed is enough
HOPE = 0.8  # below it a second seed is not worth its epochs
SURE = 0.95  # P(better) that two seeds of each must reach together; so must one, where there is no budget for two
SECOND = "-seed1"
FAILURES = 3  # in a row
DONE = ("finished", "diverged", "failed")


class Watcher(train.Watcher, Protocol):
    """Told of what is begun and decided as well."""

    def begun(self, story: Story, step: Step) -> None: ...
    def decided(self, story: Story, step: Step) -> None: ...


class StoppedError(Exception):
    """Somebody pressed Ctrl+C, or the system wants to stop: it goes on from here another time."""

    def __init__(self, folder: Path, by: str):
        super().__init__(f"{folder} was stopped")
        self.folder, self.by = folder, by


class Budget(NamedTuple):
    """One of the three is given. `began`: on this process's monotonic clock."""

    epochs: int | None = None
    minutes: float | None = None
    trials: int | None = None
    began: float = 0.0

    def left(self, story: Story) -> int:
        """Epochs that may still be trained."""
        if self.epochs is not None:
            return max(0, self.epochs - story.epochs)
        if self.trials is not None:
            return 10**9 if len(list(story.runs())) < self.trials else 0
        return max(0, int(self.seconds_left(story) / max(story.seconds_per_epoch, 1e-3)))

    def seconds_left(self, story: Story) -> float:
        """What was trained before this process began counts with its own seconds."""
        assert self.minutes is not None
        return 60 * self.minutes - max(story.seconds, time.monotonic() - self.began)


def auto(spec: Spec, name: str, runs: Path, budget: Budget, watcher: Watcher) -> Story:
    """Improve `spec` into a folder under `runs`; one that was begun with this spec goes on. Raises StoppedError."""
    folder = folder_for(spec, run.checked_name(name), run.writable(runs))
    with locked(folder):
        story = read(folder)
        clock = Clock(watcher, budget, story)
        step = story.in_hand or first(story) or next_step(story, budget, spec.seed)
        while step is not None:
            step = story.write(step)
            watcher.begun(story, step)
            decided = story.write(decide(story, step, budget, clock))
            watcher.decided(story, decided)
            give_up(story)
            step = next_step(story, budget, spec.seed)
    return story


def give_up(story: Story) -> None:
    """Raises ImproveError where the last three failed: the fourth would, too."""
    last = story.decided[-FAILURES:]
    if len(last) == FAILURES and all(step.verdict == FAILED for step in last):
        why = "; ".join(dict.fromkeys(step.why for step in last))
        raise ImproveError(
            f"the last {FAILURES} runs in {story.folder} failed: {why}", fix="improve diagnose the start"
        )


class Clock:
    """A watcher that ends the run in hand, after its epoch, when the minutes are over."""

    def __init__(self, watcher: Watcher, budget: Budget, story: Story):
        self.watcher, self.budget, self.story, self.over = watcher, budget, story, False
        self.reading, self.started, self.step = watcher.reading, watcher.started, watcher.step

    def epoch(self, row: dict[str, Any], best: int) -> None:
        self.watcher.epoch(row, best)
        if self.budget.minutes is not None and self.budget.seconds_left(self.story) <= 0:
            self.over = True
            signal.raise_signal(signal.SIGTERM)


def folder_for(spec: Spec, name: str, runs: Path) -> Path:
    """The folder of this name, where it was begun with this spec; else one that is new."""
    text, number = yamlfile.write(spec.complete()), 1
    while True:
        folder = runs / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
            run.write_text(folder / "start.yaml", text)
            if spec.model.code:
                run.bring_code(spec.model.code, folder)
            return folder
        except FileExistsError:
            if (folder / "start.yaml").is_file() and (folder / "start.yaml").read_text(encoding="utf-8") == text:
                return folder
        number += 1


def first(story: Story) -> Step | None:
    return None if story.steps else Step(story.next_name(), title="the start")


def next_step(story: Story, budget: Budget, seed: int) -> Step | None:
    """The change with the best expected gain per epoch; a step to the side where nothing is found; None at the end."""
    left = budget.left(story)
    if story.best is None or left <= 0:
        return None
    best, tried = story.load(story.best), story.digests()
    found: Sequence[Proposal] = []
    with contextlib.suppress(ImproveError):  # it may have ended before its first epoch did, and nobody can say why
        found = proposals(diagnose(best), Trust(came_true(story.folder.parent)), tried, left)
    found = found or steps_aside(best.spec, seed + len(story.steps), tried, left)
    return begun(story, found[0]) if found else None


def begun(story: Story, proposal: Proposal) -> Step:
    name = story.next_name()
    return Step(name, story.best, proposal.code, proposal.title, proposal.edits, proposal.because, proposal.expected)


def decide(story: Story, step: Step, budget: Budget, clock: Clock) -> Step:
    """Train the step's run and weigh it against its parent."""
    made = trained(story, step.run, spec_of(story, step), clock)
    if step.parent is None:
        return replace(step, verdict=KEPT)
    if made.status == "failed" or "validation" not in made.summary:
        return replace(step, verdict=FAILED, why=str(made.summary.get("error", made.status)))
    parent = story.load(step.parent)
    if "validation" not in parent.summary:
        return replace(step, verdict=KEPT, why="its parent had no result at all")
    return weigh(story, step, [made], [parent], budget, clock)


def weigh(story: Story, step: Step, made: list[Run], parents: list[Run], budget: Budget, clock: Clock) -> Step:
    """Kept where it is better beyond the noise of images and seeds; in doubt a second seed of each decides."""
    seen, better = against(made, parents)
    cost = sum(int(runs[0].spec["training"]["epochs"]) for runs in (made, parents) if len(runs) == 1)
    doubtful = HOPE <= better < CLEAR and len(made) == 1
    if doubtful and (cost <= budget.left(story)):
        one, other = ([*runs, second(story, runs[0], clock)] for runs in (made, parents))
        if "validation" in one[1].summary and "validation" in other[1].summary:
            return weigh(story, step, one, other, budget, clock)
    verdict = KEPT if better >= SURE else DROPPED
    return replace(
        step, verdict=verdict, seeds=len(made), recovered=-seen.value, low=-seen.high, high=-seen.low, better=better
    )


def against(made: Sequence[Run], parents: Sequence[Run]) -> tuple[Paired, float]:
    """The difference of the first seeds on the same images, and the probability that the recipe is the better one."""
    one, other = ([missed(each) for each in runs] for runs in (made, parents))
    block: Block = (np.stack(one), np.stack(other))
    return paired(one[0], other[0]), probability([block])


def missed(one: Run) -> Any:
    """Which validation images (n,) a run gets wrong. Raises ImproveError where that is not to be had."""
    try:
        return wrong(npzfile.load(one.folder / "predictions" / "validation.npz"))[1]
    except (*npzfile.DAMAGED, KeyError) as error:
        fix = "remove that folder: it is trained again"
        raise ImproveError(f"{one.folder} has lost its predictions: {error}", fix=fix) from error


def second(story: Story, one: Run, clock: Clock) -> Run:
    """The same recipe once more, from other weights, in another order, on the same division of the images."""
    spec = load_spec(one.folder / "spec.yaml", [])
    data = spec.data.model_copy(update={"split_seed": spec.split_seed})
    other = spec.model_copy(update={"seed": (spec.seed + 1) % 2**31, "data": data})
    return trained(story, one.name + SECOND, other, clock)


def spec_of(story: Story, step: Step) -> Spec:
    """Written beside the runs, with its reason: it can be trained by hand."""
    if step.parent is None:
        return load_spec(story.folder / "start.yaml", [])
    made = edited(story.load(step.parent).spec, step.edits)
    assert made is not None, "a step was begun whose spec is not valid"
    file = story.folder / f"{step.run}.yaml"
    run.write_text(file, f"# {visible(f'{step.code} {step.title}: {step.because}')}\n{yamlfile.write(made)}")
    return load_spec(file, [])


def trained(story: Story, name: str, spec: Spec, clock: Clock) -> Run:
    """The run of this name, from where it stands. Raises StoppedError where somebody stops it."""
    folder = story.folder / name
    if folder.is_dir() and not (folder / "summary.json").is_file():
        shutil.rmtree(folder)  # killed while it was made
    try:
        if not folder.exists():
            train.train(spec, name, story.folder, clock)
        elif run.load(folder).status not in DONE:
            resume.resume(folder, [], clock)
    except ImproveError:
        if not (folder / "summary.json").is_file() or run.load(folder).status != "failed":
            raise
    made = run.load(folder)
    if made.status == "stopped" and not clock.over:
        raise StoppedError(story.folder, str(made.summary.get("signal", "SIGINT")))
    return made
