"""What the training tests share."""

import pytest

from improve import run
from improve.specfile import load
from improve.train import train


class Silent:
    """A watcher that says nothing."""

    def reading(self, *arguments):
        pass

    def started(self, *arguments):
        pass

    def step(self, *arguments):
        pass

    def epoch(self, *arguments):
        pass


@pytest.fixture
def silent():
    return Silent


@pytest.fixture
def fit(write_spec, tmp_path):
    """Train YAML with overrides; gives the loaded run."""

    def fit_it(text, *overrides, name="r"):
        return run.load(train(load(write_spec(text), list(overrides)), name, tmp_path / "runs", Silent()))

    return fit_it
