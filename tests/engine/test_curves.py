"""How often curves.png is drawn: after every epoch, unless that would take more than a twentieth of the time."""

from types import SimpleNamespace

import pytest

from improve.engine.training import curves


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """The epochs after which it is drawn, of a run of `epochs` that take `seconds` each, a drawing `cost`."""
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(curves, "time", clock)

    def run(epochs, seconds, cost, first=1.5):
        spec = SimpleNamespace(diagnosis=SimpleNamespace(human_error=None))
        history = SimpleNamespace(rows=[], epoch=0, best=1, spec=spec)
        found = []

        def draw(file, rows, best, human_error, changes):
            clock.now += cost if found else first  # matplotlib is loaded
            found.append(len(rows))

        monkeypatch.setattr(curves, "draw_curves", draw)
        made = curves.Curves(tmp_path, history, SimpleNamespace(changes=[]))
        for epoch in range(1, epochs + 1):
            clock.now += seconds
            history.epoch, history.rows = epoch, [{}] * epoch
            made.epoch_ended()
        made.ended()
        return found

    return run


def test_after_every_epoch_where_epochs_take_seconds(drawn):
    assert drawn(epochs=6, seconds=4.0, cost=0.2) == [1, 2, 3, 4, 5, 6]


def test_after_a_twentieth_of_the_time_where_they_are_shorter_and_at_the_end(drawn):
    assert drawn(epochs=20, seconds=1.0, cost=0.25) == [2, 4, 9, 14, 19, 20]


def test_a_short_run_is_drawn_to_its_end(drawn):
    assert drawn(epochs=3, seconds=0.01, cost=0.2) == [3]


def test_a_run_that_ended_before_its_first_epoch_has_no_curves(drawn):
    assert drawn(epochs=0, seconds=1.0, cost=0.2) == []
