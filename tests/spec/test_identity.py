"""When two specs are the same. The digests stand in files, so the bytes that they are made of stay what they are."""

from hashlib import sha256

import pytest

from improve.spec.identity import ANY_LENGTH, curve_identity, experiment_identity, identity

SPEC = {
    "seed": 3,
    "data": {"source": "Vögel", "split_seed": None, "train_size": 0.5},
    "training": {"epochs": 7, "batch_size": 9},
    "diagnosis": {"human_error": 0.1},
    "evidence": "full",
}
ESCAPED = '"source": "V\\u00f6gel"'


@pytest.mark.parametrize(
    ("digest", "text"),
    [
        (
            experiment_identity(SPEC),
            f'{{"data": {{{ESCAPED}, "train_size": 0.5}}, "training": {{"batch_size": 9, "epochs": 7}}}}',
        ),
        (
            identity(SPEC, ANY_LENGTH),
            f'{{"data": {{{ESCAPED}, "train_size": 0.5}}, "training": {{"batch_size": 9}}}}',
        ),
        (
            curve_identity(SPEC),
            '{"data": {"source": "Vögel", "split_seed": null}, "diagnosis": {"human_error": 0.1}, "evidence": "full", '
            '"training": {"batch_size": 9, "epochs": 7}}',
        ),
        (identity({"seed": 1}, code=b"def build"), '{"seed": 1}def build'),
    ],
)
def test_a_digest_is_that_of_these_bytes(digest, text):
    assert digest == sha256(text.encode()).hexdigest()


def test_nothing_is_taken_out_of_the_spec_itself():
    before = repr(SPEC)
    experiment_identity(SPEC)
    assert repr(SPEC) == before
