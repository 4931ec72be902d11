"""Ensembles: the mean of several runs' probabilities, beside their members."""

import csv
import json
import shutil

import numpy as np
import pytest

from conftest import FIXTURES
from hostile import assert_harmless, every_hostile_text
from improve.diagnosis.comparison.ensembles import ensemble_report
from improve.diagnosis.diagnose import diagnose
from improve.engine.model.timeline import timeline
from improve.engine.training.members import member_spec
from improve.engine.training.snapshots import snapshot_epochs
from improve.errors import ImproveError, UsageError
from improve.runs.ensemble import Part, ensemble, gather, members, selected
from improve.runs.run import load_run
from improve.spec.reading.load import load_spec
from improve.spec.spec import Spec
from improve.statistics.intervals import Rate
from improve.statistics.significance import expected_optimism

RUNS = FIXTURES / "runs"
# the true class has these probabilities on two images: one member is right on both, the others on none
COUNTER_EXAMPLE = {"sure": (0.9, 0.6), "poor": (0.4, 0.05), "poor2": (0.4, 0.05)}


@pytest.fixture
def predicted(make_run):
    """A run that gives the true class, 0, of two these probabilities, on images 0, 1, 2 … of every part."""

    def make(name, right, ids=None, classes=("a", "b"), parts=("train", "validation"), **more):
        right = np.array(right, np.float32)
        ids, label = np.arange(len(right)) if ids is None else np.array(ids), np.zeros(len(right), int)
        missed = float((right <= 0.5).mean())
        folder = make_run(
            name, missed, missed, len(right), evidence={"data": {"classes": list(classes)}}, **more
        ).folder
        for part in parts:
            arrays = {"id": ids, "label": label, "probability": np.stack([right, 1 - right], axis=1)}
            np.savez(folder / "predictions" / f"{part}.npz", **arrays)
        if "test" in parts:
            summary = json.loads((folder / "summary.json").read_text())
            (folder / "summary.json").write_text(json.dumps(summary | {"test": summary["validation"]}))
        return folder

    return make


def fingerprints(folder, **prints):
    file = folder / "environment.json"
    found = json.loads(file.read_text())
    found["data"]["fingerprint"] |= prints
    file.write_text(json.dumps(found))


def test_an_ensemble_can_be_worse_than_its_best_member_in_both_numbers(predicted, tmp_path):
    """Jensen promises less than is often said: 1.012 is under the mean of 1.407, and far above the best member's."""
    folders = [predicted(name, right) for name, right in COUNTER_EXAMPLE.items()]
    made = load_run(ensemble(folders, tmp_path / "runs", "all"))
    found = ensemble_report(made).parts["validation"]
    assert [one.error for one in found.members] == [0, 1, 1]
    assert [round(one.cross_entropy, 3) for one in found.members] == [0.308, 1.956, 1.956]
    assert round(found.mean.cross_entropy, 3) == 1.407
    assert round(found.mean.error, 4) == 0.6667
    assert (found.ensemble.error, round(found.ensemble.cross_entropy, 3)) == (0.5, 1.012)
    assert (found.against.value, found.against.p, found.against.n) == (0.5, 1.0, 2)
    assert made.summary.validation.error == 0.5
    assert round(made.summary.validation.cross_entropy, 3) == 1.012


def test_images_are_matched_by_their_ids(predicted, tmp_path):
    first = predicted("a", [0.9, 0.7, 0.3], ids=[6, 7, 5])
    second = predicted("b", [0.1, 0.5, 0.8], ids=[7, 5, 6])
    folder = ensemble([first, second], tmp_path / "runs", "both")
    with np.load(folder / "predictions" / "validation.npz") as arrays:
        assert arrays["id"].tolist() == [6, 7, 5]  # as in the first run
        assert arrays["probability"][:, 0] == pytest.approx([0.85, 0.4, 0.4])
        assert arrays["probability"].dtype == np.float32


def test_an_ensemble_is_a_run_whose_members_are_named_by_their_way_from_the_runs_folder(predicted, tmp_path):
    folders = [predicted("a", [0.9, 0.4]), predicted("b", [0.8, 0.7])]
    made = load_run(ensemble(folders, tmp_path / "runs", "both"))
    assert (made.status, made.summary.members, made.summary.best_member) == ("finished", ["a", "b"], "b")
    assert members(made) == (folders, [0.5, 0.5])
    assert made.fingerprint == load_run(folders[0]).fingerprint
    assert (made.summary.parameters, made.summary.seconds) == (2000, 25.0)
    assert made.spec["training"]["members"] == 2
    assert (made.folder / "spec.yaml").read_text().startswith("# an ensemble of 2 runs")
    elsewhere = load_run(ensemble(folders, tmp_path / "others", "both"))
    assert elsewhere.summary.members == ["../runs/a", "../runs/b"]
    assert [folder.resolve() for folder in members(elsewhere)[0]] == folders
    rows = list(csv.DictReader((tmp_path / "runs" / ".evaluations.csv").open()))
    assert [(row["run"], row["part"]) for row in rows] == [("both", "validation")]


def refusal(folders, tmp_path):
    with pytest.raises(ImproveError) as refused:
        ensemble(folders, tmp_path / "made", "e")
    assert not (tmp_path / "made").exists()  # nothing is left behind
    return refused.value.what


@pytest.mark.parametrize("part", ["train", "train_dev", "validation", "test"])
def test_runs_on_other_images_are_refused_by_name(predicted, tmp_path, part):
    first, second = predicted("a", [0.9, 0.4]), predicted("b", [0.8, 0.7])
    fingerprints(first, **{part: "x"})
    fingerprints(second, **{part: "y"})
    what = refusal([first, second], tmp_path)
    assert what.startswith(f"{first} and {second} do not have the same ")
    assert what.endswith("images")


def test_other_ids_labels_or_classes_are_refused_by_name(predicted, tmp_path):
    first = predicted("a", [0.9, 0.4])
    for number, more in enumerate([{"ids": [0, 2]}, {"classes": ("a", "c")}, {"right": [0.9, 0.4, 0.3]}]):
        second = predicted(f"b{number}", more.pop("right", [0.8, 0.7]), **more)
        assert f"{first} and {second} do not have the same" in refusal([first, second], tmp_path)
    second = predicted("labels", [0.8, 0.7])
    with np.load(second / "predictions" / "train.npz") as arrays:
        np.savez(second / "predictions" / "train.npz", **{**arrays, "label": np.array([0, 1])})
    assert refusal([first, second], tmp_path).endswith("do not have the same training images")


def test_what_can_be_no_ensemble_is_refused(predicted, make_run, tmp_path):
    first, second = predicted("a", [0.9, 0.4]), predicted("b", [0.8, 0.7])
    assert refusal([first], tmp_path) == "an ensemble has two members at least"
    assert refusal([first, first / ".." / "a"], tmp_path) == f"{first} is named twice"
    both = ensemble([first, second], tmp_path / "runs", "both")
    assert refusal([first, both], tmp_path) == f"{both} is an ensemble already"
    bare = make_run("bare").folder
    assert refusal([first, bare], tmp_path) == f"{bare} has no predictions of its training images"
    begun = make_run("begun").folder
    (begun / "summary.json").write_text('{"status": "running"}')
    assert refusal([first, begun], tmp_path) == f"{begun} has no results yet"
    assert "there is no run" in refusal([first, tmp_path / "no"], tmp_path)
    with pytest.raises(UsageError, match="cannot name a run"):
        ensemble([first, second], tmp_path / "made", "../e")


@pytest.mark.parametrize("damage", ["torn", "nan", "no id"])
def test_damaged_predictions_are_named(predicted, tmp_path, damage):
    first, second = predicted("a", [0.9, 0.4]), predicted("b", [0.8, 0.7])
    file = second / "predictions" / "validation.npz"
    with np.load(file) as arrays:
        kept = dict(arrays)
    if damage == "nan":
        np.savez(file, **{**kept, "probability": kept["probability"] * np.nan})
    elif damage == "no id":
        np.savez(file, label=kept["label"], probability=kept["probability"])
    else:
        file.write_bytes(file.read_bytes()[:-40])
    assert refusal([first, second], tmp_path).startswith(f"{file} is damaged: ")


def part_of(*right):
    right = np.array(right)
    return Part(np.arange(right.shape[1]), np.zeros(right.shape[1], int), np.stack([right, 1 - right], axis=2))


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        # b alone: 0.399; with a 0.420, with c 0.613
        ([(0.9, 1 / 3), (0.5, 0.9), (0.4, 0.3)], [0, 1, 0]),
        # each alone 1.151, a and b together 0.598, and then every third one makes it worse
        ([(1.0, 0.1), (0.1, 1.0), (0.1, 0.1)], [1 / 2, 1 / 2, 0]),
        # a 1.204, ab 1.040, aab 1.033, aaab 1.050, aabb 1.040: with replacement
        ([(0.9, 0.1), (0.1, 0.4)], [2 / 3, 1 / 3]),
        # twins bring nothing
        ([(0.9, 0.4), (0.9, 0.4)], [1, 0]),
    ],
)
def test_greedy_selection_adds_who_lowers_the_cross_entropy_most_as_long_as_one_does(rights, expected):
    assert selected(part_of(*rights)) == pytest.approx(expected)


def test_greedy_weights_are_kept_and_make_the_mean(predicted, tmp_path):
    rights = {"a": (0.95, 0.1), "b": (0.1, 0.95), "c": (0.1, 0.1)}
    folders = [predicted(name, right) for name, right in rights.items()]
    made = load_run(ensemble(folders, tmp_path / "runs", "e", greedy=True))
    assert (made.summary.weights, made.summary.left_out) == ({"a": 0.5, "b": 0.5}, ["c"])
    assert members(made) == (folders[:2], [0.5, 0.5])
    assert made.summary.parameters == 2000  # who is left out costs nothing
    with np.load(made.folder / "predictions" / "train.npz") as arrays:
        assert arrays["probability"][:, 0] == pytest.approx([0.525, 0.525])
    found = ensemble_report(made)
    assert (found.names, found.weights, found.selected) == (("a", "b", "c"), (0.5, 0.5, 0.0), True)
    assert found.parts["validation"].mean.error == 0.5  # of those that answer


def test_the_optimism_of_the_best_member_is_that_of_equals_on_the_same_images(predicted, tmp_path):
    folders = [predicted(f"r{place}", np.where(np.arange(50) % 10 == place, 0.1, 0.9)) for place in range(3)]
    found = ensemble_report(load_run(ensemble(folders, tmp_path / "runs", "e")))
    # each errs on 5 images of its own, so two of them disagree on 10 of 50
    assert found.optimism == pytest.approx(expected_optimism(3) * np.sqrt(0.2 / 2 / 50))


def test_the_terminal_tells_best_mean_and_ensemble_and_what_nobody_promises(improve, predicted, tmp_path):
    folders = [predicted(name, right) for name, right in COUNTER_EXAMPLE.items()]
    code, out, err = improve("ensemble", *folders, "--runs", tmp_path / "runs")
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "sure (best on validation) 0.0 % [0.0, 65.8] 0.308" in lines
    low, high = Rate(2 / 3, 2).interval()
    assert f"mean member 66.7 % [{100 * low:.1f}, {100 * high:.1f}] 1.407" in lines
    assert "ensemble 50.0 % [9.5, 90.5] 1.012" in lines
    assert any(line.startswith("against sure: not distinguishable, +50.0 [") for line in lines)
    assert (
        "by Jensen's inequality the ensemble's cross-entropy is at most its members' mean; nothing is promised" in out
    )
    assert "the best member was chosen on these validation images among 3: expect it to look" in out
    assert "selected" not in out
    code, out, _ = improve("ensemble", *folders, "--runs", tmp_path / "runs", "--greedy", "--name", "chosen")
    assert "1 of 3 members answer, selected by their validation cross-entropy" in out
    assert " weight" in out


def test_the_test_part_stays_sealed_until_it_is_asked_for_and_each_look_is_written_down(improve, predicted, tmp_path):
    runs = tmp_path / "runs"
    folders = [predicted(name, right, parts=("train", "validation", "test")) for name, right in COUNTER_EXAMPLE.items()]
    assert "test error" not in improve("ensemble", *folders, "--runs", runs)[1]
    found = json.loads(improve("ensemble", *folders, "--runs", runs, "--json")[1])
    assert "test" not in found
    assert "test" not in found["report"]
    assert found["report"]["validation"]["ensemble"]["error"] == 0.5
    assert "test error" in improve("ensemble", *folders, "--runs", runs, "--test")[1]
    found = json.loads(improve("ensemble", *folders, "--runs", runs, "--test", "--json")[1])
    assert (found["test"]["error"], found["report"]["test"]["ensemble"]["error"]) == (0.5, 0.5)
    rows = list(csv.DictReader((runs / ".evaluations.csv").open()))
    assert [row["run"] for row in rows if row["part"] == "test"] == ["ensemble-3", "ensemble-4"]
    code, _, err = improve("ensemble", *folders[:2], predicted("d", [0.9, 0.9]), "--runs", runs, "--test")
    assert (code, "these runs have no test part in common" in err) == (2, True)
    assert not (runs / "ensemble-5").exists()


def test_next_and_resume_name_the_member_to_turn_to(improve, predicted, tmp_path):
    folders = [predicted(name, right) for name, right in COUNTER_EXAMPLE.items()]
    made = ensemble(folders, tmp_path / "runs", "e")
    code, _, err = improve("next", made)
    assert (code, f"improve next {folders[0]} for its best member" in err) == (2, True)
    code, _, err = improve("resume", made)
    assert (code, "is an ensemble, and its members are done" in err) == (2, True)
    code, out, _ = improve("diagnose", made)
    assert (code, f"improve diagnose {folders[0]}" in out, "ensemble of 3" in out) == (0, True, True)
    code, out, _ = improve("compare", made, *folders)
    assert (code, "training.members" in out) == (0, True)


@pytest.mark.parametrize("name", sorted(folder.name for folder in RUNS.iterdir()))
def test_an_ensemble_of_any_golden_run_is_diagnosed_without_the_evidence_of_its_members(name, tmp_path, improve):
    folders = [shutil.copytree(RUNS / name, tmp_path / twin) for twin in ("one", "two")]
    golden = load_run(folders[0])
    if golden.spec["model"]["name"] == "python":  # the golden runs come without their users' code
        with pytest.raises(UsageError, match=r"there is no nets.py in"):
            ensemble(folders, tmp_path, "e")
        (folders[0] / "nets.py").write_text("")
    if golden.summary.validation is None:
        with pytest.raises(UsageError, match="has no results yet"):
            ensemble(folders, tmp_path, "e")
        return
    made = load_run(ensemble(folders, tmp_path, "e"))
    assert made.summary.validation.error == golden.summary.validation.error
    found = diagnose(made)
    assert found.gaps == diagnose(golden).gaps
    assert {"layers", "kernels"} <= {need for _, needs in found.unchecked for need in needs.split(", ")}
    code, out, err = improve("diagnose", made.folder)
    assert (code, err, "ensemble of 2" in out, "improve next" in out) == (0, "", True, False)
    assert "(only its members could have left the evidence they need)" in out


@every_hostile_text
def test_no_name_speaks_for_itself_in_the_table(improve, predicted, tmp_path, text):
    names = [text.replace("/", "")[:80], text.replace("/", "")[:80] + "2"]
    folders = [predicted(name, [0.9, 0.4], classes=(text, "b")) for name in names]
    for command in ([], ["--greedy"], ["--json"], ["--test"]):
        code, out, err = improve("ensemble", *folders, "--runs", tmp_path / "made", *command)
        assert code == (2 if command == ["--test"] else 0)
        assert_harmless(out + err)
    other = predicted("other", [0.9, 0.4], classes=("c", text))
    assert_harmless(improve("ensemble", folders[0], other)[2])
    for command in ("diagnose", "next", "resume"):
        assert_harmless("".join(improve(command, tmp_path / "made" / "ensemble")[1:]))


def test_a_summary_that_names_no_members_as_texts_is_damaged(predicted, tmp_path):
    made = ensemble([predicted("a", [0.9]), predicted("b", [0.8])], tmp_path / "runs", "e")
    summary = json.loads((made / "summary.json").read_text())
    for wrong in ({"members": [1]}, {"members": "a"}, {"weights": {"a": "b"}}, {"best_member": 3}):
        (made / "summary.json").write_text(json.dumps(summary | wrong))
        with pytest.raises(ImproveError, match="is damaged"):
            load_run(made)


def test_a_member_has_its_own_seed_and_the_ensembles_images(write_spec):
    spec = load_spec(write_spec("seed: 7\ntraining: {members: 3}\n"))
    alone = [member_spec(spec, number) for number in range(3)]
    assert [one.seed for one in alone] == [7, 8, 9]
    assert [one.split_seed for one in alone] == [7, 7, 7]
    assert {one.training.members for one in alone} == {1}
    assert all(Spec.model_validate(one.complete()) == one for one in alone)


def test_the_split_seed_keeps_the_parts_under_another_seed(write_spec):
    from improve.engine.data.prepare import prepare

    text = "data: {source: digits, split: 60/20/20, target: {simulate: [{name: rotate, degrees: 20}]}}\n"
    base, other, kept = (
        prepare(load_spec(write_spec(text), more)) for more in ([], ["seed=1"], ["seed=1", "data.split_seed=0"])
    )
    assert [part.digest for part in kept.statistics.values()] == [part.digest for part in base.statistics.values()]
    assert other.statistics["validation"].digest != base.statistics["validation"].digest


RESTARTS = "schedule: {name: warm_restarts, first_decay_epochs: 4, t_mul: 1}\n"


@pytest.mark.parametrize(
    ("schedule", "epochs", "expected"),
    [
        ("first_decay_epochs: 4, t_mul: 1", 12, [4, 8, 12]),
        ("first_decay_epochs: 4, t_mul: 1", 18, [8, 12, 16]),
        ("first_decay_epochs: 2, t_mul: 2", 14, [2, 6, 14]),
        ("first_decay_epochs: 2, t_mul: 1.5", 20, [2, 5]),  # then 9.5 and 16.25, within an epoch
    ],
)
def test_snapshots_are_taken_after_the_last_cycles(schedule, epochs, expected):
    text = {"schedule": {"name": "warm_restarts"}, "training": {"epochs": epochs, "snapshots": 3}}
    text["schedule"] |= {key: float(value) if "." in value else int(value)
                         for key, value in (pair.split(": ") for pair in schedule.split(", "))}  # fmt: skip
    spec = Spec.model_validate(text)
    assert snapshot_epochs(spec, timeline(spec, 10)) == expected


def test_snapshots_count_from_where_a_changed_schedule_begins():
    spec = Spec.model_validate({"schedule": {"name": "warm_restarts", "first_decay_epochs": 4, "t_mul": 1},
                                "training": {"epochs": 15, "snapshots": 2}})  # fmt: skip
    line = timeline(spec, 10)
    assert snapshot_epochs(spec, line.with_schedule_from(30, 3.0)) == [11, 15]
    assert snapshot_epochs(spec, line.with_schedule_from(34, 3.4)) == []  # its cycles end within epochs


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("training: {epochs: 12, snapshots: 3}", "3 snapshots, but in 12 epochs of this schedule no cycles end with"),
        (f"{RESTARTS}training: {{epochs: 11, snapshots: 3}}", "but in 11 epochs of this schedule 2 cycles end with"),
        (f"{RESTARTS}training: {{epochs: 12, snapshots: 3, members: 2}}", "several members: not both"),
        (f"{RESTARTS}training: {{epochs: 12, snapshots: 3, early_stopping: {{patience: 2}}}}", "before its end"),
        ("training: {members: 0}", "greater than or equal to 1"),
        ("training: {snapshots: 1}", "greater than or equal to 2"),
        ("data: {split_seed: -1}", "greater than or equal to 0"),
    ],
)
def test_an_ensemble_that_cannot_be_is_refused_before_anything_starts(improve, write_spec, text, why):
    code, _, err = improve("check", write_spec(text))
    assert (code, why in err) == (2, True), err


def test_endless_cycles_are_counted_in_no_time(improve, write_spec):
    text = "schedule: {name: warm_restarts, first_decay_epochs: 1, t_mul: 1}\n"
    text += "training: {epochs: 999999999999, snapshots: 2}"
    assert improve("check", write_spec(text))[0] == 0


def test_a_learning_curve_takes_one_network(improve, write_spec, tmp_path):
    file = write_spec("training: {members: 3, batch_size: 16}")
    code, _, err = improve("learning-curve", file, "--runs", tmp_path / "runs", "--quiet")
    assert (code, "this trains one network, not 3" in err) == (2, True)


def test_gathering_needs_train_and_validation_and_takes_the_rest_where_all_have_it(predicted):
    parts = ("train", "train_dev", "validation", "test")
    folders = [predicted("a", [0.9, 0.4], parts=parts), predicted("b", [0.8, 0.7], parts=parts[:3])]
    assert list(gather([load_run(folder) for folder in folders])) == ["train", "train_dev", "validation"]


def test_an_ensemble_has_a_cost_where_its_members_have_one(predicted, tmp_path):
    """Two images of class a, one of them wrong: an error there costs 10, and nothing else is asked."""
    folders = [predicted(name, (0.9, 0.2), spec={"diagnosis": {"cost": {"a": 10}}}) for name in "xy"]
    assert load_run(ensemble(folders, tmp_path, "both")).summary.validation.cost == 0.5
