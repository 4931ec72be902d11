"""Real fits on digits and on CIFAR-shaped images: what the run folder holds is true."""

import csv
import gc
import json
import signal
from pathlib import Path

import numpy as np
import pytest

from conftest import Silent
from improve.engine.model.measure import log_softmax
from improve.engine.model.timeline import timeline
from improve.engine.training.train import train
from improve.images.array import as_images
from improve.lazy import keras
from improve.runs import run
from improve.spec.reading.load import load_spec

pytestmark = pytest.mark.trains

SMALL = """\
data: {source: digits, subset: 600}
model: {name: mlp, hidden: [16]}
optimizer: {name: adam, learning_rate: 0.01}
training: {epochs: 3, batch_size: 32}
"""
LIGHT = SMALL + "evidence: light\n"
REGULARIZED = """\
augmentation: [flip, shift]
regularization: {dropout: 0.5, l2: 0.001}
"""


def trained(root, text, *overrides):
    (root / "spec.yaml").write_text(text)
    return run.load_run(train(load_spec(root / "spec.yaml", list(overrides)), "r", root / "runs", Silent()))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A run with all parts, and all that is looked at."""
    return trained(tmp_path_factory.mktemp("small"), SMALL, "data.train_dev=10%", "diagnosis.human_error=1%")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("plain"), LIGHT)


@pytest.fixture(scope="module")
def regularized(tmp_path_factory):
    """A run with all that is on while it trains and off while it is judged."""
    return trained(tmp_path_factory.mktemp("regularized"), LIGHT + REGULARIZED, "model.batch_norm=true")


def arrays(folder: Path, part: str):
    with np.load(folder / "predictions" / f"{part}.npz", allow_pickle=False) as found:
        return found["id"], found["label"], found["probability"]


@pytest.mark.backend
def test_a_run_holds_everything_that_the_contract_names(small):
    made = small
    files = ["spec.yaml", "metrics.csv", "steps.csv", "summary.json", "environment.json", "curves.png", "model.keras"]
    parts = ("train", "train_dev", "validation", "test")
    for file in (*files, *(f"predictions/{part}.npz" for part in parts)):
        assert (made.folder / file).stat().st_size > 0, file
    with (made.folder / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[:12] == [
        "epoch", "seconds", "learning_rate", "loss", "cross_entropy", "penalty", "train_error", "train_cross_entropy",
        "validation_error", "validation_cross_entropy", "train_dev_error", "train_dev_cross_entropy",
    ]  # fmt: skip
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    summary = run.summary_as_written(made.folder)
    assert (summary["status"], summary["epochs"], summary["best_epoch"]) == ("finished", 3, 3)
    for part in parts:
        assert set(summary[part]) >= {"error", "low", "high", "n", "cross_entropy"}
        assert summary[part]["low"] <= summary[part]["error"] <= summary[part]["high"]
    for number in ("parameters", "model_bytes", "seconds", "seconds_per_image", "images_per_second"):
        assert summary[number] > 0
    assert len(summary["state_sha256"]) == 64
    environment = json.loads((made.folder / "environment.json").read_text())
    assert set(environment["data"]["fingerprint"]) == {"train", "validation", "train_dev", "test"}
    assert environment["versions"]["keras"]
    assert (made.folder / "curves.png").read_bytes()[:4] == b"\x89PNG"


def part_as_written(made, part):
    return run.summary_as_written(made.folder)[part]


@pytest.mark.backend
def test_the_errors_are_those_of_the_predictions(small):
    for part in ("train", "validation", "test"):
        _, labels, probability = arrays(small.folder, part)
        assert (probability.dtype, probability.shape) == (np.float32, (len(labels), 10))
        np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-5)
        assert (probability.argmax(axis=1) != labels).mean() == part_as_written(small, part)["error"]
        picked = np.log(np.maximum(probability[np.arange(len(labels)), labels], 1e-30))
        assert -picked.mean() == pytest.approx(part_as_written(small, part)["cross_entropy"], rel=1e-4)


@pytest.mark.backend
def test_the_clean_errors_of_the_best_epoch_stand_in_metrics_and_summary(regularized):
    made = regularized
    row = made.history[made.summary.best_epoch - 1]
    assert row["validation_error"] == pytest.approx(made.summary.validation.error, rel=1e-6)
    assert row["validation_cross_entropy"] == pytest.approx(made.summary.validation.cross_entropy, rel=1e-5)


@pytest.mark.backend
def test_the_training_error_of_each_epoch_is_of_a_sample_that_of_the_best_one_of_all_training_images(regularized):
    made = regularized
    _, labels, probability = arrays(made.folder, "train")
    sample = made.summary.validation.n
    assert sample < len(labels) == made.summary.train.n == made.environment.data.examples["train"]
    wrong = probability.argmax(axis=1) != labels
    assert made.history[made.summary.best_epoch - 1]["train_error"] == pytest.approx(wrong[:sample].mean(), rel=1e-6)
    assert made.summary.train.error == wrong.mean()


@pytest.mark.backend
def test_the_saved_model_takes_raw_images_and_gives_the_same_probabilities(fit, regularized):
    import keras

    from improve.spec.datasets.arrays import Digits

    others = ("mean_image", "none")
    more = ("augmentation=[shift]", "training.epochs=1")
    runs = [fit(LIGHT, f"data.normalize={normalize}", *more, name=normalize) for normalize in others]
    assert {made.spec["data"]["normalize"]["name"] for made in (regularized, *runs)} == {"standardize", *others}
    for made in (regularized, *runs):
        ids, _, probability = arrays(made.folder, "validation")
        model = keras.saving.load_model(made.folder / "model.keras")
        again = np.asarray(model.predict_on_batch(Digits().load().pools[0][ids]))
        np.testing.assert_allclose(again, probability, atol=1e-5)
        assert not any("random" in layer.name or "flip" in layer.name for layer in model.layers)


@pytest.mark.backend
def test_the_saved_spec_trains_again_to_the_same_state(regularized):
    first = regularized
    second = run.load_run(train(load_spec(first.folder / "spec.yaml"), "r", first.folder.parent, Silent()))
    assert second.name == "r-2"
    assert second.summary.state_sha256 == first.summary.state_sha256
    assert second.history[-1]["loss"] == first.history[-1]["loss"]


@pytest.mark.backend
def test_another_seed_gives_another_state(fit, plain):
    assert plain.summary.state_sha256 != fit(LIGHT, "seed=1").summary.state_sha256


def compiled(spec, images, classes=10):
    from improve.engine.model.build import assemble

    return assemble(spec, images.shape[1:], classes, spec.data.normalize.fit(as_images(images)), timeline(spec, 10))


def cifar_shaped(count=48, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, count)
    images = random.integers(0, 200, (count, 32, 32, 3)) + labels[:, None, None, None] * 5
    return images.astype(np.uint8), labels


@pytest.mark.backend
def test_the_loss_is_the_cross_entropy_plus_lambda_times_the_squares_of_the_kernels(write_spec):
    images, labels = cifar_shaped()
    model = compiled(load_spec(write_spec("model: lenet\nregularization: {l2: 0.0123}")), images)
    kernels = [np.asarray(weight) for weight in model.trainable_variables if weight.path.endswith("kernel")]
    assert len(kernels) == 4
    log_p = log_softmax(np.asarray(model.predict_on_batch(images)))
    by_hand = -log_p[np.arange(48), labels].mean() + 0.0123 * sum(
        np.square(kernel, dtype=np.float64).sum() for kernel in kernels
    )
    reported = model.evaluate(images, np.eye(10)[labels], batch_size=48, verbose=0, return_dict=True)["loss"]
    assert reported == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.backend
def test_the_penalty_stands_beside_the_cross_entropy_and_never_in_it(fit, plain):
    held = fit(LIGHT, "regularization.l2=0.01", "training.epochs=1")
    assert plain.history[0]["penalty"] == 0.0
    row = held.history[0]
    assert row["penalty"] > 0.1
    assert row["loss"] == pytest.approx(row["cross_entropy"] + row["penalty"], rel=1e-5)


@pytest.mark.backend
def test_the_logged_gradient_norm_is_that_of_the_step(write_spec):
    """Plain SGD moves the weights by rate × gradient."""
    images, labels = cifar_shaped()
    model = compiled(load_spec(write_spec("model: lenet\noptimizer: {name: sgd, learning_rate: 0.001}")), images)
    before = [np.asarray(weight).copy() for weight in model.trainable_variables]
    model.fit(images, np.eye(10, dtype=np.float32)[labels], batch_size=48, epochs=1, verbose=0)
    moved = [np.asarray(weight) - old for weight, old in zip(model.trainable_variables, before, strict=True)]
    norm = np.sqrt(sum(np.square(move, dtype=np.float64).sum() for move in moved)) / 0.001
    from improve.engine.model.instrument import steps_of

    assert steps_of(model).gradient_norm[0] == pytest.approx(norm, rel=1e-3)


@pytest.mark.backend
def test_weight_decay_is_for_kernels_only(write_spec):
    spec = load_spec(write_spec("model: {name: lenet, batch_norm: true}\noptimizer: {name: sgd, weight_decay: 0.5}"))
    images, _ = cifar_shaped()
    model = compiled(spec, images)
    before = {weight.path: np.asarray(weight).copy() for weight in model.trainable_variables}
    zeros = [np.zeros(weight.shape, np.float32) for weight in model.trainable_variables]
    model.optimizer.apply(zeros, model.trainable_variables)
    for weight in model.trainable_variables:
        shrunk = not np.array_equal(np.asarray(weight), before[weight.path])
        assert shrunk == weight.path.endswith("kernel"), weight.path


@pytest.mark.parametrize(("shape", "parameters"), [((28, 28, 1), 1_256_080), ((32, 32, 3), 1_632_080)])
def test_lenet_has_as_many_parameters_as_the_courses(write_spec, shape, parameters):
    model = compiled(load_spec(write_spec("model: lenet")), np.zeros((2, *shape), np.uint8))
    assert model.count_params() == parameters


def test_each_epoch_has_its_own_order_and_the_seed_alone_decides_it(write_spec):
    from improve.engine.data.prepare import prepare
    from improve.engine.training.batches import training_batches

    spec = load_spec(write_spec(SMALL))
    data = prepare(spec)

    def labels(seed, epoch):
        batches = training_batches(spec.model_copy(update={"seed": seed}), data)
        batches.epoch = epoch
        return np.concatenate([batches[index][1].argmax(axis=1) for index in range(batches.num_batches)])

    assert (labels(0, 0) == labels(0, 0)).all()
    assert (labels(0, 0) != labels(0, 1)).any()
    assert (labels(0, 0) != labels(1, 0)).any()
    assert sorted(labels(0, 5)) == sorted(data.parts["train"].labels)


@pytest.mark.backend
def test_label_smoothing_raises_the_loss_by_what_it_should(write_spec):
    images, labels = cifar_shaped()
    model = compiled(load_spec(write_spec("model: lenet\nregularization: {label_smoothing: 0.2}")), images)
    log_p = log_softmax(np.asarray(model.predict_on_batch(images)))
    smooth = np.eye(10)[labels] * 0.8 + 0.02
    reported = model.evaluate(images, np.eye(10)[labels], batch_size=48, verbose=0, return_dict=True)["loss"]
    assert reported == pytest.approx(-(smooth * log_p).sum(axis=1).mean(), rel=1e-5)


@pytest.mark.backend
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_what_there_is(fit):
    from improve.diagnosis.diagnose import diagnose

    made = fit(SMALL, "optimizer={name: sgd, learning_rate: 1e30}")
    assert made.status == "diverged"
    steps = (made.folder / "steps.csv").read_text().splitlines()
    assert 2 <= len(steps) <= 8
    assert "nan" in steps[-1] or "inf" in steps[-1]
    assert diagnose(made).findings[0].code == "R1"


def test_early_stopping_waits_as_long_as_it_is_told(fit):
    made = fit(LIGHT, "training.epochs=60", "training.early_stopping.patience=2")
    assert made.summary.epochs == made.summary.best_epoch + 2 < 60


def test_the_first_fifty_steps_are_whole_and_the_rest_is_thinned(fit):
    made = fit(LIGHT, "training.epochs=4", "training.batch_size=4", "data.subset=300")
    with (made.folder / "steps.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["step"]) for row in rows[:50]] == list(range(50))
    assert float(rows[10]["gradient_norm"]) > 0
    assert float(rows[10]["learning_rate"]) == 0.01


@pytest.mark.backend
def test_lenet_learns_cifar_shaped_images(fit, tmp_path):
    images, labels = cifar_shaped(400)
    np.savez(tmp_path / "c.npz", x_train=images, y_train=labels)
    text = (
        "data: {source: {name: npz, path: c.npz}}\nmodel: lenet\nschedule: time\naugmentation: [flip, shift]\n"
        "optimizer: {name: sgd, learning_rate: 0.01, momentum: 0.9}\ntraining: {epochs: 5, batch_size: 16}\n"
        "evidence: light\n"
    )
    made = fit(text)
    assert made.history[-1]["train_error"] < 0.8
    assert made.history[-1]["cross_entropy"] < made.history[0]["cross_entropy"]


def test_a_failure_leaves_a_run_that_says_so(fit, monkeypatch, tmp_path):
    monkeypatch.setattr("improve.engine.training.train.training_batches", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fit(LIGHT)
    summary = json.loads((tmp_path / "runs" / "r" / "summary.json").read_text())
    assert (summary["status"], summary["error"]) == ("failed", "ZeroDivisionError: division by zero")


@pytest.mark.backend
def test_ctrl_c_finishes_a_short_epoch_and_keeps_what_is_done(write_spec, tmp_path, patient):
    class Impatient(Silent):
        def step(self, epoch, step):
            if epoch == 3 and step == 2:
                signal.raise_signal(signal.SIGINT)

    made = run.load_run(train(load_spec(write_spec(LIGHT)), "r", tmp_path / "runs", Impatient()))
    assert (made.status, made.summary.epochs, len(made.history)) == ("stopped", 3, 3)
    assert made.summary.validation is not None


def test_train_as_typed_shows_a_line_per_epoch_and_says_what_to_do_next(improve, write_spec, tmp_path):
    file = write_spec(SMALL, "mine.yaml")
    code, out, err = improve("train", file, "--runs", tmp_path / "runs")
    assert code == 0
    assert "mine → " in err
    assert [line.split()[0] for line in err.splitlines()[3:6]] == ["1", "2", "3"]
    assert "best epoch 3: validation error" in out
    assert f"next    improve diagnose {tmp_path}/runs/mine" in out
    assert "\x1b" not in out + err
    code, out, err = improve("train", file, "--runs", tmp_path / "runs", "--json", "--quiet")
    assert (code, json.loads(out)["name"], err) == (0, "mine-2", "")
    code, out, _ = improve("diagnose", tmp_path / "runs" / "mine")
    assert (code, "avoidable bias" in out) == (0, True)
    code, out, _ = improve("train", file, "--runs", tmp_path / "runs", "optimizer={name: sgd, learning_rate: 1e30}")
    assert (code, "NaN or infinite" in out) == (1, True)


def test_preview_gives_the_courses_rates_for_50000_images(improve, write_spec):
    file = write_spec(
        "data: {source: cifar10, split: {validation: 1}}\noptimizer: {name: sgd, learning_rate: 0.01}\n"
        "schedule: {name: time, decay: 0.00025}\ntraining: {epochs: 40, batch_size: 64}\n"
    )
    code, out, _ = improve("preview", file, "--json")
    found = json.loads(out)
    assert (code, found["steps_per_epoch"], found["parameters"]) == (0, 782, 1_632_080)
    rates = [f"{found['learning_rate'][epoch]:.5f}" for epoch in (0, 1, 2, 37, 38, 39)]
    assert rates == ["0.01000", "0.00836", "0.00719", "0.00121", "0.00119", "0.00116"]
    assert found["layers"][0]["name"] == "images"


def test_preview_draws_a_picture(improve, write_spec, tmp_path):
    file = write_spec(SMALL + "augmentation: [flip, shift]\n")
    code, out, _ = improve("preview", file, "-o", tmp_path / "p.png")
    assert (code, out) == (0, f"{tmp_path / 'p.png'}\n")
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.backend
def test_a_training_leaves_no_graph_and_no_images_behind(fit):
    """TensorFlow keeps what a sum over devices was traced in: each run of a sweep or a walk would stay in memory."""

    def left():
        keras.utils.clear_session()
        gc.collect()
        return sum(type(one).__name__ in ("FuncGraph", "Examples") for one in gc.get_objects())

    fit(LIGHT, "training.epochs=1", name="first")
    before = left()
    fit(LIGHT, "training.epochs=1", name="second")
    assert left() <= before
