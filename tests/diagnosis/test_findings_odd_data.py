"""Evidence that is missing, empty, torn or not a number: every rule looks, none breaks, none makes a finding of it."""

import json
import math
from dataclasses import asdict

import pytest

from evidence_data import (
    RULES,
    answers,
    bad,
    head,
    healthy,
    kernel,
    kernels,
    layers,
    look,
    modes,
    part_of,
    start,
    steps,
)
from improve.diagnosis.diagnose import diagnose
from improve.runs.run import load_run
from improve.spec.reading.flatten import with_setting
from improve.spec.spec import Spec

NAN = math.nan
NO_NUMBER = [[NAN] * 10 for _ in range(1000)]
LABELS = [i % 10 for i in range(1000)]


def parts(**changes):
    return start(parts={name: {**part_of(), **changes} for name in ("train", "validation", "test")})


ODD = {
    "nothing": {"evidence": {}},
    "an empty start": {"evidence": healthy(start={})},
    "a start without parts": {"evidence": healthy(start=start(parts={}))},
    "a start with a list": {"evidence": healthy(start=[])},
    "no first loss": {"evidence": healthy(start=start(initial_cross_entropy=None))},
    "outputs that are no numbers": {"evidence": healthy(start=start(head=dict.fromkeys(head()["head"])))},
    "outputs without an end": {"evidence": healthy(start=head(low=0.0, high=None, sum_high=None))},
    "positive outputs without an end": {"evidence": healthy(start=head(low=0.0, high=None, sum_low=None, sum_high=None))},
    "an input that is no number": {"evidence": healthy(start=start(input={"mean": None, "rms": None}))},
    "no input": {"evidence": healthy(start=start(input={}))},
    "a kernel that is no number": {"evidence": healthy(start=start(kernels=[kernel("a/kernel", scale=None)] * 3))},
    "no kernels": {"evidence": healthy(start=start(kernels=[]))},
    "one kernel": {"evidence": healthy(start=start(kernels=[kernel("a/kernel")]))},
    "light that is no number": {"evidence": healthy(start=parts(brightness=[None, None], contrast=[None, None]))},
    "light without spread": {"evidence": healthy(start=parts(brightness=[0.5, 0.0], contrast=[0.0, 0.0]))},
    "empty parts": {"evidence": healthy(start=parts(n=0, classes=[0] * 10))},
    "empty tables": {"evidence": healthy(layers=[], kernels=[], epochs=[], steps=[])},
    "kernels without steps": {"evidence": {key: value for key, value in healthy(kernels=kernels(first=900.0)).items() if key != "steps"}},
    "steps beyond all counting": {"evidence": healthy(kernels=[{**row, "step": 10**30} for row in kernels()])},
    "losses beyond all counting": {"evidence": healthy(steps=[{**row, "step": 10**30} for row in steps()])},
    "updates that are no numbers": {"evidence": healthy(kernels=kernels(update=NAN))},
    "gradients that are no numbers": {"evidence": healthy(kernels=kernels(first=NAN))},
    "a last gradient that is no number": {"evidence": healthy(kernels=kernels(last=NAN))},
    "infinite gradients": {"evidence": healthy(kernels=kernels(first=math.inf, last=math.inf))},
    "gradients of nothing": {"evidence": healthy(kernels=kernels(first=0.0, last=0.0, update=0.0))},
    "a weight that is no number": {"evidence": healthy(kernels=kernels(left=NAN))},
    "one step": {"evidence": healthy(kernels=kernels(steps=1), steps=steps([2.3]))},
    "losses that are no numbers": {"evidence": healthy(steps=steps([2.3, *[NAN] * 20]))},
    "norms that are no numbers": {"evidence": healthy(kernels=kernels(first=900.0), steps=steps(norm=NAN))},
    "norms of nothing": {"evidence": healthy(kernels=kernels(first=900.0), steps=steps(norm=0.0))},
    "a loss of nothing": {"evidence": healthy(steps=steps([0.0] * 20))},
    "layers that are no numbers": {"evidence": healthy(layers=layers(silent=NAN, saturated=NAN))},
    "modes that are no numbers": {"evidence": healthy(start=start(batch_normalizations=1), epochs=modes(NAN, 0.5, NAN, 0.1))},
    "modes without a number in training": {"evidence": healthy(start=start(batch_normalizations=1), epochs=modes(0.5, NAN, 0.1, NAN))},
    "no best epoch": {"best_epoch": None},
    "a best epoch after the last": {"best_epoch": 40},
    "one epoch": {"history": [0.3]},
    "two epochs": {"history": [0.4, 0.3]},
    "five epochs alike": {"history": [0.3] * 5},
    "one image": {"n": 1, "train": 1.0, "validation": 1.0, "evidence": healthy(predictions={"validation": answers([0], 1), "train": answers([0], 1)})},
    "two images": {"n": 2, "train": 0.5, "validation": 0.5, "evidence": healthy(predictions={"validation": answers([0], 2)})},
    "one class": {"evidence": healthy(predictions={"validation": answers(range(300), label=[3] * 1000)})},
    "probabilities that are no numbers": {"evidence": healthy(predictions={"validation": (LABELS, NO_NUMBER), "train": (LABELS, NO_NUMBER)})},
    "light of other images": {"evidence": healthy(images={"validation_brightness": [0.1], "validation_contrast": [0.1]}, predictions={"validation": answers(range(300))})},
    "one light": {"evidence": healthy(images={"validation_brightness": [0.1] * 1000, "validation_contrast": [0.1] * 1000}, predictions={"validation": answers(range(300))})},
    "an own network": {"spec": {"model": {"name": "python", "target": "/x/mymodel.py:build"}}},
    "a curve without a forecast": {"evidence": healthy(learning_curve={"sentence": "x", "forecasts": []})},
    "a forecast that is no number": {"evidence": healthy(learning_curve={"sentence": "x", "forecasts": [{"high": None}]})},
    "people who are always wrong": {"spec": {"diagnosis": {"human_error": 1.0}}},
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("status", ["finished", "diverged"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_evidence_breaks_nothing_and_changes_stay_valid(make_run, odd, status):
    run = make_run(**{**bad(), **ODD[odd], "status": status})
    diagnosis = diagnose(run)
    json.dumps(diagnosis.as_json())
    for finding in diagnosis.findings:
        for change in finding.changes:
            Spec.model_validate(with_setting(run.spec, change.path, change.value))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("odd", ODD)
def test_no_finding_rests_on_what_is_no_number(make_run, odd):
    run = make_run(**{**bad(), **ODD[odd]})
    for code in RULES:
        finding = look(run, code)
        assert (
            finding is None or "nan" not in json.dumps([finding.says, asdict(finding)["changes"], finding.harm]).lower()
        ), code


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("odd", [odd for odd in ODD if "evidence" in ODD[odd] and "n" not in ODD[odd]])
def test_a_run_that_diverged_in_its_first_epoch_is_diagnosed_all_the_same(make_run, odd):
    run = make_run(**{**bad(), **ODD[odd]})
    (run.folder / "summary.json").write_text(json.dumps({"status": "diverged", "epochs": 0}))
    run = load_run(run.folder)
    diagnosis = diagnose(run)
    assert "R1" in [finding.code for finding in diagnosis.findings]
    for finding in diagnosis.findings:
        for change in finding.changes:
            Spec.model_validate(with_setting(run.spec, change.path, change.value))


def test_kernels_that_have_numbers_in_different_steps_are_compared_where_both_have(make_run):
    """The first kernel is no number from step 3 on; before that it gets a thousandth of the last one's gradient."""
    rows = kernels(first=0.001)
    for row in rows:
        if row["kernel"] == "conv/kernel" and row["step"] > 2:
            row["update_ratio"] = row["gradient_norm"] = float("nan")
    finding = look(make_run(**bad(kernels=rows)), "T5")
    assert finding.evidence["gradient_ratio"] == pytest.approx(0.001)


def test_a_torn_table_is_read_up_to_its_last_whole_line(make_run):
    run = make_run(**bad())
    with (run.folder / "steps.csv").open("a") as stream:
        stream.write("400,1.")
    assert len(load_run(run.folder).evidence.steps["loss"]) == 400


@pytest.mark.parametrize("torn", [b"", b"x", b"PK\x03\x04torn"])
@pytest.mark.parametrize("file", ["evidence/images.npz", "evidence/last.npz", "predictions/validation.npz"])
def test_a_torn_file_of_arrays_counts_as_none(make_run, file, torn):
    run = make_run(**bad())
    (run.folder / file).write_bytes(torn)
    diagnose(load_run(run.folder))
