"""Runs side by side."""

import json

import numpy as np
import pytest

from improve.compare import compare
from improve.errors import UsageError
from improve.show_comparison import against, comparison_rows, footnote


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
    assert [(row.name, row.status) for row in found.rows] == [("a", "finished"), ("b", "stopped")]


def test_runs_on_other_validation_images_are_told(make_run):
    runs = [make_run("a", fingerprint="x"), make_run("b", fingerprint="y"), make_run("c", fingerprint="y")]
    assert not compare([run.folder for run in runs]).same_validation
    assert compare([run.folder for run in runs[1:]]).same_validation


def predicting(run, wrong, ids=None, n=1000):
    """Give the run predictions of n images of class 0, those in `wrong` (by id) as class 1."""
    ids = np.arange(n) if ids is None else np.asarray(ids)
    probability = np.where(np.isin(ids, list(wrong))[:, None], [0.2, 0.8], [0.7, 0.3]).astype("float32")
    (run.folder / "predictions").mkdir(exist_ok=True)
    np.savez(run.folder / "predictions" / "validation.npz", id=ids, label=np.zeros(n, int), probability=probability)
    return run.folder


def test_runs_on_the_same_images_are_compared_with_the_first_image_by_image(make_run):
    """Alone wrong: 70 and 20 of 1,000 against the first (p < 0.001), then 30 and 20 (p = 0.20)."""
    best = predicting(make_run("best", validation=0.1), range(100))
    clear = predicting(make_run("clear", validation=0.15, spec={"seed": 1}), range(20, 170))
    close = predicting(make_run("close", validation=0.11, spec={"seed": 2}), range(20, 130), np.arange(1000)[::-1])
    rows = compare([clear, close, best]).rows
    assert [row.name for row in rows] == ["best", "close", "clear"]
    assert rows[0].against is None
    assert rows[1].against[:1] == pytest.approx((0.01,))
    assert against(rows[1].against) == "not distinguishable (+1.0 [-0.4, 2.4]; 2.0 needed at this n)"
    assert against(rows[2].against) == "worse +5.0 [3.1, 6.8] p < 0.001"
    upwards = compare([clear, close, best], "name").rows
    assert against({row.name: row for row in upwards}["clear"].against).startswith("worse +5.0")


def test_the_first_is_the_first_of_the_table(make_run):
    a = predicting(make_run("a", validation=0.15), range(150))
    b = predicting(make_run("b", validation=0.1, spec={"seed": 1}), range(100))
    by_name = compare([b, a], "name")
    assert [against(row.against) for row in by_name.rows] == ["–", "better -5.0 [-6.4, -3.6] p < 0.001"]
    head, first, second = comparison_rows(by_name, test=False)
    assert (head[-1], first[-1], second[-1].split()[0]) == ("against the first", "–", "better")


@pytest.mark.parametrize("damage", ["none", "torn", "other ids", "no label", "other images"])
def test_what_cannot_be_compared_image_by_image_is_not(make_run, damage):
    a = predicting(make_run("a", validation=0.1), range(100))
    other = make_run("b", validation=0.15, spec={"seed": 1}, fingerprint="b" if damage == "other images" else "a")
    file = (
        predicting(other, range(150), range(5, 1005) if damage == "other ids" else None) / "predictions/validation.npz"
    )
    if damage == "none":
        file.unlink()
    elif damage == "torn":
        file.write_bytes(file.read_bytes()[:500])
    elif damage == "no label":
        np.savez(file, id=np.arange(1000))
    found = compare([a, other.folder])
    assert [row.against for row in found.rows] == [None, None]
    assert next(comparison_rows(found, test=False))[-1] == "time"


def test_predictions_are_read_only_where_others_have_the_same_images(make_run, monkeypatch):
    read = []
    monkeypatch.setattr("improve.compare._missed", lambda run, ids: read.append(run.name))
    runs = [make_run("a", fingerprint="x"), make_run("b", fingerprint="y"), make_run("c", fingerprint="x")]
    compare([run.folder for run in runs])
    assert read == ["a", "c"]


def test_findings_stand_under_the_table_and_in_the_json(make_run, improve):
    runs = [
        predicting(make_run(f"r{epochs}", validation=error, spec={"training": {"epochs": epochs}}), range(wrong))
        for epochs, error, wrong in ((10, 0.3, 300), (20, 0.2, 200), (30, 0.198, 198))
    ]
    out = improve("compare", *runs)[1]
    assert "C1  the best two cannot be told apart: r20 has 0.2 points" in out
    assert "C2  seeds alone may make this difference: r30 and r20 have one seed each" in out
    assert "C4  the best value lies at the edge of what was tried: training.epochs 30 (19.8 %)" in out
    assert "    change     training.epochs: 40" in out
    document = json.loads(improve("compare", *runs, "--json")[1])
    assert [finding["code"] for finding in document["findings"]] == ["C1", "C2", "C4"]
    assert document["runs"][0]["against"] is None
    assert document["runs"][2]["against"]["value"] == pytest.approx(0.102)


def test_the_footnote_tells_how_many_runs_on_which_images(make_run):
    runs = [make_run("a"), make_run("b", spec={"seed": 1})]
    assert footnote(compare([run.folder for run in runs])).startswith("2 runs on the same validation images (n=1,000)")


def test_no_run_at_all_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="none of these is a run"):
        compare([tmp_path])
