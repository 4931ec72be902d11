"""Any valid spec survives being shown and saved; any bent one gets its mistakes told; no damaged run breaks a command.

tests/slow/test_fuzz.py tries the same with many more examples. Those that stand here in full failed once."""

import time
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fuzzing
from fuzzing import quick, runs, specs, texts
from improve.errors import SpecError
from improve.spec.reading.load import load_spec
from improve.spec.reading.schema import sections_in
from improve.spec.spec import Spec

PYTHON = {"name": "python", "target": "mymodel.py:build"}
HUGE, LONG = "9" * 399, "2, " * 16_000


@quick
@given(specs.specs)
@example({"regularization": {"l2": 0.0, "dropout": 0.0}})
@example({"model": "minivggnet", "data": {"source": "cifar10"}})
@example({"data": {"source": {"name": "peacetopia", "validation": 1}}})
@example({"training": {"class_weights": {"": 1.0, "a, b": 1.0, "a: b": 1.0}}})
@example({"optimizer": {"name": "muon", "exclude_layers": ["a, b", "]", "a\nb", "\x97"]}})
@example({"optimizer": {"name": "muon", "muon_a": float("nan")}})
@example({"model": {**PYTHON, "[a]": {"}\x97": ["x\n"]}, "- a": "null"}})
def test_a_valid_spec_is_shown_as_one_that_loads_as_the_same_and_shows_the_same(value):
    fuzzing.survives_show(value)


@quick
@given(specs.specs)
@example({"optimizer": {"name": "adafactor", "beta_2_decay": -float("inf")}})
def test_a_valid_spec_is_saved_as_one_that_loads_as_the_same(value):
    fuzzing.survives_saving(value)


@quick
@given(texts.bent_specs())
@example(("lenet.yaml", b'extends: "a\\0b"'))
@example(("lenet.yaml", b"extends: /dev/zero"))
@example(("lenet.yaml", b'data: {source: {name: npz, path: "a\\0b"}}'))
@example(("lenet.yaml", b"data: {source: {name: folder, path: %s}}" % (5000 * b"x")))
@example(("lenet.yaml", f"data: {{split: {{validation: {HUGE}}}, train_dev: 0.5}}".encode()))
@example(("lenet.yaml", f"training: {{class_weights: {{a: {HUGE}}}}}".encode()))
@example(("lenet.yaml", f"augmentation: [{{name: zoom, range: [1, {HUGE}]}}]".encode()))
@example(("lenet.yaml", f"model: {{name: cnn, filters: [{LONG}]}}".encode()))
@example(("lenet.yaml", f"model: {{name: resnet, stages: [{LONG}], filters: [4, {LONG.replace('2', '4')}]}}".encode()))
def test_a_bent_spec_is_valid_or_its_mistakes_are_told_with_their_places(bent):
    fuzzing.loads_or_is_told_its_mistakes(*bent)


@quick
@given(st.sampled_from(texts.NAMES), texts.overrides)
@example("lenet.yaml", ("",))
@example("lenet.yaml", ("seed=\udcff",))
@example("lenet.yaml", ('data.source={name: npz, path: "a\\0b"}',))
def test_overrides_of_any_kind_give_a_valid_spec_or_their_mistakes_are_told(name, overrides):
    fuzzing.loads_or_is_told_its_mistakes(name, overrides=overrides)


def test_thousands_of_mistakes_in_one_line_are_told_in_seconds(tmp_path):
    (tmp_path / "spec.yaml").write_text(f"{{{', '.join(f'a{number}: 1' for number in range(16_000))}}}")
    start = time.monotonic()
    with pytest.raises(SpecError):
        load_spec(tmp_path / "spec.yaml")
    assert time.monotonic() - start < 20  # 110 s once, and 2.6 GB


def kinds(annotation):
    """The plain types that a field allows."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return {kind for inner in get_args(annotation) for kind in kinds(inner)}
    return {annotation} if isinstance(annotation, type) else set()


def sections(section):
    inner = (found for field in section.model_fields.values() for found in sections_in(field.annotation))
    return {section}.union(*map(sections, inner))


NUMBERS = [
    (section, name) for section in sorted(sections(Spec), key=str)
    for name, field in section.model_fields.items() if {int, float} & kinds(field.annotation)
]  # fmt: skip


def test_neither_true_nor_a_word_is_a_number(subtests):
    for section, name in NUMBERS:
        for wrong in (True, "x1"):
            with subtests.test(f"{section.__name__} {name} {wrong}"), pytest.raises(ValueError, match=name):
                section.model_validate({name: wrong})


def run_with(name, file, old, new):
    """A golden run in which something stands in the place of something else."""
    name, files = runs.whole(name)
    return name, files | {file: files[file].replace(old, new)}


@quick
@given(runs.folders())
@example(runs.whole("digits_nan_rate"))
@example(run_with("digits_nan_rate", "digits_nan_rate/spec.yaml", b"  learning_rate", b"# learning_rate"))
@example(run_with("digits_lr_x100", "digits_lr_x100/evidence/kernels.csv", b"step,kernel", b"step,kernal"))
@example(run_with("digits_lr_x100", "digits_lr_x100/evidence/kernels.csv", b"0,conv1_1", b"1e308,conv1_1"))
@example(run_with("digits_deep_sigmoid", "digits_deep_sigmoid/evidence/layers.csv", b"saturated", b"satur"))
@example(run_with("digits_deep_sigmoid", "digits_base/summary.json", b"status", b"status\0"))
@example(run_with("digits_l2_strong", "digits_l2_strong/metrics.csv", b"epoch", b"epic"))
@example(run_with("fashion_base", ".advice.jsonl", b'"n": 400', b'"n": "400"'))
@example(run_with("fashion_base", "curve/learning_curve.json", b"high", b"hi"))
def test_a_damaged_run_is_read_as_far_as_it_goes_or_refused(damaged):
    fuzzing.is_read_or_refused(*damaged)


@pytest.mark.parametrize("name", runs.NAMES)
def test_a_sound_run_is_read_by_every_command(name):
    fuzzing.counts.clear()
    fuzzing.is_read_or_refused(*runs.whole(name))
    refused = {what for what in fuzzing.counts if what.endswith("refused")}
    assert refused <= {"next refused", "diagnose --json refused"}  # nothing to change; no test part to open
