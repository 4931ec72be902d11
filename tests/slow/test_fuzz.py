"""Specs cut, bent and scrambled: a located error or a valid spec, never a traceback."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import CONFIGS
from improve.errors import SpecError, UsageError
from improve.specfile import load

pytestmark = pytest.mark.slow

WHOLE = """\
seed: 0
data: {source: digits, split: 60/20/20, subset: 600, normalize: standardize, train_dev: 10%}
model: {name: mlp, hidden: [64, 32], activation: relu, batch_norm: false}
regularization: {l1: 0, l2: 0.0001, activity_l1: 0, dropout: 0.5, label_smoothing: 0}
optimizer: {name: sgd, learning_rate: 1e-2, momentum: 0.9, nesterov: true}
schedule: {name: time, decay: 0.00025}
augmentation:
  - {name: shift, width: 0.1, height: 10%}
  - flip
training: {epochs: 40, batch_size: 64, early_stopping: {patience: 5}}
diagnosis: {human_error: 6%, target_error: 10%}
"""
LEVERS = """\
data:
  source: {name: folder, path: nowhere, size: [8, 9], resize: crop, on_bad_image: skip, binary: true}
  split: own
  target: {source: digits, train: 10%, subset: 100, simulate: [{name: rotate, degrees: 20}, flip]}
model: {name: cnn, filters: [8, 16], kernel_size: 5, batch_norm: true, batch_norm_at: before, spatial_dropout: 0.1}
regularization: {activity_l2: 0.1, max_norm: 3}
optimizer: {name: muon, exclude_layers: [logits, conv], gradient_accumulation_steps: 4, use_ema: true}
schedule: {name: piecewise, boundaries: [5, 8], values: [0.1, 0.01], warmup: 0.5}
augmentation: [{name: zoom, range: 0.2}, {name: scale, range: [0.8, 1.2]}, {name: erasing, smallest: 0.1}, mixup]
training: {class_weights: {cat: 2, dog: 0}, sampling: balanced}
"""
PYTHON = """\
model: {name: python, target: "mymodel.py:build", width: 3, deep: {er: [1]}}
schedule: {name: warm_restarts, first_decay_epochs: 3}
"""
SCRAPS = [
    " ",
    "\n",
    ":",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "~",
    "-1",
    "1e999",
    ".nan",
    "%",
    "'",
    '"',
    "#",
    "&a",
    "*a",
    "!!x",
    "\t",
    "\x00",
    "é",
    "name",
    "null",
    "true",
    "0",
    "99999999999999999999",
    "sgd",
    "",
]


@st.composite
def bent(draw):
    text = draw(
        st.sampled_from(
            [
                WHOLE,
                LEVERS,
                PYTHON,
                *(file.read_text() for file in CONFIGS.glob("*.yaml") if "extends" not in file.read_text()),
            ]
        )
    )
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = text[:start] + draw(st.sampled_from(SCRAPS)) + text[end:]
    return text


def outcome(file, overrides=()):
    try:
        load(file, list(overrides))
    except SpecError as error:
        located = [problem.line >= 1 and problem.column >= 1 and bool(problem.what) for problem in error.problems]
    except UsageError as error:
        located = [bool(error.what)]
    else:
        located = [True]
    assert located
    assert all(located)


@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=bent())
def test_a_bent_spec_gives_located_errors_or_a_valid_spec(tmp_path, text):
    file = tmp_path / "spec.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    outcome(file)


paths = st.lists(
    st.sampled_from(["data", "model", "name", "augmentation", "0", "7", "x", "hidden", "split", ""]),
    min_size=1,
    max_size=4,
)


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(overrides=st.lists(st.tuples(paths, st.sampled_from([*SCRAPS, "[1]", "{name: flip}", "=", "mlp"])), max_size=3))
def test_bent_overrides_give_located_errors_or_a_valid_spec(tmp_path, overrides):
    file = tmp_path / "spec.yaml"
    file.write_text(WHOLE)
    outcome(file, [f"{'.'.join(path)}={value}" for path, value in overrides])
