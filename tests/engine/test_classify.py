"""Handing a run over: what is told before Keras is loaded, files as the run sees them, models of somebody else's."""

import csv
import importlib.util
import io
import json
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from birds import BIRDS, Sure, saying
from image_files import GREY_16, encoded, png, turned
from improve.engine.inference import external_model as foreign
from improve.engine.inference import predictor
from improve.engine.inference.classify import Answer, classify
from improve.engine.inference.image_files import files_of, look_of
from improve.engine.inference.predictor import Form
from improve.errors import ImproveError, UsageError
from improve.spec.datasets.folder import Folder
from improve.spec.spec import Spec
from improve.views.terminal.inference import print_csv

# before anything slow


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("predict {0}/no a.png", "there is no run"),
        ("predict {0} {1}/empty", "there is no image in what was given"),
        ("predict {0} a.png", "has no weights of a best epoch"),
        ("predict {0} a.png --top 0", "Invalid value for '--top'"),
        ("predict {1}/model.h5 a.png --trust", "is HDF5"),
        ("predict {1}/model.keras a.png", "--trust, if you trust who made it"),
        ("evaluate {0} --data {1}/empty", "has no weights of a best epoch"),
        ("evaluate {0} --data {1} --name ../x", "cannot name a run"),
        ("evaluate {0}", "Missing option '--data'"),
        ("export {0} --format onx", "there is no format 'onx'"),
        ("export {0} --format keras -o {1}/a.h5", "is called ….keras"),
        ("export {0} --format keras -o {1}/model.keras", "--force replaces it"),
        ("export {0} --format savedmodel -o {1}/empty --force", "is nothing that was exported"),
        ("export {0} --format keras", "has no weights of a best epoch"),
    ],
)
def test_what_cannot_be_handed_over_is_told_at_once(improve, make_run, tmp_path, monkeypatch, arguments, words):
    run = make_run("x")
    about = {"data": {"image": [8, 8, 1], "classes": list("0123456789")}, "normalization": {"subtract": 0, "divide": 1}}
    (run.folder / "environment.json").write_text(json.dumps(about))
    (tmp_path / "empty").mkdir()
    for name in ("model.h5", "model.keras"):
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    code, out, err = improve(*(word.format(run.folder, tmp_path) for word in arguments.split()))
    assert (code in (1, 2), out, words in err) == (True, "", True), err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "gone", "install"),
    [
        ("onnx", ["tf2onnx", "onnxruntime"], "pip install tf2onnx onnxruntime"),
        ("litert", ["ai_edge_litert"], "pip install ai-edge-litert"),
        ("savedmodel", ["tensorflow"], "pip install tensorflow"),
    ],
)
def test_a_format_whose_library_is_missing_says_what_installs_it(improve, make_run, monkeypatch, name, gone, install):
    find = importlib.util.find_spec
    here = ("tensorflow", "tf2onnx", "onnx", "onnxruntime", "ai_edge_litert")
    there = {module: None if module in gone else find("json") for module in here}
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: there[module] if module in there else find(module))
    code, out, err = improve("export", make_run("x").folder, "--format", name)
    assert (code, out) == (2, "")
    assert f"not installed, and {name} needs it: {', '.join(gone)}" in err
    assert install in err


def test_formats_that_need_tensorflow_say_so_on_another_backend(improve, make_run, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: module)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    code, _, err = improve("export", make_run("x").folder, "--format", "onnx")
    assert (code, "Keras writes onnx on TensorFlow only, and KERAS_BACKEND is jax" in err) == (2, True)


# a run that says nonsense


@pytest.mark.parametrize(
    ("summary", "what"),
    [
        ({"members": []}, "members of .* make no sense"),
        ({"members": ["/etc"]}, "cannot be a member"),
        ({"members": ["nowhere"]}, "there is no run"),
        ({"members": ["x"]}, "members of .* make no sense"),  # itself, for ever
        ({"members": ["y", "z"], "weights": {"y": 1.0, "z": 1.0}}, "members of .* make no sense"),
        ({"members": ["y", "z"], "weights": {"y": 0.0, "z": 0.0}}, "members of .* make no sense"),
    ],
)
def test_an_ensemble_that_makes_no_sense_is_refused(make_run, summary, what):
    make_run("y")
    make_run("z")
    with pytest.raises(ImproveError, match=what):
        predictor.load_predictor(make_run("x", **summary).folder)


def test_shares_of_an_ensemble_are_its_weights_and_equal_without(make_run):
    for name in "ab":
        make_run(name)
    runs, shares = predictor.answering(make_run("ab", members=["a", "b"], weights={"a": 0.25, "b": 0.75}))
    assert [run.name for run in runs] == ["a", "b"]
    assert shares == [0.25, 0.75]
    assert predictor.answering(make_run("ba", members=["b", "a"]))[1] == [0.5, 0.5]
    assert predictor.answering(make_run("alone"))[1] == [1.0]


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"data": {"image": [8, 8], "classes": ["a", "b"]}},
        {"data": {"image": [8, 8, 1], "classes": ["a"]}, "normalization": {"subtract": 0, "divide": 1}},
        {"data": {"image": [8, 8, 1], "classes": ["a", "b"]}, "normalization": {"subtract": [1, 2], "divide": 1}},
        {"data": {"image": [8, 8, 1], "classes": ["a", "b"]}, "normalization": {"subtract": "x", "divide": 1}},
        {"data": {"image": [8, 8, 1], "classes": ["a", "b"]}, "normalization": {"subtract": 0, "divide": 0}},
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_run_that_does_not_say_what_its_images_are_is_refused(make_run, about):
    run = make_run("x")
    (run.folder / "environment.json").write_text(json.dumps(about))
    with pytest.raises(ImproveError, match="does not say what its images"):
        predictor.load_predictor(run.folder)


def test_own_code_is_the_runs_copy_and_no_code_refuses_it(make_run, tmp_path):
    run = make_run("x", spec={"model": {"name": "python", "target": "mine.py:build"}})
    (run.folder / "mine.py").write_text("def build(input_shape, classes): raise SystemExit('run too early')")
    assert predictor.spec_of(run, code=True).model.code == run.folder / "mine.py"
    with pytest.raises(UsageError, match="--no-code is set"):
        predictor.spec_of(run, code=False)
    (run.folder / "mine.py").unlink()
    (tmp_path / "elsewhere.py").write_text("def build(input_shape, classes): ...")
    (run.folder / "mine.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(UsageError, match="out of the spec's own folder"):
        predictor.spec_of(run, code=True)


# image files


def photo(seed, size=(31, 20), mode="RGB"):
    bands = {"RGB": 3, "RGBA": 4, "L": 1}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], bands)).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if bands == 1 else pixels)


@pytest.fixture
def odd_photos(tmp_path, monkeypatch):
    """Two classes of photos of many kinds."""
    monkeypatch.setenv("IMPROVE_CACHE", str(tmp_path / "cache"))
    files = {
        "a/1.png": encoded(photo(1), "PNG"),
        "a/2.png": encoded(photo(2, (9, 40), "RGBA"), "PNG"),
        "a/3.jpg": turned("JPEG"),
        "b/1.png": encoded(Image.fromarray(GREY_16), "PNG"),
        "b/2.jpg": encoded(photo(3, (300, 200)), "JPEG"),
        "b/3.webp": encoded(photo(4, (8, 12), "L"), "WEBP"),
    }
    for name, data in files.items():
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(data)
    return tmp_path / "photos"


@pytest.mark.parametrize("color", ["rgb", "grey"])
@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_a_file_has_the_pixels_that_training_would_see(odd_photos, color, resize):
    options = {"path": str(odd_photos), "size": [10, 12], "color": color, "resize": resize}
    trained = Folder(**options).load().pools[0]
    spec = Spec.model_validate({"data": {"source": {"name": "folder", **options}}})
    look = look_of(spec, Form((10, 12, 3 if color == "rgb" else 1), "uint8", ("a", "b")))
    files, _ = files_of([odd_photos])
    np.testing.assert_array_equal([look.pixels(file) for file in files], trained)
    assert look.rule == ""


def test_files_are_read_as_those_of_the_target_are_which_the_run_is_judged_by():
    source = {"name": "folder", "path": "web", "size": 8, "resize": "stretch"}
    target = {"source": {"name": "folder", "path": "app", "size": 8, "resize": "crop"}}
    spec = Spec.model_validate({"data": {"source": source, "target": target}})
    assert look_of(spec, BIRDS).decoding.resize == "crop"


def test_a_run_whose_images_had_one_size_refuses_others_and_one_on_arrays_stretches_them(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(photo(1, (31, 20)), "PNG"))
    folder = Spec.model_validate({"data": {"source": {"name": "folder", "path": "x"}}})
    answers = list(classify(Sure(), look_of(folder, BIRDS), [str(tmp_path / "a.png")]))
    assert answers[0].error == "31×20 pixels, not 8×8 as the run's images are"
    look = look_of(Spec(), BIRDS)
    assert (look.pixels(str(tmp_path / "a.png")).shape, "are stretched" in look.rule) == ((8, 8, 3), True)


def test_a_run_on_numbers_that_are_no_bytes_takes_no_image_files():
    with pytest.raises(UsageError, match="arrays of float32"):
        look_of(Spec(), BIRDS._replace(type="float32"))


def test_a_bad_file_is_named_and_the_rest_go_on(tmp_path):
    good = encoded(photo(1), "PNG")
    files = {"b/good.png": good, "a.png": good, "broken.png": good[:70], "empty.png": b"", "text.jpg": b"no image",
             "huge.png": png(60_000, 60_000, 8, 2, b""), ".hidden.png": good, "notes.txt": b"hello"}  # fmt: skip
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "pipe.png")  # whoever opens it waits for ever
    found, others = files_of([tmp_path, tmp_path / "pipe.png", tmp_path / "gone.png"])
    assert others == 2
    answers = classify(Sure(), look_of(Spec(), BIRDS), found, top=2)
    told = {os.path.relpath(answer.file, tmp_path): answer.error or len(answer.ranked) for answer in answers}
    assert told == {
        "a.png": 2, "b/good.png": 2, "broken.png": "cut short", "empty.png": "empty file",
        "huge.png": "60,000×60,000 pixels: a decompression bomb",
        "text.jpg": "not an image (PNG, JPEG, WebP, BMP, GIF or TIFF)", "pipe.png": "not a file",
        "gone.png": "cannot be read: no such file or directory",
    }  # fmt: skip


def test_answers_come_in_the_order_of_the_files_however_many_there_are(tmp_path):
    labels = np.arange(300) % 3
    names = [str(tmp_path / f"{299 - number:03}.png") for number in range(300)]
    for name, image in zip(names, saying(labels), strict=True):
        Image.fromarray(image).save(name)
    answers = list(classify(Sure(), look_of(Spec(), BIRDS), names))
    assert [answer.file for answer in answers] == names
    assert [answer.ranked[0][0] for answer in answers] == [BIRDS.class_names[label] for label in labels]


def test_a_csv_of_hostile_names_does_nothing_in_a_spreadsheet(capsys):
    answers = [Answer("=cmd().png", (("@SUM(1)", 0.75), ("\x1b[2J", 0.25))), Answer("-a\n.png", (), "+broken\r")]
    print_csv(answers, 2)
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows == [
        ["file", "class", "probability", "class_2", "probability_2", "error"],
        ["'=cmd().png", "'@SUM(1)", "0.75", "·[2J", "0.25", ""],
        ["'-a·.png", "", "", "", "", "'+broken·"],
    ]


# somebody else's model


def model_file(file, config, **members):
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in {
            "config.json": json.dumps(config),
            "metadata.json": "{}",
            "model.weights.h5": "",
            **members,
        }.items():
            archive.writestr(name, data)
    return file


PLAIN = {"module": "keras", "class_name": "Sequential", "config": {"layers": []}}


def within(layer):
    return {**PLAIN, "config": {"layers": [{"module": "keras.layers", "class_name": "Dense", "config": {}}, layer]}}


@pytest.mark.parametrize(
    ("config", "members", "words"),
    [
        (within({"module": "keras.layers", "class_name": "Lambda", "config": {}}), {}, "Lambda of keras.layers"),
        (within({"module": "keras.layers", "class_name": "TFSMLayer"}), {}, "TFSMLayer"),
        (within({"class_name": "__lambda__", "config": {"value": "4wEA"}}), {}, "__lambda__"),
        (within({"module": "os", "class_name": "system"}), {}, "system of os"),
        (within({"module": "kerasx.layers", "class_name": "Dense"}), {}, "Dense of kerasx.layers"),
        (within({"module": "builtins", "class_name": "exec"}), {}, "exec of builtins"),
        (within({"module": "builtins", "class_name": "function", "config": "relu"}), {}, None),
        (PLAIN, {"../evil.py": "x"}, "which is no part of a model"),
        (PLAIN, {"assets/../../evil.py": "x"}, "which is no part of a model"),
        (PLAIN, {"config.json": "[" * 100_000}, "is not a model as Keras saves one"),
        (PLAIN, {"config.json": " " * (foreign.LARGEST + 1)}, "unpacks to more than a model can need"),
        (PLAIN, {}, None),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_model_that_carries_code_or_names_other_files_is_refused_even_with_trust(tmp_path, config, members, words):
    file = model_file(tmp_path / "theirs.keras", config, **members)
    with pytest.raises(UsageError, match="loading one can run what is in it"):
        foreign.check(file, trust=False)
    if words is None:
        foreign.check(file, trust=True)
        return
    with pytest.raises(UsageError, match=words):
        foreign.check(file, trust=True)


@pytest.mark.parametrize("name", ["model.h5", "model.HDF5", "model.pkl", "model.keras"])
def test_what_is_no_keras_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(UsageError):
        foreign.check(tmp_path / name, trust=True)
