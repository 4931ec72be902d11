"""The case study's page and its claims, without the trainings that tests/slow/test_case_study.py does."""

import re
import sys

import numpy as np
import pytest

from conftest import CONFIGS

BENCHMARKS = CONFIGS.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import case_study_claims as claims  # noqa: E402
from case_study import PAGE  # noqa: E402

SOURCE = (BENCHMARKS / PAGE).read_text()


def test_the_page_makes_every_claim_once():
    assert sorted(re.findall(r'claim\("(\w+)"\)', SOURCE)) == sorted(claims.CLAIMS)


def test_the_page_runs_every_spec_of_the_case_study():
    named = set(re.findall(r"configs/case_study/(\w+\.yaml)", SOURCE))
    assert named == {file.name for file in (CONFIGS / "case_study").glob("*.yaml")}


def test_the_page_that_comes_along_is_made_from_this_source():
    """Every heading and every claim of the source stands in docs/case_study.md."""
    page = (CONFIGS.parent / "docs" / "case_study.md").read_text()
    assert re.findall(r"^#.*", SOURCE, re.M) == re.findall(r"^#.*", page, re.M)
    assert len(re.findall("^✓ ", page, re.M)) == len(claims.CLAIMS)
    assert "DOES NOT HOLD" not in page


@pytest.mark.parametrize("name", ["split", "human_level", "bare_numbers", "bayes"])
def test_what_needs_no_run_holds(name, tmp_path):
    found = claims.CLAIMS[name](tmp_path)
    assert found.holds, found.says


def candidates(make_run, tiny, both, large, megabytes=1.0):
    for name, error, size in (("tiny", tiny, 0.1), ("both", both, 0.2), ("large", large, megabytes)):
        run = make_run(name, validation=error, seconds_per_image=0.001, model_bytes=int(1e6 * size))
    return run.folder.parent


@pytest.mark.parametrize(
    ("tiny", "both", "large", "megabytes", "holds"),
    [
        (0.2, 0.1, 0.05, 1.0, True),
        (0.05, 0.1, 0.04, 1.0, False),  # the smallest is the best that may be built
        (0.2, 0.1, 0.11, 1.0, False),  # the constraint costs nothing
        (0.2, 0.1, 0.05, 0.2, False),  # and here it forbids nothing
    ],
)
def test_the_claim_on_one_number_is_that_a_constraint_changes_the_choice(make_run, tiny, both, large, megabytes, holds):
    assert claims.one_number(candidates(make_run, tiny, both, large, megabytes)).holds == holds


def judged(make_run, name, wrong, **more):
    """A run on 400 validation images, half of them birds, that errs on these shares of skies and of birds."""
    labels = np.repeat([0, 1], 200)
    missed = np.concatenate([np.arange(200) < round(200 * share) for share in wrong])
    probability = np.eye(2)[np.where(missed, 1 - labels, labels)]
    return make_run(
        name,
        validation=float(missed.mean()),
        n=400,
        evidence={"predictions": {"validation": (labels, probability)}},
        **more,
    )


def test_the_claim_on_the_metric_holds_where_fewer_birds_are_missed_and_fails_where_that_costs_nothing(make_run):
    judged(make_run, "both", (0.05, 0.2))
    judged(make_run, "missed", (0.3, 0.05))
    runs = judged(make_run, "retuned", (0.35, 0.02)).folder.parent
    assert claims.metric(runs).holds
    for name in ("both", "missed"):
        (runs / name / "predictions" / "validation.npz").write_bytes(
            (runs / "retuned" / "predictions" / "validation.npz").read_bytes()
        )
    assert not claims.metric(runs).holds


def test_photos_may_train_only_where_they_help(make_run):
    judged(make_run, "camera", (0.2, 0.2))
    runs = judged(make_run, "both", (0.05, 0.05)).folder.parent
    assert claims.may_train(runs).holds
    judged(make_run, "photos", (0.06, 0.06))
    assert not claims.mended(runs).holds, "one point is not the mismatch that was mended"
