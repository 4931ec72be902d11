"""The report: one page that says what the diagnosis says, loads nothing, and lets no name speak for it."""

import base64
import io
import itertools
import json
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix

from conftest import FIXTURES
from drawn_figures import drawn
from hostile import HOSTILE, hostile
from improve.diagnosis.comparison.compare import run_labels
from improve.diagnosis.error_analysis import by_class, calibration, confusions, most_confused, surest_mistakes
from improve.engine.data.prepare import prepare
from improve.errors import UsageError
from improve.runs import ledger
from improve.runs.predictions import Predictions
from improve.spec.spec import Spec
from improve.views.report.page import report
from improve.views.report.run import evidence_text, run_view
from page import LOADS, Page, predictions

GOLDEN = FIXTURES / "runs"

pytestmark = pytest.mark.usefixtures("drawn_once")


@pytest.fixture(scope="module")
def five():
    """A page of five real runs, one of which diverged."""
    names = ("digits_base", "digits_lr_x100", "digits_nan_rate", "digits_noise20", "fashion_imbalance50")
    return report([GOLDEN / name for name in names])


def test_the_page_loads_nothing_and_runs_nothing(five):
    page = Page(five)
    policies = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    ]
    assert not page.all("script") + page.all("iframe") + page.all("object") + page.all("form")
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in LOADS:
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    assert not re.findall(r"url\((?!#)|@import", five)


def test_ids_stand_once_and_every_link_has_its_place(five):
    page = Page(five)
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    places = {value[1:] for _, attributes in page.tags for name, value in attributes.items()
              if name in ("href", "xlink:href") and value.startswith("#")}  # fmt: skip
    told = {value for _, attributes in page.tags for value in [attributes.get("aria-labelledby")] if value}
    assert places | told | set(re.findall(r"url\(#([^)]*)\)", five)) <= set(ids)


def test_headings_come_in_order_and_pictures_have_words(five):
    page = Page(five)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("svg")) >= 10
    assert all(svg["role"] == "img" and len(svg["aria-label"]) > 30 for svg in page.all("svg"))
    assert all(image["alt"] for image in page.all("img"))


def test_it_says_what_the_diagnosis_says(five):
    text = Page(five).text
    assert "5 runs" in text
    for said in ("broken: it did not learn", "R1 the loss became NaN or infinite", "T13 a part of the labels is wrong",
                 "avoidable bias", "fits validation", "training.sampling: balanced"):  # fmt: skip
        assert said in text, said


def test_the_diff_to_try_is_the_edit_of_improve_next(five, improve, tmp_path):
    shutil.copytree(GOLDEN / "digits_lr_x100", tmp_path / "copy")
    _, _, told = improve("next", tmp_path / "copy")
    edited = [line for line in told.splitlines() if re.match(r"[+-]\s", line)]
    assert len(edited) >= 2
    for line in edited:
        assert f">{line}</span>" in five, line


def test_the_same_runs_give_the_same_page():
    once = report([GOLDEN / "digits_base"])
    drawn.cache_clear()
    assert report([GOLDEN / "digits_base"]) == once


def test_ten_runs_are_under_two_megabytes_and_take_seconds():
    drawn.cache_clear()
    begun = time.monotonic()
    text = report(sorted(GOLDEN.iterdir())[:10])
    assert len(text.encode()) < 2_000_000
    assert time.monotonic() - begun < 30


def test_it_is_written_beside_the_runs_or_into_the_only_one(improve, make_run):
    a, b = make_run("a"), make_run("b", spec={"seed": 1})
    assert improve("report", a.folder)[:2] == (0, f"{a.folder / 'report.html'}\n")
    beside = a.folder.parent / "report.html"
    for _ in range(2):  # runs/* holds the page of last time
        assert improve("report", a.folder, b.folder, *([beside] if beside.exists() else []))[:2] == (0, f"{beside}\n")
        assert "Left out" not in beside.read_text()
    assert improve("report", a.folder, "-o", a.folder.parent / "deep" / "x.html")[0] == 0
    assert (a.folder.parent / "deep" / "x.html").is_file()


def test_a_link_in_the_runs_place_is_not_written_through(improve, make_run, tmp_path):
    run, victim = make_run("a"), tmp_path / "victim"
    victim.write_text("kept")
    (run.folder / "report.html").symlink_to(victim)
    assert improve("report", run.folder)[0] == 0
    assert victim.read_text() == "kept"


def test_what_is_no_run_is_told_and_the_rest_is_shown(improve, make_run, tmp_path):
    (tmp_path / "notes").mkdir()
    code, _, err = improve("report", tmp_path / "notes")
    assert (code, "none of these is a run" in err) == (2, True)
    with pytest.raises(UsageError, match="there is no run"):
        report([tmp_path / "nothing"])
    text = Page(report([make_run("a").folder, tmp_path / "notes"])).text
    assert "Left out" in text
    assert "not a run" in text


def test_a_file_that_cannot_be_written_is_one_clear_message(improve, make_run, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = improve("report", make_run("a").folder, "-o", tmp_path / "file" / "x.html")
    assert (code, "cannot be written" in err, "Traceback" in err) == (2, True, False)


def test_the_test_error_stays_sealed_until_it_is_asked_for(improve, make_run):
    part = {"error": 0.4321, "low": 0.4, "high": 0.46, "n": 1000, "cross_entropy": 1.0, "majority_error": 0.9}
    runs = [make_run("a", test=part), make_run("b", spec={"seed": 1})]
    folders = [run.folder for run in runs]
    assert "43.2 %" not in report(folders)
    assert "The test sets were not opened" in report(folders)
    assert not (folders[0].parent / ledger.FILE).exists()
    assert improve("report", *folders, "--test")[0] == 0
    assert "43.2 %" in (folders[0].parent / "report.html").read_text()
    lines = (folders[0].parent / ledger.FILE).read_text().splitlines()
    assert [line.split(",")[1:3] for line in lines[1:]] == [["a", "test"]]


@pytest.mark.parametrize("damage", ["summary", "spec", "metrics", "environment", "predictions", "all"])
def test_a_damaged_run_gets_its_section_with_what_is_there(tmp_path, damage):
    folder = tmp_path / "torn"
    shutil.copytree(GOLDEN / "digits_noise20", folder)
    files = {"summary": "summary.json", "spec": "spec.yaml", "metrics": "metrics.csv",
             "environment": "environment.json", "predictions": "predictions/validation.npz"}  # fmt: skip
    for name, file in files.items():
        if damage in (name, "all"):
            (folder / file).write_bytes(b"{epoch\n\xff[\n")
    page = Page(report([folder, GOLDEN / "digits_base"]))
    assert "torn" in page.text
    if damage != "predictions":
        assert "damaged: " in page.text
    assert ("Curves" in page.text, "digits_base" in page.text) == (True, True)
    if damage == "spec":
        assert "Errors by class" in page.text
        assert "spec of torn" not in str(page.tags)


@pytest.mark.parametrize("status", ["stopped", "diverged", "failed", "running"])
def test_a_run_without_results_is_told_as_one(tmp_path, status):
    folder = tmp_path / "early"
    shutil.copytree(GOLDEN / "digits_nan_rate", folder)
    (folder / "summary.json").write_text(json.dumps({"status": status, "epochs": 0}))
    text = Page(report([folder])).text
    assert "No curves" in text
    assert "broken: it did not learn" in text if status == "diverged" else "no verdict" in text


def test_changes_on_the_way_are_shown_where_they_can_be_read(make_run):
    changes = [{"epoch": 2, "path": "optimizer.learning_rate", "from": 0.01, "to": 0.001, "reason": "stuck"},
               {"epoch": "x", "path": 1, "to": 2}, 7, {"epoch": 1.0, "path": "training.epochs", "to": 9}]  # fmt: skip
    run = make_run("a", history=[0.3, 0.2, 0.1], changes=changes)
    text = Page(report([run.folder])).text
    assert "after epoch 2: optimizer.learning_rate 0.01 → 0.001 (stuck)" in text
    assert "after epoch 1: training.epochs – → 9" in text
    assert text.count("after epoch") == 2
    assert "learning_rate 0.001" in text


def test_errors_by_class_confusions_and_the_surest_mistakes_are_counted():
    label, probability = predictions(wrong=6)
    seen = Predictions(label, probability)
    counts = confusions(seen)
    assert np.array_equal(counts, confusion_matrix(seen.label, seen.predicted))
    assert counts.tolist() == [[18, 2, 0], [0, 18, 2], [2, 0, 18]]
    found = by_class(counts, ["a", "b", "c"])
    assert [(one.name, one.rate, one.taken_for, one.times) for one in found] == [
        ("a", (pytest.approx(0.1), 20), "b", 2), ("b", (pytest.approx(0.1), 20), "c", 2),
        ("c", (pytest.approx(0.1), 20), "a", 2),
    ]  # fmt: skip
    assert list(most_confused(counts, "abc", 2)) == [("a", "b", 2), ("b", "c", 2)]
    missed = surest_mistakes(seen, "abc", np.arange(60) + 100, 2)
    assert [(one.place, one.id, one.label, one.answer) for one in missed] == [(0, 100, "a", "b"), (1, 101, "b", "c")]
    assert missed[0].probability == pytest.approx(0.9)
    assert missed[0].own == pytest.approx(0.05)


def test_calibration_bins_hold_every_answer_and_their_mean_gap_is_the_error():
    seen = Predictions(*predictions(wrong=30))
    found = calibration(seen)
    assert sum(one.n for one in found.bins) == 60
    gap = sum(one.n * abs(one.right.value - one.confidence) for one in found.bins) / 60
    assert found.error == pytest.approx(gap)
    assert found.error > 0.25 > found.by_chance.high


def test_the_surest_mistakes_are_shown_as_the_very_images(make_run):
    data = prepare(Spec())
    part = data.parts["validation"]
    answer = np.where(np.arange(len(part)) < 3, (part.labels + 1) % 10, part.labels)
    probability = np.full((len(part), 10), 0.01, np.float32)
    probability[np.arange(len(part)), answer] = 0.91 - 0.0001 * np.arange(len(part))
    evidence = {"predictions": {"validation": (part.labels, probability)}, "data": {"classes": list("abcdefghij")}}
    run = make_run("digits", evidence=evidence, fingerprint=data.statistics["validation"].digest)
    page = Page(report([run.folder]))
    assert "No pictures" not in page.text
    shown = [base64.b64decode(image["src"].partition(",")[2]) for image in page.all("img")]
    pixels = [np.asarray(Image.open(io.BytesIO(png))) for png in shown]
    assert np.array_equal(pixels, part.images[:3][..., 0])


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("digits", "are not the ones that the run was judged by"),
        ("cifar10", "CIFAR-10 is not on this machine"),
        ({"name": "npz", "path": "/nowhere.npz"}, "there is no file /nowhere.npz"),
        ({"name": "folder", "path": "/nowhere"}, "the images cannot be read"),
    ],
)
def test_where_the_images_cannot_be_had_it_says_so(make_run, source, reason):
    evidence = {"predictions": {"validation": predictions(wrong=6)}}
    page = Page(report([make_run("a", spec={"data": {"source": source}}, evidence=evidence).folder]))
    assert f"No pictures: {reason}" in page.text or reason in page.text
    assert page.all("img") == []
    assert page.text.count("taken for 1") >= 2


def test_many_classes_are_told_by_their_worst(make_run):
    evidence = {"predictions": {"validation": predictions(wrong=40, n=400, classes=100)}}
    text = Page(report([make_run("hundred", evidence=evidence).folder])).text
    assert "Most often confused, of 100 classes" in text
    assert "the 40 classes with the highest errors of 100" in text


@pytest.mark.parametrize("text", [*HOSTILE.values(), "\u200f\u202eabc", "' onload='x", "</svg><script>", "{{ 7*7 }}"])
def test_no_name_speaks_for_the_page(make_run, text):
    written = report([hostile(make_run, text, 0), hostile(make_run, text, 1)])
    page = Page(written)
    assert [char for char in written if not char.isprintable() and char != "\n"] == []
    assert not page.all("script") + page.all("iframe")
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    if text.isprintable() and len(text) < 15:
        assert f"{text}b" in page.text


def test_values_of_evidence_are_told_in_a_few_digits():
    assert evidence_text({"a": 0.123456, "b": [1, 2.0], "c": None, "d": {}}) == "a 0.1235, b [1, 2], c –, d –"
    assert evidence_text(list(range(20))).endswith("11, …]")


def test_a_run_view_needs_no_epoch_and_no_best(make_run):
    run = make_run("a", history=[0.3, 0.2], best_epoch=None)
    assert run_view(run.folder, "a", test=False).best == 1
    (run.folder / "metrics.csv").write_text("epoch,train_error,validation_error,learning_rate\n1,0.1,,0.1\n")
    assert run_view(run.folder, "a", test=False).rows == []


def test_an_ensemble_is_a_run_with_members_and_without_curves(make_run):
    evidence = {"predictions": {"validation": predictions(wrong=6)}}
    run = make_run("both", evidence=evidence, members=["a", "a-2"], epochs=0, best_epoch=None)
    (run.folder / "metrics.csv").unlink()
    text = Page(report([run.folder])).text
    assert "members a, a-2" in text
    assert "No curves: an ensemble is put together, not trained" in text
    assert "Surest mistakes" in text


def test_the_table_tells_what_was_reached_before_what_was_set(make_run):
    runs = [make_run("a", validation=0.3), make_run("b", validation=0.2, spec={"regularization": {"l2": 0.01}})]
    page = Page(report([run.folder for run in runs]))
    text = page.text[page.text.index("Only settings that differ") :]
    assert text.index("validation error") < text.index("l2")
    assert {"#run-1", "#run-2", "#comparison"} <= {link.get("href") for link in page.all("a")}


def test_runs_of_the_same_name_are_told_apart_by_where_they_lie():
    assert run_labels([Path("/a/x/s0"), Path("/a/x/s1")]) == ["s0", "s1"]
    assert run_labels([Path("/a/x/s0"), Path("/a/y/s0")]) == ["x/s0", "y/s0"]
    assert run_labels([Path("/a/x/s0"), Path("/b/x/s0")]) == ["a/x/s0", "b/x/s0"]
    assert run_labels([Path("/a/x/s0"), Path("/a/x/s0")]) == ["s0", "s0"]
