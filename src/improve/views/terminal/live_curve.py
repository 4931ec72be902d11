"""The curve of a run that trains, at the foot of a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from improve.engine.training.history import epoch_rank
from improve.figure import COLORS
from improve.views.terminal.braille import BEST, BRAILLE, PLAIN, Curve, Line, Style, chart

NARROWEST, LOWEST, WIDEST = 60, 20, 100  # of a terminal: columns, rows; of the chart: columns
MARKS = {"validation": "v", "train_dev": "d", "train": "t"}
STYLES = {mark: COLORS[part] for part, mark in MARKS.items()} | {"a": "dim", "h": "", BEST: "bold"}


class LiveCurve:
    """Clean errors after each epoch, drawn anew when there is one more or the terminal has another size; nothing where
    the terminal is too small."""

    def __init__(self, human: float | None, rows: Iterable[dict[str, Any]] = ()):
        self.human, self.rows = human, list(rows)
        self.drawn: tuple[tuple[int, int], list[Text]] = ((0, 0), [])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = console.size
        if len(self.rows) < 2 or width < NARROWEST or height < LOWEST or console.is_dumb_terminal:
            return
        if self.drawn[0] != (len(self.rows), width):
            self.drawn = (len(self.rows), width), [coloured(line) for line in self.lines(width, style_for(console))]
        yield from (Text(""), *self.drawn[1], Text(""))

    def lines(self, width: int, style: Style) -> list[Line]:
        measured = [part for part in MARKS if f"{part}_error" in self.rows[0]]
        curves = [
            Curve(part.replace("_", "-"), MARKS[part], [row[f"{part}_error"] for row in self.rows]) for part in measured
        ]
        best = min(range(len(self.rows)), key=lambda number: epoch_rank(self.rows[number])) + 1
        return chart(curves, best, self.human, min(width, WIDEST), style=style)


def style_for(console: Console) -> Style:
    """The Linux console's font and Windows' old one have no braille, whatever their encoding could say."""
    if console.legacy_windows or os.environ.get("TERM") == "linux":
        return PLAIN
    try:
        "".join((*BRAILLE[2:], "⣿")).encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return BRAILLE


def coloured(line: Line) -> Text:
    text, place = Text(no_wrap=True, end="\n"), 0
    for mark, same in groupby(line.marks[: len(line.text)]):
        length = len(list(same))
        text.append(line.text[place : place + length], STYLES.get(mark, ""))
        place += length
    return text
