"""The loop with trainings: from a rate that is far too low to one that works, stopped and gone on."""

import json

import pytest

from improve.engine.training import train
from improve.experiments.auto.budget import Budget
from improve.experiments.auto.conclusion import conclusion_of
from improve.experiments.auto.journal import KEPT
from improve.experiments.auto.loop import AutoWatcher, auto
from improve.interrupt import BrokenOff
from improve.runs.run import load_run
from improve.spec.reading.load import load_spec

pytestmark = pytest.mark.trains

BUDGET = Budget(epochs=22)
SLOW = """\
data: {source: digits}
model: {name: mlp, hidden: [16]}
optimizer: {name: adam, learning_rate: 1e-5}
training: {epochs: 5, batch_size: 64}
diagnosis: {human_error: 0.2%}
"""


class StopsAt(AutoWatcher):
    """Somebody presses Ctrl+C in this epoch of the run with this name."""

    def __init__(self, name, epoch):
        self.name, self.at, self.folder = name, epoch, None

    def started(self, folder, *_):
        self.folder = folder

    def epoch(self, row, best):
        import signal

        if self.folder.name == self.name and row["epoch"] == self.at:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    root = tmp_path_factory.mktemp("auto")
    (root / "slow.yaml").write_text(SLOW)
    spec = load_spec(root / "slow.yaml", [])
    return spec, auto(spec, "whole", root / "runs", BUDGET, AutoWatcher())


@pytest.mark.backend
def test_a_rate_that_is_far_too_low_is_mended_first_and_the_budget_is_kept(walked):
    _, story = walked
    first = story.decided[1]
    assert (first.code, first.path, first.verdict) == ("T2", "optimizer.learning_rate", KEPT)
    assert first.recovered > 0.3
    assert story.epochs <= BUDGET.epochs
    end = conclusion_of(story)
    assert end.best.summary.validation.error < load_run(story.folder / "00").summary.validation.error - 0.3
    assert end.best.has_test


def test_the_test_part_is_opened_once_and_for_the_winner_only(walked):
    _, story = walked
    conclusion_of(story)
    conclusion_of(story)
    lines = (story.folder / ".evaluations.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines if ",test," in line] == [story.winner.run]


@pytest.mark.backend
def test_the_spec_it_leaves_trains_to_the_same_result(walked, tmp_path):
    _, story = walked
    end = conclusion_of(story)
    again = train.train(load_spec(story.folder / "best.yaml", []), "again", tmp_path, AutoWatcher())
    assert load_run(again).summary.state_sha256 == end.best.summary.state_sha256


@pytest.mark.backend
def test_stopped_and_begun_again_it_tells_the_same_story(walked, tmp_path):
    spec, story = walked
    with pytest.raises(BrokenOff) as stop:
        auto(spec, "whole", tmp_path, BUDGET, StopsAt("01", 2))
    assert stop.value.__notes__ == [f"the same command goes on from here: {tmp_path / 'whole'}"]
    assert load_run(tmp_path / "whole" / "01").status == "stopped"
    again = auto(spec, "whole", tmp_path, BUDGET, AutoWatcher())
    assert [vars(step) for step in again.steps] == [vars(step) for step in story.steps]


def test_more_budget_goes_on_where_it_ended(walked):
    spec, story = walked
    before = [step.run for step in story.steps]
    more = auto(spec, "whole", story.folder.parent, Budget(epochs=story.epochs + 5), AutoWatcher())
    assert [step.run for step in more.steps][: len(before)] == before
    assert more.epochs <= story.epochs + 5
    assert all(json.loads(line) for line in (story.folder / "steps.jsonl").read_text().splitlines())


def test_where_nothing_is_found_candidates_race_and_a_stop_in_the_race_changes_nothing(
    write_spec, tmp_path, monkeypatch
):
    monkeypatch.setattr("improve.experiments.auto.loop.advised", lambda *_: [])
    spec, budget = (
        load_spec(write_spec(SLOW), ["optimizer.learning_rate=0.003", "training.epochs=4", "evidence=light"]),
        Budget(epochs=12),
    )
    with pytest.raises(BrokenOff):
        auto(spec, "raced", tmp_path, budget, StopsAt("02", 1))
    story = auto(spec, "raced", tmp_path, budget, AutoWatcher())
    raced = story.steps[1:]
    assert ([step.bracket for step in raced], story.epochs) == ([4] * 4, 12)
    assert sorted(len(load_run(story.folder / step.run).history) for step in raced) == [1, 1, 2, 4]
    assert [step.why for step in raced if step.better is None].count("behind after 1 of 4 epochs") == 2
    whole = auto(spec, "raced", tmp_path / "whole", budget, AutoWatcher())
    assert [vars(step) for step in whole.steps] == [vars(step) for step in story.steps]
