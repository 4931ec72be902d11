"""The one style of every figure: its colours, its size, and how it is saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito's palette (2008), told apart by people with any colour vision.
COLORS = {"train": "#0072B2", "validation": "#D55E00", "train_dev": "#009E73"}
GREY, PURPLE, BLACK, GRID = "#666666", "#7F3C8D", "#000000", "#dddddd"


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


def tidy(axes: Axes, label_size: float = 8) -> None:
    """Leave no frame but the two axes, faint lines across, and numbers of `label_size` points."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.tick_params(labelsize=label_size)
