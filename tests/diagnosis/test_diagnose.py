"""Run → Diagnosis → the next spec."""

import json

import pytest

from evidence_data import SGD, answers, bad, codes, healthy, kernels, layers, part_of, start, steps
from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.forest import NONE
from improve.diagnosis.next_spec import best_change, revised_yaml, spec_diff
from improve.errors import ImproveError, UsageError
from improve.runs.lock import folder_lock
from improve.runs.run import load_run
from improve.runs.test_part import open_test
from improve.spec.reading.load import load_spec
from run_folder import part

HUMAN = {"diagnosis": {"human_error": 0.0}}


def test_the_json_has_the_keys_of_the_contract(make_run):
    found = diagnose(make_run(train=0.0, validation=0.1, spec=HUMAN)).as_json()
    assert found["verdict"] == "high_variance"
    assert set(found["components"]) == {"avoidable_bias", "variance", "data_mismatch", "validation_overfit"}
    assert set(found["components"]["variance"]) >= {"value", "low", "high", "verdict"}
    assert [link["link"] for link in found["chain"]] == ["training", "validation", "test", "real world"]
    assert set(found["findings"][0]) >= {
        "code", "name", "title", "link", "status", "evidence", "harm", "changes", "confirm"
    }  # fmt: skip
    assert set(found["findings"][0]["changes"][0]) >= {"path", "value", "because"}
    json.dumps(found)


def test_the_chain_breaks_where_a_gap_is_high(make_run):
    def holds(name, **numbers):
        return [link.holds for link in diagnose(make_run(name, n=10_000, spec=HUMAN, **numbers)).chain]

    assert holds("ok", train=0.001, validation=0.002) == [True, True, None, None]
    assert holds("bias", train=0.2, validation=0.2) == [False, True, None, None]
    assert holds("variance", train=0.001, validation=0.2) == [True, False, None, None]
    assert holds("broken", train=0.9, validation=0.9) == [False, None, None, None]


def test_a_link_whose_gap_is_the_smaller_part_does_not_hold_and_the_knobs_are_those_of_the_larger(make_run):
    """Training 50 %, validation 70 %: a gap of 20 points, and 50 above what people do."""
    biased = diagnose(make_run("biased", train=0.5, validation=0.7, n=10_000, spec=HUMAN))
    assert biased.gaps.variance.verdict == "minor"
    assert [link.holds for link in biased.chain] == [False, False, None, None]
    assert "a bigger network" in biased.knobs
    spread = diagnose(make_run("spread", train=0.1, validation=0.5, n=10_000, spec=HUMAN))
    assert (spread.gaps.avoidable_bias.verdict, spread.verdict) == ("minor", "high_variance")
    assert "a bigger training set" in spread.knobs


def test_a_verdict_is_no_surer_than_its_finding(make_run):
    """5 of 50: a gap of 10 points, and perhaps of 0.9."""
    diagnosis = diagnose(make_run(train=0.0, validation=0.1, n=50, spec=HUMAN))
    assert [(one.code, one.status) for one in diagnosis.findings][:1] == [("V1", "not_enough_evidence")]
    assert diagnosis.verdict == "not_enough_evidence"


def overfitted(make_run, name, best_epoch, train_at_end, **numbers):
    """Ten epochs; at the end it errs on so many of 300 training images, and on 63 of 300 for validation."""
    last = {}
    for part_name, wrong in (("train", round(300 * train_at_end)), ("validation", 63)):
        last[f"{part_name}_label"], last[f"{part_name}_probability"] = answers(range(wrong), n=300)
    evidence = {**healthy(), "last": last}
    return make_run(
        name, n=300, history=[0.3] * 9 + [train_at_end], best_epoch=best_epoch, evidence=evidence, **numbers
    )


@pytest.mark.parametrize("human", [None, 0.01])
def test_what_fits_its_training_set_at_the_end_overfits_whatever_its_best_epoch_looked_like(make_run, human):
    spec = {"diagnosis": {"human_error": human}}
    run = overfitted(make_run, "late", 6, 0.0, train=0.18, validation=0.2, spec=spec)
    diagnosis = diagnose(run)
    [variance] = [one for one in diagnosis.findings if one.code == "V1"]
    assert (diagnosis.verdict, variance.status) == ("high_variance", "found")
    assert "by epoch 10 it had overfitted: validation error 21.0 % (n=300) is 21.0 points" in variance.says
    assert "the best epoch, 6, was before that" in variance.says
    assert not {"T17", "T19"} & {one.code for one in diagnosis.findings}
    assert diagnosis.chain[1].holds is False


@pytest.mark.parametrize(("best_epoch", "train_at_end"), [(10, 0.0), (6, 0.17)])
def test_the_last_epoch_says_no_more_where_it_is_the_best_or_fits_no_better(make_run, best_epoch, train_at_end):
    run = overfitted(make_run, "as_before", best_epoch, train_at_end, train=0.18, validation=0.2, spec=HUMAN)
    assert "V1" not in codes(run)


def test_the_test_set_stays_sealed_until_it_is_asked_for(make_run):
    run = make_run(train=0.0, validation=0.01, n=10_000, spec=HUMAN, test=part(0.2, 10_000))
    assert diagnose(run).gaps.validation_overfit is None
    assert diagnose(run).as_json()["test_opened"] is False
    opened = diagnose(run, open_test(run))
    assert (opened.verdict, opened.as_json()["test_opened"]) == ("validation_overfit", True)


def test_asking_for_a_test_set_that_is_not_there_is_an_error(make_run):
    with pytest.raises(UsageError, match="has no test part"):
        open_test(make_run())


def test_the_same_run_always_gets_the_same_diagnosis(make_run):
    run = make_run(train=0.05, validation=0.3, spec=HUMAN)
    assert diagnose(run).as_json() == diagnose(load_run(run.folder)).as_json()


def test_a_run_that_was_stopped_or_leaks_says_so(make_run):
    run = make_run(status="stopped", spec=HUMAN)
    environment = json.loads((run.folder / "environment.json").read_text())
    environment["data"]["duplicates"] = {"validation in train": 12}
    (run.folder / "environment.json").write_text(json.dumps(environment))
    notes = diagnose(load_run(run.folder)).notes
    assert notes[0].startswith("the run stopped")
    assert notes[1] == "12 images of validation are also in train, pixel for pixel"


@pytest.mark.parametrize(
    ("summary", "what"),
    [({"status": "running"}, "stopped before its first epoch"), ({"status": "stopped"}, "before its first epoch"),
     ({"status": "failed", "error": "MemoryError: x"}, "MemoryError")],
)  # fmt: skip
def test_a_run_without_results_says_why(make_run, summary, what):
    run = make_run()
    (run.folder / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(ImproveError, match=what):
        diagnose(load_run(run.folder))


def test_the_next_spec_is_valid_minimal_and_says_why(make_run, tmp_path):
    run = make_run(train=0.0, validation=0.3, spec={**HUMAN, "data": {"source": "mnist", "subset": 1000}})
    finding, change = best_change(diagnose(run))
    assert finding.code == "V1"
    text = revised_yaml(run.spec, change)
    (tmp_path / "next.yaml").write_text(text)
    loaded = load_spec(tmp_path / "next.yaml").complete()
    assert loaded == {**run.spec, "data": {**run.spec["data"], "subset": 2000}}
    assert text.startswith("# data.subset: more training images")
    assert [line for line in spec_diff(run.spec, text).splitlines() if line[0] in "+-"][2:] == [
        "-  subset: 1000",
        "+  subset: 2000",
    ]


def test_the_change_of_a_finding_that_waits_can_be_had(make_run):
    spec = {"regularization": {"l2": 0.1}}
    run = make_run(**{**bad(spec, steps=steps(penalty=1.0), kernels=kernels(left=0.4)), "validation": 0.5})
    diagnosis = diagnose(run)
    assert best_change(diagnosis)[0].code == "T11"
    assert best_change(diagnosis, "V1")[0].status == "cannot_tell_yet"
    assert best_change(diagnosis, "V1")[1].path == "augmentation"
    with pytest.raises(UsageError, match="no change for T2") as refused:
        best_change(diagnosis, "T2")
    assert "one of T11" in refused.value.fix
    with pytest.raises(UsageError, match="'v1' is not the code of a finding; did you mean 'V1'"):
        best_change(diagnosis, "v1")
    with pytest.raises(UsageError, match="'' is not the code of a finding"):
        best_change(diagnosis, "")


def test_there_is_no_next_spec_for_a_healthy_run(make_run):
    with pytest.raises(ImproveError, match="proposes no change"):
        best_change(diagnose(make_run(train=0.001, validation=0.001, n=10_000, spec=HUMAN)))


def statuses(run, **options):
    return {finding.code: finding.status for finding in diagnose(run, **options).findings}


def test_the_first_cause_is_found_and_the_others_cannot_be_told_yet(make_run):
    """A huge scale of the inputs explains dead units and a rate that seems too high."""
    run = make_run(**bad(start=start(input={"mean": 90.0, "rms": 120.0}), kernels=kernels(first=0.001, update=1e-5)))
    found = statuses(run)
    assert next(iter(found.items())) == ("R6", "found")
    assert (found["T2"], found["T5"]) == ("cannot_tell_yet", "cannot_tell_yet")
    assert [code for code, status in found.items() if status == "found"] == ["R6"]


def test_a_symptom_is_dropped_where_a_cause_is_found_and_said_where_none_is(make_run):
    """The training error is high by 30 points: T19 says no more than that."""
    falling = {"history": [0.6, 0.5, 0.4, 0.3], "best_epoch": 4}
    assert "T19" in statuses(make_run("none", **{**bad(), **falling}))
    assert "T19" not in statuses(make_run("cause", **{**bad(kernels=kernels(update=1e-5)), **falling}), forest=NONE)


def test_a_variance_waits_while_a_cause_keeps_the_training_set_from_being_fitted(make_run):
    spec = {"regularization": {"l2": 0.1}}
    alone = make_run("alone", train=0.0, validation=0.5, spec=SGD, evidence=healthy())
    both = make_run("both", **{**bad(spec, steps=steps(penalty=1.0), kernels=kernels(left=0.4)), "validation": 0.5})
    assert statuses(alone)["V1"] == "found"
    assert statuses(both)["T11"] == "found"
    assert [one.waits for one in diagnose(both).findings if one.code == "V1"] == [
        "T11 may bring it about: mend that first"
    ]
    assert statuses(both)["V1"] == "cannot_tell_yet"


def test_a_broken_run_gets_no_finding_about_its_gaps(make_run):
    """Outputs that are probabilities: what is between training and validation means nothing."""
    head = {"low": 0.0, "high": 1.0, "at_low": 0.0, "sum_low": 1.0, "sum_high": 1.0}
    leak = {"duplicates": {"validation in train": 500}}
    broken = make_run("broken", **{**bad(start=start(head=head), data=leak), "validation": 0.8})
    sound = make_run("sound", **{**bad(data=leak), "validation": 0.8})
    assert (diagnose(broken).verdict, diagnose(sound).verdict) == ("broken", "high_bias_and_variance")
    assert {"V1", "V6"} <= set(codes(sound))
    assert {code for code in codes(broken) if code[0] in "VMSW"} == {"V6"}, "a count: nothing hides it"


def test_what_was_counted_comes_first_and_nothing_hides_it(make_run):
    """No training image of class 7, and inputs of a huge scale, which explain the rest."""
    parts = {"train": part_of(classes=[100] * 7 + [0] + [100] * 2), "validation": part_of()}
    run = make_run(**bad(start=start(parts=parts, input={"mean": 90.0, "rms": 120.0}), kernels=kernels(update=1e-5)))
    found = statuses(run, forest=NONE)
    assert [code for code, status in found.items() if status == "found"] == ["T16", "R6"]
    assert next(iter(found)) == "T16"
    assert found["T2"] == "cannot_tell_yet"


def test_a_run_of_light_evidence_lists_what_could_not_be_looked_for(make_run):
    light = {"start": {"evidence": "light", "classes": 10, "parts": {}}}
    run = make_run(train=0.3, validation=0.3, spec={**SGD, "evidence": "light"}, evidence=light)
    unchecked = dict(diagnose(run).unchecked)
    assert {"R4": "start", "R5": "start", "R6": "start", "T9": "start", "T10": "start"}.items() <= unchecked.items()
    assert {"T2": "kernels", "T3": "kernels", "T5": "kernels", "T6": "kernels"}.items() <= unchecked.items()
    assert {"T7": "layers", "T8": "layers", "V7": "modes"}.items() <= unchecked.items()
    assert not {"R3", "T13", "T19", "V1", "V6", "M1"} & set(unchecked)
    assert not set(unchecked) & set(codes(run))
    assert diagnose(run).as_json()["unchecked"][0].keys() == {"code", "needs"}


def test_a_run_with_all_its_evidence_leaves_nothing_unchecked(make_run):
    assert diagnose(make_run(**bad())).unchecked == ()


def test_thirty_validation_images_are_too_few_and_it_says_how_many_are_needed(make_run):
    """One of 30 is wrong: 3.3 % [0.6, 16.7]."""
    diagnosis = diagnose(make_run(train=0.0, validation=1 / 30, n=30, spec=SGD, evidence=healthy()))
    (finding,) = diagnosis.findings
    assert (diagnosis.verdict, finding.code, finding.status) == ("not_enough_evidence", "R9", "not_enough_evidence")
    needed = diagnosis.gaps.variance.needed
    assert needed > 30
    assert f"at n=30; {needed:,} validation images would settle it" in finding.says


def test_more_images_than_there_are_is_said_so(make_run):
    """Forty for training, and 30 of which one is wrong."""
    few = start(parts={name: part_of(40) for name in ("train", "validation", "test")})
    run = make_run(train=0.0, validation=1 / 30, n=30, spec=SGD, evidence=healthy(start=few))
    finding = next(finding for finding in diagnose(run).findings if finding.code == "R9")
    assert finding.says.endswith("images would settle it, more than the 70 that there are for training and validation")


def test_a_leak_is_named_by_the_number_of_equal_hashes(make_run):
    """The first 200 of 1,000 validation images are training images; the other 800 are wrong in 80 cases."""
    images = {"validation_hash": list(range(1000)), "train_hash": [*range(200), *range(5000, 8000)]}
    wrong = healthy(data={"duplicates": {"validation in train": 200}}, images=images,
                    predictions={"validation": answers(range(200, 280))})  # fmt: skip
    first = diagnose(make_run(train=0.0, validation=0.08, spec=SGD, evidence=wrong)).findings[0]
    assert (first.code, first.status) == ("V6", "found")
    assert "200 of 1,000 validation images are training images, pixel for pixel" in first.says
    assert "on the other 800 it errs on 10.0 %" in first.says
    assert (first.changes[0].path, first.changes[0].value) == ("data.duplicates", "drop")


def test_twenty_percent_of_label_noise_comes_first(make_run):
    """It errs on 21 % of the training images, whose labels are noisy, and on 4 % of clean validation images."""
    run = make_run(train=0.21, validation=0.04, n=5000, spec=SGD, evidence=healthy(), history=[0.3, 0.25, 0.21, 0.21])
    first, *rest = diagnose(run).findings
    assert first.code == "T13"
    assert first.stands
    assert "about 17 % of the training labels are wrong" in first.says
    assert [finding.code for finding in rest if finding.link == "training" and finding.stands] == []


def test_a_mismatch_comes_first_where_train_dev_images_are_fitted(make_run):
    run = make_run(train=0.01, validation=0.15, n=5000, spec=SGD, evidence=healthy(), train_dev=part(0.015, 5000))
    diagnosis = diagnose(run)
    assert (diagnosis.verdict, diagnosis.findings[0].code) == ("data_mismatch", "M1")
    assert not {"V1", "V3"} & set(codes(run))


def test_a_failing_layer_is_told_from_a_rate_that_is_too_low(make_run):
    """Dead units leave no gradient, so the weights hardly move: the units are the cause."""
    dead = {**bad(layers=layers(before=1.0, silent=1.0), kernels=kernels(update=1e-6)), "train": 0.9, "validation": 0.9}
    assert next(iter(statuses(make_run(**dead)))) == "T7"


def test_a_run_that_is_at_work_has_no_results_yet(make_run):
    run = make_run()
    (run.folder / "summary.json").write_text(json.dumps({"status": "running"}))
    with folder_lock(run.folder), pytest.raises(ImproveError, match="has no results yet"):
        diagnose(load_run(run.folder))
