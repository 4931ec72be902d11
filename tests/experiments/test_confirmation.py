"""Proof by experiment: which changes are tried, how far, what that says of a cause, and what is told."""

import json
import math
from contextlib import nullcontext
from dataclasses import replace

import pytest

from evidence_data import bad, kernels, steps
from improve.diagnosis.confirmed import trials_of
from improve.diagnosis.diagnose import diagnose, diagnose_numbers
from improve.diagnosis.findings.rule import Change, Finding
from improve.diagnosis.forest import NONE
from improve.diagnosis.next_spec import best_change
from improve.errors import UsageError
from improve.experiments.confirmation.confirm import check_same_code, control
from improve.experiments.confirmation.judgement import SEEDS, Seen, judged
from improve.experiments.confirmation.measurement import after_epochs
from improve.experiments.confirmation.plan import Trial, likeliest, plan, trial_of
from improve.runs.lock import folder_lock
from improve.runs.run import load_run
from improve.spec.reading.load import load_spec
from improve.spec.user_code import digest
from improve.statistics.intervals import Rate
from improve.views.terminal.confirmation import budget_text

SGD = {"optimizer": {"name": "sgd", "learning_rate": 0.01}, "training": {"epochs": 12}}
FALLING = [0.9 - 0.01 * epoch for epoch in range(12)]
SLOW = bad(SGD, kernels=kernels(update=1e-5), steps=steps([2.3] * 100)) | {"history": FALLING}


def finding(code="T2", edit=("optimizer.learning_rate", 0.1), link="training", **details):
    return Finding(code, "name", "title", link, "says", {}, 0.6, changes=(Change(*edit, "because"),), **details)


def trial(part="train", harm=0.6, slow=False, code="T2"):
    return Trial(code, "title", (("optimizer.learning_rate", 0.1),), {}, part, 3, 12, 3, harm, slow)


def seen(before, after, images=0.01, **details):
    return Seen(trial(**details), Rate(before, 1000), None if after is None else Rate(after, 1000), images)


# what is tried, and how far


@pytest.mark.parametrize(
    ("told", "part", "epochs", "cost"),
    [
        (finding(), "train", 3, 3),
        (finding("T11", ("regularization.l2", 0.01)), "train", 3, 3),
        (finding("T13", ("training.loss", "generalized_cross_entropy")), "validation", 8, 8),
        (finding("V1", ("augmentation", [{"name": "shift"}]), "validation"), "validation", 8, 8),
        (finding("T1", ("training.epochs", 48)), "validation", 20, 8),
    ],
    ids=lambda value: value.code if isinstance(value, Finding) else None,
)
def test_a_cause_of_the_fit_shows_in_a_quarter_and_what_carries_over_at_the_best_epoch(
    make_run, told, part, epochs, cost
):
    """12 epochs, the best is the 8th, and 8 may be spent: a run that was too short goes on for as many."""
    found = trial_of(told, told.changes[0], make_run(**SLOW | {"best_epoch": 8}), 8)
    assert (found.part, found.epochs, found.cost, found.longer) == (part, epochs, cost, told.code == "T1")


@pytest.mark.parametrize(
    ("edit", "slow"),
    [
        (("optimizer.learning_rate", 0.1), False),
        (("optimizer.learning_rate", 0.001), True),
        (("regularization.dropout", 0.5), True),
        (("regularization.l2", 0.0), False),
        (("augmentation", [{"name": "flip"}]), True),
        (("model.activation", "relu"), False),
    ],
)
def test_what_slows_learning_by_nature_is_known(make_run, edit, slow):
    spec = {**SGD, "model": {"name": "mlp", "activation": "sigmoid"}, "regularization": {"l2": 0.1}}
    assert trial_of(finding(edit=edit), Change(*edit, ""), make_run(**SLOW | {"spec": spec}), 12).slow is slow


def test_the_likeliest_come_first_and_facts_and_what_moves_the_judging_images_not_at_all():
    waits = finding("T3", status="cannot_tell_yet", probability=0.2)
    guess = finding("T5", status="not_enough_evidence", probability=0.3)
    others = [finding("T16", fact=True), finding("R9", ("data.split", "60/20/20")), finding("T19")]
    others.append(replace(finding("V8", link="validation"), harm=0.0))
    assert [one.code for one in likeliest([*others, waits, guess, finding("T2")])] == ["T2", "T5", "T3"]


def test_what_helps_whatever_the_cause_is_tried_alone_and_what_is_refuted_comes_last():
    larger, refuted = finding("T17", probability=0.9), finding("T2", status="refuted", probability=0.9)
    assert [one.code for one in likeliest([finding("T3"), finding("T17", status="cannot_tell_yet")])] == ["T3"]
    assert [one.code for one in likeliest([refuted, larger])] == ["T17", "T2"]


def test_what_is_tried_costs_no_more_than_the_run_unless_more_is_given(make_run):
    """Four changes of 3 epochs each fit into the 12 that the run took."""
    found = diagnose(make_run(**SLOW), forest=NONE)
    assert sum(one.cost for one in plan(found)) <= 12
    assert plan(found, budget=2) == []
    assert [one.epochs for one in plan(found, budget=3)] == [3]
    assert budget_text([], found).startswith("nothing to try: the cheapest change takes 3 epochs (--epochs 3)")
    assert budget_text([], diagnose(make_run("fine"))) == "nothing to try: no cause to prove"
    assert budget_text(plan(found, budget=3), found).startswith("trying 1 change, 3 epochs in all")
    assert [one.epochs for one in plan(found, budget=9)] == [9], "it trains further where more is given"


def test_a_model_of_the_users_own_is_looked_for_in_the_folder_of_the_run(make_run):
    spec = {**SGD, "model": {"name": "python", "target": "nets.py:build"}}
    run = make_run(**SLOW | {"spec": spec})
    change = finding().changes[0]
    assert trial_of(finding(), change, run, 12) is None
    (run.folder / "nets.py").write_text("def build(shape, classes): ...")
    assert trial_of(finding(), change, run, 12).spec["model"]["target"] == "nets.py:build"


def test_code_that_was_edited_since_is_refused(make_run):
    run = make_run(spec={"model": {"name": "python", "target": "nets.py:build"}})
    (run.folder / "nets.py").write_text("def build(shape, classes): ...")
    spec = load_spec(run.folder / "spec.yaml")
    for code, refused in ((None, False), (digest(run.folder / "nets.py"), False), ("another", True)):
        recorded = replace(run, environment=run.environment.model_copy(update={"code": code}))
        with pytest.raises(UsageError, match="not what the run was trained with") if refused else nullcontext():
            check_same_code(recorded, spec)


def test_a_run_that_is_no_control_is_refused(make_run):
    run = make_run("a", status="running")
    with folder_lock(run.folder), pytest.raises(UsageError, match="still training"):
        control(diagnose(load_run(run.folder)))
    with pytest.raises(UsageError, match="bare numbers"):
        control(diagnose_numbers("train=1% validation=11%"))


# what it says of a cause


@pytest.mark.parametrize(
    ("one", "outcome"),
    [
        (seen(0.9, 0.13), "confirmed"),
        (seen(0.9, 0.9), "refuted"),
        (seen(0.9, 0.65), "confirmed"),
        (seen(0.9, 0.85), "not settled"),
        (seen(0.5, 0.4, harm=0.1), "not settled"),
        (seen(0.9, 0.9, slow=True), "not settled"),
        (seen(0.9, None), "refuted"),
        (Seen(trial(), Rate(1.0), None, 0.0), "not settled"),
        (Seen(replace(trial(), masked=True), Rate(0.9, 1000), Rate(0.9, 1000), 0.01), "not settled"),
        (seen(0.9, 0.9, part="validation"), "refuted"),
    ],
)
def test_a_difference_has_to_beat_the_seeds_and_a_refuted_cause_wins_nothing(one, outcome):
    (found,) = judged([one], matters=0.02)
    assert (found.outcome, found.says.partition(":")[0]) == (outcome, outcome)
    assert found.low <= found.won <= found.high


def test_the_spread_of_the_seeds_is_that_of_the_error_and_adds_to_that_of_the_images():
    assert seen(0.5, 0.5, images=0.0).deviation == pytest.approx(SEEDS["train"] * math.sqrt(0.5))
    assert seen(0.5, 0.5, images=0.3).deviation == pytest.approx(math.hypot(0.3, SEEDS["train"] * math.sqrt(0.5)))


def test_many_trials_are_held_to_more_than_one():
    alone, (among, *_) = judged([seen(0.5, 0.33)], 0.02)[0], judged([seen(0.5, 0.33), *[seen(0.5, 0.5)] * 3], 0.02)
    assert (alone.outcome, among.outcome) == ("confirmed", "not settled")


def test_errors_are_held_against_each_other_at_the_same_epoch_and_a_diverged_run_is_wrong_everywhere(make_run):
    one = make_run("one", history=[0.6, 0.4, 0.5, 0.3], n=400)
    other = make_run("other", history=[0.5, 0.3, 0.2], n=400)
    found = after_epochs(trial(), one, other)
    assert (found.before, found.after) == (Rate(0.4, 400), Rate(0.2, 400))
    short = make_run("short", history=[0.9], status="diverged")
    assert after_epochs(trial(), short, other).before == Rate(1.0)
    assert after_epochs(trial(), one, short).after is None
    stopped = make_run("stopped", history=[0.3, 0.25], n=400)
    assert after_epochs(trial(), one, stopped).after == Rate(0.25, 400), "it stopped early, at its end"
    assert after_epochs(trial(), stopped, one).before == Rate(0.25, 400)


# what the diagnosis makes of it


def tried(run, **outcomes):
    """Write down what was tried; the edits are those that the diagnosis proposes."""
    proposed = {one.code: one.changes[0].edits for one in diagnose(run, forest=NONE).findings if one.changes}
    told = [
        {"code": code, "edits": proposed[code], "outcome": outcome, "says": f"{outcome}: so it is", "won": 0.4}
        for code, outcome in outcomes.items()
    ]
    (run.folder / "confirm").mkdir(exist_ok=True)
    text = json.dumps({"state_sha256": run.summary.state_sha256, "trials": told})
    (run.folder / "confirm" / "confirm.json").write_text(text)
    return diagnose(run, forest=NONE)


def test_what_is_confirmed_comes_first_and_what_is_refuted_last(make_run):
    """By the rules clipping comes first, and the rate waits for it."""
    clipped = {**SGD, "optimizer": {"name": "sgd", "learning_rate": 0.01, "global_clipnorm": 0.001}}
    run = make_run(**bad(clipped, kernels=kernels(update=1e-5), steps=steps([2.3] * 100, clipped=[0.99] * 100)))
    assert [one.code for one in diagnose(run, forest=NONE).findings[:2]] == ["T12", "T2"]
    found = tried(run, T12="refuted", T2="confirmed")
    assert (found.findings[0].code, found.findings[0].tried) == ("T2", "confirmed: so it is")
    assert (found.findings[-1].code, found.findings[-1].status) == ("T12", "refuted")
    assert best_change(found)[0].code == "T2"


def test_what_was_tried_on_an_earlier_state_says_nothing_and_a_damaged_file_is_named(make_run):
    run = make_run(**SLOW, state_sha256="a")
    tried(run, T2="refuted")
    assert [one.outcome for one in trials_of(run)[0]] == ["refuted"]
    gone_on = make_run("later", **SLOW, state_sha256="b")
    (gone_on.folder / "confirm").mkdir()
    file = gone_on.folder / "confirm" / "confirm.json"
    file.write_text((run.folder / "confirm" / "confirm.json").read_text())
    assert trials_of(gone_on)[0] == []
    assert "the run has gone on since --confirm" in " ".join(diagnose(gone_on).notes)
    for damaged in ("{", '{"trials": [{"code": "T2", "edits": [[1]], "outcome": "refuted", "says": "", "won": 0.0}]}'):
        file.write_text(damaged)
        assert "confirm.json is left out, it is damaged" in " ".join(diagnose(gone_on).notes)


# at the command line


def test_confirm_needs_a_run_and_epochs_need_confirm(improve):
    for words, told in (
        (("--errors", "train=1% validation=2%", "--confirm"), "bare numbers cannot be trained"),
        (("runs/x", "--epochs", "3"), "--epochs says how much --confirm may train"),
    ):
        code, _, error = improve("diagnose", *words)
        assert code == 2
        assert told in error


@pytest.fixture
def train(improve, tmp_path, monkeypatch):
    """Trains an mlp on digits by SGD, into runs/ of an empty folder."""
    monkeypatch.chdir(tmp_path)

    def trained(name, hidden, rate, epochs):
        (tmp_path / f"{name}.yaml").write_text(
            f"data: {{source: digits}}\nmodel: {{name: mlp, hidden: {hidden}}}\n"
            f"optimizer: {{name: sgd, learning_rate: {rate}}}\ntraining: {{epochs: {epochs}}}\n"
        )
        assert improve("train", f"{name}.yaml", "-q")[0] == 0

    return trained


@pytest.mark.trains
def test_a_low_rate_is_confirmed_from_the_command_line_and_not_trained_twice(improve, train, tmp_path):
    train("slow", hidden="[64, 64]", rate=0.0005, epochs=12)
    code, out, error = improve("diagnose", "runs/slow", "--confirm")
    assert code == 0
    assert "trying 1 change, 3 epochs in all, about " in error
    assert "tried  confirmed: after 3 of 12 epochs the training error is " in out
    first = json.loads((tmp_path / "runs" / "slow" / "diagnosis.json").read_text())["findings"][0]
    assert (first["code"], first["status"]) == ("T2", "found")
    files = sorted((tmp_path / "runs" / "slow" / "confirm").rglob("metrics.csv"))
    before = [(file, file.stat().st_mtime_ns) for file in files]
    assert improve("diagnose", "runs/slow", "--confirm")[1] == out
    assert [(file, file.stat().st_mtime_ns) for file in files] == before
    assert "tried" in improve("diagnose", "runs/slow")[1]


@pytest.mark.trains
def test_a_run_that_was_too_short_goes_on_in_a_copy(improve, train, tmp_path):
    train("short", hidden="[32]", rate=0.01, epochs=3)
    untouched = (tmp_path / "runs" / "short" / "metrics.csv").read_text()
    assert improve("diagnose", "runs/short", "--confirm", "--epochs", "12")[0] == 0
    copies = list((tmp_path / "runs" / "short" / "confirm").glob("T1-*/metrics.csv"))
    assert len(copies) == 1
    assert copies[0].read_text().startswith(untouched)
    assert (tmp_path / "runs" / "short" / "metrics.csv").read_text() == untouched
