"""curves.png of a run, as it grows, and its drawing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from improve.engine.training.checkpoint import Checkpoints
from improve.engine.training.history import History
from improve.errors import printable
from improve.figure import COLORS, GREY, PURPLE, figure, save, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIRST = 2.0  # seconds before the first one, and after it: it loads matplotlib, so what it took says nothing
SHARE = 20.0  # times what a drawing took pass before the next one: a tenth of a second is long for a short epoch
LABELS = {"train": "training", "validation": "validation", "train_dev": "train-dev"}


class Curves:
    """Drawn after every epoch, or as often as takes a twentieth of the time; the end of a run is always drawn."""

    def __init__(self, folder: Path, history: History, checkpoints: Checkpoints):
        self.file, self.history, self.checkpoints = folder / "curves.png", history, checkpoints
        self.epoch, self.next = 0, time.monotonic() + FIRST  # the last that is drawn; monotonic seconds

    def epoch_ended(self) -> None:
        if time.monotonic() >= self.next:
            self.draw()

    def ended(self) -> None:
        if self.history.rows and self.history.epoch != self.epoch:
            self.draw()

    def draw(self) -> None:
        began, history = time.monotonic(), self.history
        human_error = history.spec.diagnosis.human_error
        draw_curves(self.file, history.rows, history.best, human_error, self.checkpoints.changes)
        now = time.monotonic()
        self.next = now + (SHARE * (now - began) if self.epoch else FIRST)
        self.epoch = history.epoch


def draw_curves(
    file: Path,
    rows: list[dict[str, Any]],
    best: int,
    human_error: float | None,
    changes: Sequence[dict[str, Any]] = (),
) -> None:
    """Errors over epochs with the gaps at the best epoch, what was changed on the way, and the learning rate below."""
    made = figure(5.6)
    grid = made.add_gridspec(2, 1, height_ratios=(3.4, 1), left=0.09, right=0.82, top=0.93, bottom=0.1, hspace=0.12)
    above = made.add_subplot(grid[0])
    below = made.add_subplot(grid[1], sharex=above)
    draw_errors(above, rows, best, human_error)
    draw_changes((above, below), changes)
    draw_rate(below, [row["epoch"] for row in rows], [row["learning_rate"] for row in rows])
    above.tick_params(labelbottom=False)
    save(made, file)


def draw_errors(axes: Axes, rows: list[dict[str, Any]], best: int, human_error: float | None) -> None:
    """Draw each part's error in % over the epochs, with the gaps at epoch `best` (from 1) and a line for the human
    error."""
    epochs = [row["epoch"] for row in rows]
    ends = []
    for part, color in COLORS.items():
        if f"{part}_error" in rows[0]:
            errors = [100 * row[f"{part}_error"] for row in rows]
            axes.plot(epochs, errors, color=color, marker="o" if len(rows) < 3 else None, markersize=4)
            ends.append((errors[-1], LABELS[part], color))
    if human_error is not None:
        axes.axhline(100 * human_error, color=GREY, linestyle="--", linewidth=1)
        ends.append((100 * human_error, "human", GREY))
    top = max(100 * row[f"{part}_error"] for row in rows for part in COLORS if f"{part}_error" in row)
    axes.set(ylim=(0, max(1.0, top * 1.06)), ylabel="error, %")
    _mark_best(axes, rows[best - 1], human_error)
    axes.set_title("Clean errors after each epoch, and their gaps at the best", loc="left", fontsize=10, y=1.02)
    _label_ends(axes, ends)
    tidy(axes)


def draw_changes(axes: tuple[Axes, Axes], changes: Sequence[dict[str, Any]]) -> None:
    """A line where settings were changed, after that many epochs, with what they became."""
    above, _ = axes
    style: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8, "color": PURPLE, "va": "top"}
    across = above.get_xaxis_transform()
    by_epoch: dict[float, list[str]] = {}
    for change in changes:
        name = str(change["path"]).rpartition(".")[2]
        by_epoch.setdefault(change["epoch"], []).append(printable(f"{name} {change['to']}", 40))
    for number, (epoch, edits) in enumerate(by_epoch.items()):
        for panel in axes:
            panel.axvline(epoch + 0.5, color=PURPLE, linestyle=":", linewidth=1.2)
        height = 0.98 - 0.05 * (number % 3)  # neighbours do not cover each other
        above.annotate(", ".join(edits), (epoch + 0.5, height), (3, 0), xycoords=across, **style)


def _mark_best(axes: Axes, row: dict[str, Any], human_error: float | None) -> None:
    """A dot at the best epoch, and the gaps there as bars with their names."""
    epoch, validation = row["epoch"], 100 * row["validation_error"]
    axes.plot([epoch], [validation], "o", color=COLORS["validation"], markersize=7, zorder=5)
    left, right = axes.get_xlim()
    on_the_left = epoch > (left + right) / 2  # of the bar: where there is more room for words
    above_the_dot = validation + 0.06 * (axes.get_ylim()[1] - axes.get_ylim()[0])
    notes = [(above_the_dot, f"best: epoch {epoch}", COLORS["validation"])]
    for low, high, name in gaps(row, human_error):
        bar = {"arrowstyle": "|-|,widthA=0.25,widthB=0.25", "color": GREY, "linewidth": 1}
        axes.annotate("", (epoch, low), (epoch, high), arrowprops=bar)
        notes.append(((low + high) / 2, f"{name} {high - low:.1f}", GREY))
    style: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8, "va": "center", "zorder": 6}
    style |= {"bbox": {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1}}
    shift, side = (-9, "right") if on_the_left else (9, "left")
    for place, text, color in _spread(axes, notes):
        axes.annotate(text, (epoch, place), (shift, 0), color=color, ha=side, **style)


def gaps(row: dict[str, Any], human_error: float | None) -> list[tuple[float, float, str]]:
    """What separates the errors of an epoch, in percent: (from, to, name), upward gaps only."""
    train, validation = 100 * row["train_error"], 100 * row["validation_error"]
    train_dev = 100 * row.get("train_dev_error", row["validation_error"])
    steps = [(train, train_dev, "variance"), (train_dev, validation, "data mismatch")]
    if human_error is not None:
        steps.append((100 * human_error, train, "avoidable bias"))
    return [(low, high, name) for low, high, name in steps if high > low]


def _label_ends(axes: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Names beside the curves' ends instead of a legend."""
    named = [(value, f"{name} {value:.1f} %", color) for value, name, color in ends]
    for place, text, color in _spread(axes, named):
        _write_beside(axes, text, place, color)


def _write_beside(axes: Axes, text: str, place: float, color: str) -> None:
    """Write `text` at the right of the axes, at the height of a value."""
    style: dict[str, Any] = {"color": color, "fontsize": 9, "va": "center", "annotation_clip": False}
    axes.annotate(text, (1.01, place), xycoords=axes.get_yaxis_transform(), **style)


def _spread(axes: Axes, notes: list[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """The notes from bottom to top, pushed apart where they would overlap."""
    bottom, top = axes.get_ylim()
    gap, last = (top - bottom) * 0.06, -1e9
    placed = []
    for value, text, color in sorted(notes):
        last = max(value, last + gap)
        placed.append((last, text, color))
    return placed


def draw_rate(
    axes: Axes, epochs: Sequence[float], rates: Sequence[float], where: Literal["mid", "post"] = "mid"
) -> None:
    """The learning rate over `epochs`, on a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    axes.step(epochs, rates, where=where, color=GREY)
    positive = [rate for rate in rates if rate > 0] or [1.0]  # a logarithm has no place for 0
    axes.set_yscale("log")
    if max(positive) / min(positive) < 3:
        axes.set_ylim(min(positive) / 3, max(positive) * 3)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="epoch", ylabel="rate")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
    _write_beside(axes, f"{rates[-1]:.3g}", rates[-1] or min(positive), GREY)
    tidy(axes)
