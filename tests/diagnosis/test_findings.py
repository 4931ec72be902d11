"""What single findings say and propose. Their limits: test_findings_thresholds.py."""

import pytest

from evidence_data import bad, codes, kernels, layers, look, start
from improve.diagnosis import findings
from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.forest import NONE
from improve.runs.schema import schema_fault
from improve.runs.start_schema import Start
from improve.spec.spec import Spec
from run_folder import part
from worked_examples import EXAMPLES

SGD = {"optimizer": {"name": "sgd", "learning_rate": 0.01}, "diagnosis": {"human_error": 0.0}}


def only(run, code, **options):
    (finding,) = [finding for finding in diagnose(run, **options).findings if finding.code == code]
    return finding


def test_a_healthy_run_gets_no_finding(make_run):
    run = make_run(train=0.005, validation=0.008, n=10_000, spec=SGD)
    diagnosis = diagnose(run)
    assert (diagnosis.verdict, diagnosis.findings) == ("ok", ())
    assert diagnosis.checks == len(findings.ORDER)


def test_r1_says_that_the_loss_was_not_finite_and_lowers_the_rate(make_run):
    run = make_run(spec=SGD, status="diverged", epochs=0, best_epoch=None, train=0.9, validation=0.9)
    assert codes(make_run("fine", spec=SGD)) != ["R1"]
    finding = only(run, "R1")
    assert (finding.changes[0].path, finding.changes[0].value) == ("optimizer.learning_rate", pytest.approx(0.001))
    assert diagnose(run).verdict == "broken"


def test_r1_works_without_a_single_finished_epoch(make_run, tmp_path):
    import json

    from improve.runs.run import load_run

    run = make_run(spec=SGD)
    (run.folder / "summary.json").write_text(json.dumps({"status": "diverged", "epochs": 0}))
    assert codes(load_run(run.folder)) == ["R1"]


@pytest.mark.parametrize(
    ("train", "validation", "found"), [(0.90, 0.90, True), (0.88, 0.88, True), (0.87, 0.87, False)]
)
def test_r3_speaks_when_neither_set_is_better_than_chance(make_run, train, validation, found):
    """n = 1,000, chance 10 %: 121 right answers have p = 0.018, 124 have p = 0.008."""
    run = make_run(train=train, validation=validation, spec=SGD)
    assert ("R3" in codes(run)) is found
    assert (diagnose(run).verdict == "broken") is found


def test_r3_at_its_threshold(make_run):
    assert "R3" in codes(make_run("under", train=0.877, validation=0.877, spec=SGD))  # p = 0.0101
    assert "R3" not in codes(make_run("over", train=0.876, validation=0.876, spec=SGD))  # p = 0.0079


def test_r3_is_silent_when_the_training_set_at_least_was_learned(make_run):
    assert "R3" not in codes(make_run(train=0.0, validation=0.9, spec=SGD))


def test_r3_knows_the_commonest_class(make_run):
    assert codes(make_run(train=0.05, validation=0.05, majority_error=0.05, spec=SGD)) == ["R3"]


def test_a_broken_run_gets_no_finding_about_its_gaps(make_run):
    assert codes(make_run(train=0.9, validation=0.9, spec=SGD)) == ["R3"]


@pytest.mark.parametrize(("train", "found"), [(0.019, False), (0.02, True), (0.021, True)])
def test_t19_speaks_from_two_points_of_avoidable_bias_on(make_run, train, found):
    run = make_run(train=train, validation=train, n=100_000, spec=SGD)
    assert ("T19" in codes(run)) is found


@pytest.mark.parametrize(("loss", "error", "told"), [(0.1, 0.0, "loss"), (0.001, 0.02, "error"), (0.05, 0.02, "error")])
def test_t1_says_which_was_still_falling(make_run, loss, error, told):
    rows = [{"epoch": epoch, "train_error": 0.3, "validation_error": 0.3 + error * (10 - epoch),
             "validation_cross_entropy": 1 + loss * (10 - epoch)} for epoch in range(1, 11)]  # fmt: skip
    said = look(make_run("early", **bad(metrics=rows), best_epoch=10), "T1").says
    assert said.startswith(f"the validation {told} was still falling after 10 epochs")


def test_t1_is_silent_where_only_the_error_falls(make_run):
    rows = [{"epoch": epoch, "train_error": 0.3, "validation_error": 0.3 + 0.02 * (10 - epoch),
             "validation_cross_entropy": 1.0} for epoch in range(1, 11)]  # fmt: skip
    assert look(make_run("jumps", **bad(metrics=rows), best_epoch=10), "T1") is None


def test_t19_trains_longer_first_when_the_error_was_still_falling(make_run):
    falling = only(make_run("falling", 0.3, 0.3, spec=SGD, history=[0.6, 0.5, 0.4, 0.3]), "T19")
    flat = look(make_run("flat", 0.3, 0.3, spec=SGD, history=[0.3] * 8), "T19")
    luck = look(make_run("luck", 0.3, 0.3, spec=SGD, history=[0.3] * 6 + [0.299] * 2), "T19")
    assert (falling.changes[0].path, falling.changes[0].value) == ("training.epochs", 200)  # four epochs tell little
    for run in (flat, luck):
        assert [change.path for change in run.changes] == ["optimizer", "training.epochs"]


def test_a_perfect_run_on_rare_classes_is_not_called_a_guess(make_run):
    """Of 64 images 3 are rare: guessing the others is wrong in 4.7 %, and no test tells that from 0."""
    run = make_run(train=0.0, validation=0.0, n=64, majority_error=0.047, spec=SGD)
    assert look(run, "R3") is None


def test_t17_stands_in_the_place_of_t19_once_the_error_no_longer_falls(make_run):
    run = make_run(train=0.3, validation=0.3, spec=SGD, history=[0.3, 0.3, 0.3, 0.3])
    assert [code for code in codes(run, forest=NONE) if code[0] == "T"] == ["T17"]


def test_t19_takes_away_what_holds_the_weights_back_and_enlarges_a_network_that_can_be(make_run):
    spec = {**SGD, "regularization": {"dropout": 0.5, "l2": 0.1}, "model": {"name": "mlp", "hidden": [8, 4]}}
    changes = {
        change.path: change.value for change in only(make_run(train=0.3, validation=0.3, spec=spec), "T19").changes
    }
    assert changes["regularization.dropout"] == changes["regularization.l2"] == 0.0
    assert changes["model.hidden"] == [16, 8]


@pytest.mark.parametrize(("validation", "found"), [(0.019, False), (0.02, True), (0.021, True)])
def test_v1_speaks_from_two_points_of_variance_on(make_run, validation, found):
    run = make_run(train=0.0, validation=validation, n=100_000, spec=SGD)
    assert ("V1" in codes(run)) is found


@pytest.mark.parametrize(
    ("validation", "status"), [(0.020, "not_enough_evidence"), (0.0208, "not_enough_evidence"), (0.0210, "found")]
)
def test_v1_is_sure_only_where_the_whole_interval_is_above_two_points(make_run, validation, status):
    """n = 100,000: 2.08 % has [1.99, 2.17], 2.10 % has [2.01, 2.19]."""
    finding = only(make_run(train=0.0, validation=validation, n=100_000, spec=SGD), "V1")
    assert finding.status == status
    assert ("it is not sure to be more than 2 points" in finding.says) is (status != "found")


def test_v3_accompanies_v1_where_nothing_is_configured_and_v1_proposes_more_data(make_run):
    def spoken(name, **section):
        return {"V1", "V3"} & set(codes(make_run(name, 0.0, 0.2, spec={**SGD, "data": {"subset": 1000}, **section})))

    assert spoken("nothing") == {"V1", "V3"}
    assert spoken("no more data", data={}) == {"V1"}
    assert spoken("dropout", regularization={"dropout": 0.3}) == {"V1"}
    assert spoken("augmentation", augmentation=[{"name": "flip"}]) == {"V1"}
    assert spoken("l2", regularization={"l2": 1e-4}) == {"V1"}
    assert spoken("a little l2", regularization={"l2": 1e-5}) == {"V1", "V3"}


@pytest.mark.parametrize(("activation", "dead"), [("relu", True), ("sigmoid", False), ("tanh", False)])
def test_units_that_saturate_do_not_die(make_run, activation, dead):
    guessing = {**bad(layers=layers(silent=1.0, activation=activation)), "train": 0.9, "validation": 0.9}
    run = make_run(**guessing)
    assert ("T7" in codes(run)) is dead


def test_v1_and_v3_do_not_propose_the_same(make_run):
    run = make_run("r", 0.0, 0.2, spec={**SGD, "data": {"subset": 1000}})
    data, held = ([change.path for change in look(run, code).changes] for code in ("V1", "V3"))
    assert data == ["data.subset"]
    assert held == ["augmentation", "regularization.dropout", "regularization.l2"]


@pytest.mark.parametrize(("validation", "status"), [(0.1, "not_enough_evidence"), (0.101, "found")])
def test_v1_does_not_blame_a_gap_under_ten_points_where_what_helps_is_done(make_run, validation, status):
    """n = 1,000,000: 10.0 % has [9.94, 10.06], 10.1 % has [10.04, 10.16]."""
    augmented = {**SGD, "augmentation": [{"name": "shift"}]}
    finding = only(make_run(train=0.0, validation=validation, n=1_000_000, spec=augmented), "V1")
    assert finding.status == status
    assert ("more data may be all that helps" in finding.says) is (status != "found")


@pytest.mark.parametrize(
    ("train", "validation", "human", "found"),
    [
        (0.1, 0.199, 0.0, False),
        (0.1, 0.2, 0.0, True),
        (0.1, 0.201, 0.0, True),
        (0.1, 0.15, 0.05, True),
        (0.1, 0.149, 0.05, False),
    ],
)
def test_v1_waits_where_more_of_the_error_is_there_on_training_images(make_run, train, validation, human, found):
    """The recipe: bias first. The gap against training error − human error; n = 100,000."""
    spec = {**SGD, "diagnosis": {"human_error": human}}
    finding = only(make_run(train=train, validation=validation, n=100_000, spec=spec), "V1")
    assert ("that comes first" in finding.waits) is not found


@pytest.mark.parametrize("train", [0.0, 0.3])
def test_r5_names_outputs_that_are_probabilities_whether_they_do_harm_or_not(make_run, train):
    """Without harm the run is not broken: its gaps mean something."""
    head = {"low": 0.0, "high": 1.0, "at_low": 0.0, "sum_low": 1.0, "sum_high": 1.0}
    run = make_run(**{**bad(start=start(head=head)), "train": train, "validation": train + 0.005})
    assert codes(run)[0] == "R5"
    assert (diagnose(run).verdict == "broken") is (train > 0)


def test_r5_blames_a_softmax_between_layers_only_for_a_high_training_error(make_run):
    inside = bad(start=start(activations=["softmax"]))
    assert "R5" in codes(make_run("bad", **inside))
    assert "R5" not in codes(make_run("good", **{**inside, "train": 0.0, "validation": 0.0}))


@pytest.mark.parametrize(
    ("activation", "memorized", "error", "found"),
    [("relu", False, 0.3, "T17"), ("sigmoid", False, 0.3, "T5"), ("tanh", True, 0.3, ""), ("relu", None, 0.3, ""),
     ("relu", False, 0.01, ""), ("sigmoid", False, 0.01, "")],
)  # fmt: skip
def test_a_network_that_learns_no_32_images_by_heart_is_too_small_or_its_activation_is_flat(
    make_run, activation, memorized, error, found
):
    """The human level is not known, and the training error still falls."""
    probe = {"examples": 32, "steps": 200, "loss": 1.0, "memorized": memorized}
    run = make_run("bad", **{**bad(start=start(activations=[activation], memorized=probe)), "train": error,
                             "validation": error + 0.01, "history": [0.6, 0.5, 0.4, 0.3]})  # fmt: skip
    assert [code for code in ("T5", "T17") if look(run, code)][:1] == ([found] if found else [])
    assert not found or "did not learn 32 images by heart" in look(run, found).says


def test_t5_needs_no_gradient_ratio_where_the_probe_says_enough(make_run):
    """Of one kernel there is none."""
    probe = {"examples": 32, "steps": 200, "loss": 1.0, "memorized": False}
    one = [row for row in kernels() if row["kernel"] == "conv/kernel"]
    run = make_run("one", **bad(start=start(activations=["sigmoid"], memorized=probe), kernels=one))
    assert look(run, "T5").says.startswith("sigmoid flattens out")


@pytest.mark.parametrize("damaged", [[], "no", {"memorized": False}, {"examples": "many", "memorized": False}])
def test_a_memorisation_probe_that_is_damaged_is_named(damaged):
    assert "memorized" in schema_fault(Start, {"memorized": damaged})
    assert not schema_fault(Start, {"memorized": {"examples": 32, "steps": 200, "loss": None, "memorized": None}})


@pytest.mark.parametrize(("filters", "also"), [([1], [8]), ([3, 8], [12, 32]), ([4, 8], None), ([6, 16], None)])
def test_t17_gives_a_network_more_filters_as_well_where_they_are_far_too_few(make_run, filters, also):
    spec = {**SGD, "model": {"name": "cnn", "filters": filters, "hidden": [2]}}
    change = only(make_run(train=0.3, validation=0.3, spec=spec, history=[0.3] * 4), "T17", forest=NONE).changes[0]
    assert (change.path, change.value) == ("model.hidden", [64])
    assert change.also == ((("model.filters", also),) if also else ())


@pytest.mark.parametrize(("last", "found"), [(0.0, False), (0.0199, False), (0.02, True), (0.3, True)])
def test_t17_and_t19_blame_no_network_that_fits_its_training_set_at_the_end(make_run, last, found):
    """The best epoch, by validation error, is the first one: validation images are of another kind."""
    run = make_run(train=0.3, validation=0.6, spec=SGD, history=[0.3, last, last, last], best_epoch=1)
    assert bool({"T17", "T19"} & set(codes(run))) is found


def test_r3_is_said_only_where_no_cause_is(make_run):
    """A gradient that fades (T5) tells why; R3 alone would only repeat that it learned nothing."""
    alone = make_run("alone", train=0.9, validation=0.9, spec=SGD)
    cause = make_run("cause", **{**bad(kernels=kernels(first=0.001)), "train": 0.9, "validation": 0.9})
    assert codes(alone, forest=NONE) == ["R3"]
    assert codes(cause, forest=NONE)[0] == "T5"
    assert "R3" not in codes(cause, forest=NONE)
    assert diagnose(cause).verdict == "broken"


def test_v1_mirrors_photographs_but_never_digits(make_run):
    def augmentation(source):
        run = make_run(source, 0.0, 0.2, spec={**SGD, "data": {"source": source}})
        changes = {change.path: change.value for change in only(run, "V1").changes}
        return [part["name"] for part in changes["augmentation"]]

    assert augmentation("cifar10") == ["flip", "shift"]
    assert augmentation("digits") == ["shift"]


def test_v1_asks_for_more_data_only_where_there_is_more(make_run):
    def first(name, **data):
        return only(make_run(name, 0.0, 0.2, spec={**SGD, "data": data}), "V1").changes[0]

    assert (first("a", subset=1000).path, first("a2", subset=1000).value) == ("data.subset", 2000)
    assert first("b", subset=4000).path == "augmentation"  # 5,000 are available
    assert first("c", split="20/60/20").value == "60/20/20"


def test_m1_speaks_of_data_mismatch_and_v1_is_silent(make_run):
    run = make_run(train=0.01, validation=0.10, n=10_000, spec=SGD, train_dev=part(0.015, 10_000))
    assert codes(run) == ["M1"]
    assert diagnose(run).verdict == "data_mismatch"


@pytest.mark.parametrize(("validation", "found"), [(0.0299, False), (0.03, True), (0.031, True)])
def test_m1_at_its_threshold(make_run, validation, found):
    run = make_run(train=0.01, validation=validation, n=100_000, spec=SGD, train_dev=part(0.01, 100_000))
    assert ("M1" in codes(run)) is found


@pytest.mark.parametrize(("test_error", "found"), [(0.0299, False), (0.03, True), (0.031, True)])
def test_s1_at_its_threshold_and_only_when_the_test_set_is_opened(make_run, test_error, found):
    one = make_run("one", train=0.01, validation=0.01, n=100_000, spec=SGD, test=part(test_error, 100_000))
    assert ("S4" in codes(one, test=True)) is found  # one spec alone was not chosen
    assert not {"S1", "S4"} & set(codes(one))
    found_by_choosing = {"test": part(test_error, 100_000), "evidence": {"tried": 5}}
    run = make_run(train=0.01, validation=0.01, n=100_000, spec=SGD, **found_by_choosing)
    assert ("S1" in codes(run, test=True)) is found
    assert "S1" not in codes(run)


def test_r9_says_how_many_images_would_settle_it_and_enlarges_the_validation_set(make_run):
    run = make_run(train=0.0, validation=0.033, n=30, spec={**SGD, "data": {"split": "98/1/1"}})
    diagnosis, finding = diagnose(run), only(run, "R9")
    assert diagnosis.verdict == "not_enough_evidence"
    assert finding.status == "not_enough_evidence"
    assert "within chance at n=30" in finding.says
    assert f"{diagnosis.gaps.variance.needed:,} validation images would settle it" in finding.says
    assert finding.changes[0].value == "80/10/10"


@pytest.mark.parametrize(("n", "found"), [(200, True), (3000, False)])
def test_r9_is_silent_where_the_interval_says_enough(make_run, n, found):
    assert ("R9" in codes(make_run(train=0.0, validation=0.005, n=n, spec=SGD))) is found


@pytest.mark.parametrize("train", [0.0, 0.3])
@pytest.mark.parametrize("validation", [0.3, 0.6])
def test_every_change_that_is_proposed_is_a_valid_spec(make_run, train, validation):
    from improve.spec.reading.flatten import with_setting

    run = make_run(train=train, validation=validation, spec={**SGD, "regularization": {"dropout": 0.2}})
    for finding in diagnose(run).findings:
        for change in finding.changes:
            Spec.model_validate(with_setting(run.spec, change.path, change.value))


def test_the_examples_cover_every_verdict_but_broken_and_not_enough_evidence():
    assert {verdict for _, verdict in EXAMPLES} == {
        "ok", "high_bias", "high_variance", "high_bias_and_variance", "data_mismatch", "validation_overfit"
    }  # fmt: skip


def test_a_source_with_its_own_sets_and_a_model_of_ones_own_get_only_changes_that_they_can_take(make_run):
    own = {"name": "python", "target": "/x/mymodel.py:build"}
    run = make_run(
        spec={"data": {"source": "cifar10", "split": "own"}, "model": own}, train=0.01, validation=0.4, n=400
    )
    paths = {finding.code: [change.path for change in finding.changes] for finding in diagnose(run).findings}
    assert paths == {"V1": ["augmentation"]}
