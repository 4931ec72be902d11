"""The curve at the foot of the terminal: which characters stand where, and when there is none."""

import io
import math
import time
from types import SimpleNamespace

import pytest

from improve.engine.training.watcher import Announcement
from improve.spec.spec import Spec
from improve.views.terminal import live_curve, training
from improve.views.terminal.braille import BRAILLE, PLAIN, Curve, chart, next_short_number, round_epochs
from improve.views.terminal.console import Terminal
from improve.views.terminal.live_curve import LiveCurve, style_for
from improve.views.terminal.training import TerminalWatcher

VALIDATION = Curve("validation", "v", [1.0, 0.75, 0.5])
TRAIN = Curve("train", "t", [1.0, 0.5, 0.0])


def texts(*arguments, **options):
    return [line.text for line in chart(*arguments, **options)]


def test_two_curves_and_the_human_level_in_braille():
    assert texts([VALIDATION, TRAIN], best=3, human=0.25, width=36, rows=5) == [
        " error  ● best epoch 3: 50.0 %",
        " 100 % ┤⠑⡦⢄",
        "       │ ⠈⠢⡉⠢⢄⡀",
        "  50 % ┤   ⠑⢄ ⠈⠑● validation 50.0 %",
        "       │⠤⠤  ⠤⠵⢄ ⠤ human 25.0 %",
        "   0 % ┤       ⠑⢄ train 0.0 %",
        "       └┬───┬───┬",
        "        1   2   3 epoch",
    ]


def test_the_same_where_there_is_no_braille():
    assert texts([VALIDATION, TRAIN], best=3, human=0.25, width=36, rows=5, style=PLAIN) == [
        " error  O best epoch 3: 50.0 %",
        " 100 % +vvv",
        "       |  tvvv",
        "  50 % +   tttvvO validation 50.0 %",
        "       |--  --t - human 25.0 %",
        "   0 % +       tt train 0.0 %",
        "       ++---+---+",
        "        1   2   3 epoch",
    ]


def test_each_character_is_marked_with_what_it_belongs_to():
    lines = chart([VALIDATION, TRAIN], best=3, human=None, width=36, rows=5, style=PLAIN)
    assert lines[2].text + "|" == "       |  tvvv|"
    assert lines[2].marks == "aaaaaaaa  tvvv   "
    assert lines[3].marks == "aaaaaaaa   tttvvb" + " vvvvvvvvvvvvvvvvv"


def test_labels_of_curves_that_end_together_stand_below_each_other():
    curves = [
        Curve("validation", "v", [0.4, 0.1]),
        Curve("train-dev", "d", [0.4, 0.1]),
        Curve("train", "t", [0.4, 0.1]),
    ]
    ends = [text[17:].strip() for text in texts(curves, best=2, human=0.1, width=36, rows=5)[1:6]]
    assert ends == ["", "validation 10.0 %", "train-dev 10.0 %", "train 10.0 %", "human 10.0 %"]


def test_where_nothing_is_wrong_the_curve_lies_on_the_floor():
    assert texts([Curve("validation", "v", [0.0, 0.0])], best=1, human=None, width=36, rows=3)[1:4] == [
        "   1 % ┤",
        " 0.5 % ┤",
        "   0 % ┤●⣀⣀⣀⣀⣀⣀⣀⣀ validation 0.0 %",
    ]


@pytest.mark.parametrize(
    ("most", "top"), [(0, 0.01), (0.001, 0.001), (0.011, 0.012), (0.35, 0.4), (0.51, 0.6), (0.81, 1.0), (1.0, 1.0)]
)
def test_the_top_of_the_axis_is_a_short_number_not_below_what_is_drawn(most, top):
    assert next_short_number(most) == top


@pytest.mark.parametrize(
    ("last", "epochs"),
    [(2, [1, 2]), (7, [1, 2, 4, 6]), (40, [1, 10, 20, 30, 40]), (1000, [1, 200, 400, 600, 800, 1000])],
)
def test_the_epoch_axis_has_round_numbers(last, epochs):
    assert list(round_epochs(last)) == epochs


def long_run(epochs):
    return [0.3 + 0.6 * math.exp(-number / 100) + 0.01 * (number % 7) for number in range(epochs)]


def test_one_bad_epoch_of_a_thousand_is_seen():
    quiet, loud = [0.2] * 1000, [0.2] * 700 + [0.9] + [0.2] * 299
    tops = [chart([Curve("validation", "v", values)], 1, 0.9, 80)[1].marks for values in (quiet, loud)]
    places = [[place for place, mark in enumerate(marks[8:61]) if mark == "v"] for marks in tops]
    assert places == [[], [37]]  # of 53 columns


def test_the_first_quarter_may_leave_the_chart_so_that_the_rest_is_seen():
    values = [0.9, 0.3] + [0.05] * 8
    assert texts([Curve("validation", "v", values)], best=3, human=None, width=60)[1].startswith("   5 % ┤")
    assert texts([Curve("validation", "v", values[:3])], best=3, human=None, width=60)[1].startswith(" 100 % ┤")


@pytest.mark.parametrize("width", [60, 77, 100])
@pytest.mark.parametrize("style", [BRAILLE, PLAIN])
@pytest.mark.parametrize("epochs", [2, 3, 59, 1000])
def test_no_line_is_wider_than_the_terminal_and_none_holds_more_characters_than_marks(width, style, epochs):
    curves = [Curve("validation", "v", [1.0] * epochs), Curve("train", "t", long_run(epochs))]
    lines = chart(curves, epochs, 0.06, width, style=style)
    assert len(lines) == 10
    assert max(len(line.text) for line in lines) <= width
    assert all(len(line.marks) >= len(line.text) for line in lines)
    assert style is BRAILLE or all(line.text.isascii() for line in lines)


def rows_of(values):
    return [{"epoch": number, "train_error": value / 2, "validation_error": value, "validation_cross_entropy": value}
            for number, value in enumerate(values, start=1)]  # fmt: skip


def terminal(width=80, height=24, encoding="utf-8", **options):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    options = {"force_terminal": True, "_environ": {"TERM": "xterm-256color"}} | options
    return Terminal(file=stream, width=width, height=height, legacy_windows=False, **options)


def printed(console, curve):
    console.print(curve)
    console.file.flush()
    return console.file.buffer.getvalue().decode(console.encoding)


def test_the_best_epoch_is_that_of_the_run_ties_by_cross_entropy():
    rows = rows_of([0.5, 0.2, 0.2, 0.4])
    rows[2]["validation_cross_entropy"] = 0.1
    assert "best epoch 3: 20.0 %" in printed(terminal(), LiveCurve(None, rows))


@pytest.mark.parametrize(
    ("console", "values"),
    [
        (terminal(width=59), [0.4, 0.2]),
        (terminal(height=19), [0.4, 0.2]),
        (terminal(), [0.4]),
        (terminal(), []),
        (terminal(_environ={"TERM": "dumb"}), [0.4, 0.2]),
    ],
    ids=["narrow", "low", "one epoch", "no epoch", "dumb"],
)
def test_there_is_no_curve_where_it_has_no_place(console, values):
    assert printed(console, LiveCurve(None, rows_of(values))).strip() == ""


def test_colours_only_where_they_are_wanted():
    curve = LiveCurve(0.1, rows_of([0.4, 0.2, 0.3]))
    assert "38;5;" in printed(terminal(), curve)
    plain = printed(terminal(_environ={"TERM": "xterm-256color", "NO_COLOR": "1"}), LiveCurve(0.1, curve.rows))
    assert "38;5;" not in plain
    assert "validation 30.0 %" in plain


def test_an_encoding_without_braille_gets_plain_characters(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    assert style_for(terminal()) is BRAILLE
    assert style_for(terminal(encoding="latin-1")) is PLAIN
    assert printed(terminal(encoding="latin-1"), LiveCurve(None, rows_of([0.4, 0.2]))).isascii()
    monkeypatch.setenv("TERM", "linux")
    assert style_for(terminal()) is PLAIN


def test_it_is_drawn_anew_for_a_new_epoch_or_another_width_only(monkeypatch):
    drawn = []
    monkeypatch.setattr(live_curve, "chart", lambda *arguments, **options: drawn.append(arguments) or [])
    curve, console = LiveCurve(None, rows_of([0.4, 0.2])), terminal()
    for _ in range(3):
        printed(console, curve)
    assert len(drawn) == 1
    curve.rows += rows_of([0.1])
    printed(console, curve)
    console.width = 90
    printed(console, curve)
    assert len(drawn) == 3


@pytest.fixture
def watched(monkeypatch, tmp_path):
    """A watcher on a terminal whose run goes on after two epochs; gives it and what the terminal got."""
    monkeypatch.setenv("TERM", "xterm-256color")
    (tmp_path / "metrics.csv").write_text(
        "epoch,train_error,validation_error,validation_cross_entropy\n1,0.5,0.6,2\n2,0.3,0.4,1\n"
    )
    out = terminal(width=90)
    monkeypatch.setattr(training, "console", lambda stderr: out)
    watcher = TerminalWatcher()
    data = SimpleNamespace(parts={}, duplicates={}, skipped=())
    watcher.started(tmp_path, Spec(), data, Announcement(9, "CPU", steps_per_epoch=4))

    def seen():
        out.file.flush()
        return out.file.buffer.getvalue().decode()

    return watcher, seen


EPOCH = {"epoch": 3, "loss": 0.3, "learning_rate": 0.1, "seconds": 1.0, "train_error": 0.2, "validation_error": 0.3,
         "validation_cross_entropy": 0.9}  # fmt: skip


def test_a_run_that_goes_on_shows_its_whole_history_and_the_curve_stays(watched):
    watcher, seen = watched
    assert "best epoch 2: 40.0 %" in seen()
    watcher.epoch(EPOCH, 3)
    watcher.close()
    last = seen().rpartition("error  ●")[2]
    assert "best epoch 3: 30.0 %" in last
    assert "Ctrl+C stops" not in last
    before = seen()
    watcher.close()
    assert seen() == before


def test_a_warning_while_it_trains_stands_above_the_curve(watched):
    watcher, seen = watched
    watcher.warn("the server is gone\x1b[31m")
    text = seen()
    assert "warning: the server is gone·[31m" in text
    assert text.rindex("warning") < text.rindex("best epoch")


def test_a_run_of_a_thousand_epochs_is_redrawn_in_milliseconds():
    """Generous for a busy machine; alone, an epoch costs about 5 ms and a refresh between two about 1 ms."""
    curve, console = LiveCurve(0.05, rows_of(long_run(1000))), terminal(width=100, height=40)
    began = time.process_time()
    printed(console, curve)
    first = time.process_time() - began
    began = time.process_time()
    for _ in range(20):
        console.print(curve)
    again = (time.process_time() - began) / 20
    assert first < 0.1
    assert again < 0.02
    print(f"\n{1000 * first:.1f} ms for an epoch, {1000 * again:.1f} ms for a refresh")
