"""Specs on disk: extends, overrides, and mistakes with their place."""

import pytest

from improve.errors import SpecError, UsageError
from improve.spec.reading.load import load_spec


def mistakes(file, *overrides):
    with pytest.raises(SpecError) as caught:
        load_spec(file, list(overrides))
    return caught.value.problems


TEN = """\
seed: -1
data:
  source: cifar11
  split: 80/30/20
  subset: many
modle: {name: lenet}
model: {name: lenet, activation: rleu}
optimizer: {name: sgd, learning_rat: 0.01, momentum: 1.5}
schedule: {decay: 1e-3}
augmentation:
  - {name: flp}
  - {name: shift, width: 200%}
training: {epochs: 0, batch_size: 64.5, early_stopping: {patients: 5}}
"""


def test_every_mistake_of_a_file_is_named_in_one_pass_with_line_and_column(write_spec):
    assert [(problem.line, problem.column, problem.what) for problem in mistakes(write_spec(TEN))] == [
        (1, 7, "seed should be greater than or equal to 0, this is -1"),
        (3, 11, "there is no 'cifar11' in datasets; did you mean 'cifar10'?"),
        (4, 10, "data.split: 80/30/20 adds up to 130 %"),
        (5, 11, "data.subset should be a valid integer, this is many"),
        (6, 1, "there is no 'modle' here; did you mean 'model'?"),
        (7, 34, "model.activation cannot be 'rleu'; did you mean 'relu'?"),
        (8, 24, "there is no 'learning_rat' here; did you mean 'learning_rate'?"),
        (8, 54, "optimizer.momentum should be less than 1, this is 1.5"),
        (9, 12, "there is no 'decay' here; it is an option of time"),
        (11, 12, "there is no 'flp' in augmentations; did you mean 'flip'?"),
        (12, 26, "augmentation.1.width should be less than or equal to 1, this is 2.0"),
        (13, 20, "training.epochs should be greater than or equal to 1, this is 0"),
        (13, 35, "training.batch_size should be a valid integer, this is 64.5"),
        (13, 58, "there is no 'patients' here; did you mean 'patience'?"),
    ]


def test_a_mistake_shows_its_line_and_what_to_do(write_spec):
    (problem,) = mistakes(write_spec("optimizer: {name: sgd, learning_rat: 0.01}\n"))
    assert problem.text == "optimizer: {name: sgd, learning_rat: 0.01}"
    assert problem.length == len("learning_rat")
    assert problem.fix.startswith("sgd knows: learning_rate")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("optimizer: {adam, learning_rate: 0.1}", "there is no 'adam' here"),
        ("data: {target: {source: digit}}", "there is no 'digit' in datasets; did you mean 'digits'?"),
        ("data: digits", "data holds keys and values, this is digits"),
        ("data: {target: {}}", "a target without a source and without simulate changes nothing"),
        ("data: {target: {simulate: [flip], train: 10%}}", "train divides a source of the target, or the validation"),
        ("data: {target: {train: 10%}}", "train divides a source of the target, or the validation"),
        ("data: {target: {simulate: [flip, mixup]}}", "mixup mixes labels"),
        ("data: {target: {source: mnist}}", "source has images of 8×8×1, target of 28×28×1"),
        ("data: {split: own}", "digits has no validation set of its own"),
        ("data: {source: {name: folder, path: none, size: 0}}", "data.source.size: 0 is no size"),
        ("data: {source: {name: folder, path: none}}", "/"),
        ("model: {name: resnet, stages: [3, 3]}", "model.filters: 2 stages need 3 numbers"),
        ("model: {name: minigooglenet}", "minigooglenet needs images of at least 31×31 pixels"),
        ("model: {name: python}", "'target' is missing here"),
        ("optimizer: {clipnorm: 1, clipvalue: 1}", "optimizer: clipnorm and clipvalue cannot stand together"),
        ("schedule: {name: piecewise, boundaries: [3, 2], values: [1, 2]}", "schedule: the boundaries do not rise"),
        ("schedule: {name: linear, epochs: 99}", "this schedule is longer than the run: the descent takes 99"),
        ("schedule: {name: cosine, warmup: 20}", "this schedule is longer than the run: the warmup takes 20"),
        ("augmentation: [{name: zoom, range: [2, 1]}]", "augmentation.0.range: [2, 1] is no range of factors"),
        ("augmentation: [{name: erasing, smallest: 0.5}]", "augmentation.0: smallest 0.5 is above largest 0.33"),
        ("training: {class_weights: often}", "training.class_weights: 'often' gives no weights"),
        ("training: {class_weights: {cat: -1}}", "training.class_weights: the weight of cat is -1"),
        ("epochs: 5", "there is no 'epochs' here; did you mean training.epochs?"),
        ("data: {sorce: digits}", "there is no 'sorce' here; did you mean 'source'?"),
        ("data: {source: {name: npz}}", "'path' is missing here"),
        ("data: {source: {name: digits, path: x}}", "there is no 'path' here; it is an option of npz"),
        ("data: {split: {validation: 10%, test: 5%}}", "data.split: a split is a text"),
        ("data: {split: 60/20}", "data.split: 60/20 adds up to 80 %"),
        ("data: {split: a/b}", "data.split: 'a/b' is not a split"),
        ("data: {split: -10/110}", "data.split: -10/110 has a share below 0"),
        ("data: {split: {validation: 150%}}", "data.split: a validation share of 1.5 leaves nothing"),
        ("data: {normalize: standardise}", "there is no 'standardise' in normalizations; did you mean 'standardize'?"),
        ("regularization: {l2: -1}", "regularization.l2 should be greater than or equal to 0, this is -1"),
        ("regularization: {dropout: 1}", "regularization.dropout should be less than 1, this is 1"),
        ("regularization: {dropout: half}", "regularization.dropout: 'half' is neither a fraction nor a percentage"),
        ("optimizer: {learning_rate: .nan}", "optimizer.learning_rate should be a finite number, this is .nan"),
        ("optimizer: {learning_rate: true}", "optimizer.learning_rate should be a valid number, this is true"),
        ("training: {epochs: true}", "training.epochs should be a valid integer, this is true"),
        ("training: [1]", "training holds keys and values, this is - 1"),
        ("model: 5", "model holds keys and values, this is 5"),
        ("augmentation: flip", "augmentation should be a list"),
        ("diagnosis: {human_error: 120%}", "diagnosis.human_error should be less than or equal to 1, this is 1.2"),
        ("model: {name: mlp, hidden: [0]}", "model.hidden.0 should be greater than or equal to 1, this is 0"),
        ("data: {split: 98/1/1, subset: 20}", "no example is left for the validation and the test set"),
        ("data: {subset: 100}\ntraining: {batch_size: 61}", "a batch of 61 is larger than the training set of 60"),
        ("data: {subset: 9999}", "a subset of 9,999 is more than the 1,797 examples of digits"),
        ("data: {train_dev: 0.01%}", "train_dev of 0.0001 leaves no example in the train-dev set"),
        (
            "schedule: {name: step, every: 30}",
            "this schedule is longer than the run: the rate would first drop in epoch 30",
        ),
        ("data: {source: {name: npz, path: nowhere.npz}}", "there is no file "),
    ],
)
def test_a_mistake_is_named(write_spec, text, what):
    problems = mistakes(write_spec(text))
    assert len(problems) == 1
    assert problems[0].what.startswith(what)


def test_a_network_that_cannot_take_the_images_is_refused(write_spec, tmp_path):
    import numpy as np

    np.savez(tmp_path / "tiny.npz", x_train=np.zeros((90, 3, 3), np.uint8), y_train=np.arange(90) % 2)
    spec = write_spec("data: {source: {name: npz, path: tiny.npz}}\nmodel: {name: lenet}\ntraining: {batch_size: 9}\n")
    (problem,) = mistakes(spec)
    assert problem.what == "lenet needs images of at least 4×4 pixels, these are 3×3"
    assert (problem.line, problem.column) == (2, 15)


def test_a_section_that_is_wrong_does_not_hide_what_is_wrong_elsewhere(write_spec):
    text = "optimizer: {rate: 1}\ndata: {subset: 100}\ntraining: {batch_size: 61}\n"
    assert [problem.line for problem in mistakes(write_spec(text))] == [1, 3]


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n", "seed: 0"])
def test_an_empty_spec_is_all_defaults(write_spec, text):
    spec = load_spec(write_spec(text))
    assert (spec.data.source.name, spec.model.name, spec.optimizer.name, spec.seed) == ("digits", "lenet", "adam", 0)


def test_a_part_may_be_written_by_its_bare_name(write_spec):
    spec = load_spec(write_spec("model: mlp\noptimizer: sgd\naugmentation: [flip, shift]\ndata: {source: mnist}"))
    assert [part.name for part in (spec.model, spec.optimizer, *spec.augmentation)] == ["mlp", "sgd", "flip", "shift"]


def test_shares_are_fractions_or_percentages(write_spec):
    spec = load_spec(write_spec("diagnosis: {human_error: 6%, target_error: 0.1}\nregularization: {dropout: 50%}"))
    assert (spec.diagnosis.human_error, spec.diagnosis.target_error, spec.regularization.dropout) == (0.06, 0.1, 0.5)


def test_extends_merges_mappings_and_replaces_lists(write_spec):
    write_spec("optimizer: {name: sgd, momentum: 0.9}\naugmentation: [flip, shift]\nseed: 7\n", "base.yaml")
    spec = load_spec(write_spec("extends: base.yaml\noptimizer: {learning_rate: 1e-3}\naugmentation: [shift]\n"))
    assert (spec.optimizer.momentum, spec.optimizer.learning_rate, spec.seed) == (0.9, 0.001, 7)
    assert [part.name for part in spec.augmentation] == ["shift"]


def test_a_part_with_another_name_starts_afresh(write_spec):
    write_spec("schedule: {name: time, decay: 0.5}\n", "base.yaml")
    file = write_spec("extends: base.yaml\nschedule: {name: step}\n")
    assert load_spec(file).schedule.options() == {"warmup": 0.0, "factor": 0.5, "every": 5}
    assert load_spec(write_spec("extends: base.yaml"), ["schedule.name=constant"]).schedule.name == "constant"


def test_a_mistake_in_the_base_is_named_there(write_spec):
    base = write_spec("seed: 0\ntraining: {epochs: -1}\n", "base.yaml")
    (problem,) = mistakes(write_spec("extends: base.yaml\n"))
    assert (problem.source, problem.line) == (str(base), 2)


def test_a_circle_of_extends_is_named(write_spec):
    write_spec("extends: spec.yaml\n", "base.yaml")
    (problem,) = mistakes(write_spec("extends: base.yaml\n"))
    assert "extends itself" in problem.what


def test_a_missing_base_is_named_at_the_line_that_asks_for_it(write_spec):
    (problem,) = mistakes(write_spec("seed: 1\nextends: bsae.yaml\n"))
    assert (problem.line, problem.column) == (2, 10)
    assert "there is no file" in problem.what


def test_overrides_go_through_the_same_validation_and_are_the_place_named(write_spec):
    file = write_spec("optimizer: {name: sgd}\naugmentation: [flip, shift]\n")
    loaded = load_spec(
        file, ["optimizer.learning_rate=1e-3", "augmentation.1.width=30%", "augmentation.1.height=0", "seed=3"]
    )
    assert loaded.optimizer.learning_rate == 0.001
    assert loaded.augmentation[1].options() == {"width": 0.3, "height": 0.0}
    wrong = mistakes(file, "optimizer.nestrov=true", "augmentation.4.width=1", "seed", "training.epochs=5x")
    assert [(problem.source, problem.column) for problem in wrong] == [
        ("augmentation.4.width=1", 14),
        ("optimizer.nestrov=true", 11),
        ("seed", 1),
        ("training.epochs=5x", 17),
    ]


def test_an_override_can_hold_a_list_or_a_mapping(write_spec):
    spec = load_spec(
        write_spec(""), ["augmentation=[{name: flip}, shift]", "data.split={validation: 10%}", "data.subset=null"]
    )
    assert len(spec.augmentation) == 2
    assert spec.data.split.validation == 0.1


def test_a_file_name_is_relative_to_the_spec_and_an_overridden_one_to_the_shell(write_spec, tmp_path, monkeypatch):
    import numpy as np

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for folder in (tmp_path, tmp_path / "elsewhere"):
        np.savez(folder / "mine.npz", x_train=np.zeros((90, 8, 8), np.uint8), y_train=np.arange(90) % 2)
    file = write_spec("data: {source: {name: npz, path: mine.npz}}\ntraining: {batch_size: 9}\n")
    assert load_spec(file).data.source.path == str(tmp_path / "mine.npz")
    overridden = load_spec(file, ["data.source.path=mine.npz"])
    assert overridden.data.source.path == str(tmp_path / "elsewhere" / "mine.npz")


def test_a_complete_spec_loads_again_as_the_same_spec(write_spec):
    from improve.spec.reading.yaml import write

    text = (
        "data: {split: {validation: 100}, train_dev: 10%}\nmodel: {name: mlp, hidden: [5, 6]}\naugmentation: [flip]\n"
    )
    spec = load_spec(write_spec(text))
    assert load_spec(write_spec(write(spec.complete()), "again.yaml")) == spec


def test_a_missing_spec_names_its_neighbour(write_spec, tmp_path):
    write_spec("", "lenet.yaml")
    with pytest.raises(UsageError, match="there is no file") as caught:
        load_spec(tmp_path / "lenett.yaml")
    assert caught.value.fix == f"did you mean {tmp_path / 'lenet.yaml'}?"


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"a: \xe9"])
def test_what_is_not_utf8_is_refused(tmp_path, data):
    (tmp_path / "spec.yaml").write_bytes(data)
    with pytest.raises(SpecError, match="UTF-8"):
        load_spec(tmp_path / "spec.yaml")


def test_a_file_too_large_to_be_a_spec_is_refused(write_spec):
    with pytest.raises(UsageError, match="too large"):
        load_spec(write_spec("# " + "x" * (1 << 20)))


@pytest.mark.parametrize("text", ["- a\n- b", "just words", "42"])
def test_a_spec_must_be_a_mapping(write_spec, text):
    (problem,) = mistakes(write_spec(text))
    assert "mapping" in problem.what


def test_control_characters_never_reach_the_terminal(write_spec):
    (problem,) = mistakes(write_spec('optimizer: {"a\\e[31mb": 1}\n'))
    assert "\x1b" not in problem.what + problem.text


def test_more_epochs_are_for_a_run_that_has_begun(write_spec):
    (problem,) = mistakes(write_spec("training: {epochs: 30}\n"), "training.epochs=+2")
    assert problem.what == "only a run that has begun can have more epochs"
    assert problem.fix == "improve resume RUN training.epochs=+2, or training.epochs=2"
