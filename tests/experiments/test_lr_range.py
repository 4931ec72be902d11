"""The learning-rate range test: how curves are read, and what is said."""

import json
import signal

import numpy as np
import pytest

from improve.experiments import lr_range as lr
from improve.spec.spec import Spec
from improve.views.figures.experiments import draw_rate_range

RATES = tuple(float(rate) for rate in np.geomspace(1e-6, 10, 100))
LOG = np.log10(RATES)
SPEC = Spec.model_validate({"model": "mlp", "optimizer": {"learning_rate": 0.003}})


def curve(floor=0.3, seed=0, noise=0.02):
    """2.3 until 1e-4, down to `floor` at 1e-2, up again after 1e-1."""
    random = np.random.default_rng(seed)
    falling = 2.3 - (2.3 - floor) * np.clip((LOG + 4) / 2, 0, 1)
    return tuple(falling + 3 * np.clip(LOG + 1, 0, None) + noise * random.standard_normal(100))


def sweep(losses, seed=0):
    return lr.RateSweep(seed, RATES[: len(losses)], tuple(float(loss) for loss in losses))


def test_each_method_reads_a_rate_from_the_slope():
    found = sweep(curve()).suggestions()
    assert list(found) == ["valley", "steepest", "minimum"]
    assert all(1e-4 <= rate <= 1e-2 for rate in found.values()), found
    assert found["minimum"] <= 1e-2


@pytest.mark.parametrize("losses", [[2.3] * 100, np.linspace(2.3, 5, 100), [2.3], []])
def test_a_loss_that_never_falls_suggests_nothing(losses):
    assert sweep(losses).suggestions() == {}


@pytest.mark.parametrize(
    ("lowest", "sigma", "fell"), [(0.951, 0, False), (0.949, 0, True), (0.9, 0.034, False), (0.9, 0.033, True)]
)
def test_a_loss_has_fallen_when_it_gets_five_percent_and_three_sigma_below_its_beginning(lowest, sigma, fell):
    assert lr.falls(np.array([1.0] * 50 + [lowest] * 50), sigma) == fell


def test_noise_alone_is_no_fall():
    for seed in range(50):
        noise = 2.3 + 0.15 * np.random.default_rng(seed).standard_normal(100)
        assert sweep(noise).suggestions() == {}, seed


def test_a_spike_at_the_start_moves_no_suggestion():
    calm, spiked = list(curve(noise=0)), list(curve(noise=0))
    spiked[2] = 9.0
    assert sweep(spiked).suggestions() == pytest.approx(sweep(calm).suggestions(), rel=0.05)


@pytest.mark.parametrize(
    ("losses", "ends"),
    [
        ([2.0, float("nan")], True),
        ([2.0, float("inf")], True),
        ([1.0] * 50 + [4.9] * 13, False),
        ([1.0] * 50 + [4.9] * 14, True),
        ([2.0, 1.9, 2.1], False),
    ],
)
def test_the_test_ends_where_the_running_mean_is_four_times_its_lowest(losses, ends):
    assert lr.left(losses) == ends


@pytest.mark.parametrize(
    ("own", "ending"),
    [
        (0.004, "the spec's 0.004 is one of them"),
        (0.0079, "the spec's 0.0079 is at their edge"),
        (0.008, "the spec's 0.008 is 2 times too high"),
        (0.1, "the spec's 0.1 is 25 times too high"),
        (0.0003, "the spec's 0.0003 is one of them"),
        (1e-5, "the spec's 1e-05 is 30 times too low"),
    ],
)
def test_the_sentence_names_the_range_and_where_the_spec_stands(own, ending):
    assert lr.say(3e-4, 4e-3, own) == f"rates between 3e-4 and 4e-3 work; {ending}"


def test_the_range_goes_over_all_seeds_and_methods_and_its_picture_is_drawn(tmp_path):
    sweeps = tuple(sweep(curve(seed=seed), seed) for seed in range(3))
    found = lr.conclude(sweeps, SPEC)
    every = [rate for one in sweeps for rate in one.suggestions().values()]
    assert (found.low, found.high, found.own) == (min(every), max(every), pytest.approx(0.003))
    draw_rate_range(tmp_path / "r.png", found)
    assert (tmp_path / "r.png").read_bytes()[:4] == b"\x89PNG"


def test_where_no_loss_falls_no_rate_is_told(tmp_path):
    found = lr.conclude((sweep([2.3] * 100), sweep([])), SPEC)
    assert (found.low, found.high) == (None, None)
    assert found.sentence.startswith("the loss never falls, at no rate from 1e-6 to 10 (it begins at 2.3)")
    draw_rate_range(tmp_path / "r.png", found)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"digest": "other"}', '{"digest": "d", "seed": 0}'])
def test_a_file_that_is_no_result_of_this_spec_is_measured_again(tmp_path, text):
    (tmp_path / "seed0.json").write_text(text)
    assert lr.earlier_sweep(tmp_path / "seed0.json", "d") is None


def test_the_digest_knows_the_seed_and_every_setting():
    specs = [SPEC, SPEC.model_copy(update={"seed": 1}), Spec()]
    assert len({lr.digest(spec) for spec in specs}) == 3


TINY = "data: {source: digits, subset: 400}\nmodel: {name: mlp, hidden: [16]}\n" \
    "optimizer: {name: sgd, learning_rate: 50}\nschedule: cosine\ntraining: {epochs: 2, batch_size: 25}\n"  # fmt: skip


@pytest.mark.trains
@pytest.mark.backend
def test_the_command_measures_each_seed_once_and_goes_on_where_it_was_stopped(
    improve, write_spec, tmp_path, monkeypatch
):
    arguments = ("lr", write_spec(TINY), "--runs", tmp_path / "runs", "--seeds", 2)
    code, out, err = improve(*arguments)
    folder = tmp_path / "runs" / "spec_lr"
    assert (code, "2/2  seed 1" in err) == (0, True)
    found = json.loads((folder / "lr_range.json").read_text())
    assert 0.001 < found["low"] < found["high"] < 5
    assert "times too high" in found["sentence"]
    assert found["sentence"] in out
    kept = json.loads((folder / "seed0.json").read_text())
    assert kept["losses"][0] == pytest.approx(2.5, abs=1)
    assert (folder / "lr_range.png").is_file()

    (folder / "seed1.json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(lr, "left", lambda losses: signal.raise_signal(signal.SIGTERM))
        code, _, err = improve(*arguments, "--quiet")
    assert (code, err) == (75, "interrupted\n1 of 2 seeds are done; the same command goes on\n")
    before = (folder / "seed0.json").stat().st_mtime_ns
    code, out, err = improve(*arguments, "--json", "--quiet")
    assert (code, err) == (0, "")
    again = json.loads(out)
    assert again.pop("folder") == str(folder)
    assert again == found
    assert (folder / "seed0.json").stat().st_mtime_ns == before
