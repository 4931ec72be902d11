"""Runs side by side."""

import csv
import io
import json

import numpy as np
import pytest

from improve.diagnosis.comparison.compare import compare
from improve.errors import UsageError
from improve.statistics.paired import Paired
from improve.views.text.comparison import difference_text, footnote, text_rows
from run_folder import part


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


def test_an_interval_without_zero_beside_not_distinguishable_says_that_it_is_of_this_pair_alone():
    alone = Paired(0.01, 0.001, 0.019, 0.08, 0.02, 1000)
    assert difference_text(alone) == "not distinguishable (+1.0 [0.1, 1.9] by itself; p = 0.080 among all pairs)"


def test_runs_on_the_same_images_are_compared_with_the_first_image_by_image(make_run):
    """Alone wrong: 70 and 20 of 1,000 against the first (p < 0.001), then 30 and 20 (p = 0.20)."""
    best = predicting(make_run("best", validation=0.1), range(100))
    clear = predicting(make_run("clear", validation=0.15, spec={"seed": 1}), range(20, 170))
    close = predicting(make_run("close", validation=0.11, spec={"seed": 2}), range(20, 130), np.arange(1000)[::-1])
    rows = compare([clear, close, best]).rows
    assert [row.name for row in rows] == ["best", "close", "clear"]
    assert rows[0].against is None
    assert rows[1].against[:1] == pytest.approx((0.01,))
    assert difference_text(rows[1].against) == "not distinguishable (+1.0 [-0.4, 2.4]; 2.0 needed at this n)"
    assert difference_text(rows[2].against) == "worse +5.0 [3.1, 6.8] p < 0.001"
    upwards = compare([clear, close, best], "name").rows
    assert difference_text({row.name: row for row in upwards}["clear"].against).startswith("worse +5.0")


def test_the_first_is_the_first_of_the_table(make_run):
    a = predicting(make_run("a", validation=0.15), range(150))
    b = predicting(make_run("b", validation=0.1, spec={"seed": 1}), range(100))
    by_name = compare([b, a], "name")
    assert [difference_text(row.against) for row in by_name.rows] == ["–", "better -5.0 [-6.4, -3.6] p < 0.001"]
    head, first, second = text_rows(by_name, test=False)
    assert (head[-1], first[-1], second[-1].split()[0]) == ("against the first", "–", "better")


@pytest.mark.parametrize("damage", ["none", "torn", "other ids", "no label"])
def test_what_cannot_be_compared_image_by_image_is_not(make_run, damage):
    a = predicting(make_run("a", validation=0.1), range(100))
    other = make_run("b", validation=0.15, spec={"seed": 1})
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
    assert next(text_rows(found, test=False))[-1] == "time"


def test_predictions_are_read_only_where_others_have_the_same_images(make_run, monkeypatch):
    read = []
    monkeypatch.setattr("improve.diagnosis.comparison.candidate._missed", lambda run, ids: read.append(run.name))
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


def test_what_satisfies_the_conditions_comes_first_then_the_best(make_run):
    make_run("slow", validation=0.1, seconds_per_image=0.05, model_bytes=1_000_000)
    make_run("good", validation=0.2, seconds_per_image=0.004, model_bytes=2_000_000, spec={"seed": 1})
    last = make_run("poor", validation=0.3, seconds_per_image=0.001, model_bytes=1_000_000, spec={"seed": 2})
    folders = sorted(last.folder.parent.iterdir())
    found = compare(folders, where=["seconds_per_image<=10ms", "model_bytes <= 5MB"])
    assert [(row.name, row.broken) for row in found.rows] == [
        ("good", ()), ("poor", ()), ("slow", ("seconds_per_image<=10ms",)),
    ]  # fmt: skip
    head, first, _, third = text_rows(found, test=False)
    assert head[-2:] == ["seconds_per_image", "model_bytes"]
    assert first[-2:] == ["4 ms", "2 MB"]
    assert third[0] == "slow  ✗ seconds_per_image<=10ms"


def test_a_setting_can_be_a_condition_and_an_order(make_run):
    runs = [make_run(name, spec={"regularization": {"dropout": rate}}) for name, rate in (("a", 0.5), ("b", 0.25))]
    found = compare([run.folder for run in runs], where=["regularization.dropout<0.5"])
    assert [(row.name, row.broken) for row in found.rows] == [("b", ()), ("a", ("regularization.dropout<0.5",))]


def test_more_images_per_second_are_better(make_run):
    runs = [make_run("a", images_per_second=100.0), make_run("b", images_per_second=900.0)]
    assert [row.name for row in compare([run.folder for run in runs], "images_per_second").rows] == ["b", "a"]


def test_an_unknown_condition_names_its_neighbours(make_run):
    with pytest.raises(UsageError, match="'seconds_per_imge'") as caught:
        compare([make_run().folder], where=["seconds_per_imge<1"])
    assert "seconds_per_image" in caught.value.fix


@pytest.mark.parametrize("asked", [{"sort": "test_error"}, {"where": ["test_error<0.5"]}])
def test_the_test_part_judges_only_when_it_is_opened(make_run, asked):
    folder = make_run(test=part(0.3, 100)).folder
    with pytest.raises(UsageError, match="opens the test part"):
        compare([folder], **asked)
    assert compare([folder], **asked, test=True).rows[0].chosen == {
        "test_error": 0.3,
        **({} if "sort" in asked else {"validation_error": 0.02}),
    }


def test_every_look_at_a_test_part_is_written_down(make_run, improve):
    run, other = make_run("a", test=part(0.3, 100)), make_run("b")
    improve("compare", run.folder, other.folder, run.folder.parent / "none")
    assert not (run.folder.parent / ".evaluations.csv").exists()
    improve("compare", run.folder, other.folder, run.folder.parent / "none", "--test")
    lines = (run.folder.parent / ".evaluations.csv").read_text().splitlines()
    assert [("a" in line, "test" in line) for line in lines[1:]] == [(True, True)]


def test_p_values_are_adjusted_for_all_pairs(make_run):
    """Alone wrong 30 : 10 each against the best (p = 0.0022); three pairs, and the other two do not differ."""
    best = predicting(make_run("best", validation=0.1), range(100))
    second = predicting(make_run("second", validation=0.12, spec={"seed": 1}), [*range(10, 100), *range(500, 530)])
    third = predicting(make_run("third", validation=0.12, spec={"seed": 2}), [*range(10, 100), *range(600, 630)])
    found = compare([best, second, third])
    assert [pair[:2] for pair in found.pairs] == [("best", "second"), ("best", "third"), ("second", "third")]
    assert [pair.seen.p for pair in found.pairs] == pytest.approx([3 * 0.0022, 3 * 0.0022, 1.0], abs=2e-4)
    assert "p for 3 pairs (Holm)" in footnote(found)
    assert [pair["verdict"] for pair in found.as_json(False)["pairs"]] == ["worse", "worse", "not distinguishable"]


def test_recipes_with_several_seeds_are_told_with_their_spread(make_run, improve):
    folders = []
    for seed in range(3):
        for name, wrong, model in (("good", 100, "lenet"), ("bad", 200, "mlp")):
            run = make_run(f"{name}{seed}", validation=wrong / 1000 + seed / 100, fingerprint=f"{seed}",
                           spec={"seed": seed, "model": model})  # fmt: skip
            folders.append(predicting(run, range(wrong + 10 * seed)))
    out = improve("compare", *folders)[1]
    assert "good0       3      11.0 ± 1.0 %  –" in out
    assert "bad0        3      21.0 ± 1.0 %  worse +10.0 [10.0, 10.0]  0.000" in out
    document = json.loads(improve("compare", *folders, "--json")[1])
    assert [recipe["runs"] for recipe in document["recipes"]] == [["good0", "good1", "good2"], ["bad0", "bad1", "bad2"]]


def test_runs_on_other_images_are_named_by_their_images(make_run):
    runs = [make_run("a", fingerprint="x", n=500), make_run("b", fingerprint="y"), make_run("c", fingerprint="y")]
    told = footnote(compare([run.folder for run in runs]))
    assert told.endswith("across   a (n=500) | b, c (n=1,000)")


def test_the_luck_of_the_best_of_many_is_told(make_run):
    """Three equals with 10 % errors on 1,000 images each: 0.846 sd of √(0.1 · 0.9 / 1000) = 0.8 points."""
    runs = [make_run(name, validation=0.1, spec={"seed": seed}) for seed, name in enumerate("abc")]
    assert "chosen among 3: expect the best to look 0.8 points too good" in footnote(compare([r.folder for r in runs]))


def test_csv_holds_plain_numbers(make_run, improve):
    best = predicting(make_run("best", validation=0.1, seconds_per_image=0.01), range(100))
    rival = predicting(make_run("rival", validation=0.15, spec={"seed": 1}), range(20, 170))
    head, first, second = csv.reader(io.StringIO(improve("compare", best, rival, "--csv")[1]))
    assert dict(zip(head, first, strict=True))["seconds_per_image"] == "0.01"
    row = dict(zip(head, second, strict=True))
    assert (row["run"], row["seed"], row["validation_error"], row["verdict"]) == ("rival", "1", "0.15", "worse")
    assert float(row["difference"]) == pytest.approx(0.05)


def test_runs_of_the_same_name_are_told_apart_by_what_they_lie_in(make_run, tmp_path):
    best = predicting(make_run("a", validation=0.1), range(100))
    rival = predicting(make_run("b", validation=0.15), range(20, 170))
    for folder, parent in ((best, "one"), (rival, "two")):
        (tmp_path / parent).mkdir()
        folder.rename(tmp_path / parent / "seed0")
    found = compare([tmp_path / "one" / "seed0", tmp_path / "two" / "seed0"])
    assert [row.name for row in found.rows] == ["one/seed0", "two/seed0"]
    assert difference_text(found.rows[1].against).startswith("worse +5.0")


def test_the_same_recipe_with_two_seeds_is_not_distinguishable_though_its_images_are_others(make_run):
    """Newcombe's interval of 0.12 − 0.10 on 1,000 images each; 0.20 − 0.10 is beyond it."""
    runs = [make_run(name, validation=error, fingerprint=name, spec={"seed": seed})
            for seed, (name, error) in enumerate([("a", 0.1), ("b", 0.12), ("c", 0.2)])]  # fmt: skip
    rows = compare([run.folder for run in runs]).rows
    assert difference_text(rows[1].against) == "not distinguishable (+2.0 [-0.7, 4.8]; on other images)"
    assert difference_text(rows[2].against) == "worse +10.0 [6.9, 13.1], on other images"


def test_runs_on_other_data_are_not_compared_at_all(make_run):
    runs = [
        make_run("a", fingerprint="x"),
        make_run("b", 0.3, 0.4, fingerprint="y", spec={"data": {"source": "mnist"}}),
    ]
    assert [row.against for row in compare([run.folder for run in runs]).rows] == [None, None]


def test_an_ensemble_is_another_recipe_than_the_run_whose_snapshots_it_averages(make_run):
    best = predicting(make_run("run", validation=0.1), range(100))
    both = predicting(make_run("run-snapshots", validation=0.09, members=["a", "b"]), range(10, 100))
    found = compare([best, both])
    assert [(row.name, row.settings) for row in found.rows] == [
        ("run-snapshots", {"members": 2}), ("run", {"members": "–"}),
    ]  # fmt: skip
    assert difference_text(found.rows[1].against).startswith("worse +1.0")


def test_the_seed_of_the_split_makes_no_other_recipe(make_run):
    runs = [make_run("a"), make_run("b", spec={"seed": 1, "data": {"split_seed": 0}})]
    assert [len(one.recipe.runs) for one in compare([run.folder for run in runs]).recipes] == [2]


def test_the_page_of_an_earlier_report_is_not_told_as_skipped(improve, make_run):
    runs = make_run("a").folder.parent
    (runs / "report.html").write_text("")
    (runs / "notes.txt").write_text("")
    told = improve("compare", *sorted(runs.iterdir()))[1]
    assert ("notes.txt" in told, "report.html" in told) == (True, False)
