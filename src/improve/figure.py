"""Figures. The only file that names matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from improve.errors import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito's palette (2008), told apart by people with any colour vision.
COLORS = {"train": "#0072B2", "validation": "#D55E00", "train_dev": "#009E73"}
GREY = "#666666"
LABELS = {"train": "training", "validation": "validation", "train_dev": "train-dev"}


def figure(height: float, width: float = 8) -> Any:
    """A figure of 800 pixels' width without pyplot, which would cost a second to import and keep state."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    matplotlib.rcParams["text.parse_math"] = False  # a '$' in a class name is a dollar
    made = Figure(figsize=(width, height), dpi=100, layout=None)
    FigureCanvasAgg(made)
    return made


def save(made: Any, file: Path) -> None:
    """Written beside and moved into place: a viewer never sees half a picture."""
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.unlink(missing_ok=True)  # a link that lies there would be written through
    made.savefig(temporary, format="png")
    temporary.replace(file)


def draw_curves(
    file: Path, rows: list[dict[str, Any]], best: int, human_error: float | None,
    changes: Sequence[dict[str, Any]] = (),
) -> None:  # fmt: skip
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
    by_epoch: dict[float, list[str]] = {}
    for change in changes:
        name = str(change["path"]).rpartition(".")[2]
        by_epoch.setdefault(change["epoch"], []).append(printable(f"{name} {change['to']}", 40))
    for number, (epoch, told) in enumerate(by_epoch.items()):
        for one in axes:
            one.axvline(epoch + 0.5, color="#7F3C8D", linestyle=":", linewidth=1.2)
        height = 0.98 - 0.05 * (number % 3)  # neighbours do not cover each other
        above.annotate(", ".join(told), (epoch + 0.5, height), (3, 0), xycoords=above.get_xaxis_transform(),
                       textcoords="offset points", fontsize=8, color="#7F3C8D", va="top")  # fmt: skip


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
    for place, text, color in _spread(axes, notes):
        axes.annotate(text, (epoch, place), (-9 if on_the_left else 9, 0), textcoords="offset points", fontsize=8,
                      color=color, va="center", ha="right" if on_the_left else "left", zorder=6,
                      bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1})  # fmt: skip


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
        axes.annotate(text, (1.01, place), xycoords=axes.get_yaxis_transform(), color=color, fontsize=9, va="center",
                      annotation_clip=False)  # fmt: skip


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
    place = (1.01, rates[-1] or min(positive))
    axes.annotate(f"{rates[-1]:.3g}", place, xycoords=axes.get_yaxis_transform(), fontsize=9, color=GREY,
                  va="center", annotation_clip=False)  # fmt: skip
    tidy(axes)


def tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.tick_params(labelsize=8)


class Row(NamedTuple):
    """Images (n, height, width, channels; from 0 to 1) beside each other: what they are, and a name above each."""

    label: str
    images: Any
    names: Sequence[str] = ()


def draw_preview(file: Path, rates: Sequence[float], steps_per_epoch: int, rows: list[Row]) -> None:
    """The rate of every batch of the run, and rows of images."""
    stretch = 0.85 * len(rows) + 0.2 * sum(bool(row.names) for row in rows)
    height = 2.5 + stretch  # inches; the rate takes the upper two and a half
    made = figure(height)
    sides = {"left": 0.14, "right": 0.9}
    axes = made.add_subplot(made.add_gridspec(1, 1, **sides, top=1 - 0.4 / height, bottom=1 - 1.8 / height)[0])
    every = max(1, len(rates) // 2000)  # an 800 pixel picture shows no more
    draw_rate(axes, [step / steps_per_epoch for step in range(0, len(rates), every)], rates[::every], where="post")
    axes.set_xlabel("epochs done")
    axes.set_title("Learning rate over the run; training images and what augmentation makes of them", loc="left",
                   fontsize=9)  # fmt: skip
    grid = made.add_gridspec(len(rows), len(rows[0].images), **sides, top=1 - 2.5 / height, bottom=0.1 / height,
                             wspace=0.06, height_ratios=[0.85 + 0.2 * bool(row.names) for row in rows])  # fmt: skip
    for number, row in enumerate(rows):
        for place, image in enumerate(row.images):
            _tile(made.add_subplot(grid[number, place]), image, row, place)
    save(made, file)


def _tile(axes: Axes, image: Any, row: Row, place: int) -> None:
    axes.imshow(image.squeeze(axis=-1) if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=1)
    axes.set_axis_off()
    if row.names:
        axes.set_title(printable(row.names[place], 12), fontsize=8, pad=2)
    if place == 0:
        axes.annotate(row.label, (-0.15, 0.5), xycoords="axes fraction", ha="right", va="center", fontsize=9)
