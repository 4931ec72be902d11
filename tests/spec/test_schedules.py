"""Learning-rate schedules against their formulas."""

import math

import numpy as np
import pytest

from improve.spec.schedules import SCHEDULES, Length
from improve.spec.schedules.smooth import Cosine, Linear, OneCycle, Polynomial, WarmRestarts
from improve.spec.schedules.stepwise import Constant, Exponential, Piecewise, Plateau, Step, Time

RUN = Length(steps_per_epoch=7, epochs=12)


def rates(schedule, learning_rate=0.05, run=RUN):
    return schedule.rates(learning_rate, run)


def test_the_time_schedule_gives_the_courses_table():
    """50,000 images, batch 64: 782 updates per epoch; rate 0.01, decay 0.01/40."""
    found = rates(Time(decay=0.01 / 40), 0.01, Length(782, 40))[::782]
    table = {epoch: f"{found[epoch]:.5f}" for epoch in (0, 1, 2, 37, 38, 39)}
    assert table == {0: "0.01000", 1: "0.00836", 2: "0.00719", 37: "0.00121", 38: "0.00119", 39: "0.00116"}


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (0.25, {0: 0.01, 3: 0.01, 4: 0.0025, 8: 0.0025, 9: 6.25e-4, 14: 1.5625e-4, 39: 1.52587890625e-7}),
        (0.5, {0: 0.01, 3: 0.01, 4: 0.005, 9: 0.0025, 14: 0.00125, 39: 3.90625e-5}),
    ],
)
def test_the_step_schedule_drops_as_in_the_course(factor, expected):
    found = rates(Step(factor=factor, every=5), 0.01, Length(782, 40))
    assert {epoch: found[epoch * 782] for epoch in expected} == pytest.approx(expected)
    assert found[4 * 782 - 1] == 0.01


def test_the_books_linear_descent_ends_at_a_seventieth():
    """MiniGoogLeNet, 70 epochs: alpha = rate · (1 − epoch/70), never 0."""
    found = rates(Linear(), 5e-3, Length(782, 70))
    assert (found[0], found[781], found[782]) == pytest.approx((5e-3, 5e-3, 5e-3 * 69 / 70))
    assert found[-1] == pytest.approx(5e-3 / 70)


def cosine(share):
    return (1 + math.cos(math.pi * share)) / 2


def restarts(t):
    """Cycles of 3, 6 and then 12 epochs of 7 steps."""
    start, length = next((s, n) for s, n in ((0, 21), (21, 42), (63, 84)) if t < s + n)
    return 0.05 * cosine((t - start) / length)


def one_cycle(t, steps=84, rate=0.05):
    top, end = 0.3 * steps - 1, steps - 1
    if t <= top:
        return rate + (rate / 25 - rate) * cosine(t / top)
    return rate / 25e4 + (rate - rate / 25e4) * cosine((t - top) / (end - top))


@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        (Constant(), lambda t: 0.05),
        (Time(decay=0.003), lambda t: 0.05 / (1 + 0.003 * t)),
        (Step(factor=0.3, every=2), lambda t: 0.05 * 0.3 ** ((1 + t // 7) // 2)),
        (Piecewise(boundaries=[5, 8], values=[0.01, 0.002]), lambda t: [0.05, 0.01, 0.002][(t >= 35) + (t >= 56)]),
        (Exponential(decay_rate=0.9, every=2), lambda t: 0.05 * 0.9 ** (t / 14)),
        (Exponential(decay_rate=0.9, every=2, staircase=True), lambda t: 0.05 * 0.9 ** (t // 14)),
        (Polynomial(power=2), lambda t: 0.05 * (1 - (t // 7) / 12) ** 2),
        (Polynomial(power=5, per="step", end=1e-3), lambda t: 0.001 + 0.049 * (1 - t / 84) ** 5),
        (Linear(), lambda t: 0.05 * (1 - (t // 7) / 12)),
        (Linear(per="step"), lambda t: 0.05 * (1 - t / 84)),
        (Linear(epochs=6, end=0.01), lambda t: 0.01 + 0.04 * max(0, 1 - (t // 7) / 6)),
        (Cosine(), lambda t: 0.05 * cosine(t / 84)),
        (Cosine(alpha=0.1, epochs=6), lambda t: 0.05 * (0.1 + 0.9 * cosine(min(1, t / 42)))),
        (WarmRestarts(first_decay_epochs=3), restarts),
        (WarmRestarts(first_decay_epochs=4, t_mul=1), lambda t: 0.05 * cosine(t % 28 / 28)),
        (WarmRestarts(first_decay_epochs=4, t_mul=1, m_mul=0.5), lambda t: 0.05 * cosine(t % 28 / 28) / 2 ** (t // 28)),
        (OneCycle(), one_cycle),
        (Plateau(), lambda t: 0.05),
        (Cosine(warmup=2), lambda t: 0.05 * cosine(t / 84) * min(1, (t + 1) / 14)),
        (Constant(warmup=0.5), lambda t: 0.05 * min(1, (t + 1) / 4)),
    ],
)
def test_each_schedule_is_its_formula_at_every_step(schedule, formula):
    np.testing.assert_allclose(rates(schedule), [formula(t) for t in range(84)], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda part: part.key())
def test_every_schedule_takes_a_warmup(schedule):
    options = {"boundaries": [5], "values": [0.01]} if schedule is Piecewise else {}
    plain, warm = rates(schedule(**options)), rates(schedule(warmup=3, **options))
    np.testing.assert_allclose(warm[:21], plain[:21] * np.arange(1, 22) / 21)
    np.testing.assert_array_equal(warm[21:], plain[21:])


@pytest.mark.parametrize(
    ("schedule", "fits", "too_long"),
    [
        (Step(every=5), 5, 4),
        (Piecewise(boundaries=[3, 6], values=[0.1, 0.01]), 7, 6),
        (Linear(epochs=6), 6, 5),
        (WarmRestarts(first_decay_epochs=6), 7, 6),
        (Plateau(patience=4), 5, 4),
        (Constant(warmup=3), 4, 3),
    ],
)
def test_a_schedule_that_does_nothing_in_so_few_epochs_is_told(schedule, fits, too_long):
    assert schedule.too_long(fits) is None
    option, why = schedule.too_long(too_long)
    assert option in type(schedule).model_fields
    assert f"the run has {too_long}" in why


@pytest.mark.parametrize(
    ("boundaries", "values", "what"),
    [([5, 3], [0.1, 0.2], "do not rise"), ([5], [0.1, 0.2], "1 boundaries and 2 values"), ([], [], "0 boundaries")],
)
def test_a_piecewise_schedule_that_makes_no_sense_is_refused(boundaries, values, what):
    with pytest.raises(ValueError, match=what):
        Piecewise(boundaries=boundaries, values=values)


def test_a_plateau_lowers_the_rate_when_nothing_has_improved_for_its_patience():
    part = Plateau(factor=0.5, patience=2)
    losses = [1.0, 0.9, 0.95, 0.92, 0.91, 0.9, 0.8]
    assert [part.scale(losses[:epoch], 0.1) for epoch in range(8)] == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]
    assert Plateau(factor=0.1, patience=1, min_rate=0.02).scale([1.0] * 9, 0.1) == pytest.approx(0.2)


@pytest.mark.trains
@pytest.mark.parametrize("options", [{"patience": 2}, {"patience": 3, "cooldown": 2, "factor": 0.5, "min_delta": 0.05}])
def test_a_plateau_does_what_keras_own_callback_does(options):
    import keras

    losses = np.random.default_rng(3).normal(size=40).cumsum() * 0.03 + 1
    theirs = keras.callbacks.ReduceLROnPlateau(**{"factor": 0.1, **options})
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.5), loss="mse")
    theirs.set_model(model)
    theirs.on_train_begin()
    for epoch, loss in enumerate(losses):
        theirs.on_epoch_end(epoch, {"val_loss": float(loss)})
        mine = 0.5 * Plateau(**options).scale(list(losses[: epoch + 1]), 0.5)
        assert mine == pytest.approx(float(model.optimizer.learning_rate), rel=1e-5)
    assert mine < 0.1


@pytest.mark.backend
@pytest.mark.trains
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda part: part.key())
def test_keras_follows_the_formula_at_every_step(schedule):
    part = schedule(warmup=0.5, **({"boundaries": [5], "values": [0.01]} if schedule is Piecewise else {}))
    built, expected = part.build(0.05, RUN), rates(part)
    for step in (*range(84), 84, 200):
        assert float(built(step)) == pytest.approx(expected[min(step, 83)], rel=1e-6)


@pytest.mark.trains
def test_our_schedules_are_keras_own_where_keras_has_them():
    from keras.optimizers import schedules as keras_schedules

    pairs = [
        (Time(decay=0.00025), keras_schedules.InverseTimeDecay(0.05, decay_steps=1, decay_rate=0.00025)),
        (Exponential(decay_rate=0.9), keras_schedules.ExponentialDecay(0.05, decay_steps=7, decay_rate=0.9)),
        (Polynomial(per="step", power=3), keras_schedules.PolynomialDecay(0.05, 84, end_learning_rate=0, power=3)),
        (Cosine(alpha=0.2), keras_schedules.CosineDecay(0.05, 84, alpha=0.2)),
        (WarmRestarts(first_decay_epochs=3), keras_schedules.CosineDecayRestarts(0.05, 21)),
    ]
    for ours, theirs in pairs:
        for step, rate in enumerate(rates(ours)):
            assert rate == pytest.approx(float(theirs(step)), rel=1e-4, abs=1e-8), (ours.name, step)
