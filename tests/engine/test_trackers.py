"""Runs as TensorBoard and MLflow have them, read back with their own readers."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from improve.engine.trackers.tracker import Tee, trackers_for
from improve.engine.training.resume import resume
from improve.engine.training.train import train
from improve.errors import visible
from improve.interrupt import Interrupt
from improve.runs.run import load_run, summary_as_written
from improve.spec.reading.flatten import scalar_settings
from improve.spec.reading.load import load_spec
from improve.views.terminal.training import TerminalWatcher

pytestmark = pytest.mark.trains

TINY = """
data: {source: digits, subset: 300}
model: {name: mlp, hidden: [8]}
optimizer: {name: adam, learning_rate: 0.01}
training: {epochs: 3, batch_size: 32}
evidence: light
"""


@pytest.fixture
def event_accumulator():
    return pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="the extra tensorboard is not installed"
    ).EventAccumulator


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """An MLflow store without runs; making its tables takes seconds."""
    mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    file = tmp_path_factory.mktemp("mlflow") / "empty.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def mlflow_client(empty_store, tmp_path, monkeypatch):
    """The client of a new MLflow store, which is what the environment names."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)  # artifacts lie below it
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return importlib.import_module("mlflow").MlflowClient


@pytest.fixture
def tracked(write_spec, tmp_path):
    """Train TINY, told to trackers; gives the loaded run and the warnings."""

    def train_it(*overrides, name="r", **trackers):
        told = []
        asked = {"tensorboard": False, "mlflow": False} | trackers
        watcher = Tee(TerminalWatcher(quiet=True), trackers_for(**asked), told.append)
        folder = train(load_spec(write_spec(TINY), list(overrides)), name, tmp_path / "runs", watcher)
        watcher.close()
        return load_run(folder), told

    return train_it


def gone_on(found, overrides, **trackers):
    told = []
    watcher = Tee(
        TerminalWatcher(quiet=True), trackers_for(**{"tensorboard": False, "mlflow": False} | trackers), told.append
    )
    resume(found.folder, overrides, watcher)
    watcher.close()
    return load_run(found.folder), told


@pytest.fixture(scope="module")
def both(empty_store, tmp_path_factory):
    """TINY told to both: the run, the warnings, and the client of its MLflow store."""
    root, told = tmp_path_factory.mktemp("both"), []
    shutil.copy(empty_store, root / "mlflow.db")
    (root / "spec.yaml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
        patch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
        watcher = Tee(TerminalWatcher(quiet=True), trackers_for(tensorboard=True, mlflow=True), told.append)
        folder = train(load_spec(root / "spec.yaml"), "r", root / "runs", watcher)
        watcher.close()
        client = importlib.import_module("mlflow").MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    return load_run(folder), told, client


def close_to(values):
    return pytest.approx(values, rel=1e-6)  # TensorBoard keeps four bytes of a number


def scalars(event_accumulator, found, part, tag):
    """Steps and values, as a reader that is new to the folder finds them."""
    reader = event_accumulator(str(found.folder / "tensorboard" / part))
    reader.Reload()
    return [(event.step, event.value) for event in reader.Scalars(tag)]


def column(found, name):
    return [row[name] for row in found.history]


@pytest.mark.backend
def test_tensorboard_reads_what_metrics_csv_says(both, event_accumulator):
    found, told, _ = both
    assert told == []
    for part in ("train", "validation"):
        for measure in ("error", "cross_entropy"):
            steps, values = zip(*scalars(event_accumulator, found, part, f"clean/{measure}"), strict=True)
            assert steps == (1, 2, 3)
            assert values == close_to(tuple(column(found, f"{part}_{measure}")))
    for name in ("loss", "learning_rate", "penalty", "seconds"):
        assert [value for _, value in scalars(event_accumulator, found, "", name)] == close_to(column(found, name))


def test_tensorboard_has_the_settings_the_spec_and_the_picture(both, event_accumulator):
    from tensorboard.plugins.hparams import metadata

    found, _, _ = both
    reader = event_accumulator(str(found.folder / "tensorboard"))
    reader.Reload()
    content = reader.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    session = metadata.parse_session_start_info_plugin_data(content)
    assert session.group_name == "r"
    assert session.hparams["optimizer.learning_rate"].number_value == 0.01
    assert session.hparams["model.hidden"].string_value == "[8]"
    assert set(session.hparams) == set(scalar_settings(found.spec))
    (spec,) = reader.Tensors("spec")
    assert b"\n    optimizer:\n      name: adam\n" in spec.tensor_proto.string_val[0]
    (curves,) = reader.Tensors("curves")
    width, height, png = curves.tensor_proto.string_val
    assert (int(width), int(height)) == Image.open(found.folder / "curves.png").size
    assert png == (found.folder / "curves.png").read_bytes()
    assert curves.step == 3


def test_tensorboard_needs_no_tensorflow(tmp_path, make_run):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    found = make_run(history=[0.4, 0.2])
    code = (
        "import sys; from improve.runs.run import load_run\n"
        "from improve.engine.trackers.tensorboard import TensorBoard\n"
        "run, tracker = load_run(sys.argv[1]), TensorBoard()\n"
        "tracker.begin(run); tracker.log(run.history, [1.0, 2.0]); tracker.end(run)\n"
        "assert not {'tensorflow', 'keras', 'jax'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, found.folder], check=True)
    assert len(list((found.folder / "tensorboard").rglob("events.out.tfevents.*"))) == 3


def test_a_run_that_goes_on_has_each_epoch_once_in_tensorboard(both, event_accumulator, tmp_path):
    found = load_run(shutil.copytree(both[0].folder, tmp_path / "runs" / "r"))
    file = next((found.folder / "tensorboard" / "validation").iterdir())
    file.write_bytes(file.read_bytes()[:-3])  # killed while it was written
    found, told = gone_on(found, ["training.epochs=+2", "optimizer.learning_rate=0.002"], tensorboard=True)
    assert told == []
    assert [step for step, _ in scalars(event_accumulator, found, "validation", "clean/error")] == [1, 2, 3, 4, 5]
    rates = [value for _, value in scalars(event_accumulator, found, "", "learning_rate")]
    assert rates == close_to([0.01, 0.01, 0.01, 0.002, 0.002])


def test_a_run_that_was_not_told_before_is_told_from_its_first_epoch(alone, event_accumulator, mlflow_client, tmp_path):
    found = load_run(shutil.copytree(alone.folder, tmp_path / "runs" / "r"))
    found, told = gone_on(found, ["training.epochs=+1"], tensorboard=True, mlflow=True)
    assert told == []
    assert [step for step, _ in scalars(event_accumulator, found, "train", "clean/error")] == [1, 2, 3, 4]
    history = mlflow_client().get_metric_history(identity(found), "train_error")
    assert [metric.step for metric in history] == [1, 2, 3, 4]


def identity(found):
    return json.loads((found.folder / "tracking.json").read_text())["mlflow"]


def steps_and_values(client, found, key):
    history = client.get_metric_history(identity(found), key)
    return sorted((metric.step, metric.value) for metric in history)


@pytest.mark.backend
def test_mlflow_has_settings_metrics_final_numbers_and_files(both):
    found, told, client = both
    assert told == []
    run = client.get_run(identity(found))
    assert (run.info.status, run.info.run_name) == ("FINISHED", "r")
    assert client.get_experiment(run.info.experiment_id).name == "improve"
    assert run.data.params == {key: str(value) for key, value in scalar_settings(found.spec).items()}
    for name in found.history[0].keys() - {"epoch"}:
        assert steps_and_values(client, found, name) == list(enumerate(column(found, name), start=1))
    assert run.data.metrics["best_validation_error"] == found.summary.validation.error
    assert run.data.metrics["best_validation_low"] == found.summary.validation.low
    assert run.data.metrics["best_epoch"] == found.summary.best_epoch
    assert run.data.tags["improve.folder"] == str(found.folder)
    assert run.data.tags["improve.state_sha256"] == found.summary.state_sha256
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"spec.yaml", "summary.json", "curves.png"}
    spec = Path(client.download_artifacts(run.info.run_id, "spec.yaml"))
    assert spec.read_bytes() == (found.folder / "spec.yaml").read_bytes()


def test_the_test_error_stays_in_the_run_folder(both):
    found, _, client = both
    assert found.sealed_test.error >= 0
    assert not [name for name in client.get_run(identity(found)).data.metrics if "test" in name]
    summary = Path(client.download_artifacts(identity(found), "summary.json")).read_text()
    assert set(summary_as_written(found.folder)) - set(json.loads(summary)) == {"test"}
    assert not (found.folder / "tensorboard" / "test").exists()


def test_mlflows_experiment_is_the_one_that_its_environment_names(tracked, mlflow_client, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "birds")
    tracked("training.epochs=1", mlflow=True)
    found, _ = tracked("training.epochs=1", mlflow=True)
    client = mlflow_client()
    assert client.get_experiment(client.get_run(identity(found)).info.experiment_id).name == "birds"
    assert client.get_experiment_by_name("improve") is None


def test_a_run_that_goes_on_goes_on_in_the_same_mlflow_run(tracked, mlflow_client):
    before, _ = tracked(mlflow=True)
    found, told = gone_on(before, ["training.epochs=+2", "optimizer.learning_rate=0.002"], mlflow=True)
    assert told == []
    assert identity(found) == identity(before)
    client = mlflow_client()
    assert steps_and_values(client, found, "validation_error") == list(enumerate(column(found, "validation_error"), 1))
    run = client.get_run(identity(found))
    assert run.info.status == "FINISHED"
    assert run.data.params["optimizer.learning_rate"] == "0.01"  # MLflow lets no parameter change
    assert "optimizer.learning_rate" in run.data.tags["improve.changes"]


def test_an_mlflow_run_that_was_deleted_or_is_elsewhere_is_begun_anew(tracked, mlflow_client, monkeypatch, tmp_path):
    found, _ = tracked(mlflow=True)
    first = identity(found)
    mlflow_client().delete_run(first)
    found, told = gone_on(found, ["training.epochs=+1"], mlflow=True)
    second = identity(found)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'other.db'}")
    found, told_elsewhere = gone_on(found, ["training.epochs=+1"], mlflow=True)
    assert len({first, second, identity(found)}) == 3
    assert (told, told_elsewhere) == ([], [])
    assert [step for step, _ in steps_and_values(mlflow_client(), found, "loss")] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("overrides", "status"), [(["optimizer.learning_rate=1e30", "optimizer.name=sgd"], "FAILED"), ([], "KILLED")]
)
def test_mlflow_knows_how_it_ended(tracked, mlflow_client, monkeypatch, overrides, status):
    if status == "KILLED":
        monkeypatch.setattr(Interrupt, "requested", True)
    found, _ = tracked(*overrides, mlflow=True)
    assert found.status == {"FAILED": "diverged", "KILLED": "stopped"}[status]
    assert mlflow_client().get_run(identity(found)).info.status == status


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """TINY, told to nobody."""
    root = tmp_path_factory.mktemp("alone")
    (root / "spec.yaml").write_text(TINY)
    return load_run(train(load_spec(root / "spec.yaml"), "alone", root / "runs", TerminalWatcher(quiet=True)))


@pytest.mark.backend
def test_trackers_change_nothing_of_what_is_trained(alone, both):
    followed = both[0]
    assert followed.summary.state_sha256 == alone.summary.state_sha256
    assert column(followed, "validation_error") == column(alone, "validation_error")


@pytest.mark.parametrize("address", ["http://me:secret@127.0.0.1:9", "nonsense://x", "sqlite:////proc/no/such.db"])
def test_a_tracker_that_is_not_there_harms_no_training(alone, tracked, mlflow_client, monkeypatch, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    found, told = tracked(name="followed", mlflow=True)
    assert found.status == "finished"
    assert found.summary.state_sha256 == alone.summary.state_sha256
    assert len(told) == 2
    assert told[0].startswith("MLflow is not told from epoch 1 on; the training goes on")
    assert told[1] == f"MLflow was told 0 epochs of this run and not its end; all of it is in {found.folder}"
    assert "secret" not in "".join(told)
    assert all(visible(line) == line for line in told)


def test_the_command_tells_both(improve, write_spec, tmp_path, event_accumulator, mlflow_client):
    code, out, err = improve(
        "train", write_spec(TINY), "training.epochs=2", "--runs", tmp_path / "runs", "--tensorboard", "--mlflow"
    )
    assert (code, "warning" in err) == (0, False), err
    found = load_run(tmp_path / "runs" / "spec")
    code, out, err = improve("resume", found.folder, "training.epochs=+1", "--tensorboard", "--mlflow", "--json", "-q")
    assert (code, err) == (0, "")
    found = load_run(json.loads(out)["folder"])
    assert [step for step, _ in scalars(event_accumulator, found, "validation", "clean/error")] == [1, 2, 3]
    assert mlflow_client().get_run(identity(found)).info.status == "FINISHED"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
