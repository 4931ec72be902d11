"""The loop: what it tries, what it keeps, what it writes down; no training."""

import json
from dataclasses import replace

import numpy as np
import pytest

from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.findings.rule import Change, Finding
from improve.errors import ImproveError
from improve.experiments.auto import accept as weighing
from improve.experiments.auto import advice_prior as trust
from improve.experiments.auto import loop as auto
from improve.experiments.auto.accept import behind_half_way, with_verdict
from improve.experiments.auto.advice_prior import AdvicePrior, Tally
from improve.experiments.auto.budget import Budget
from improve.experiments.auto.hypotheses import hypothesis_of
from improve.experiments.auto.journal import (
    DROPPED,
    FAILED,
    KEPT,
    AutoStep,
    Journal,
    Tried,
    advice_tallies,
    read_journal,
)
from improve.experiments.auto.loop import decide, folder_for, give_up, next_steps
from improve.experiments.auto.proposals import (
    advice_for_people,
    affordable_edits,
    edited_spec,
    proposals,
    steps_aside,
    suspected_proposals,
)
from improve.runs.run import load_run
from improve.spec.spec import Spec

SPEC = Spec.model_validate({"data": {"source": "digits"}, "model": "mlp"}).complete()


def predicting(run, wrong, n=1000):
    ids = np.arange(n)
    probability = np.where(np.isin(ids, list(wrong))[:, None], [0.2, 0.8], [0.7, 0.3]).astype("float32")
    (run.folder / "predictions").mkdir(exist_ok=True)
    np.savez(run.folder / "predictions" / "validation.npz", id=ids, label=np.zeros(n, int), probability=probability)
    return run


# what is believed


def test_a_change_is_believed_as_often_as_it_came_true(monkeypatch):
    monkeypatch.setattr(
        trust, "shipped", lambda: {"T2": {"optimizer.learning_rate": Tally(18, 18)}, "V1": {"a": Tally(0, 18)}}
    )
    believed = AdvicePrior()
    assert believed.of("T2", "optimizer.learning_rate") == pytest.approx((18 + 2 * (18 + 2 * 0.5) / 20) / 20, abs=0.01)
    assert believed.of("V1", "a") < 0.1
    assert believed.of("T2", "model.width") == pytest.approx(believed.of("T2", "schedule"))
    assert 0.4 < believed.of("T5", "anything") < 0.6  # nobody has tried: as likely as anything
    assert AdvicePrior({("V1", "a"): Tally(20, 20)}).of("V1", "a") > 0.4


def test_augmentations_are_told_apart_by_what_they_do_and_to_what():
    shift, flip = {"name": "shift", "width": 0.1, "height": 0.1}, {"name": "flip"}
    grey, colour = (28, 28, 1), (32, 32, 3)
    assert trust.change_key("augmentation", [shift], grey) == "augmentation: shift (grey)"
    assert trust.change_key("augmentation", [flip, shift], colour) == "augmentation: flip, shift (colour)"
    assert trust.change_key("augmentation", [shift], ()) == "augmentation: shift"
    assert trust.change_key("augmentation", [], colour) == "augmentation (colour)"
    assert trust.change_key("model.hidden", [64], grey) == "model.hidden (grey)"
    photographs, clothes = (
        AdvicePrior().of("V1", f"augmentation: flip, shift ({kind})") for kind in ("colour", "grey")
    )
    assert photographs > 0.8 > 0.3 > clothes


def test_what_came_true_on_images_of_one_kind_is_believed_there_first(monkeypatch):
    monkeypatch.setattr(trust, "shipped", lambda: {"V1": {"a (grey)": Tally(0, 18), "b": Tally(9, 18)}})
    assert AdvicePrior().of("V1", "a (colour)") == AdvicePrior().of("V1", "a") > 2 * AdvicePrior().of("V1", "a (grey)")
    assert AdvicePrior().of("V1", "b (colour)") == AdvicePrior().of("V1", "b (grey)") == AdvicePrior().of("V1", "b")
    assert AdvicePrior({("V1", "a (colour)"): Tally(18, 18)}).of("V1", "a (colour)") > 0.8


def test_the_shipped_counts_are_sound():
    counts = trust.shipped()
    assert counts["T2"]["optimizer.learning_rate"].tried >= 10
    assert all(0 <= tally.true <= tally.tried for paths in counts.values() for tally in paths.values())


# what could be tried


def test_what_was_found_is_ranked_by_what_it_may_win_per_epoch(make_run):
    spec = {"data": {"source": "digits"}, "model": "mlp", "training": {"epochs": 10}}
    run = make_run("a", 0.01, 0.2, spec=spec)
    found = proposals(diagnose(run), AdvicePrior(), Tried([]), 10_000)
    assert [one.worth for one in found] == sorted((one.worth for one in found), reverse=True)
    assert {"V1", "V3"} & {one.code for one in found}
    assert all(Spec.model_validate(one.spec) for one in found)


def test_what_was_tried_or_costs_too_much_is_not_tried(make_run):
    run = make_run("a", 0.01, 0.2, spec={"data": {"source": "digits"}, "model": "mlp", "training": {"epochs": 10}})
    found = proposals(diagnose(run), AdvicePrior(), Tried([]), 10_000)
    tried = Tried([found[0].spec])
    assert found[0].edits not in [one.edits for one in proposals(diagnose(run), AdvicePrior(), tried, 10_000)]
    assert proposals(diagnose(run), AdvicePrior(), Tried([]), 9) == []


def test_what_was_tried_is_not_tried_again_for_fewer_epochs_but_for_more():
    tried = Tried([with_epochs(48)])
    assert with_epochs(34) in tried
    assert with_epochs(48) in tried
    assert with_epochs(49) not in tried
    assert edited_spec(with_epochs(34), [("regularization.dropout", 0.5)]) not in tried


def with_epochs(epochs):
    return edited_spec(SPEC, [("training.epochs", epochs)])


@pytest.mark.parametrize(("true", "codes"), [(0, set()), (54, {"V1"})])
def test_advice_that_hardly_ever_came_true_waits_for_what_exploring_finds(make_run, monkeypatch, true, codes):
    """In 54 tries; a point that is explored is kept once in the epochs of 15 runs."""
    tally = {path: Tally(true, 54) for path in ("augmentation: shift", "regularization.dropout", "regularization.l2")}
    monkeypatch.setattr(trust, "shipped", lambda: {"V1": tally})
    run = make_run("a", 0.01, 0.2, spec={"data": {"source": "digits"}, "model": "mlp", "training": {"epochs": 10}})
    found = auto.advised(Journal(run.folder.parent / "walk"), run, Tried([]), 10_000)
    assert {one.code for one in found} == codes


ALWAYS = {path: Tally(54, 54) for path in ("augmentation: shift", "regularization.dropout", "regularization.l2")}


@pytest.mark.parametrize(
    ("validation", "augmentation", "told", "guessed"),
    [
        (0.300, [], {"V1"}, set()),  # 19 points: found, and no guess
        (0.142, [], set(), {"V1"}),  # 3.4 points [-2.3, 9.2] may be chance; P(above 2 points) 0.69
        (0.125, [], set(), set()),  # 1.7 points: P(above 2 points) 0.46
        (0.100, [], set(), set()),  # no gap at all
        (0.142, [{"name": "flip"}], set(), set()),  # what usually lowers it is done
    ],
)
def test_a_variance_that_is_not_settled_is_a_guess(make_run, monkeypatch, validation, augmentation, told, guessed):
    monkeypatch.setattr(trust, "shipped", lambda: {"V1": ALWAYS})
    spec = {"data": {"source": "digits"}, "model": "mlp", "augmentation": augmentation}
    run = make_run("a", 0.108, validation, n=260, spec=spec)
    asked = diagnose(run), AdvicePrior(), Tried([]), 10_000
    assert {one.code for one in proposals(*asked)} == told
    assert {one.code for one in suspected_proposals(*asked)} == guessed
    found = auto.advised(Journal(run.folder.parent / "walk"), run, Tried([]), 10_000)
    assert {one.code for one in found} == told | guessed
    assert all(("a guess" in one.because) == bool(guessed) for one in found)


def test_a_guess_that_is_less_likely_than_not_to_come_true_is_left(make_run, monkeypatch):
    run = make_run("a", 0.108, 0.142, n=260, spec={"data": {"source": "digits"}, "model": "mlp"})
    real = hypothesis_of(diagnose(run)).chance
    for share, count in ((0.51 / real, 2), (0.49 / real, 0)):
        monkeypatch.setattr(
            AdvicePrior, "of", lambda self, code, change, share=share: share if "l2" not in change else 0
        )
        assert len(suspected_proposals(diagnose(run), AdvicePrior(), Tried([]), 10_000)) == count


def test_what_waits_is_tried_where_what_was_found_has_no_change(make_run):
    """T14 asks a person to look at the labels; the learning rate that waits for it can be tried meanwhile."""
    diagnosis = diagnose(make_run("a", 0.84, 0.89, spec={"data": {"source": "digits"}, "model": "mlp"}))
    change = Change("optimizer.learning_rate", 0.1, "faster")
    labels = Finding("T14", "no_signal", "the labels carry no signal", "training", "", {}, 0.9)
    rate = Finding("T2", "too_low", "too low", "training", "", {}, 0.8, status="cannot_tell_yet", changes=(change,))
    asked = AdvicePrior(), Tried([]), 10_000
    assert [one.code for one in proposals(replace(diagnosis, findings=(labels, rate)), *asked)] == ["T2"]
    with_change = replace(labels, changes=(Change("optimizer.learning_rate", 0.2, "faster"),))
    assert [one.code for one in proposals(replace(diagnosis, findings=(with_change, rate)), *asked)] == ["T14"]
    assert proposals(replace(diagnosis, findings=(rate,)), *asked) == []


def test_nothing_is_guessed_where_something_is_found(make_run):
    diagnosis = diagnose(make_run("a", 0.108, 0.142, n=260, spec={"data": {"source": "digits"}, "model": "mlp"}))
    labels = Finding("T14", "no_signal", "the labels carry no signal", "training", "", {}, 0.9)
    assert hypothesis_of(diagnosis)
    assert not hypothesis_of(replace(diagnosis, findings=(*diagnosis.findings, labels)))


def test_a_change_that_moves_what_judges_is_left_to_people(make_run):
    run = make_run("a", 0.01, 0.2, spec={"data": {"source": "digits", "split": "15/65/20"}, "model": "mlp"})
    diagnosis = diagnose(run)
    assert [change.path for _, change in advice_for_people(diagnosis)][:1] == ["data.split"]
    assert not [
        one for one in proposals(diagnosis, AdvicePrior(), Tried([]), 10**6) if one.edits[0][0].startswith("data.")
    ]


def test_epochs_that_are_not_there_are_not_asked_for():
    assert affordable_edits((("training.epochs", 120),), SPEC, 50) == (("training.epochs", 50),)
    assert affordable_edits((("training.epochs", 120),), SPEC, 5) == (("training.epochs", SPEC["training"]["epochs"]),)


def test_an_edit_that_makes_no_sense_is_none():
    assert edited_spec(SPEC, [("optimizer.learning_rate", -1)]) is None
    assert edited_spec(SPEC, [("schedule", {"name": "warm_restarts", "first_decay_epochs": 500})]) is None
    assert edited_spec(SPEC, [("optimizer.learning_rate", 0.5)])["optimizer"]["learning_rate"] == 0.5


def test_steps_aside_are_valid_new_and_in_an_order_that_the_seed_gives():
    found = steps_aside(SPEC, 0, Tried([]), 1000)
    assert len(found) >= 8
    assert [one.edits for one in found] == [one.edits for one in steps_aside(SPEC, 0, Tried([]), 1000)]
    assert [one.edits for one in found] != [one.edits for one in steps_aside(SPEC, 1, Tried([]), 1000)]
    tried = Tried(one.spec for one in found)
    assert steps_aside(SPEC, 0, tried, 1000) == []
    assert all(one.spec != SPEC for one in found)


# what is kept


@pytest.mark.parametrize(
    ("alone", "verdict"),
    [(0, KEPT), (40, KEPT), (70, KEPT), (76, DROPPED), (100, DROPPED), (160, DROPPED)],
)
def test_kept_is_what_is_better_beyond_chance(make_run, tmp_path, alone, verdict):
    """The parent errs on 100 images, the child on `alone` others (70: P = 0.99, 76: 0.96); there is no budget for a
    second seed."""
    parent, child = (
        predicting(make_run("00", validation=0.1), range(100)),
        predicting(make_run("01"), range(500, 500 + alone)),
    )
    story = Journal(parent.folder.parent)
    step = with_verdict(story, AutoStep("01", "00"), [child], [parent], Budget(epochs=0), None)
    assert (step.verdict, step.seeds) == (verdict, 1)
    assert step.recovered == pytest.approx(0.1 - alone / 1000)
    assert step.low <= step.recovered <= step.high


@pytest.mark.parametrize(("wrong", "verdict"), [((25, 30), DROPPED), ((26, 25), DROPPED), ((27, 24), KEPT)])
def test_in_doubt_a_second_seed_of_each_decides(make_run, monkeypatch, wrong, verdict):
    """One seed: 20 against 30 errors, all others (P = 0.92); of the second seeds the parent errs on wrong[0] images,
    the child on wrong[1]. Together P = 0.62, 0.79 and 0.83."""
    parent, child = predicting(make_run("00"), range(30)), predicting(make_run("01"), range(500, 520))
    others = {
        "00": predicting(make_run("00-seed1"), range(wrong[0])),
        "01": predicting(make_run("01-seed1"), range(500, 500 + wrong[1])),
    }
    asked = []
    monkeypatch.setattr(weighing, "second_seed", lambda story, one, clock: asked.append(one.name) or others[one.name])
    story = Journal(parent.folder.parent)
    step = with_verdict(story, AutoStep("01", "00"), [child], [parent], Budget(epochs=10_000), None)
    assert (asked, step.seeds, step.verdict) == (["01", "00"], 2, verdict), step.better


@pytest.mark.parametrize(
    ("alone", "epochs", "done", "given_up"),
    [(140, 40, 20, True), (110, 40, 20, False), (140, 38, 19, False), (140, 40, 21, False), (140, 40, 9, False)],
)
def test_a_run_of_twice_the_epochs_that_is_surely_behind_after_half_of_them_is_given_up(
    make_run, monkeypatch, alone, epochs, done, given_up
):
    """The parent erred on 100 images in 20 epochs, the child on `alone` others after `done` of `epochs` (140: P = 0.00,
    110: 0.24): not where half of them are fewer than the parent's, where it is past its half, or ended before."""
    parent = predicting(make_run("00", spec={**SPEC, "training": {"epochs": 20}}), range(100))
    child = predicting(make_run("01", status="stopped", history=[0.1] * done), range(500, 500 + alone))
    monkeypatch.setattr(weighing, "trained_run", lambda folder, name, spec, clock, pause: load_run(folder / name))
    spec = Spec.model_validate(with_epochs(epochs))
    step = behind_half_way(Journal(parent.folder.parent), AutoStep(child.name, "00"), spec, parent, None)
    assert (step is not None) == given_up
    assert step is None or (step.verdict == DROPPED and "behind after 20 of 40 epochs" in step.why)


def test_a_child_without_a_result_has_failed_and_any_result_beats_none(make_run, monkeypatch):
    make_run("00", status="diverged")
    run = make_run("01", status="diverged")
    story = Journal(run.folder.parent)
    monkeypatch.setattr(auto, "spec_of", lambda *_: Spec.model_validate(SPEC))
    summary = {"status": "diverged", "epochs": 0}
    (run.folder / "summary.json").write_text(json.dumps(summary))
    monkeypatch.setattr(auto, "trained_run", lambda folder, name, spec, clock: load_run(folder / name))
    assert decide(story, AutoStep("01", "00"), Budget(epochs=1), None).verdict == FAILED
    (run.folder.parent / "00" / "summary.json").write_text(json.dumps(summary))
    other = make_run("02")
    assert decide(story, AutoStep(other.name, "00"), Budget(epochs=1), None).verdict == KEPT


# what is written down


def test_the_story_survives_a_torn_line_and_the_last_line_of_a_run_counts(tmp_path):
    story = Journal(tmp_path)
    story.write(AutoStep("00", verdict=KEPT))
    step = story.write(AutoStep("01", "00", "T2", "slow", (("optimizer.learning_rate", 0.1),), "why", 0.2))
    with (tmp_path / "steps.jsonl").open("a") as file:
        file.write('{"run": "01", "parent"')
    assert read_journal(tmp_path).open == [step]
    (tmp_path / "steps.jsonl").write_text((tmp_path / "steps.jsonl").read_text()[:-22])
    read_journal(tmp_path).write(replace(step, verdict=KEPT, recovered=0.1, low=0.05, high=0.2, better=1.0))
    again = read_journal(tmp_path)
    assert (again.open, again.best, [one.run for one in again.steps]) == ([], "01", ["00", "01"])


@pytest.mark.parametrize(
    ("weighed", "run"),
    [
        ([("00", 0.51, DROPPED), ("00", 0.7, DROPPED), ("00", 0.6, DROPPED)], "02"),
        ([("00", 0.5, DROPPED), ("00", 0.02, DROPPED), ("00", None, DROPPED), ("00", None, FAILED)], "00"),
        ([("00", 0.9, DROPPED), ("00", 0.99, KEPT), ("02", 0.3, DROPPED)], "02"),
        ([("00", 0.99, KEPT), ("01", 0.6, DROPPED), ("01", 0.9, "")], "02"),
    ],
)
def test_a_walk_ends_with_what_is_likeliest_of_what_was_weighed_against_the_run_kept_last(tmp_path, weighed, run):
    steps = [
        AutoStep(f"{number:02d}", *one) for number, one in enumerate(((None,), *((parent,) for parent, *_ in weighed)))
    ]
    told = [
        replace(step, better=better, verdict=verdict)
        for step, (_, better, verdict) in zip(steps[1:], weighed, strict=True)
    ]
    assert Journal(tmp_path, [replace(steps[0], verdict=KEPT), *told]).winner.run == run


@pytest.mark.parametrize(
    "line", ["[]", "3", '{"run": 1}', '{"edits": 3}', "{}", '{"run": "00", "edits": [], "other": 1}']
)
def test_a_line_that_is_no_step_is_passed_over(tmp_path, line):
    (tmp_path / "steps.jsonl").write_text(line + "\n")
    assert read_journal(tmp_path).steps == []


def test_what_was_tried_in_all_folders_is_counted(tmp_path):
    for number, (verdict, change) in enumerate(((KEPT, ""), (DROPPED, "a"), (KEPT, "a"), (KEPT, "a: b (grey)"))):
        (tmp_path / str(number)).mkdir()
        Journal(tmp_path / str(number)).write(
            AutoStep("01", "00", "T2", "", (("a", 1),), verdict=verdict, change=change)
        )
    assert advice_tallies(tmp_path) == {("T2", "a"): Tally(2, 3), ("T2", "a: b (grey)"): Tally(1, 1)}


def test_the_same_spec_goes_on_in_its_folder_and_another_gets_a_new_one(tmp_path):
    spec = Spec.model_validate(SPEC)
    other = Spec.model_validate({**SPEC, "seed": 1})
    assert folder_for(spec, "x", tmp_path) == tmp_path / "x"
    assert folder_for(spec, "x", tmp_path) == tmp_path / "x"
    assert folder_for(other, "x", tmp_path) == tmp_path / "x-2"


def test_three_failures_in_a_row_end_it_with_the_cause(tmp_path):
    story = Journal(tmp_path)
    for number in range(1, 4):
        give_up(story)
        story.write(AutoStep(f"0{number}", "00", verdict=FAILED, why="out of memory"))
    with pytest.raises(ImproveError, match=r"the last 3 runs in .* failed: out of memory"):
        give_up(story)


# what it may cost


def test_a_budget_counts_what_was_trained(make_run):
    run = make_run("00", history=[0.5] * 7, seconds=70.0)
    story = Journal(run.folder.parent)
    assert Budget(epochs=10).left(story) == 3
    assert Budget(epochs=5).left(story) == 0
    assert Budget(trials=1).left(story) == 0
    assert Budget(trials=2).left(story) > 1000
    assert Budget(minutes=2, began=float("inf")).left(story) == 5  # 50 seconds at 10 each


def test_nothing_is_begun_that_does_not_fit(make_run):
    run = make_run("00", 0.01, 0.2, history=[0.5] * 20, spec={"data": {"source": "digits"}, "model": "mlp"})
    story = Journal(run.folder.parent, [AutoStep("00", verdict=KEPT)])
    assert next_steps(story, Budget(epochs=20), 0, None) == []
    assert next_steps(story, Budget(epochs=39), 0, None) == []
    assert [step.parent for step in next_steps(story, Budget(epochs=40), 0, None)] == ["00"]


# the command


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "auto needs one budget"),
        (["--epochs", "40", "--trials", "3"], "auto needs one budget"),
        (["--epochs", "3"], "3 epochs are fewer than one run takes (20)"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused_before_anything_is_made(
    improve, write_spec, tmp_path, arguments, what
):
    code, out, err = improve(
        "auto", write_spec("data: {source: digits}\nmodel: mlp\n"), "--runs", tmp_path / "runs", *arguments
    )
    assert (code, out, what in err) == (2, "", True)
    assert not (tmp_path / "runs").exists()
