"""The picture of a preview: the rates of a run, and training images beside what augmentation makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.engine.preview import Row
from improve.engine.training.curves import draw_rate
from improve.errors import printable
from improve.figure import figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Learning rate over the run; training images and what augmentation makes of them"
SIDES: dict[str, Any] = {"left": 0.14, "right": 0.9}


def draw_preview(file: Path, rates: Sequence[float], steps_per_epoch: int, rows: list[Row]) -> None:
    """The rate of every batch of the run, and rows of images."""
    stretch = 0.85 * len(rows) + 0.2 * sum(bool(row.names) for row in rows)
    height = 2.5 + stretch  # inches; the rate takes the upper two and a half
    picture = figure(height)
    above = picture.add_gridspec(1, 1, **SIDES, top=1 - 0.4 / height, bottom=1 - 1.8 / height)
    _draw_rates(picture.add_subplot(above[0]), rates, steps_per_epoch)
    ratios = [0.85 + 0.2 * bool(row.names) for row in rows]
    below = {**SIDES, "top": 1 - 2.5 / height, "bottom": 0.1 / height, "wspace": 0.06, "height_ratios": ratios}
    grid = picture.add_gridspec(len(rows), len(rows[0].images), **below)
    for number, row in enumerate(rows):
        for place, image in enumerate(row.images):
            _tile(picture.add_subplot(grid[number, place]), image, row, place)
    save(picture, file)


def _draw_rates(axes: Axes, rates: Sequence[float], steps_per_epoch: int) -> None:
    every = max(1, len(rates) // 2000)  # an 800 pixel picture shows no more
    draw_rate(axes, [step / steps_per_epoch for step in range(0, len(rates), every)], rates[::every], where="post")
    axes.set_xlabel("epochs done")
    axes.set_title(TITLE, loc="left", fontsize=9)


def _tile(axes: Axes, image: Any, row: Row, place: int) -> None:
    axes.imshow(image.squeeze(axis=-1) if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=1)
    axes.set_axis_off()
    if row.names:
        axes.set_title(printable(row.names[place], 12), fontsize=8, pad=2)
    if place == 0:
        axes.annotate(row.label, (-0.15, 0.5), xycoords="axes fraction", ha="right", va="center", fontsize=9)
