"""Run → Diagnosis → the next spec."""

import json

import pytest

from conftest import part
from improve.diagnose import diagnose
from improve.errors import ImproveError, UsageError
from improve.revise import best_change, edit, revise
from improve.run import load
from improve.specfile import load as load_spec

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
    assert set(found["findings"][0]["changes"][0]) == {"path", "value", "because"}
    json.dumps(found)


def test_the_chain_breaks_where_a_gap_is_high(make_run):
    def holds(name, **numbers):
        return [link.holds for link in diagnose(make_run(name, n=10_000, spec=HUMAN, **numbers)).chain]

    assert holds("ok", train=0.001, validation=0.002) == [True, True, None, None]
    assert holds("bias", train=0.2, validation=0.2) == [False, True, None, None]
    assert holds("variance", train=0.001, validation=0.2) == [True, False, None, None]
    assert holds("broken", train=0.9, validation=0.9) == [False, None, None, None]


def test_the_test_set_stays_sealed_until_it_is_asked_for(make_run):
    run = make_run(train=0.0, validation=0.01, n=10_000, spec=HUMAN, test=part(0.2, 10_000))
    assert diagnose(run).gaps.validation_overfit is None
    assert diagnose(run).as_json()["test_opened"] is False
    opened = diagnose(run, test=True)
    assert (opened.verdict, opened.as_json()["test_opened"]) == ("validation_overfit", True)


def test_asking_for_a_test_set_that_is_not_there_is_an_error(make_run):
    with pytest.raises(UsageError, match="has no test part"):
        diagnose(make_run(), test=True)


def test_the_same_run_always_gets_the_same_diagnosis(make_run):
    run = make_run(train=0.05, validation=0.3, spec=HUMAN)
    assert diagnose(run).as_json() == diagnose(load(run.folder)).as_json()


def test_a_run_that_was_stopped_or_leaks_says_so(make_run):
    run = make_run(status="stopped", spec=HUMAN)
    environment = json.loads((run.folder / "environment.json").read_text())
    environment["data"]["duplicates"] = {"validation in train": 12}
    (run.folder / "environment.json").write_text(json.dumps(environment))
    notes = diagnose(load(run.folder)).notes
    assert notes[0].startswith("the run stopped")
    assert notes[1] == "12 images of validation are also in train, pixel for pixel"


@pytest.mark.parametrize(
    ("summary", "what"),
    [({"status": "running"}, "has no results yet"), ({"status": "failed", "error": "MemoryError: x"}, "MemoryError"),
     ({"status": "stopped"}, "stopped before its first epoch")],
)  # fmt: skip
def test_a_run_without_results_says_why(make_run, summary, what):
    run = make_run()
    (run.folder / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(ImproveError, match=what):
        diagnose(load(run.folder))


def test_the_next_spec_is_valid_minimal_and_says_why(make_run, tmp_path):
    run = make_run(train=0.0, validation=0.3, spec={**HUMAN, "data": {"source": "mnist", "subset": 1000}})
    change = best_change(diagnose(run))
    text = revise(run.spec, change)
    (tmp_path / "next.yaml").write_text(text)
    loaded = load_spec(tmp_path / "next.yaml").complete()
    assert loaded == {**run.spec, "data": {**run.spec["data"], "subset": 2000}}
    assert text.startswith("# data.subset: more training images")
    assert [line for line in edit(run.spec, text).splitlines() if line[0] in "+-"][2:] == [
        "-  subset: 1000",
        "+  subset: 2000",
    ]


def test_there_is_no_next_spec_for_a_healthy_run(make_run):
    with pytest.raises(ImproveError, match="proposes no change"):
        best_change(diagnose(make_run(train=0.001, validation=0.001, n=10_000, spec=HUMAN)))
