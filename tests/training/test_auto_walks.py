"""The loop with trainings: from a rate that is far too low to one that works, stopped and gone on."""

import json

import pytest

from improve import train
from improve.auto import auto
from improve.ending import ending
from improve.run import load
from improve.specfile import load as load_spec
from improve.story import KEPT
from improve.walk import Budget, StoppedError

pytestmark = pytest.mark.trains

SLOW = """\
data: {source: digits}
model: {name: mlp, hidden: [16]}
optimizer: {name: adam, learning_rate: 1e-5}
training: {epochs: 5, batch_size: 64}
diagnosis: {human_error: 0.2%}
"""


class Quiet:
    def reading(self, *_): ...
    def started(self, *_): ...
    def step(self, *_): ...
    def epoch(self, *_): ...
    def begun(self, *_): ...
    def decided(self, *_): ...


class StopsAt(Quiet):
    """Somebody presses Ctrl+C in an epoch of the run with this name."""

    def __init__(self, name):
        self.name, self.folder = name, None

    def started(self, folder, *_):
        self.folder = folder

    def epoch(self, row, best):
        import signal

        if self.folder.name == self.name and row["epoch"] == 2:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    root = tmp_path_factory.mktemp("auto")
    (root / "slow.yaml").write_text(SLOW)
    spec = load_spec(root / "slow.yaml", [])
    return spec, auto(spec, "whole", root / "runs", Budget(epochs=22), Quiet())


def test_a_rate_that_is_far_too_low_is_mended_first_and_the_budget_is_kept(walked):
    _, story = walked
    first = story.decided[1]
    assert (first.code, first.path, first.verdict) == ("T2", "optimizer.learning_rate", KEPT)
    assert first.recovered > 0.3
    assert story.epochs <= 22
    end = ending(story)
    assert end.best.summary["validation"]["error"] < load(story.folder / "00").summary["validation"]["error"] - 0.3
    assert "test" in end.best.summary


def test_the_test_part_is_opened_once_and_for_the_winner_only(walked):
    _, story = walked
    ending(story)
    ending(story)
    lines = (story.folder / ".evaluations.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines if ",test," in line] == [story.best]


def test_the_spec_it_leaves_trains_to_the_same_result(walked, tmp_path):
    _, story = walked
    end = ending(story)
    again = train.train(load_spec(story.folder / "best.yaml", []), "again", tmp_path, Quiet())
    assert load(again).summary["state_sha256"] == end.best.summary["state_sha256"]


def test_stopped_and_begun_again_it_tells_the_same_story(walked, tmp_path):
    spec, story = walked
    with pytest.raises(StoppedError):
        auto(spec, "whole", tmp_path, Budget(epochs=22), StopsAt("01"))
    assert load(tmp_path / "whole" / "01").status == "stopped"
    again = auto(spec, "whole", tmp_path, Budget(epochs=22), Quiet())
    assert [vars(step) for step in again.steps] == [vars(step) for step in story.steps]


def test_more_budget_goes_on_where_it_ended(walked):
    spec, story = walked
    before = [step.run for step in story.steps]
    more = auto(spec, "whole", story.folder.parent, Budget(epochs=story.epochs + 5), Quiet())
    assert [step.run for step in more.steps][: len(before)] == before
    assert more.epochs <= story.epochs + 5
    assert all(json.loads(line) for line in (story.folder / "steps.jsonl").read_text().splitlines())
