"""Quick tests first, and none of them may load Keras."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from improve import cli
from improve.engine.training.train import train
from improve.engine.training.watcher import Watcher
from improve.experiments.auto.journal import AutoStep, Journal
from improve.runs.run import Run, load_run
from improve.spec.reading import yaml as yamlfile
from improve.spec.reading.load import load_spec
from run_folder import MLP, part, write_run, wrong_on

CONFIGS = Path(__file__).parent.parent / "configs"
FIXTURES = Path(__file__).parent / "fixtures"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    assert "keras" not in sys.modules, "Keras was imported while the tests were collected"
    items.sort(key=lambda item: any(item.get_closest_marker(name) for name in ("trains", "slow")))


@pytest.fixture(autouse=True)
def _quick_tests_leave_keras_alone(request: pytest.FixtureRequest):
    before = "keras" in sys.modules
    yield
    if not any(request.node.get_closest_marker(name) for name in ("trains", "slow")):
        assert before or "keras" not in sys.modules, "a quick test has imported Keras; mark it @pytest.mark.trains"


@pytest.fixture(autouse=True)
def _no_data_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMPROVE_DATA", raising=False)


@pytest.fixture
def write_spec(tmp_path: Path):
    """Write YAML to a file and return its path."""

    def write(text: str, name: str = "spec.yaml") -> Path:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.fixture
def make_run(tmp_path: Path):
    """A run folder with the given errors, as `train` leaves it, without training."""
    return partial(write_run, tmp_path / "runs")


@pytest.fixture
def walk(make_run):
    """What `improve auto` leaves of four steps: the start, a rate that is kept on two seeds, a dropout that is not, one
    that failed. 5 epochs each; the test errors are two points above."""

    def made(name: str, error: float, second: int, spec: dict[str, Any]) -> Run:
        evidence = {"data": {"fingerprint": {"validation": "a", "test": "b"}}}
        more = {"test": part(error + 0.02, 359), "since": f"2026-01-01T00:00:0{second}+00:00"}
        run = make_run(name, error / 2, error, spec={**MLP, **spec}, history=[0.5] * 5, evidence=evidence, **more)
        wrong_on(run, round(1000 * error))
        return run

    start = made("00", 0.40, 0, {})
    made("01", 0.10, 1, {"optimizer": {"name": "adam", "learning_rate": 0.01}})
    made("01-seed1", 0.11, 2, {"seed": 1})
    made("02", 0.15, 3, {"regularization": {"dropout": 0.5}})
    story = Journal(start.folder.parent)
    (story.folder / "start.yaml").write_text(yamlfile.write(start.spec))
    better = 0.3, 0.25, 0.34, 1.0, 2
    rate, drop = (("optimizer.learning_rate", 0.01),), (("regularization.dropout", 0.5),)
    for step in (
        AutoStep("00", title="the start", verdict="kept"),
        AutoStep("01", "00", "T2", "the rate is too low", rate, "ten times the rate", 0.2, "kept", *better),
        AutoStep("02", "01", "V1", "no carry-over", drop, "no unit leans", 0.05, "dropped", -0.05, -0.08, -0.02, 0.0),
        AutoStep("03", "01", "V1", "no carry-over", verdict="failed", why="out of memory"),
    ):  # fmt: skip
        story.write(step)
    return story


@pytest.fixture
def drawn_once(monkeypatch):
    """The figures of pages are drawn once in a test run where their numbers are the same."""
    from drawn_figures import draw_each_once

    draw_each_once(monkeypatch)


@pytest.fixture
def improve(monkeypatch, capfd):
    """Run the command as the shell does; gives exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["improve", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        return (code, *capfd.readouterr())

    return run


@pytest.fixture
def at_once(monkeypatch):
    """However short the rest of an epoch is after Ctrl+C, it is too long to wait for."""
    monkeypatch.setattr("improve.engine.training.train.LONG", -1.0)


@pytest.fixture
def patient(monkeypatch):
    """However long the rest of an epoch is, on a loaded machine perhaps, it is waited for."""
    monkeypatch.setattr("improve.engine.training.train.LONG", 1e9)


Silent = Watcher  # says nothing


@pytest.fixture
def fit(write_spec, tmp_path):
    """Train YAML with overrides; gives the loaded run."""

    def fit_it(text, *overrides, name="r"):
        return load_run(train(load_spec(write_spec(text), list(overrides)), name, tmp_path / "runs", Silent()))

    return fit_it
