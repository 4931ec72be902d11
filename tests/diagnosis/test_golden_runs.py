"""Real runs of the fault suite, trimmed (benchmarks/faults/golden.py): what is said of them must not change unseen."""

import json

import pytest

from conftest import CONFIGS, FIXTURES
from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.next_spec import best_change, revised_yaml
from improve.runs.run import load_run
from improve.spec.reading.yaml import parse
from improve.spec.spec import Spec

RUNS = FIXTURES / "runs"
#: the run: the verdict, what stands first beside the gaps or is guessed, the key that its first change edits
SAID = {
    "digits_base": ("not_enough_evidence", None, None),  # 1.0 % of 400 validation images, 0 % of 400 training images
    "digits_deep_sigmoid": ("high_bias", "T5", "model.activation"),
    "digits_double_softmax": ("not_enough_evidence", "R5", None),
    "digits_l2_strong": ("high_bias", "T11", "regularization.l2"),
    "digits_leak50": ("not_enough_evidence", "V6", "data.duplicates"),
    "digits_lr_d100": ("high_bias", "T2", "optimizer.learning_rate"),
    "digits_lr_x100": ("high_bias", "T3", "optimizer.learning_rate"),
    "digits_mismatch_invert": ("data_mismatch", "M1", "data.target"),
    "digits_n100": ("high_bias", "V4", "data.train_size"),
    "digits_nan_rate": ("broken", "R1", "optimizer.learning_rate"),
    "digits_noise20": ("high_bias", "T13", "training.loss"),
    "digits_tiny_net": ("high_bias", "T17", "model.hidden"),
    "fashion_base": ("high_variance", None, None),  # training error 10.9 %: bias comes first
    "fashion_imbalance50": ("high_variance", "V5", "training.sampling"),
}


def test_every_golden_run_is_listed():
    assert sorted(SAID) == sorted(folder.name for folder in RUNS.iterdir())


@pytest.mark.parametrize("name", SAID)
def test_a_golden_run_gets_the_verdict_the_cause_and_the_change_that_it_got(name):
    verdict, code, path = SAID[name]
    diagnosis = diagnose(load_run(RUNS / name))
    told = [one for one in diagnosis.findings if (one.stands or one.is_guess) and one.code != "T19"]
    assert diagnosis.verdict == verdict
    assert [finding.code for finding in told[:1]] == ([code] if code else [])
    assert [finding.code for finding in told[1:] if finding.stands] == []
    assert next((change.path for finding in told for change in finding.changes[:1]), None) == path


@pytest.mark.parametrize("name", [name for name, (_, _, path) in SAID.items() if path])
def test_the_next_spec_of_a_golden_run_is_valid(name):
    run = load_run(RUNS / name)
    finding, change = best_change(diagnose(run))
    assert finding.code == SAID[name][1]
    text = revised_yaml(run.spec, change)
    assert text.startswith(f"# {change.path}: {change.because}\n")
    assert Spec.model_validate(parse(text, "next.yaml").value).complete() != run.spec


def test_the_suite_says_the_same_of_these_runs_with_all_their_evidence():
    """What the trimmed runs lack (hashes of images, predictions of the last epoch, the test part) decides none."""
    results = json.loads((CONFIGS.parent / "benchmarks" / "faults" / "results.json").read_text())
    for name, (_, code, _) in SAID.items():
        world, _, case = name.partition("_")
        assert results[world]["cases"][case]["said"][0][:1] == ([code] if code else []), name
