"""What `improve selftest` and `improve explain` say of how good the diagnosis is."""

import json

import pytest

from conftest import CONFIGS
from improve.diagnosis import selftest

FAULTS = CONFIGS.parent / "benchmarks" / "faults"


def case(kind, causes, said, patches=0):
    verdict = "fault" if kind == "fault" else "no harm"
    alarms = None if kind == "fault" else said
    return {
        "kind": kind,
        "causes": causes,
        "verdict": verdict,
        "said": said,
        "patches": patches,
        "false_alarms": alarms,
    }


def results(patches=0):
    """Two faults, of which the second is not found, and two healthy cases with one false alarm in four runs."""
    both = {"runs": [3, 4], "cases": [1, 2]}
    scores = dict.fromkeys(("detected", "cause_first", "cause_in_three"), both)
    quiet = {"runs": [1, 4], "cases": [0, 2]}
    scores |= {"false_alarm_healthy": quiet, "false_alarm_hard_negatives": {"runs": [0, 0], "cases": [0, 0]}}
    scores |= {"patch_recovers": [1, 2], "seeds": 2, "seeds_of_base": 5, "faults": 2, "healthy": 2, "hard_negatives": 0}
    row = {"recall": [2, 4], "first_wrongly": 0, "false_alarms": [1, 4]}
    return {
        "scores": scores,
        "rules": {"T2": row},
        "cases": {
            "lr_d10": case("fault", ["T2", "T1"], [["T2"], ["T2", "V1"]], patches),
            "lr_d100": case("fault", ["T2"], [["T17"], []]),
            "mlp": case("healthy", [], [[], ["T2"]]),
            "adam": case("healthy", [], [[], []]),
        },
    }


@pytest.fixture
def shipped(monkeypatch, tmp_path):
    """The compact copy of results in the place of the one that comes along."""
    monkeypatch.syspath_prepend(str(FAULTS))
    monkeypatch.setattr(selftest, "FILE", tmp_path / "selftest.json")
    monkeypatch.setattr(selftest, "LEFT_OUT", tmp_path / "left_out.json")

    def ship(more=None, **options):
        from shipped import shipped as compact

        found = results(**options)
        found["cases"] |= more or {}
        (tmp_path / "selftest.json").write_text(json.dumps(compact({"digits": found})))

    return ship


def test_the_scores_are_shown_with_counts_and_intervals(improve, shipped):
    shipped(patches=2)
    code, out, err = improve("selftest")
    assert (code, err) == (0, "")
    assert "digits · 2 faults, 2 healthy cases, 0 harmless changes · up to 2 seeds each, 5 of the sound spec" in out
    shown = [" ".join(line.split()) for line in out.splitlines()]
    assert "cause first 3 of 4 = 75 % [30, 95] 1 of 2 = 50 % [9, 91]" in shown
    assert "patch recovers 80 % of the loss – 1 of 2 = 50 % [9, 91]" in shown
    assert "false alarm, healthy runs 1 of 4 = 25 % [5, 70] 0 of 2 = 0 % [0, 66]" in shown
    assert "false alarm, harmless changes – –" in shown
    assert "T2 1 of 2 = 50 % [9, 91] 2 of 4 = 50 % [15, 85] 1 of 4 = 25 % [5, 70]" in shown


def test_what_is_missed_is_named_with_what_was_said_instead(improve, shipped):
    shipped()
    shown = [" ".join(line.split()) for line in improve("selftest")[1].splitlines()]
    assert "lr_d100 T2 0 of 2 T17 1×, nothing 1×" in shown
    assert not any(line.startswith("lr_d10 ") for line in shown)
    assert "patch recovers 80 % of the loss – –" in shown, "no patch was trained"


def test_a_case_that_another_right_code_names_is_not_missed(shipped):
    shipped()
    assert selftest.track_record("T2").startswith("Missed: 1 of 2 seeded cases.")
    shipped(more={"short": case("fault", ["T2", "T1"], [["T1"], ["T1", "V1"]])})
    assert selftest.track_record("T2").startswith("Missed: 1 of 3 seeded cases.")


def test_a_world_that_is_not_scored_is_named(improve, shipped):
    shipped()
    assert "fashion: not scored" in improve("selftest")[1]
    found = json.loads(improve("selftest", "--json")[1])
    assert (found["not_scored"], found["worlds"]["digits"]["rules"]["T2"]["cases"]["of"]) == (["fashion"], 2)


LEFT_OUT_SCORES = {
    "detected": {"hits": 3, "of": 4, "low": 0.3, "high": 0.95},
    "cause_first": {"hits": 2, "of": 4, "low": 0.15, "high": 0.85},
    "first_found": {"hits": 1, "of": 4, "low": 0.1, "high": 0.7},
    "cause_in_four": {"hits": 3, "of": 4, "low": 0.3, "high": 0.95},
    "change_recovers": None,
    "false_alarm": {"hits": 1, "of": 10, "low": 0.02, "high": 0.4},
    "cause_found": {"hits": 0, "of": 40, "low": 0.0, "high": 0.1},
    "cause_likely": {"hits": 2, "of": 10, "low": 0.05, "high": 0.5},
}


def test_worlds_that_were_left_out_come_first(improve, shipped):
    shipped()
    counts = {"runs": 14, "faults": 4, "sound": 10}
    found = {"worlds": ["w006", "w007"], "counts": counts, "scores": LEFT_OUT_SCORES}
    selftest.LEFT_OUT.write_text(json.dumps(found | {"sources": {"letters": LEFT_OUT_SCORES}}))
    lines = [" ".join(line.split()) for line in improve("selftest")[1].splitlines()]
    assert lines[0] == "left out · 2 random worlds · 4 faults that hurt, 10 sound runs"
    assert "cause first 2 of 4 = 50 % [15, 85]" in lines
    assert "first change wins back 80 % –" in lines
    assert "letters 3 of 4 = 75 % [30, 95] 2 of 4 = 50 % [15, 85] 1 of 10 = 10 % [2, 40]" in lines
    assert lines.index("The worlds below are those that the thresholds were chosen on.") > 5
    assert json.loads(improve("selftest", "--json")[1])["left_out"]["counts"] == counts


def test_without_results_it_says_so(improve, shipped):
    code, out, err = improve("selftest")
    assert (code, out) == (1, "")
    assert "this copy of improve was not tested on faults" in err
    assert "benchmarks/faults/train.py" in err
    code, out, _ = improve("explain", "T2")
    assert (code, "Missed" in out) == (0, False)


def test_a_damaged_file_is_named(improve, shipped):
    selftest.FILE.write_text("{")
    code, _, err = improve("selftest")
    assert (code, "is damaged" in err) == (1, True)


def test_explain_ends_with_what_the_finding_is_worth(improve, shipped):
    shipped()
    lines = improve("explain", "T2")[1].rstrip().splitlines()
    assert lines[-1] == "Missed: 1 of 2 seeded cases. False alarms: 1 of 4 healthy runs."
    assert "Missed" not in improve("explain", "T4")[1]
