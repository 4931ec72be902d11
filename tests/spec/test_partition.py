"""How a source is divided."""

import numpy as np
import pytest

from improve.engine.data.image_statistics import duplicate_counts, image_statistics
from improve.engine.data.prepare import prepare, training_size
from improve.engine.training.environment import train_available
from improve.errors import SpecError, UsageError
from improve.images.array import Images, as_images
from improve.spec.datasets import Counts, Source
from improve.spec.partition import full_sizes, part_rows, part_sizes, stratified
from improve.spec.reading.load import load_spec
from improve.spec.spec import Spec, SpecData
from improve.spec.splits import Split


def sizes(have, **data):
    """Examples per part of a source that has so many."""
    return full_sizes(SpecData.model_validate(data), have, None)


@pytest.mark.parametrize(
    ("split", "parts"),
    [
        ("60/20/20", (6000, 2000, 2000)),
        ("70/30", (7000, 3000, 0)),
        ("50/25/25", (5000, 2500, 2500)),
        ("98/1/1", (9800, 100, 100)),
        ("99.5/0.25/0.25", (9950, 25, 25)),
        ({"validation": 1000}, (7000, 1000, 2000)),
        ({"validation": "10%"}, (7200, 800, 2000)),
        ({"validation": 0.5}, (4000, 4000, 2000)),
    ],
)
def test_a_split_of_8000_and_2000_examples(split, parts):
    assert sizes(Counts(8000, 0, 2000), split=split)[:3] == parts


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("60/20/20", "60/20/20"),
        ("70/30", "70/30"),
        ("60/0/40", "60/0/40"),
        ("83.3333333/16.6666667", "83.3333333/16.6666667"),
    ],
)
def test_a_split_is_kept_as_it_was_written(written, kept):
    assert Split.model_validate(written).model_dump() == kept


def test_a_train_dev_set_comes_out_of_the_training_part():
    assert sizes(Counts(1000, 0, 0), split="60/20/20", train_dev=0.1) == (540, 200, 200, 60)


def test_a_subset_keeps_the_shares():
    assert sizes(Counts(8000, 0, 2000), split="60/20/20", subset=100)[:3] == (60, 20, 20)
    assert sizes(Counts(8000, 0, 2000), split={"validation": "10%"}, subset=100)[:3] == (72, 8, 20)


LABELS = np.repeat([0, 1, 2], [700, 250, 50])


def test_every_stretch_of_a_stratified_order_has_the_classes_in_their_shares():
    order = stratified(LABELS, seed=0)
    assert sorted(order) == list(range(1000))
    for start in range(0, 1000, 100):
        counts = np.bincount(LABELS[order[start : start + 100]], minlength=3)
        assert np.abs(counts - (70, 25, 5)).max() <= 1


def test_the_order_depends_on_the_seed_and_on_nothing_else():
    np.random.seed(1)
    first = stratified(LABELS, seed=3)
    np.random.seed(2)
    assert (first == stratified(LABELS, seed=3)).all()
    assert (first != stratified(LABELS, seed=4)).any()


def source(train=600, validation=0, test=150):
    total = train + validation + test
    images = np.arange(total, dtype=np.int16).reshape(-1, 1, 1, 1)
    counts = Counts(train, validation, test)
    return Source((images[:train], images[train:]), np.arange(total) % 5, counts, tuple("abcde"), "here")


def rows(given=None, theirs=None, **data):
    """Row numbers of each part, of a source and a target's source."""
    part = SpecData.model_validate({"target": {"source": "digits"}, **data} if theirs else data)
    return part_rows(part, given or source(), theirs, 0)


@pytest.mark.parametrize("split", ["60/20/20", "70/30", {"validation": "25%"}, "own"])
@pytest.mark.parametrize("train_dev", [0.0, 0.2])
def test_parts_are_disjoint_and_complete(split, train_dev):
    given = source(600, 100, 50)
    parts = rows(given=given, split=split, train_dev=train_dev)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(750))
    count = sizes(given.counts, split=split, train_dev=train_dev)
    assert {name: len(part) for name, part in parts.items()} == count._asdict()


def test_the_sources_own_test_set_stays_the_test_set():
    assert sorted(rows(split={"validation": "25%"})["test"]) == list(range(600, 750))


def test_own_keeps_the_three_sets_that_a_source_comes_in():
    parts = rows(given=source(600, 100, 50), split="own")
    assert sorted(parts["train"]) == list(range(600))
    assert sorted(parts["validation"]) == list(range(600, 700))
    assert sorted(parts["test"]) == list(range(700, 750))


def test_validation_images_stay_the_same_while_a_subset_grows():
    small, large = (rows(split={"validation": 50}, subset=subset) for subset in (300, 600))
    assert (small["validation"] == large["validation"]).all()
    assert set(small["train"]) < set(large["train"])


def test_with_a_target_training_comes_from_the_source_and_the_rest_from_the_target():
    parts = rows(theirs=source(200, 0, 100), split="60/20/20", train_dev=0.1)
    assert max(parts["train"]) < 750
    assert len(parts["train"]) + len(parts["train_dev"]) == 750
    assert sorted(np.concatenate([parts["validation"], parts["test"]])) == list(range(750, 1050))
    assert [len(parts[name]) for name in ("validation", "test")] == [150, 150]


@pytest.mark.parametrize(
    ("split", "validation", "test"),
    [("60/20/20", 120, 120), ("70/30", 240, 0), ("50/10/40", 48, 192), ({"validation": 60}, 60, 100), ("own", 50, 100)],
)
def test_a_share_of_the_target_can_join_the_training_set(split, validation, test):
    given = source(150, 50, 100)
    parts = rows(theirs=given, split=split, target={"source": "digits", "train": 0.2})
    assert [len(parts.get(name, ())) for name in ("validation", "test")] == [validation, test]
    pool = {"60/20/20": 300, "70/30": 300, "50/10/40": 300, "own": 150}.get(str(split), 140)
    joined = sum(parts["train"] >= 750)
    assert joined == round(0.2 * pool)
    assert len(parts["train"]) == 750 + joined
    everywhere = np.concatenate([*parts.values()])
    assert len(set(everywhere)) == len(everywhere)
    any_stretch = np.mean(parts["train"][:200] >= 750)
    assert any_stretch == pytest.approx(joined / (750 + joined), rel=0.2)  # both origins


@pytest.mark.parametrize("options", [{}, {"train_dev": 0.2}, {"subset": 450}, {"train_size": 200}])
def test_half_of_a_sources_own_validation_set_can_join_its_training_set(options):
    given = source(600, 100, 50)
    before = rows(given=given, split="own", **options)
    after = rows(given=given, split="own", target={"train": 0.5}, **options)
    kept = len(before["validation"]) // 2
    assert list(after["validation"]) == list(before["validation"][:kept])
    assert list(after["test"]) == list(before["test"])
    trained = np.concatenate([after["train"], after.get("train_dev", [])])
    joined = set(trained[trained >= 600])
    assert joined <= set(before["validation"][kept:])
    assert len(joined) == pytest.approx(kept * len(trained) / (600 * len(before["validation"]) / 100 + kept), rel=0.1)


@pytest.mark.parametrize(("train_size", "used"), [(100, 100), ("25%", 135), (0.5, 270), (540, 540), ("100%", 540)])
def test_a_train_size_takes_the_head_of_the_training_part_and_touches_nothing_else(train_size, used):
    whole, part = rows(train_dev=0.1, split="80/10/10"), rows(train_dev=0.1, split="80/10/10", train_size=train_size)
    assert (part["train"] == whole["train"][:used]).all()
    assert len(part["train"]) == used
    assert np.abs(np.bincount(part["train"] % 5) - used / 5).max() <= 1  # every class in its share
    for name in ("train_dev", "validation", "test"):
        assert (part[name] == whole[name]).all()


def test_a_train_size_beside_a_target_keeps_both_origins_and_what_judges_them():
    data = {"split": "60/20/20", "train_dev": 0.1, "target": {"source": "digits", "train": 0.2}}
    whole = rows(theirs=source(200, 0, 100), **data)
    part = rows(theirs=source(200, 0, 100), **data, train_size=90)
    assert (part["train"] == whole["train"][:90]).all()
    assert sum(part["train"] >= 750) == pytest.approx(90 * 60 / 810, abs=2)
    assert all((part[name] == whole[name]).all() for name in ("train_dev", "validation", "test"))


@pytest.mark.parametrize(
    ("data", "there_would_be"),
    [
        ({}, 1079),
        ({"train_size": 100}, 1079),
        ({"train_size": 100, "subset": 500, "train_dev": 0.1}, 270),
        ({"train_size": "10%", "target": {"source": "digits", "train": 0.1}, "train_dev": 0.1}, 1779),
    ],
)
def test_the_environment_tells_how_many_training_examples_there_would_be(data, there_would_be):
    spec = Spec.model_validate({"data": {"source": "digits", **data}})
    assert train_available(spec, prepare(spec)) == there_would_be


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("2000", "a train_size of 2,000 is more than the 1,079 training examples there are"),
        ("0.0001", "a train_size of 0.0001 of 1,079 leaves no training example"),
        ("120%", "120% is neither a share up to 100 % nor a number of examples"),
        ("0", "0 is neither a share up to 100 % nor a number of examples"),
        ("many", "'many' is neither a fraction nor a percentage"),
        ("true", "True is neither a share nor a number of examples"),
        ("50", "a batch of 64 is larger than the training set of 50"),
    ],
)
def test_a_train_size_that_cannot_be_is_refused_at_its_place(write_spec, written, what):
    with pytest.raises(SpecError) as refused:
        load_spec(write_spec(f"data: {{train_size: {written}}}\nmodel: mlp\n"))
    assert [problem.what.removeprefix("data.train_size: ") for problem in refused.value.problems] == [what]
    assert refused.value.problems[0].column == 20


def statistics_of(values):
    return image_statistics(as_images(np.asarray(values).reshape(-1, 1, 1, 1)), np.zeros(len(values), int), 1)


def test_images_that_are_in_two_parts_are_counted():
    clean = {"train": statistics_of(range(100)), "validation": statistics_of(range(100, 130))}
    assert duplicate_counts(clean) == {}
    leaked = clean | {"validation": statistics_of([*range(103, 130), 3, 4, 5])}
    assert duplicate_counts(leaked) == {"validation in train": 3}


def test_images_are_read_from_several_arrays_as_from_one():
    whole = np.random.default_rng(0).integers(0, 256, (30, 2, 3, 1), dtype=np.uint8)
    order = np.random.default_rng(1).permutation(30)
    parts = Images((whole[:7], whole[7:7], whole[7:20], whole[20:]), order)
    assert (parts[:] == whole[order]).all()
    assert (parts[np.array([3, 3, 28])] == whole[order[[3, 3, 28]]]).all()
    assert (parts.shape, parts.dtype, len(parts)) == ((30, 2, 3, 1), np.uint8, 30)
    assert (np.concatenate(list(parts.chunks())) == whole[order]).all()


def test_images_are_looked_at_a_few_megabytes_at_a_time():
    large = as_images(np.zeros((300, 224, 224, 3), np.uint8))
    assert max(chunk.nbytes for chunk in large.chunks()) <= 8 * 2**20
    assert sum(len(chunk) for chunk in large.chunks()) == 300


def test_a_simulated_target_changes_validation_and_test_images_and_never_training_images():
    plain = prepare(Spec.model_validate({"data": {"source": "digits"}}))
    target = {"simulate": [{"name": "brightness", "factor": 0.4}]}
    changed = prepare(Spec.model_validate({"data": {"source": "digits", "target": target}}))
    again = prepare(Spec.model_validate({"data": {"source": "digits", "target": target}}))
    for part in ("train", "validation", "test"):
        assert (plain.parts[part].ids == changed.parts[part].ids).all()
        assert (changed.parts[part].images[:] == again.parts[part].images[:]).all()
    assert plain.statistics["train"].digest == changed.statistics["train"].digest
    difference = changed.parts["validation"].images[:].astype(float) - plain.parts["validation"].images[:]
    assert 5 < np.abs(difference).mean() < 100


def test_the_training_sample_is_as_large_as_the_validation_set():
    data = prepare(Spec.model_validate({"data": {"source": "digits"}}))
    assert len(data.train_sample) == len(data.parts["validation"]) == 359
    assert np.abs(np.bincount(data.train_sample.labels) - 35.9).max() < 3


def arrays(folder, name, value, count=60, classes=3, dtype=np.uint8):
    images, labels = np.full((count, 6, 6, 1), value, dtype), np.arange(count) % classes
    np.savez(folder / f"{name}.npz", x_train=images, y_train=labels)
    return {"name": "npz", "path": str(folder / f"{name}.npz")}


def test_images_of_source_and_target_come_from_where_they_should(tmp_path):
    source, target = arrays(tmp_path, "web", 10), arrays(tmp_path, "app", 200)
    data = {"source": source, "target": {"source": target, "train": 0.1}, "train_dev": 0.25}
    made = prepare(Spec.model_validate({"data": data, "training": {"batch_size": 8}}))
    values = {name: np.unique(part.images[:], return_counts=True) for name, part in made.parts.items()}
    assert [list(part[0]) for part in values.values()] == [[10, 200], [10, 200], [200], [200]]
    assert {name: len(part) for name, part in made.parts.items()} == {
        "train": 50, "train_dev": 16, "validation": 27, "test": 27,
    }  # fmt: skip
    assert made.normalization.subtract[0] == pytest.approx(made.parts["train"].images[:].mean())


@pytest.mark.parametrize(
    ("options", "what"), [({"classes": 4}, "differ in their classes"), ({"dtype": np.float64}, "differ in their type")]
)
def test_a_target_of_another_form_is_refused(tmp_path, options, what):
    target = arrays(tmp_path, "app", 200 if "classes" in options else 0.5, **options)
    data = {"source": arrays(tmp_path, "web", 10), "target": {"source": target}}
    with pytest.raises(UsageError, match=what):
        prepare(Spec.model_validate({"data": data}))


def repeated(folder, copies):
    """60 different images, the first ones of which come several times more at the end."""
    images = np.arange(60, dtype=np.uint8).repeat(16).reshape(60, 4, 4, 1)
    images = np.concatenate([images, np.tile(images[:10], (copies, 1, 1, 1))])
    np.savez(folder / "repeated.npz", x_train=images, y_train=np.arange(len(images)) % 2)
    return {"name": "npz", "path": str(folder / "repeated.npz")}


@pytest.mark.parametrize("more", [{}, {"train_dev": 0.2}, {"split": "60/40"}])
def test_training_images_that_judge_as_well_are_left_out_when_asked(tmp_path, more):
    data = {"source": repeated(tmp_path, 4), **more}
    kept, dropped = (
        prepare(Spec.model_validate({"data": {**data, "duplicates": how}, "training": {"batch_size": 4}}))
        for how in ("keep", "drop")
    )
    leaks = [kept.duplicates.get(f"{judge} in {part}", 0) for judge in ("validation", "test") for part in kept.parts]
    assert sum(leaks) > 0
    assert not [pair for pair in dropped.duplicates if pair.endswith((" in train", " in train_dev"))
                and not pair.startswith("train_dev")]  # fmt: skip
    for judge in {"validation", "test"} & set(kept.parts):
        assert (kept.parts[judge].ids == dropped.parts[judge].ids).all()
    assert set(dropped.parts["train"].ids) < set(kept.parts["train"].ids)
    assert dropped.dropped == sum(map(len, kept.parts.values())) - sum(map(len, dropped.parts.values())) > 0
    assert (kept.dropped, len(dropped.parts["train"])) == (0, len(dropped.statistics["train"].hash))


def test_left_out_images_are_no_part_of_the_steps_the_statistics_or_what_there_would_be(tmp_path):
    data = {"source": repeated(tmp_path, 4), "duplicates": "drop", "train_dev": 0.2}
    spec = Spec.model_validate({"data": data, "training": {"batch_size": 4}})
    made = prepare(spec)
    assert training_size(spec) == len(made.parts["train"]) < part_sizes(spec.data).train
    assert made.normalization.subtract[0] == pytest.approx(made.parts["train"].images[:].mean())
    less = spec.model_copy(update={"data": spec.data.model_copy(update={"train_size": 10})})
    assert train_available(less, prepare(less)) <= part_sizes(spec.data).train


def test_a_batch_larger_than_what_is_left_is_refused(tmp_path):
    data = {"source": repeated(tmp_path, 4), "duplicates": "drop"}
    with pytest.raises(UsageError, match=r"a batch of 50 is larger than .* data\.duplicates: drop leaves"):
        prepare(Spec.model_validate({"data": data, "training": {"batch_size": 50}}))
