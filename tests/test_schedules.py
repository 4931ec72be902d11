"""Learning-rate schedules against their formulas."""

import pytest

from improve.schedules import Constant, Step, Time


def test_the_time_schedule_gives_the_courses_table():
    """50,000 images, batch 64: 782 updates per epoch; rate 0.01, decay 0.01/40."""
    schedule = Time(decay=0.01 / 40)
    rates = {epoch: f"{schedule.rate(0.01, epoch * 782, 782):.5f}" for epoch in (0, 1, 2, 37, 38, 39)}
    assert rates == {0: "0.01000", 1: "0.00836", 2: "0.00719", 37: "0.00121", 38: "0.00119", 39: "0.00116"}


@pytest.mark.parametrize(
    ("factor", "rates"),
    [
        (0.25, {0: 0.01, 3: 0.01, 4: 0.0025, 8: 0.0025, 9: 6.25e-4, 14: 1.5625e-4, 39: 1.52587890625e-7}),
        (0.5, {0: 0.01, 3: 0.01, 4: 0.005, 9: 0.0025, 14: 0.00125, 39: 3.90625e-5}),
    ],
)
def test_the_step_schedule_drops_as_in_the_course(factor, rates):
    schedule = Step(factor=factor, every=5)
    assert {epoch: schedule.rate(0.01, epoch * 782, 782) for epoch in rates} == pytest.approx(rates)
    assert schedule.rate(0.01, 4 * 782 - 1, 782) == 0.01


def test_a_constant_rate_stays():
    assert {Constant().rate(0.3, step, 10) for step in range(100)} == {0.3}


@pytest.mark.parametrize(("epochs", "long"), [(4, True), (5, False)])
def test_a_step_schedule_that_never_steps_is_too_long(epochs, long):
    assert bool(Step(every=5).too_long(epochs)) is long


@pytest.mark.trains
@pytest.mark.parametrize("schedule", [Constant(), Time(decay=0.003), Step(factor=0.3, every=2)])
def test_keras_follows_the_formula_at_every_step(schedule):
    built = schedule.build(0.05, 7)
    for step in range(60):
        assert float(built(step)) == pytest.approx(schedule.rate(0.05, step, 7), rel=1e-6)


@pytest.mark.trains
def test_the_time_schedule_is_keras_own_inverse_time_decay():
    import keras

    theirs = keras.optimizers.schedules.InverseTimeDecay(0.01, decay_steps=1, decay_rate=0.00025)
    ours = Time(decay=0.00025).build(0.01, 782)
    for step in (0, 1, 782, 30_000):
        assert float(ours(step)) == pytest.approx(float(theirs(step)), rel=1e-6)
