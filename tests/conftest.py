"""Quick tests first, and none of them may load Keras."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from improve import cli
from improve.engine.training.train import train
from improve.engine.training.watcher import Watcher
from improve.experiments.auto.journal import Step, Story
from improve.lazy import np
from improve.runs import ledger
from improve.runs.run import Run, load
from improve.runs.tables import EPOCHS, KERNELS, LAYERS, STEPS, Table
from improve.spec.identity import curve_identity
from improve.spec.reading import yaml as yamlfile
from improve.spec.reading.load import load_spec
from improve.spec.spec import Spec
from improve.statistics.intervals import Rate

CONFIGS = Path(__file__).parent.parent / "configs"
FIXTURES = Path(__file__).parent / "fixtures"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
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


def part(error: float, n: int, majority_error: float = 0.9) -> dict[str, Any]:
    low, high = Rate(error, n).interval()
    return {"error": error, "low": low, "high": high, "n": n, "cross_entropy": error, "majority_error": majority_error}


def write_evidence(folder: Path, evidence: dict[str, Any], spec: dict[str, Any], fingerprint: str) -> None:
    """The evidence files of a run, from plain data: `start` a mapping; `layers`, `kernels`, `epochs`, `steps` and
    `metrics` lists of rows; `images` and `last` arrays by name; `predictions` (labels, probabilities) by part; `data`
    joins environment.json; `learning_curve` that file; `tried` how many specs were judged before."""
    (folder / "evidence").mkdir()
    (folder / "predictions").mkdir()
    if "start" in evidence:
        (folder / "evidence" / "start.json").write_text(json.dumps(evidence["start"]))
    tables = {"layers": LAYERS, "kernels": KERNELS, "epochs": EPOCHS, "steps": STEPS}
    for name in tables.keys() & evidence.keys():
        file = folder / "steps.csv" if name == "steps" else folder / "evidence" / f"{name}.csv"
        write_rows(file, tables[name], evidence[name])
    if "metrics" in evidence:
        write_rows(folder / "metrics.csv", tuple(evidence["metrics"][0]), evidence["metrics"])
    arrays = {f"evidence/{name}": evidence[name] for name in ("images", "last") if name in evidence}
    for name, (label, probability) in evidence.get("predictions", {}).items():
        arrays[f"predictions/{name}"] = {"label": label, "probability": probability}
    for name, found in arrays.items():
        np.savez(folder / f"{name}.npz", **{key: np.asarray(value) for key, value in found.items()})
    write_down_others(folder, evidence, spec, fingerprint)


def write_down_others(folder: Path, evidence: dict[str, Any], spec: dict[str, Any], fingerprint: str) -> None:
    if "learning_curve" in evidence:
        curve = {"digest": curve_identity(spec), **evidence["learning_curve"]}
        (folder / "learning_curve.json").write_text(json.dumps(curve))
    for number in range(evidence.get("tried", 0)):
        rate = {"error": 0.1, "n": 100}
        ledger.write_down(folder.parent, f"r{number}", "validation", fingerprint, f"spec{number}", rate)


def write_rows(file: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """A table with every number to its last digit, so that a value at a threshold stays at it."""
    table = Table(file, columns)
    exact = [{key: repr(v) if isinstance(v, float) else v for key, v in row.items()} for row in rows]
    table.add(exact)


@pytest.fixture
def make_run(tmp_path: Path):
    """A run folder with the given errors, as `train` leaves it, without training."""

    def make(
        name: str = "run",
        train: float = 0.01,
        validation: float = 0.02,
        n: int = 1000,
        spec: dict[str, Any] | None = None,
        history: list[float] | None = None,
        fingerprint: str = "a",
        majority_error: float = 0.9,
        evidence: dict[str, Any] | None = None,
        **summary: Any,
    ) -> Run:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        whole = Spec.model_validate(spec or {}).complete()
        (folder / "spec.yaml").write_text(yamlfile.write(whole))
        errors = history or [train]
        rows = ["epoch,train_error,validation_error,learning_rate"]
        rows += [f"{number},{error},{validation},0.01" for number, error in enumerate(errors, start=1)]
        (folder / "metrics.csv").write_text("\n".join(rows) + "\n")
        parts = {"train": part(train, n, majority_error), "validation": part(validation, n, majority_error)}
        numbers = {"status": "finished", "name": name, "epochs": len(errors), "best_epoch": len(errors)}
        numbers |= {"parameters": 1000, "seconds": 12.5, **parts}
        (folder / "summary.json").write_text(json.dumps({**numbers, **summary}))
        data = {"available": 5000, "fingerprint": {"validation": fingerprint}, "duplicates": {}}
        (folder / "environment.json").write_text(json.dumps({"data": data | (evidence or {}).get("data", {})}))
        write_evidence(folder, evidence or {}, whole, fingerprint)
        return load(folder)

    return make


MLP = {"data": {"source": "digits"}, "model": "mlp"}


def wrong_on(run: Run, count: int, n: int = 1000) -> None:
    """The run errs on the first `count` of n validation images."""
    ids = np.arange(n)
    probability = np.where((ids < count)[:, None], [0.2, 0.8], [0.7, 0.3]).astype("float32")
    (run.folder / "predictions").mkdir(exist_ok=True)
    np.savez(run.folder / "predictions" / "validation.npz", id=ids, label=np.zeros(n, int), probability=probability)


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
    story = Story(start.folder.parent)
    (story.folder / "start.yaml").write_text(yamlfile.write(start.spec))
    rate, drop = (("optimizer.learning_rate", 0.01),), (("regularization.dropout", 0.5),)
    for step in (
        Step("00", title="the start", verdict="kept"),
        Step("01", "00", "T2", "the rate is too low", rate, "ten times the rate", 0.2, "kept", 0.3, 0.25, 0.34, 1.0, 2),
        Step("02", "01", "V1", "no carry-over", drop, "no unit leans", 0.05, "dropped", -0.05, -0.08, -0.02, 0.0),
        Step("03", "01", "V1", "no carry-over", verdict="failed", why="out of memory"),
    ):  # fmt: skip
        story.write(step)
    return story


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
        return load(train(load_spec(write_spec(text), list(overrides)), name, tmp_path / "runs", Silent()))

    return fit_it
