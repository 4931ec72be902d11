"""What a diagnosis says beside its findings."""

import shutil

import pytest

from evidence_data import SGD, answers, diagnose, healthy
from improve.runs.run import load_run
from improve.views.text.diagnosis import checks_text

BOTH = {"train": answers([]), "validation": answers([])}
IMAGES = {"train_hash": range(1000), "train_label": [i % 10 for i in range(1000)]}


@pytest.fixture
def whole(make_run):
    evidence = healthy(images=IMAGES, predictions=BOTH)
    return make_run(train=0.001, validation=0.001, n=10_000, spec=SGD, evidence=evidence)


def test_a_run_with_all_its_files_says_that_every_check_had_them(whole):
    diagnosis = diagnose(whole)
    assert not any("missing or damaged" in note for note in diagnosis.notes)
    assert checks_text(diagnosis).startswith("every check had the evidence it needed")


@pytest.mark.parametrize(
    "file",
    [
        "predictions/train.npz",
        "predictions/validation.npz",
        "metrics.csv",
        "evidence/images.npz",
        "evidence/epochs.csv",
    ],
)
@pytest.mark.parametrize("torn", [True, False])
def test_a_file_that_is_missing_or_torn_is_named(whole, file, torn):
    target = whole.folder / file
    target.write_bytes(target.read_bytes()[:20]) if torn else target.unlink()
    diagnosis = diagnose(load_run(whole.folder))
    assert any(note.startswith("missing or damaged: ") and file in note for note in diagnosis.notes)
    assert "every check" not in checks_text(diagnosis)


def test_a_run_of_light_evidence_misses_nothing_of_what_it_did_not_leave(whole):
    shutil.rmtree(whole.folder / "evidence")
    assert not any("missing or damaged" in note for note in diagnose(load_run(whole.folder)).notes)
