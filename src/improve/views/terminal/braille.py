"""Error curves as lines of text: braille dots where the terminal can show them, plain characters elsewhere. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from improve.views.text.numbers import percent

AXIS, HUMAN, BEST = "a", "h", "b"  # marks beside those of the curves
LABELS = 19  # columns at the right for what the curves are called and where they are
LEFT = 7  # columns at the left: "100 % ┤" without its last
TOPS = (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10)  # times a power of ten: half of each is a short number, too
BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille character, from the top left


class Curve(NamedTuple):
    """One measure over the epochs, as shares from 0 to 1. `mark` is one letter, the plain form of its dots."""

    label: str
    mark: str
    values: Sequence[float]


class Line(NamedTuple):
    """A line of the chart, and for each of its characters the mark of what it belongs to (a blank: nothing)."""

    text: str
    marks: str


class Style(NamedTuple):
    """The characters of a chart. `across` and `down`: dots in one character."""

    across: int
    down: int
    side: str
    tick: str
    corner: str
    floor: str
    foot: str
    best: str


BRAILLE = Style(2, 4, "│", "┤", "└", "─", "┬", "●")
PLAIN = Style(1, 1, "|", "+", "+", "-", "+", "O")


class Scale(NamedTuple):
    """Where a value of an epoch lies, in dots from the top left. `last`: the epoch at the right edge."""

    last: int
    top: float
    width: int
    height: int

    def x(self, epoch: float) -> int:
        return round((epoch - 1) / (self.last - 1) * (self.width - 1))

    def y(self, value: float) -> int:
        """The dot from the top at which a value lies; not further out than one dot: what is not on the chart is not
        drawn."""
        place = (1 - value / self.top) * (self.height - 1)
        return round(min(max(place, -1.0), float(self.height)))


class Grid:
    """Dots, character by character."""

    def __init__(self, columns: int, rows: int, style: Style):
        self.columns, self.rows, self.style = columns, rows, style
        self.bits = [[0] * columns for _ in range(rows)]
        self.marks = [[" "] * columns for _ in range(rows)]

    def dot(self, x: int, y: int, mark: str) -> None:
        row, column = y // self.style.down, x // self.style.across
        if 0 <= row < self.rows and 0 <= column < self.columns:
            self.bits[row][column] |= BITS[y % self.style.down][x % self.style.across]
            self.marks[row][column] = mark

    def line(self, row: int) -> Line:
        marks = "".join(self.marks[row])
        if self.style is PLAIN:
            return Line(marks.replace(HUMAN, "-").replace(BEST, PLAIN.best), marks)
        cells = zip(self.bits[row], marks, strict=True)
        text = "".join(BRAILLE.best if mark == BEST else chr(0x2800 + bits) if bits else " " for bits, mark in cells)
        return Line(text, marks)


def chart(
    curves: Sequence[Curve], best: int, human: float | None, width: int, rows: int = 7, style: Style = BRAILLE
) -> list[Line]:
    """Three lines more than `rows`, none wider than `width`: a heading, the curves, the axis, its numbers. The first
    curve is drawn over the others, and the `best` epoch is marked on it. From two epochs on."""
    columns, epochs = width - LEFT - 1 - LABELS, len(curves[0].values)
    scale = Scale(epochs, ceiling(curves, human), columns * style.across, rows * style.down)
    grid = Grid(columns, rows, style)
    if human is not None:
        draw_level(grid, scale, human)
    for curve in reversed(curves):
        draw_curve(grid, scale, curve)
    at_best = curves[0].values[best - 1]
    grid.marks[scale.y(at_best) // style.down][scale.x(best) // style.across] = BEST
    ends = [(curve.values[-1], curve.label, curve.mark) for curve in curves]
    ends += [] if human is None else [(human, "human", HUMAN)]
    heading = f"{'error':>{LEFT - 1}}  {style.best} best epoch {best}: {percent(at_best)}"
    beside = labels(ends, rows, scale, style)
    body = [joined(axis(row, rows, scale, style), grid.line(row), beside[row]) for row in range(rows)]
    return [Line(heading, AXIS * len(heading)), *body, *foot(columns, scale, style)]


def joined(*parts: Line) -> Line:
    return Line("".join(part.text for part in parts).rstrip(), "".join(part.marks for part in parts))


def ceiling(curves: Sequence[Curve], human: float | None) -> float:
    """The top of the error axis. The first quarter of the epochs may lie above it: the rest would be one flat line."""
    settled = [value for curve in curves for value in curve.values[len(curve.values) // 4 :]]
    return next_short_number(max([*settled, human or 0.0]))


def next_short_number(most: float) -> float:
    """The next higher number that is short, as its half is."""
    if most <= 0:
        return 0.01
    power = 10.0 ** math.floor(math.log10(most))
    return next(float(f"{top * power:.2g}") for top in TOPS if top * power >= most * (1 - 1e-9))


def draw_level(grid: Grid, scale: Scale, value: float) -> None:
    """A dashed line."""
    dash = 2 * grid.style.across
    for x in range(scale.width):
        if x % (2 * dash) < dash:
            grid.dot(x, scale.y(value), HUMAN)


def draw_curve(grid: Grid, scale: Scale, curve: Curve) -> None:
    points = [(scale.x(epoch), scale.y(value)) for epoch, value in thinned(curve.values, scale.width)]
    for begin, end in pairwise(points):
        for x, y in segment(begin, end):
            grid.dot(x, y, curve.mark)


def thinned(values: Sequence[float], width: int) -> Iterator[tuple[int, float]]:
    """Epochs with their values; of more than fit, the lowest and the highest in each of `width` stretches."""
    if len(values) <= 2 * width:
        yield from enumerate(values, start=1)
        return
    for number in range(width):
        stretch = range(number * len(values) // width, (number + 1) * len(values) // width)
        chosen = {min(stretch, key=values.__getitem__), max(stretch, key=values.__getitem__)}
        yield from ((at + 1, values[at]) for at in sorted(chosen))


def segment(begin: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The dots of a straight line, without holes."""
    steps = max(abs(end[0] - begin[0]), abs(end[1] - begin[1]), 1)
    for step in range(steps + 1):
        yield tuple(round(a + (b - a) * step / steps) for a, b in zip(begin, end, strict=True))  # type: ignore[misc]


def labels(ends: Sequence[tuple[float, str, str]], rows: int, scale: Scale, style: Style) -> list[Line]:
    """Beside each curve's end its name and value; those that would cover each other move apart."""
    placed = [Line("", "")] * rows
    ordered, free = sorted(ends, key=lambda end: -end[0]), 0
    for number, (value, name, mark) in enumerate(ordered):
        wanted = min(max(scale.y(value), 0) // style.down, rows - len(ordered) + number)
        text = f" {name} {percent(value)}"
        placed[max(wanted, free)] = Line(text, " " + mark * (len(text) - 1))
        free = max(wanted, free) + 1
    return placed


def axis(row: int, rows: int, scale: Scale, style: Style) -> Line:
    """The error axis: numbers at the top, in the middle and at the bottom."""
    share = {0: 1.0, rows // 2: 0.5, rows - 1: 0.0}.get(row)
    number, sign = ("", style.side) if share is None else (f"{100 * share * scale.top:.3g} %", style.tick)
    text = f"{number:>{LEFT - 1}} {sign}"
    return Line(text, AXIS * len(text))


def foot(columns: int, scale: Scale, style: Style) -> Iterator[Line]:
    """The epoch axis and its numbers."""
    line, numbers = [style.floor] * columns, [" "] * (columns + LABELS)
    free = 0
    for epoch in round_epochs(scale.last):
        at = scale.x(epoch) // style.across
        begin = max(at - len(str(epoch)) // 2, 0)
        if begin >= free:
            line[at] = style.foot
            numbers[begin : begin + len(str(epoch))] = str(epoch)
            free = begin + len(str(epoch)) + 2
    begin = max(free - 1, columns + 1)
    numbers[begin : begin + 5] = "epoch"
    for text in (f"{' ' * LEFT}{style.corner}{''.join(line)}", f"{' ' * (LEFT + 1)}{''.join(numbers)}".rstrip()):
        yield Line(text, AXIS * len(text))


def round_epochs(last: int) -> Iterator[int]:
    """The first epoch, and multiples of 1, 2 or 5 times a power of ten: about five of them."""
    power = 10 ** max(math.floor(math.log10(last / 5)), 0)
    step = next(step for factor in (1, 2, 5, 10) if (step := factor * power) * 6 >= last)
    yield 1
    yield from range(step if step > 1 else 2, last + 1, step)
