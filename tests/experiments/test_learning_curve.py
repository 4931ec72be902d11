"""Would more data help: what is trained, what is not trained again, and what is said."""

import json
import shutil
import signal

import pytest

from improve.engine.training.history import History
from improve.errors import ImproveError, UsageError
from improve.experiments import learning_curve as lc
from improve.spec.identity import curve_identity
from improve.spec.spec import Spec
from improve.views.figures.experiments import draw_learning_curve

SPEC = Spec.model_validate({"model": "mlp", "seed": 5})  # digits: 1,079 training images, batches of 64


def test_the_members_are_four_sizes_times_the_seeds_and_differ_in_nothing_else():
    members, left_out = lc.plan(SPEC, 2)
    assert [member.name for member in members] == [
        f"n{size}_seed{seed}" for size in (134, 269, 539, 1079) for seed in (5, 6)
    ]
    assert left_out == ()
    assert {curve_identity(member.spec.complete()) for member in members} == {curve_identity(SPEC.complete())}
    assert members[0].spec.data.train_size == 134


def test_the_digest_knows_every_other_setting():
    assert curve_identity(Spec(data={"train_size": 9}, seed=1).complete()) == curve_identity(Spec().complete())
    assert curve_identity(Spec(training={"epochs": 7}).complete()) != curve_identity(Spec().complete())


@pytest.mark.parametrize(
    ("size", "batch_size", "classes", "why"),
    [
        (64, 64, 10, ""),
        (63, 64, 10, "fewer than a batch of 64"),
        (20, 8, 10, ""),
        (19, 8, 10, "fewer than 2 per class"),
        (19, 8, 0, ""),  # how many classes there are is not known before the images are read
    ],
)
def test_sizes_below_a_batch_or_below_two_per_class_are_left_out(size, batch_size, classes, why):
    assert lc.too_small(size, batch_size, classes) == why


def test_a_left_out_size_is_told_and_two_sizes_are_too_few():
    assert lc.plan(SPEC.model_copy(update={"training": SPEC.training.model_copy(update={"batch_size": 200})}), 2)[
        1
    ] == ("134 images: fewer than a batch of 200",)
    with pytest.raises(UsageError, match="1,079 training images are too few for a learning curve: 134 images: fewer"):
        lc.plan(SPEC.model_copy(update={"training": SPEC.training.model_copy(update={"batch_size": 300})}), 2)


def made(make_run, name="n134_seed5", status="finished", **data):
    return make_run(name, spec={"model": "mlp", "seed": 5, "data": {"train_size": 134, **data}}, status=status)


@pytest.mark.parametrize(
    ("name", "status", "data", "again"),
    [
        ("n134_seed5", "finished", {}, False),
        ("n134_seed5-2", "finished", {}, False),
        ("n134_seed5", "diverged", {}, False),
        ("n134_seed5", "stopped", {}, True),
        ("n134_seed5", "running", {}, True),
        ("n134_seed5", "failed", {}, True),
        ("n134_seed5", "finished", {"normalize": "rescale"}, True),
        ("n134_seed5", "finished", {"train_size": 135}, True),
        ("n134_seed50", "finished", {}, True),
    ],
)
def test_a_member_is_trained_again_unless_a_run_of_exactly_its_spec_is_done(make_run, name, status, data, again):
    folder = made(make_run, name, status, **data).folder.parent
    member = lc.plan(SPEC, 1)[0][0]
    assert (lc.finished_run(folder, member.name, member.spec) is None) == again


def test_a_damaged_run_is_no_result(make_run):
    run = made(make_run)
    (run.folder / "summary.json").write_text("{")
    member = lc.plan(SPEC, 1)[0][0]
    assert lc.finished_run(run.folder.parent, member.name, member.spec) is None


@pytest.mark.parametrize(
    ("gain", "too_short", "outcome"),
    [
        ((0.001, 0.02), 0, "help"),
        ((0.0009, 0.02), 0, "cannot_tell"),
        ((0.001, 0.0199), 0, "no_help"),
        ((0.0, 0.0199), 0, "no_help"),
        ((0.05, 0.09), 0.03, "cannot_tell"),
    ],
)
def test_more_data_help_when_the_gain_is_surely_there_and_may_reach_two_points(gain, too_short, outcome):
    assert lc.judge(gain, too_short) == outcome


def points(errors, train=(0.0, 0.0, 0.0, 0.0), spread=0.004):
    """Three seeds for each of four sizes."""
    return tuple(
        lc.CurvePoint(size, seed, f"runs/n{size}_seed{seed}", error + offset, fitted)
        for size, error, fitted in zip((450, 900, 1800, 3600), errors, train, strict=True)
        for seed, offset in enumerate((-spread, 0.0, spread))
    )


def test_the_sentence_for_data_that_help():
    curve = lc.conclude(points((0.73, 0.59, 0.475, 0.384)), "d")
    assert curve.sentence.startswith("more data would help: from 38.4 % at 3,600 to 3")
    assert "% at 7,200 and 2" in curve.sentence
    assert curve.sentence.endswith(
        "% at 14,400 images (falls as n^-0.31); collect in rounds: double them, measure again"
    )


def test_the_sentence_for_data_that_do_not_help():
    curve = lc.conclude(points((0.101, 0.1, 0.1, 0.1), spread=0.001), "d")
    assert curve.outcome == "no_help"
    assert curve.sentence.startswith("more data would not help: from 10.0 % at 3,600 to ")
    assert curve.sentence.endswith("% at 14,400 images, less than 2 points")


def test_the_sentence_for_what_more_seeds_would_tell():
    curve = lc.conclude(points((0.33, 0.30, 0.31, 0.29), spread=0.05), "d")
    assert curve.outcome == "cannot_tell"
    assert curve.sentence.startswith("cannot tell whether more data would help: 14,400 images would take 0.0 to ")
    assert curve.sentence.endswith("more seeds would tell (--seeds)")


def test_small_runs_that_do_not_even_fit_their_own_images_are_no_proof_that_data_help():
    curve = lc.conclude(points((0.73, 0.59, 0.475, 0.384), train=(0.5, 0.4, 0.3, 0.2)), "d")
    assert curve.outcome == "cannot_tell"
    assert "fit their own images 30.0 points worse" in curve.sentence
    assert lc.starved(points((0.5, 0.4, 0.3, 0.2), train=(0.019, 0.01, 0.0, 0.0))) == 0


def of_sizes(sizes, errors, train):
    return tuple(
        lc.CurvePoint(size, 0, f"runs/n{size}", error, fitted)
        for size, error, fitted in zip(sizes, errors, train, strict=True)
    )


def test_one_misfit_image_of_33_is_no_reason_to_refuse_an_answer():
    sizes, errors = (33, 67, 134, 269), (0.265, 0.153, 0.081, 0.052)
    one = lc.conclude(of_sizes(sizes, errors, (1 / 33, 0.0, 0.0, 0.0)), "d")
    assert one.outcome == "help"
    many = lc.conclude(of_sizes(sizes, errors, (9 / 33, 0.1, 0.0, 0.0)), "d")
    assert "trained too short" in many.sentence


def test_a_curve_that_surely_rises_is_no_power_law():
    curve = lc.conclude(points((0.3, 0.2, 0.26, 0.15)), "d")
    assert curve.outcome == "cannot_tell"
    assert "from 900 to 1,800 images the error rises, from 20.0 % to 26.0 %" in curve.sentence
    assert lc.rising(points((0.3, 0.2, 0.26, 0.15), spread=0.05)) is None
    assert lc.rising(points((0.3, 0.2, 0.2, 0.15))) is None


def test_a_run_that_diverged_is_left_out_and_too_few_results_are_an_error():
    some = points((0.73, 0.59, 0.475, 0.384))
    lost = (lc.CurvePoint(450, 0, "runs/x", None, None), *some[1:])
    assert [len(errors) for errors in lc.conclude(lost, "d").errors.values()] == [2, 3, 3, 3]
    with pytest.raises(ImproveError, match="too few of the runs have a result"):
        lc.conclude(some[:6], "d")


@pytest.mark.parametrize(
    ("costs", "sizes", "seconds"),
    [
        ([], [100], None),
        ([(100, 2.0)], [100, 200], None),
        ([(100, 2.0)], [100, 100], 4.0),
        ([(100, 2.0), (200, 3.0)], [200, 400], 8.0),
        ([(9, 1.0)], [], 0),
    ],
)
def test_the_time_left_follows_from_the_runs_that_were_trained(costs, sizes, seconds):
    assert lc.time_left(costs, sizes) == seconds


@pytest.mark.parametrize("errors", [(0.73, 0.59, 0.475, 0.384), (0.0, 0.0, 0.0, 0.0), (0.1, 0.2, 0.3, 0.4)])
def test_any_curve_is_drawn_and_written_as_json(tmp_path, errors):
    curve = lc.conclude(points(errors), "d", ("225 images: fewer than a batch of 256",))
    draw_learning_curve(tmp_path / "c.png", curve)
    assert (tmp_path / "c.png").read_bytes()[:4] == b"\x89PNG"
    value = json.loads(json.dumps(curve.as_json()))
    assert (value["sizes"], value["seeds"]) == ([450, 900, 1800, 3600], [0, 1, 2])
    assert [forecast["size"] for forecast in value["forecasts"]] == [7200, 14400]


TINY = "data: {source: digits, subset: 500}\nmodel: {name: mlp, hidden: [16]}\n" \
    "optimizer: {learning_rate: 0.01}\ntraining: {epochs: 1, batch_size: 16}\nevidence: light\n"  # fmt: skip


def pressed(history, real=History.record_steps):
    signal.raise_signal(signal.SIGTERM)
    return real(history)


@pytest.mark.trains
@pytest.mark.backend
def test_the_command_trains_writes_and_goes_on_where_it_was_stopped(improve, write_spec, tmp_path, monkeypatch):
    arguments = ("learning-curve", write_spec(TINY), "--runs", tmp_path / "runs", "--seeds", 2)
    code, out, err = improve(*arguments)
    folder = tmp_path / "runs" / "spec_learning_curve"
    assert code == 0
    assert "8/8  n300_seed1" in err
    assert "about" in err
    written = json.loads((folder / "learning_curve.json").read_text())
    assert written["sizes"] == [37, 75, 150, 300]
    assert written["sentence"] in out
    assert (folder / "learning_curve.png").is_file()

    shutil.rmtree(folder / "n300_seed1")
    with monkeypatch.context() as patch:
        patch.setattr(History, "record_steps", pressed)
        code, _, err = improve(*arguments, "--quiet")
    assert (code, err) == (75, "interrupted\n7 of 8 runs are done; the same command goes on\n")
    (folder / "n300_seed0" / "summary.json").write_text('{"status": "stopped"}')
    before = (folder / "n150_seed1" / "model.keras").stat().st_mtime_ns
    code, out, err = improve(*arguments, "--json", "--quiet")
    assert (code, err) == (0, "")
    again = json.loads(out)
    assert again["errors"] == written["errors"]  # the same seeds give the same errors
    assert (folder / "n150_seed1" / "model.keras").stat().st_mtime_ns == before
    assert sorted(path.name for path in folder.glob("n300*")) == [
        "n300_seed0", "n300_seed0-2", "n300_seed1", "n300_seed1-2",
    ]  # fmt: skip
