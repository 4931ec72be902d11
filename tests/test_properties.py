"""Any valid spec survives being shown and saved; any bent one gets its mistakes told; no damaged run breaks a command.

tests/slow/test_fuzz.py tries the same with many more examples. Those that stand here in full failed once."""

import csv
import time
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fuzzing
from fuzzing import quick, runs, specs, texts
from improve.errors import ImproveError, SpecError
from improve.run import load as load_run
from improve.spec import Spec
from improve.specfile import load
from improve.vocabulary import sections_in

PYTHON = {"name": "python", "target": "mymodel.py:build"}
HUGE, LONG = "9" * 399, "2, " * 16_000


@quick
@given(specs.specs)
@example({"regularization": {"l2": 0.0, "dropout": 0.0}})
@example({"model": "minivggnet", "data": {"source": "cifar10"}})
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
        load(tmp_path / "spec.yaml")
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


@pytest.mark.parametrize(("section", "name"), NUMBERS, ids=lambda value: getattr(value, "__name__", value))
def test_neither_true_nor_a_word_is_a_number(section, name):
    for wrong in (True, "x1"):
        with pytest.raises(ValueError, match=name):
            section.model_validate({name: wrong})


def edited(name, file, old, new):
    """A golden run in which something stands in the place of something else."""
    folder = runs.Folder(name)
    assert old in folder.files[file]
    return folder.changed_in(file, folder.files[file].replace(old, new))


def with_column(name, file, column, value):
    """A golden run with one value in all rows of a table."""
    head, *rows = csv.reader(runs.files(name)[f"{name}/{file}"].decode().splitlines())
    lines = [head, *([*row[: head.index(column)], value, *row[head.index(column) + 1 :]] for row in rows)]
    return runs.Folder(name).changed_in(f"{name}/{file}", "".join(f"{','.join(line)}\n" for line in lines).encode())


@quick
@given(runs.folders)
@example(runs.Folder("digits_nan_rate"))
@example(runs.Folder("fashion_base", {"digits_tiny_net/environment.json": b"{"}))
@example(edited("digits_nan_rate", "digits_nan_rate/spec.yaml", b"  learning_rate", b"# learning_rate"))
@example(edited("digits_lr_x100", "digits_lr_x100/evidence/kernels.csv", b"step,kernel", b"step,kernal"))
@example(edited("digits_deep_sigmoid", "digits_deep_sigmoid/evidence/layers.csv", b"saturated", b"satur"))
@example(edited("digits_l2_strong", "digits_l2_strong/metrics.csv", b"epoch", b"epic"))
@example(edited("fashion_base", ".advice.jsonl", b'"n": 400', b'"n": "400"'))
@example(edited("fashion_base", "curve/learning_curve.json", b"high", b"hi"))
@example(with_column("digits_base", "evidence/kernels.csv", "step", "1e308"))
@example(with_column("digits_base", "steps.csv", "loss", "1e308"))
@example(with_column("digits_deep_sigmoid", "evidence/kernels.csv", "update_ratio", "5e-324"))
@example(with_column("digits_deep_sigmoid", "metrics.csv", "validation_cross_entropy", "inf"))
def test_a_damaged_run_is_read_as_far_as_it_goes_or_refused(damaged):
    fuzzing.is_read_or_refused(damaged)


@pytest.mark.parametrize("name", runs.NAMES)
def test_a_sound_run_is_read_by_every_command(name):
    fuzzing.counts.clear()
    fuzzing.is_read_or_refused(runs.Folder(name))
    refused = {what for what in fuzzing.counts if what.endswith("refused")}
    assert refused <= {"next refused", "diagnose --json refused"}  # nothing to change; no test part to open


def test_a_spec_that_was_cut_anywhere_is_refused(tmp_path):
    runs.Folder("digits_base").lay_out(tmp_path)
    file = tmp_path / "digits_base" / "spec.yaml"
    whole = file.read_bytes()
    assert load_run(file.parent).spec["evidence"] == "full"
    for cut in range(len(whole) - 1):
        file.write_bytes(whole[:cut])
        with pytest.raises(ImproveError):
            load_run(file.parent)
