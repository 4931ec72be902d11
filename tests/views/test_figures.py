"""Pictures: what is drawn, and that odd histories do not break them."""

import pytest

from improve.engine.preview import Row
from improve.engine.training.curves import draw_curves, gaps
from improve.views.figures.preview import draw_preview


def history(*errors, **more):
    return [
        {"epoch": number, "train_error": train, "validation_error": validation, "learning_rate": 0.01, **more}
        for number, (train, validation) in enumerate(errors, start=1)
    ]


def test_the_gaps_are_those_of_the_ladder():
    row = {"train_error": 0.1, "train_dev_error": 0.15, "validation_error": 0.3}
    assert [(round(low, 9), round(high, 9), name) for low, high, name in gaps(row, 0.02)] == [
        (10, 15, "variance"), (15, 30, "data mismatch"), (2, 10, "avoidable bias"),
    ]  # fmt: skip


def test_a_gap_that_is_not_there_is_not_drawn():
    assert gaps({"train_error": 0.2, "validation_error": 0.1}, None) == []
    assert gaps({"train_error": 0.0, "validation_error": 0.0}, 0.1) == []


@pytest.mark.parametrize(
    ("rows", "best", "human"),
    [
        (history((0.5, 0.6)), 1, None),
        (history((0.5, 0.6), (0.4, 0.5)), 2, 0.06),
        (history((0.0, 0.0), (0.0, 0.0)), 1, 0.0),
        (history((0.9, 0.1), (0.9, 0.2), train_dev_error=0.5), 1, 0.5),
        (history(*[(0.1, 0.2)] * 500), 250, None),
    ],
)
def test_odd_histories_are_drawn(tmp_path, rows, best, human):
    draw_curves(tmp_path / "curves.png", rows, best, human)
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert [file.name for file in tmp_path.iterdir()] == ["curves.png"]


@pytest.mark.filterwarnings("ignore:Data has no positive values")  # Matplotlib's, of rates that are all 0
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rates", [[0.1, 0.01] * 7, [0.0] * 14, [0.1] * 13 + [0.0], [1e-9 * n for n in range(100_002)]])
def test_grey_and_colour_images_and_any_rates_are_previewed(tmp_path, channels, rates):
    import numpy as np

    images = np.full((8, 6, 6, channels), 0.5, np.float32)
    rows = [Row("original", images, ["$\\frac{a", "[red]", "x" * 300, *"abcde"]), Row("draw 1", images)]
    draw_preview(tmp_path / "p.png", rates, 7, rows)
    assert (tmp_path / "p.png").stat().st_size > 1000
