"""The human and the target level, given after training."""

import json

import pytest

from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.levels import with_levels
from improve.errors import UsageError
from improve.runs.run import load_run
from improve.spec.reading.load import load_spec

LARGE = {"train": 0.08, "validation": 0.085, "n": 10_000}


def test_the_human_level_decides_what_the_training_error_is(improve, make_run):
    folder = make_run(**LARGE).folder
    before = (folder / "spec.yaml").read_bytes()

    def verdict(*levels):
        code, printed, _ = improve("diagnose", folder, *levels, "--json")
        assert code == 0
        return json.loads(printed)["verdict"]

    assert verdict() == "not_enough_evidence"
    assert verdict("--human", "1%") == "high_bias"
    assert verdict("--human", "0.075") == "ok"
    assert verdict("--human", "7.5%", "--target", "7.6%") == "high_variance" or verdict("--human", "7.5%") == "ok"
    assert json.loads((folder / "diagnosis.json").read_text())["verdict"] == verdict("--human", "7.5%")
    assert (folder / "spec.yaml").read_bytes() == before


def test_the_next_spec_keeps_the_levels_that_were_given(improve, make_run, tmp_path):
    folder = make_run(**LARGE).folder
    code, _, told = improve("next", folder, "--human", "1%", "--target", "3%", "-o", tmp_path / "next.yaml")
    assert code == 0, told
    levels = load_spec(tmp_path / "next.yaml").diagnosis
    assert (levels.human_error, levels.target_error) == (0.01, 0.03)


def test_the_change_of_one_finding_can_be_asked_for(improve, make_run):
    folder = make_run(train=0.0, validation=0.3, spec={"data": {"subset": 1000}}).folder
    assert "subset: 2000" in improve("next", folder)[1]
    code, printed, told = improve("next", folder, "--finding", "V3")
    assert (code, told.split()[0]) == (0, "V3")
    assert "name: shift" in printed
    for asked, answer in (("T2", "no change for T2"), ("T99", "'T99' is not the code of a finding")):
        code, _, told = improve("next", folder, "--finding", asked)
        assert code == 2
        assert answer in told


def test_a_level_of_its_own_is_exact(make_run):
    run = make_run(spec={"diagnosis": {"human_error": 0.05, "human_n": 40}})
    assert with_levels(run, None, None).spec == run.spec
    assert with_levels(run, "4%", None).spec["diagnosis"]["human_n"] is None
    assert load_run(run.folder).spec["diagnosis"]["human_error"] == 0.05


def test_where_people_were_measured_on_the_data_set_that_level_holds_until_another_is_given(make_run):
    def told(name, source, train=0.3, **levels):
        spec = {"data": {"source": source}, "diagnosis": levels}
        found = diagnose(make_run(name, train=train, validation=0.31, n=10_000, spec=spec))
        return found.errors.human.value if found.errors.human else None, " ".join(found.notes)

    value, notes = told("known", "cifar10")
    assert value == 0.06
    assert "the human level of CIFAR-10 is 6.0 % (one person, Karpathy, 2011)" in notes
    assert "below the human level" in told("better", "cifar10", 0.01)[1]
    assert told("given", "cifar10", human_error=0.04) == (0.04, "")
    assert told("unknown", "fashion_mnist")[0] is None


@pytest.mark.parametrize("text", ["5x", "", "-1%", "101%", "nan", "five"])
def test_what_is_no_error_is_refused_by_its_option(make_run, text):
    with pytest.raises(UsageError, match=f"--target={text} is not an error"):
        with_levels(make_run(), None, text)


def test_bare_numbers_hold_their_levels_themselves(improve):
    code, _, told = improve("diagnose", "--errors", "train=1% validation=2%", "--human", "1%")
    assert code == 2
    assert "bare numbers hold all levels" in told
