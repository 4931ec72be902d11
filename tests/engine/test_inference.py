"""Handing over real runs: what is rebuilt, predicted, evaluated and exported is what was trained."""

import csv
import io
import json
import os
import shutil
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from conftest import Silent
from improve.engine.inference.predictor import load_predictor
from improve.engine.training.train import train
from improve.errors import ImproveError
from improve.images.array import as_images
from improve.runs import run
from improve.spec.datasets.arrays import Digits
from improve.spec.reading import yaml as yamlfile
from improve.spec.reading.load import load_spec
from improve.statistics.intervals import Rate

pytestmark = pytest.mark.trains

SMALL = """\
data: {source: digits, subset: 700, normalize: mean_image}
model: {name: cnn, filters: [6], hidden: [16], batch_norm: true}
regularization: {dropout: 0.2}
augmentation: [shift]
optimizer: {name: adam, learning_rate: 0.01}
training: {epochs: 3, batch_size: 32}
evidence: light
"""
OWN = """\
import keras

def build(input_shape, classes, width=8):
    images = keras.Input(input_shape)
    x = keras.layers.Dense(width, activation="relu")(keras.layers.Flatten()(images))
    return keras.Model(images, keras.layers.Dense(classes, activation="softmax")(x))
"""
FORMATS = {"keras": ".keras", "savedmodel": "_savedmodel", "onnx": ".onnx", "litert": ".tflite"}


def fitted(folder, text, name="r", *overrides):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(text)
    return run.load_run(train(load_spec(folder / f"{name}.yaml", list(overrides)), name, folder / "runs", Silent()))


def arrays(made, part="validation"):
    with np.load(made.folder / "predictions" / f"{part}.npz", allow_pickle=False) as found:
        return found["id"], found["label"], found["probability"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A small run that is trained once; its validation images by their rows."""
    return fitted(tmp_path_factory.mktemp("digits"), SMALL)


@pytest.fixture(scope="module")
def pair(digits):
    """An ensemble of it and of one with another seed, three to one."""
    root = digits.folder.parent
    other = fitted(root.parent, SMALL, "r2", "seed=1", "training.epochs=1", "data.split=60/20/20")
    shutil.copytree(digits.folder, root / "both", ignore=shutil.ignore_patterns("state", "evidence"))
    summary = {**run.summary_as_written(digits.folder), "name": "both", "members": [digits.name, other.name]}
    summary["weights"] = {digits.name: 0.75, other.name: 0.25}
    run.write_summary(root / "both", summary)
    return run.load_run(root / "both")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Photos of two classes, of many sizes: dark ones and bright ones."""
    root, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(80):
        label, size = number % 2, random.integers(9, 30, 2)
        pixels = (random.integers(0, 120, (*size, 3)) + 120 * label).astype(np.uint8)
        (root / "images" / ("dark", "bright")[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / "images" / ("dark", "bright")[label] / f"{number:02}.png")
    return root


@pytest.fixture(scope="module")
def bright(photos):
    """A run on one sigmoid over these photos."""
    text = (
        "data: {source: {name: folder, path: images, size: [8, 12], resize: pad, binary: true}, split: 60/40}\n"
        "model: {name: mlp, hidden: [4]}\noptimizer: {name: adam, learning_rate: 0.01}\n"
        "training: {epochs: 2, batch_size: 8}\nevidence: light\n"
    )
    before = os.environ.get("IMPROVE_CACHE")
    os.environ["IMPROVE_CACHE"] = str(photos / "cache")
    try:
        return fitted(photos, text)
    finally:
        os.environ.pop("IMPROVE_CACHE") if before is None else os.environ.update(IMPROVE_CACHE=before)


def images_of(rows):
    return Digits().load().pools[0][rows]


@pytest.mark.backend
def test_a_rebuilt_run_gives_the_very_probabilities_that_training_measured(digits):
    rows, _, probability = arrays(digits)
    np.testing.assert_allclose(
        load_predictor(digits.folder).probabilities(as_images(images_of(rows))), probability, atol=1e-6
    )


@pytest.mark.backend
def test_averaged_weights_are_the_ones_that_are_handed_over(tmp_path):
    made = fitted(tmp_path, SMALL, "ema", "training.epochs=1", "optimizer.use_ema=true", "optimizer.ema_momentum=0.8")
    rows, _, probability = arrays(made)
    np.testing.assert_allclose(
        load_predictor(made.folder).probabilities(as_images(images_of(rows))), probability, atol=1e-6
    )


@pytest.mark.backend
def test_an_ensemble_gives_the_weighted_mean_of_its_members(digits, pair):
    images = as_images(images_of(arrays(digits)[0]))
    first, second = (load_predictor(pair.folder.parent / name).probabilities(images) for name in pair.summary.members)
    assert abs(first - second).max() > 0.01
    np.testing.assert_allclose(
        load_predictor(pair.folder).probabilities(images), 0.75 * first + 0.25 * second, atol=1e-6
    )


def test_weights_of_another_network_are_told(digits, tmp_path):
    shutil.copytree(digits.folder, tmp_path / "r")
    spec = digits.spec | {"model": digits.spec["model"] | {"hidden": [17]}}
    (tmp_path / "r" / "spec.yaml").write_text(yamlfile.write(spec))
    with pytest.raises(ImproveError, match="are not those of the network in its spec"):
        load_predictor(tmp_path / "r").probabilities(as_images(images_of([0])))


@pytest.mark.backend
def test_files_are_predicted_as_training_saw_them_without_its_data(improve, bright, photos, tmp_path):
    ids, _, probability = arrays(bright)
    shutil.copytree(photos / "images", tmp_path / "elsewhere")
    files = sorted(str(file) for file in (tmp_path / "elsewhere").rglob("*.png"))  # the order of the classes' names
    shutil.move(photos / "images", photos / "gone")
    try:
        code, out, err = improve("predict", bright.folder, *(files[row] for row in ids), "--json", "--top", "2")
    finally:
        shutil.move(photos / "gone", photos / "images")
    found = json.loads(out)["images"]
    told = [{one["class"]: one["probability"] for one in image["top"]} for image in found]
    chances = [[image["bright"], image["dark"]] for image in told]
    assert (code, err) == (0, "")
    np.testing.assert_allclose(chances, probability, atol=1e-6)


def test_a_folder_with_bad_files_gives_csv_with_their_errors_and_exit_code_1(improve, digits, tmp_path):
    rows, _, probability = arrays(digits)
    for row in rows[:3]:
        Image.fromarray(images_of([row])[0, ..., 0]).save(tmp_path / f"{row:04}.png")
    (tmp_path / "=broken().png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "notes.txt").write_text("hello")
    code, out, err = improve("predict", digits.folder, tmp_path)
    table = {os.path.basename(row["file"]): row for row in csv.DictReader(io.StringIO(out))}
    assert (code, list(table)) == (1, [*sorted(f"{row:04}.png" for row in rows[:3]), "=broken().png"])
    for place, row in enumerate(rows[:3]):
        told = table[f"{row:04}.png"]
        assert (told["class"], told["error"]) == (str(probability[place].argmax()), "")
        assert float(told["probability"]) == pytest.approx(probability[place].max(), abs=1e-5)
    assert table["=broken().png"]["error"] == "cut short"
    assert "1 other file left out" in err
    assert "=broken().png: cut short" in err
    (tmp_path / "=broken().png").unlink()
    assert improve("predict", digits.folder, tmp_path)[0] == 0


def test_files_give_a_line_each_with_class_and_probability(improve, digits, tmp_path):
    row, probability = arrays(digits)[0][0], arrays(digits)[2][0]
    Image.fromarray(images_of([row])[0, ..., 0]).save(tmp_path / "a.png")
    code, out, _ = improve("predict", digits.folder, tmp_path / "a.png", "--top", "2")
    first, second = np.argsort(-probability)[:2]
    told = f"{100 * probability[first]:.1f} %  {first}    {100 * probability[second]:.1f} %  {second}"
    assert (code, " ".join(out.split())) == (0, f"{tmp_path / 'a.png'} {' '.join(told.split())}")


@pytest.mark.backend
def test_evaluate_measures_what_predict_says_and_diagnose_uses_it(improve, digits, tmp_path):
    rows, labels, _ = arrays(digits)
    darker = (images_of(rows) // 3 + 90).astype(np.uint8)
    np.savez(tmp_path / "dark.npz", x=darker, y=labels)
    code, out, _ = improve("evaluate", digits.folder, "--data", tmp_path / "dark.npz", "--json")
    found, wrong = (
        json.loads(out),
        load_predictor(digits.folder).probabilities(as_images(darker)).argmax(axis=1) != labels,
    )
    assert (code, found["error"], found["n"]) == (0, pytest.approx(wrong.mean()), len(labels))
    assert [found["low"], found["high"]] == pytest.approx(Rate(wrong.mean(), len(wrong)).interval())
    assert found["known"]["error"] == digits.summary.validation.error
    assert {one["what"] for one in found["looks"]} == {"brightness", "contrast", "sharpness", "colour"}
    assert json.loads((digits.folder / "evaluations" / "dark.json").read_text())["number"] == 1
    code, out, _ = improve("evaluate", digits.folder, "--data", tmp_path / "dark.npz")
    assert f"field {100 * wrong.mean():.1f} %" in " ".join(out.split())
    assert f"improve diagnose {digits.folder}" in out
    assert f"field {100 * wrong.mean():.1f} %" in " ".join(improve("diagnose", digits.folder)[1].split())
    shutil.rmtree(digits.folder / "evaluations")


def test_a_source_that_holds_the_test_part_is_refused_until_it_is_opened(improve, digits):
    code, _, err = improve("evaluate", digits.folder, "--data", "digits")
    assert (code, "in the run's sealed test part" in err) == (2, True)
    code, out, _ = improve("evaluate", digits.folder, "--data", "digits", "--test", "--json")
    found, sizes = json.loads(out), digits.environment.data.examples
    assert (code, found["part"], found["also_in"]) == (0, "test", sizes)
    assert found["n"] == 1797 - sizes["train"]
    shutil.rmtree(digits.folder / "evaluations")


def on_tensorflow():
    import keras

    return keras.backend.backend() == "tensorflow"


@pytest.mark.backend
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("which", ["digits", "pair"])
def test_every_format_gives_the_runs_probabilities_in_its_own_runtime(improve, request, tmp_path, which, name):
    if name != "keras" and not on_tensorflow():
        pytest.skip("Keras writes it on TensorFlow only")
    made, file = request.getfixturevalue(which), tmp_path / "out" / f"model{FORMATS[name]}"
    code, out, err = improve("export", made.folder, "--format", name, "-o", file)
    assert (code, err) == (0, "")
    about = json.loads((tmp_path / "out" / f"{file.name}.json").read_text())
    assert about["parity"]["difference"] < 1e-5
    assert (about["parity"]["same_class"], about["parity"]["n"]) == (1, 100)
    assert about["classes"] == list("0123456789")
    assert "parity on 100 validation images: max |Δ probability|" in " ".join(out.split())
    assert sorted(path.name for path in file.parent.iterdir()) == sorted([file.name, f"{file.name}.json"])


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_every_activation_can_be_exported(tmp_path, name):
    import keras

    from improve.engine.inference.export_formats import FORMATS as WRITTEN
    from improve.spec.models.base import Activation

    if not on_tensorflow():
        pytest.skip("Keras writes it on TensorFlow only")
    images = keras.Input((8, 8, 1), name="images")
    x = keras.layers.Conv2D(4, 3)(images)
    for activation in get_args(Activation):
        x = keras.layers.Conv2D(4, 1)(keras.layers.Activation(activation)(x))
    model = keras.Model(images, keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(x)))
    seen = np.random.default_rng(0).random((5, 8, 8, 1)).astype(np.float32)
    expected = np.asarray(model(seen))
    WRITTEN[name].write(model, tmp_path / f"a{WRITTEN[name].suffix}")
    found = WRITTEN[name].run(tmp_path / f"a{WRITTEN[name].suffix}", seen)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.backend
def test_one_sigmoid_is_exported_as_it_is_and_a_file_is_replaced_only_by_force(improve, bright, tmp_path, monkeypatch):
    monkeypatch.setenv("IMPROVE_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "a.keras"
    assert improve("export", bright.folder, "--format", "keras", "-o", file)[0] == 0
    about = json.loads((tmp_path / "a.keras.json").read_text())
    assert about["output"] == "probability of dark"
    assert about["parity"]["difference"] < 1e-5
    assert about["parity"]["n"] == bright.summary.validation.n == 32
    assert improve("export", bright.folder, "--format", "keras", "-o", file)[0] == 2
    assert improve("export", bright.folder, "--format", "keras", "-o", file, "--force")[0] == 0


def test_what_a_runtime_makes_of_a_file_is_what_is_compared(digits, tmp_path):
    from improve.engine.inference import export
    from improve.engine.inference.export_formats import run_keras

    exported = export.export(load_predictor(digits.folder), "keras", export.FORMATS["keras"], tmp_path / "a.keras")
    images = images_of(arrays(digits)[0][:100]).astype(np.float32)
    far = abs(run_keras(tmp_path / "a.keras", images) - arrays(digits)[2][:100]).max()
    assert exported.parity.difference == pytest.approx(far, abs=1e-6)


def test_a_file_with_other_probabilities_is_thrown_away_and_the_old_one_stays(improve, digits, tmp_path, monkeypatch):
    from improve.engine.inference import export

    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.keras").write_text("mine")
    off = replace(export.FORMATS["keras"], run=lambda file, images: np.full((len(images), 10), 0.1, np.float32))
    monkeypatch.setitem(export.FORMATS, "keras", off)
    code, out, err = improve("export", digits.folder, "--format", "keras", "--force")
    assert (code, out) == (1, "")
    assert "r.keras was thrown away: its probabilities are up to" in err
    assert [path.name for path in tmp_path.iterdir()] == ["r.keras"]
    assert (tmp_path / "r.keras").read_text() == "mine"


def test_where_the_data_are_gone_the_check_says_that_its_images_are_random(improve, bright, photos, tmp_path):
    shutil.move(photos / "images", photos / "gone")
    try:
        code, out, _ = improve("export", bright.folder, "--format", "keras", "-o", tmp_path / "a.keras")
    finally:
        shutil.move(photos / "gone", photos / "images")
    assert (code, "on 100 images drawn at random (the run's data are not here)" in out) == (0, True)


@pytest.mark.backend
def test_a_model_of_ones_own_is_rebuilt_from_the_runs_copy_of_the_code(improve, tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    text = 'data: {source: digits, subset: 300}\nmodel: {name: python, target: "mine.py:build", width: 5}\n'
    made = fitted(tmp_path, text + "training: {epochs: 1, batch_size: 30}\nevidence: light\n")
    (tmp_path / "mine.py").write_text("raise SystemExit('not this one')")
    rows, _, probability = arrays(made)
    np.testing.assert_allclose(
        load_predictor(made.folder).probabilities(as_images(images_of(rows))), probability, atol=1e-6
    )
    code, _, err = improve("export", made.folder, "--format", "keras", "-o", tmp_path / "a.keras")
    assert (code, "this runs your own code" in err) == (0, True)
    for command in (["predict", made.folder, "a.png"], ["export", made.folder, "--format", "keras"],
                    ["evaluate", made.folder, "--data", "digits"]):  # fmt: skip
        code, _, err = improve(*command, "--no-code")
        assert (code, "--no-code is set" in err) == (2, True)


@pytest.mark.backend
def test_a_layer_that_only_the_code_knows_cannot_go_into_a_keras_file(improve, tmp_path):
    layer = "class Twice(keras.layers.Layer):\n    def call(self, x):\n        return 2 * x\n\n"
    code = OWN.replace("def build", f"{layer}def build").replace("(images))\n", "(Twice()(images)))\n")
    assert code.count("Twice") == 2
    (tmp_path / "mine.py").write_text(code)
    text = 'data: {source: digits, subset: 300}\nmodel: {name: python, target: "mine.py:build"}\n'
    made = fitted(tmp_path, text + "training: {epochs: 1, batch_size: 30}\nevidence: light\n")
    code, _, err = improve("export", made.folder, "--format", "keras", "-o", tmp_path / "a.keras")
    assert (code, "keras cannot hold this model: " in err, (tmp_path / "a.keras").exists()) == (1, True, False)
    if on_tensorflow():
        assert improve("export", made.folder, "--format", "savedmodel", "-o", tmp_path / "a")[0] == 0


@pytest.mark.backend
def test_a_model_of_somebody_elses_is_loaded_on_trust_and_its_outputs_are_looked_at(improve, digits, tmp_path):
    import keras

    row, probability = arrays(digits)[0][0], arrays(digits)[2][0]
    Image.fromarray(images_of([row])[0, ..., 0]).save(tmp_path / "a.png")
    code, out, _ = improve("predict", digits.folder / "model.keras", tmp_path / "a.png", "--trust", "--json")
    found = json.loads(out)["images"][0]
    assert (code, found["class"]) == (0, str(probability.argmax()))
    assert found["probability"] == pytest.approx(probability.max(), abs=1e-5)
    images = keras.Input((8, 8, 1))
    keras.Model(images, keras.layers.Dense(3)(keras.layers.Flatten()(images))).save(tmp_path / "logits.keras")
    code, _, err = improve("predict", tmp_path / "logits.keras", tmp_path / "a.png", "--trust")
    assert (code, "outputs are no probabilities" in err) == (1, True)


@pytest.mark.backend
def test_a_lambda_in_somebody_elses_model_is_never_run(improve, tmp_path):
    import keras

    images = keras.Input((8, 8, 1))
    canary = tmp_path / "canary"
    touch = keras.layers.Lambda(lambda x, file=str(canary): (open(file, "w").close(), x)[1])
    keras.Model(images, keras.layers.Softmax()(keras.layers.Flatten()(touch(images)))).save(tmp_path / "evil.keras")
    canary.unlink(missing_ok=True)
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    for flags in ([], ["--trust"]):
        code, out, err = improve("predict", tmp_path / "evil.keras", tmp_path / "a.png", *flags)
        assert (code, out, "Traceback" in err) == (2, "", False)
    assert "Lambda" in err
    assert not canary.exists()
