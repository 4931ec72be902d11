"""Does it work where it is used? Images from the field, in what they differ, and the error on them."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from birds import BIRDS, Sure, saying
from hostile import assert_harmless, every_hostile_text
from improve.diagnosis.diagnose import diagnose
from improve.engine.data.image_statistics import image_statistics
from improve.engine.inference.distribution_shift import classes_apart, looks_apart
from improve.engine.inference.evaluate import evaluate, write_evaluation
from improve.engine.inference.field_data import Field, read_field
from improve.engine.inference.predictor import Form, Predictor
from improve.errors import UsageError
from improve.images.array import as_images
from improve.spec.spec import Spec
from improve.views.terminal.inference import show_evaluation
from run_folder import part

NOISE = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3)).astype(np.uint8)


def folder_of(root, **counts):
    for name, labels in counts.items():
        (root / name).mkdir(parents=True)
        for number, image in enumerate(saying(labels)):
            Image.fromarray(image).save(root / name / f"{number}.png")
    return str(root)


@pytest.fixture
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IMPROVE_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("_cache")
def test_classes_are_matched_by_name_whatever_their_order(tmp_path):
    data = folder_of(tmp_path / "field", dog=[2, 2], bird=[0, 1, 0], owl=[1])
    (tmp_path / "field" / "owl" / "bad.png").write_bytes(b"")
    found = read_field(data, Spec(), BIRDS)
    assert found.class_names == ("bird", "cat", "dog", "owl")
    assert np.bincount(found.labels).tolist() == [3, 0, 2, 1]
    assert found.skipped == (("owl/bad.png", "empty file"),)
    assert found.images[:][found.labels == 2][:, 0, 0, 0].tolist() == [2, 2]


@pytest.mark.usefixtures("_cache")
def test_of_a_folder_in_parts_the_test_part_is_the_field(tmp_path):
    for name, labels in (("train", [0] * 4), ("test", [1])):
        folder_of(tmp_path / "all" / name, bird=labels, dog=labels)
    assert len(read_field(str(tmp_path / "all"), Spec(), BIRDS).labels) == 2
    assert len(read_field(folder_of(tmp_path / "one", cat=[1, 1]), Spec(), BIRDS).labels) == 2


@pytest.mark.parametrize("names", [("x", "y"), ("x_test", "y_test"), ("x_validation", "y_validation")])
def test_arrays_hold_the_runs_own_numbers_of_its_classes(tmp_path, names):
    arrays = {names[0]: NOISE[:5], names[1]: np.array([2, 0, 7, 2, -1])}
    np.savez(tmp_path / "field.npz", **arrays)
    found = read_field(str(tmp_path / "field.npz"), Spec(), BIRDS)
    assert [found.class_names[label] for label in found.labels] == ["dog", "bird", "label 7", "dog", "label -1"]


def test_of_a_source_its_own_test_set_is_the_field(tmp_path):
    arrays = {"x_train": NOISE[:9], "y_train": np.arange(9) % 3, "x_test": NOISE[9:12], "y_test": np.arange(3)}
    np.savez(tmp_path / "source.npz", **arrays)
    form = BIRDS._replace(class_names=("2", "1", "0"))
    found = read_field(f"{{name: npz, path: {tmp_path / 'source.npz'}}}", Spec(), form)
    assert (found.labels.tolist(), (found.images[:] == NOISE[9:12]).all()) == ([2, 1, 0], True)
    assert len(read_field("digits", Spec(), Form((8, 8, 1), "uint8", tuple("0123456789"))).labels) == 1797


@pytest.mark.usefixtures("_cache")
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("{0}/nowhere", "is no folder, no .npz file and no data source"),
        ("{0}/other", "no class in common: the images are owl, the run knows bird, cat, dog"),
        ("{0}/empty", "has no images in class folders"),
        ("{0}/stray", "outside the class folders"),
        ("{0}/small.npz", r"are \(4, 4, 3\) of uint8"),
        ("{0}/float.npz", "of float32, the run's are"),
        ("{0}/nothing.npz", "holds no images with labels"),
        ("{0}/lone.npz", "holds no images with labels"),
        ("{0}/text.npz", "is not an .npz file"),
        ("{0}/pickled.npz", "holds Python objects"),
        ("{{name: folder, size: 8}}", "'path' is missing here"),
        ("{{name: npz, path: gone.npz}}", "there is no file"),
        ("digits", r"are \(8, 8, 1\) of uint8|no class in common"),
    ],
)
def test_what_cannot_be_the_field_is_told(tmp_path, what, words):
    folder_of(tmp_path / "other", owl=[1])
    folder_of(tmp_path / "stray", bird=[1])
    Image.new("RGB", (8, 8)).save(tmp_path / "stray" / "x.png")
    (tmp_path / "empty" / "bird").mkdir(parents=True)
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "small.npz", x=NOISE[:3, :4, :4], y=np.arange(3))
    np.savez(tmp_path / "float.npz", x=NOISE[:3] / 255.0, y=np.arange(3))
    np.savez(tmp_path / "nothing.npz", z=NOISE)
    np.savez(tmp_path / "lone.npz", x=NOISE)
    np.savez(tmp_path / "pickled.npz", x=np.array([{}], dtype=object), y=np.arange(1))
    with pytest.raises(UsageError, match=words):
        read_field(what.format(tmp_path), Spec(), BIRDS)


# how they differ


def test_a_difference_in_looks_is_told_in_standard_deviations_with_its_interval():
    random = np.random.default_rng(0)
    known = {"brightness": random.normal(100, 10, 4000), "contrast": random.normal(50, 5, 4000)}
    field = {"contrast": random.normal(50, 5, 3000), "brightness": random.normal(110, 10, 3000), "sharpness": [1.0]}
    first, second = looks_apart(field, known)
    assert (first.what, first.stands_out, second.stands_out) == ("brightness", True, False)
    assert first.low < 1.0 < first.high
    assert first.high - first.low == pytest.approx(2 * 1.96 * np.sqrt(1 / 4000 + 1 / 3000 + 1 / 14_000), rel=0.02)


def test_the_interval_of_a_difference_in_looks_holds_the_truth_as_often_as_it_says():
    random, held = np.random.default_rng(1), 0
    for _ in range(400):
        one = looks_apart({"x": random.normal(0.6, 1, 60)}, {"x": random.normal(0, 1, 90)})[0]
        held += one.low <= 0.6 <= one.high
    assert 0.93 <= held / 400 <= 0.98


def test_sharpness_falls_when_an_image_is_blurred_and_not_when_it_is_darkened():
    from scipy.ndimage import uniform_filter

    sharp = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3)).astype(np.float32)
    sets = [sharp, uniform_filter(sharp, (0, 3, 3, 0)), sharp * 0.3 + 20]
    crisp, blurred, dark = (
        image_statistics(as_images(images), np.zeros(20, int), 1).sharpness.mean() for images in sets
    )
    assert blurred < 0.6 * crisp
    assert dark == pytest.approx(crisp, rel=1e-3)
    one_pixel = image_statistics(as_images(sharp[:, :1, :1]), np.zeros(20, int), 1)
    assert np.isfinite(one_pixel.sharpness).all()


def test_shares_of_classes_alone_give_the_known_errors_in_the_fields_shares():
    known, wrong = np.repeat([0, 1], [800, 200]), np.zeros(1000, bool)
    wrong[:80], wrong[800:900] = True, True  # 10 % of the first class, 50 % of the second
    found = classes_apart(("a", "b", "new"), np.repeat([0, 1, 2], [400, 500, 100]), known, wrong)
    assert found.distance == pytest.approx(0.4)
    assert found.expected_error == pytest.approx(0.4 * 0.1 + 0.5 * 0.5 + 0.1)
    assert [one["class"] for one in found.changed] == ["a", "b", "new"]
    same = classes_apart(("a", "b"), known, known, wrong)
    assert (same.changed, same.expected_error) == ([], pytest.approx(wrong.mean()))


# the error in the field


@pytest.fixture
def judged(make_run):
    """A run of BIRDS: `Sure` was trained on NOISE[:20], validated on [20:40] with 10 % errors, tested on [40:60]."""

    def make(validation=0.1, **more):
        labels = np.arange(1000) % 3
        right = np.eye(3)[labels]
        right[:100] = np.roll(right[:100], 1, axis=1)
        places = {"train": NOISE[:20], "validation": NOISE[20:40], "test": NOISE[40:60]}
        looks = {name: image_statistics(as_images(images), np.zeros(20, int), 3) for name, images in places.items()}
        images = {f"{name}_{key}": value for name, one in looks.items() for key, value in one.arrays().items()}
        evidence = {"images": images, "predictions": {"validation": (labels, right)}, **more}
        run = make_run("x", 0.05, validation, evidence=evidence, test=part(0.2, 500))
        mine = Predictor(run, (SimpleNamespace(form=BIRDS, run=run),), (1.0,))
        object.__setattr__(mine, "probabilities", Sure().probabilities)
        return mine

    return make


def in_field(said, labels, images=None, names=BIRDS.class_names):
    images = saying(said) if images is None else images
    return Field(as_images(images), np.asarray(labels), names, "the field")


def test_the_field_error_is_compared_with_the_validation_error_while_the_test_part_is_sealed(judged):
    said = np.arange(300) % 3
    found = evaluate(judged(), "photos", in_field(np.where(np.arange(300) < 90, 2 - said, said), said))
    assert (found.error, found.part, found.known.value) == ((60 / 300, 300), "validation", 0.1)  # cats stay cats
    assert (found.gap.value, found.gap.verdict) == (pytest.approx(0.1), "high")
    assert [one.field.value for one in found.by_class] == [0.3, 0.0, 0.3]
    assert not (found.run.folder.parent / ".evaluations.csv").read_text().count(",test,")


def test_test_opens_the_test_part_and_that_is_written_down(judged):
    found = evaluate(judged(), "photos", in_field([0, 1, 2], [0, 1, 2]), test=True)
    assert (found.part, found.known.value) == ("test", 0.2)
    assert (found.run.folder.parent / ".evaluations.csv").read_text().count(",test,") == 1


def test_images_that_were_trained_on_are_left_out_and_told(judged):
    images = np.concatenate([NOISE[:5], NOISE[20:22], saying([0, 0, 1])])
    found = evaluate(judged(), "photos", in_field(None, [2] * 7 + [0, 0, 0], images))
    assert (found.error.n, found.also_in) == (5, {"train": 5, "validation": 2})
    with pytest.raises(UsageError, match="trained on all 20 images of photos"):
        evaluate(judged_again(found), "photos", in_field(None, [0] * 20, NOISE[:20]), test=True)
    assert ",test," not in (found.run.folder.parent / ".evaluations.csv").read_text()  # refused: nothing was opened


def judged_again(found):
    mine = Predictor(found.run, (SimpleNamespace(form=BIRDS, run=found.run),), (1.0,))
    object.__setattr__(mine, "probabilities", Sure().probabilities)
    return mine


def test_images_of_the_sealed_test_part_are_not_looked_at_unless_it_is_opened(judged):
    images, mine = np.concatenate([NOISE[40:43], saying([0, 0])]), judged()
    with pytest.raises(UsageError, match="3 of these images are in the run's sealed test part"):
        evaluate(mine, "photos", in_field(None, [0] * 5, images))
    assert not (mine.run.folder.parent / ".evaluations.csv").exists()
    assert evaluate(mine, "photos", in_field(None, [0] * 5, images), test=True).also_in == {"test": 3}


def test_unknown_classes_are_always_wrong_and_missing_ones_are_named(judged):
    field = in_field([0] * 8 + [1] * 2, [0] * 8 + [3] * 2, names=(*BIRDS.class_names, "owl"))
    found = evaluate(judged(), "photos", field)
    assert (found.error, found.on_known_classes) == ((0.2, 10), (0.0, 8))
    assert (found.unknown, found.missing) == ({"owl": 2}, ["cat", "dog"])
    assert found.as_json()["spec"] == {"diagnosis": {"field_error": 0.2, "field_n": 10}}


def test_diagnose_takes_the_newest_evaluation_and_the_spec_before_it(judged, make_run):
    mine, said = judged(), np.arange(300) % 3
    for name, shift in (("good", 0), ("bad", 1)):
        file = write_evaluation(evaluate(mine, f"some/{name} photos", in_field((said + shift) % 3, said)))
    assert file == mine.run.folder / "evaluations" / "bad_photos.json"
    found = diagnose(mine.run)
    assert (found.field.value, found.field.n) == (1.0, 300)
    assert next(link.holds for link in found.chain if link.link == "real world") is False
    assert "W1" in [finding.code for finding in found.findings]
    write_evaluation(evaluate(mine, "good photos", in_field(said, said)), "again")
    del mine.run.__dict__["evidence"]
    assert diagnose(mine.run).field.value == 0.0
    mine.run.spec["diagnosis"] |= {"field_error": 0.5, "field_n": 10}
    assert diagnose(mine.run).field.value == 0.5


def test_an_evaluation_of_weights_that_the_run_has_no_longer_counts_for_nothing(judged):
    mine, said = judged(), np.arange(300) % 3
    write_evaluation(evaluate(mine, "photos", in_field((said + 1) % 3, said)))
    assert diagnose(mine.run).field is not None
    mine.run.summary.best_epoch = 7
    assert diagnose(mine.run).field is None


def test_damaged_evaluations_are_passed_over(judged):
    mine = judged()
    (mine.run.folder / "evaluations").mkdir()
    for number, text in enumerate(("", "[]", "{}", '{"number": 1, "error": 7, "n": 3}', "[" * 100_000)):
        (mine.run.folder / "evaluations" / f"{number}.json").write_text(text)
    assert diagnose(mine.run).field is None


@every_hostile_text
def test_names_of_classes_and_files_from_the_field_are_shown_and_no_more(judged, capfd, text):
    labels = np.repeat([0, 1, 3], [50, 5, 5])
    field = Field(as_images(saying(labels % 3)), labels, ("bird", "cat", text, f"{text} too"), text, ((text, text),))
    found = evaluate(judged(), text, field)
    show_evaluation(found, write_evaluation(found))
    out, err = capfd.readouterr()
    assert_harmless(out + err)
    assert "field" in out


def test_what_an_evaluation_shows(judged, capfd):
    said = np.repeat([0, 1, 2], [200, 50, 50])
    labels = np.where(np.arange(300) < 60, 1, said)
    images = np.clip(saying(said).astype(int) // 4 + 190, 0, 255).astype(np.uint8)
    images[:, 0, 0, 0] = said
    found = evaluate(judged(), "photos", in_field(None, labels, images))
    show_evaluation(found, write_evaluation(found))
    lines = [" ".join(line.split()) for line in capfd.readouterr().out.splitlines()]
    assert lines[0] == "x in the field · 300 images of the field"
    assert "validation 10.0 % [8.3, 12.0] n=1,000" in lines
    assert "field 20.0 % [15.9, 24.9] n=300" in lines
    assert any(line.startswith("difference +10.0 [") and line.endswith("points: high") for line in lines)
    assert any(line.startswith("looks brightness +") for line in lines)
    assert any(line.startswith("errs on cat 54.5 % [") and line.endswith("), 9.9 % in validation") for line in lines)
    assert f"next improve diagnose {found.run.folder} it takes the newest evaluation" in lines
    assert lines[-1].endswith("improve train SPEC diagnosis.field_error=0.2 diagnosis.field_n=300")
