"""Runs side by side."""

import json

import pytest

from improve.compare import compare
from improve.errors import UsageError


def test_only_settings_that_differ_are_shown(make_run):
    runs = [
        make_run("a", validation=0.3, spec={"regularization": {"l2": 0.01}}),
        make_run("b", validation=0.2, spec={"regularization": {"l2": 0.0}, "augmentation": ["flip", "shift"]}),
    ]
    found = compare([run.folder for run in runs])
    assert found.settings == ("regularization.l2", "augmentation")
    assert [(row.name, row.settings["augmentation"]) for row in found.rows] == [("b", "flip, shift"), ("a", "–")]


def test_parts_are_told_by_name_and_by_the_options_that_are_not_defaults(make_run):
    runs = [
        make_run("a", spec={"optimizer": {"name": "sgd", "momentum": 0.9}}),
        make_run("b", spec={"optimizer": "adam", "model": {"name": "mlp", "hidden": [8, 4]}}),
    ]
    found = compare([run.folder for run in runs])
    assert found.settings == ("model", "optimizer", "optimizer.learning_rate", "optimizer.momentum", "model.hidden")
    settings = {row.name: row.settings for row in found.rows}
    assert settings["a"]["optimizer.momentum"] == 0.9
    assert settings["b"]["model.hidden"] == "8, 4"


@pytest.mark.parametrize(
    ("sort", "order"), [("validation_error", "cab"), ("name", "abc"), ("train_error", "bca"), ("parameters", "bac")]
)
def test_runs_are_sorted_as_asked(make_run, sort, order):
    make_run("a", 0.3, 0.4, parameters=20)
    make_run("b", 0.1, 0.5, parameters=10)
    last = make_run("c", 0.2, 0.3, parameters=30)
    found = compare(sorted(last.folder.parent.iterdir()), sort)
    assert "".join(row.name for row in found.rows) == order


def test_an_unknown_order_is_refused(make_run):
    with pytest.raises(UsageError, match="cannot be sorted by 'speed'"):
        compare([make_run().folder], "speed")


def test_foreign_and_broken_folders_are_named_and_skipped(make_run, tmp_path):
    run = make_run("good")
    runs = run.folder.parent
    (runs / "notes").mkdir()
    (runs / "file.txt").write_text("x")
    for name, content in (("torn", '{"status": "fin'), ("list", "[]"), ("binary", "\x00\x01")):
        (runs / name).mkdir()
        (runs / name / "summary.json").write_text(content)
        (runs / name / "spec.yaml").write_text("seed: 0")
    found = compare(sorted(runs.iterdir()))
    assert [row.name for row in found.rows] == ["good"]
    assert [name.rsplit("/")[-1] for name, _ in found.skipped] == ["binary", "file.txt", "list", "notes", "torn"]


def test_a_run_without_results_stands_last(make_run):
    made = make_run("a", validation=0.5)
    other = make_run("b")
    (other.folder / "summary.json").write_text(json.dumps({"status": "running"}))
    found = compare([other.folder, made.folder])
    assert [(row.name, row.status) for row in found.rows] == [("a", "finished"), ("b", "running")]


def test_runs_on_other_validation_images_are_told(make_run):
    runs = [make_run("a", fingerprint="x"), make_run("b", fingerprint="y"), make_run("c", fingerprint="y")]
    assert not compare([run.folder for run in runs]).same_validation
    assert compare([run.folder for run in runs[1:]]).same_validation


def test_no_run_at_all_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="none of these is a run"):
        compare([tmp_path])
