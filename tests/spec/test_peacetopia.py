"""The skies that are drawn by a program: what they hold, and what can be known about them."""

import hashlib
import time

import numpy as np
import pytest

from improve.spec.datasets.peacetopia.labellers import LABELLERS, bayes_error, labelled
from improve.spec.datasets.peacetopia.skies import ALONE, LOOKS, coverage, placed_strokes, skies
from improve.spec.datasets.peacetopia.source import Peacetopia
from improve.statistics.intervals import Rate


def drawn(count=2000, domain="camera", birds=0.5, hidden=0.004, new=0.0, size=32, seed=0, part=0):
    return skies(count, domain, birds, hidden, new, size, seed, part)


def within(seen, expected, n):
    """Whether a share of n draws is where 99.99 % of them are."""
    return abs(seen - expected) <= 3.9 * np.sqrt(expected * (1 - expected) / n) + 1e-9


@pytest.mark.parametrize("domain", LOOKS)
def test_the_same_seed_draws_the_same_skies_and_another_seed_others(domain):
    one, again, other = drawn(64, domain), drawn(64, domain), drawn(64, domain, seed=1)
    assert (one.images.shape, one.images.dtype) == ((64, 32, 32, 3), np.uint8)
    assert np.array_equal(one.images, again.images)
    assert not any(np.array_equal(a, b) for a, b in zip(one.images, other.images, strict=True))


def test_the_first_skies_of_a_larger_set_are_those_of_a_smaller_one():
    few, many = drawn(100), drawn(700)
    assert np.array_equal(few.images, many.images[:100])
    assert np.array_equal(few.labels, many.labels[:100])


def test_no_sky_is_drawn_twice_in_any_part_or_domain():
    sets = [drawn(600, domain, part=part).images for domain in LOOKS for part in range(3)]
    digests = {hashlib.blake2b(image.tobytes()).digest() for images in sets for image in images}
    assert len(digests) == 6 * 600


def test_another_share_of_birds_changes_the_birds_and_leaves_the_rest_of_the_draw():
    half, few = drawn(5000), drawn(5000, birds=0.1)
    assert within(half.labels.mean(), 0.5, 5000)
    assert within(few.labels.mean(), 0.1, 5000)
    assert not (few.labels & ~half.labels).any()


def test_hidden_birds_and_those_of_the_new_species_come_in_their_shares_and_only_where_a_bird_is():
    found = drawn(5000, hidden=0.2, new=0.3)
    birds = found.labels == 1
    assert within(found.hidden[birds].mean(), 0.2, birds.sum())
    assert within(found.new[birds].mean(), 0.3, birds.sum())
    assert not found.hidden[~birds].any()
    assert not found.new[~birds].any()


def test_a_sky_with_a_hidden_bird_is_drawn_exactly_as_one_without_a_bird():
    """The same draws with every bird hidden and with no bird at all: not a pixel differs."""
    hidden, none = drawn(300, birds=0.999999, hidden=1.0), drawn(300, birds=1e-9)
    assert hidden.labels.all()
    assert not none.labels.any()
    assert np.array_equal(hidden.images, none.images)


def test_a_bird_in_sight_changes_the_image():
    with_birds, without = drawn(300, birds=0.999999, hidden=0.0, new=0.5), drawn(300, birds=1e-9)
    differing = (with_birds.images != without.images).reshape(300, -1).mean(axis=1)
    assert differing.min() > 0.005


def test_cameras_and_citizens_see_differently():
    camera, citizen = drawn(500), drawn(500, "citizen")
    spread = [found.images.astype(float).std(axis=(1, 2)).mean() for found in (camera, citizen)]
    assert spread[1] > 1.2 * spread[0]


def test_others_fly_beside_birds_less_often_than_alone_but_in_both():
    assert all(look.beside < ALONE for look in LOOKS.values())
    assert LOOKS["camera"].beside > 0


def test_ten_thousand_skies_take_a_few_seconds():
    began = time.process_time()
    drawn(2048)
    assert (time.process_time() - began) * 10_000 / 2048 < 15  # about 2.5 on a core of its own


@pytest.mark.parametrize(
    ("birds", "hidden", "cost", "expected"),
    [
        (0.5, 0.004, 1, 0.002),  # hidden birds are missed, all else is seen
        (0.05, 0.004, 1, 0.0002),
        (0.9, 0.5, 1, 0.1),  # where most empty skies hold a bird, "bird" is the better answer: 10 % have none
        (0.5, 0.2, 10, 0.5 / 5.5),  # so it is where a missed bird costs ten times as much: min(1, 0.5) / 5.5
        (0.5, 0.02, 10, 0.1 / 5.5),
        (0.5, 0.0, 1, 0.0),
    ],
)
def test_the_bayes_error_is_that_of_the_best_answer_to_a_sky_without_a_bird_in_sight(birds, hidden, cost, expected):
    assert bayes_error(birds, hidden, cost) == pytest.approx(expected)


@pytest.mark.parametrize(("birds", "hidden", "cost"), [(0.5, 0.1, 1), (0.8, 0.5, 1), (0.5, 0.2, 10), (0.2, 0.3, 3)])
def test_an_oracle_that_sees_the_scene_reaches_the_bayes_error_and_no_constant_answer_beats_it(birds, hidden, cost):
    """50,000 scenes; the oracle knows which bird is in sight, and for the rest it has one answer."""
    random = np.random.default_rng(0)
    labels = random.random(50_000) < birds
    in_sight = labels & (random.random(50_000) >= hidden)
    weights = np.where(labels, cost, 1.0)
    costs = [float(weights @ (np.where(in_sight, True, answer) != labels) / weights.sum()) for answer in (False, True)]
    assert min(costs) == pytest.approx(bayes_error(birds, hidden, cost), abs=0.006)


@pytest.mark.parametrize("name", LABELLERS)
def test_a_simulated_labeller_errs_at_the_planted_rate(name):
    random = np.random.default_rng(1)
    labels = (random.random(400_000) < 0.5).astype(np.int64)
    hidden = (labels == 1) & (random.random(400_000) < 0.004)
    said = labelled(name, labels, hidden, missed=0.002)
    low, high = Rate(float((said != labels).mean()), 400_000).interval(z=3.9)
    assert low <= LABELLERS[name] <= high
    assert (said[hidden] == 0).all()


def test_nobody_sees_hidden_birds_however_good_they_are():
    labels = np.ones(1000, np.int64)
    hidden = np.arange(1000) < 50
    said = labelled("team of experts", labels, hidden, missed=0.05)
    assert (said != labels).mean() == pytest.approx(0.05)


def test_the_table_of_labellers_is_the_planted_one_and_the_best_is_not_below_the_bayes_error():
    assert list(LABELLERS.values()) == [0.003, 0.005, 0.010, 0.012]
    assert Peacetopia().bayes_error == pytest.approx(0.002)
    assert Peacetopia().bayes_error < min(LABELLERS.values())


def test_the_source_has_the_sizes_that_its_facts_promise():
    part = Peacetopia(images=300, validation=120, test=80)
    source = part.load()
    assert source.counts == part.facts().counts == (300, 120, 80)
    assert part.facts()[1:] == ((32, 32, 3), 2)
    assert [len(pool) for pool in source.pools] == [300, 120, 80]
    assert (len(source.labels), source.class_names) == (500, ("no_bird", "bird"))
    assert part.own_split == "own"
    assert Peacetopia().own_split == "60/20/20"


def test_its_own_sets_stay_the_same_whatever_it_has_to_train_with():
    few, many = Peacetopia(images=100, validation=90).load(), Peacetopia(images=400, validation=90).load()
    assert np.array_equal(few.pools[1], many.pools[1])


@pytest.mark.parametrize("size", [16, 32, 48])
def test_a_stroke_covers_its_own_area(size):
    disc = np.zeros((1, 1, 6), np.float32)
    disc[0, 0] = (0, 0, 0.5, 0, 0, 0.5)
    covered = coverage(disc, size, blur=1.0)
    assert covered.shape == (1, size, size)
    assert covered.mean() == pytest.approx(np.pi * 0.25 / 4, rel=0.05)
    assert covered[0, size // 2, size // 2] == 1
    assert covered[0, 0, 0] == 0


def test_a_stroke_is_turned_scaled_and_moved():
    stroke = np.array([[[0, 0, 0.1, 1, 0, 0.2]]], np.float32)
    moved = placed_strokes(stroke, np.array([0.5]), np.array([np.pi / 2]), np.array([[0.25, -0.25]]))
    assert moved[0, 0] == pytest.approx([0.25, -0.25, 0.05, 0.25, 0.25, 0.1], abs=1e-6)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("domain: drone", "data.source.domain cannot be 'drone'"),
        ("birds: 0", "greater than 0"),
        ("birds: 100%", "less than 1"),
        ("images: 0", "greater than or equal to 1"),
        ("images: 2000000", "more than 4 GB"),
        ("hidden: 120%", "less than or equal to 1"),
        ("size: 8", "greater than or equal to 16"),
        ("speces: new", "there is no 'speces' here"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is(write_spec, improve, options, told):
    code, _, error = improve("check", write_spec(f"data: {{source: {{name: peacetopia, {options}}}}}\n"))
    assert code == 2
    assert told in error


def test_the_shelf_knows_it_and_explains_it(improve):
    assert "peacetopia" in improve("list", "datasets")[1]
    _, text, _ = improve("explain", "peacetopia")
    for word in ("simulated", "0.3 %", "1.2 %", "Bayes error", "new_species"):
        assert word in text
