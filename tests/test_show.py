"""Numbers and lines as people read them."""

import pytest

from improve.progress import blocks, line
from improve.show import duration, rate, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (4.1, "4.1 s"), (64, "64 s"), (100, "2 min"), (3600, "60 min"), (9000, "2 h 30 min")],
)
def test_a_duration_has_few_digits(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(999, "999"), (61706, "62 k"), (1_632_080, "1.6 M")])
def test_a_size_has_few_digits(count, words):
    assert size(count) == words


@pytest.mark.parametrize(("value", "words"), [(0.01, "0.0100"), (0.00836, "0.0084"), (1.5e-7, "1.5e-07")])
def test_a_rate_is_never_rounded_to_nothing(value, words):
    assert rate(value) == words


@pytest.mark.parametrize(
    ("share", "drawn"), [(0, ""), (1, "████████"), (0.5, "████"), (1 / 64, "▏"), (0.99, "███████▉")]
)
def test_the_bar_is_eight_blocks_long(share, drawn):
    assert blocks(share) == drawn


def test_an_epoch_is_one_line_that_says_where_the_best_was():
    row = {
        "epoch": 23,
        "loss": 0.71,
        "train_error": 0.214,
        "validation_error": 0.391,
        "learning_rate": 0.0051,
        "seconds": 3.9,
    }
    assert line(row, 18).split() == [
        "23",
        "0.710",
        "21.4",
        "%",
        "39.1",
        "%",
        "███▏",
        "0.0051",
        "3.9",
        "s",
        "best",
        "18",
    ]
    assert "best" not in line(row, 23)
