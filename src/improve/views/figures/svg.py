"""A figure → SVG that stands in a page: its colours follow the page's, its text is text, and it says what it shows."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from improve.errors import printable
from improve.figure import BLACK, COLORS, GREY, GRID, PURPLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG, XLINK = "http://www.w3.org/2000/svg", "{http://www.w3.org/1999/xlink}href"
DROPPED = {f"{{{SVG}}}metadata", f"{{{SVG}}}style"}
SMALLEST = 9  # points: on a phone the figure is shown at about this size
#: what the page calls the colours that are drawn with; it has other ones in the dark
VARIABLES = {
    COLORS["train"]: "var(--train)",
    COLORS["validation"]: "var(--validation)",
    COLORS["train_dev"]: "var(--train-dev)",
    PURPLE: "var(--change)",
    GREY: "var(--muted)",
    GRID: "var(--grid)",
    "#ffffff": "var(--paper)",
    BLACK: "currentColor",
}
BY_CODE = {code.lower(): name for code, name in VARIABLES.items()}
COLOR = re.compile("#[0-9a-f]{6}")
FAMILY = re.compile(r"font-family:[^;]*;?\s*")
REFERENCE = re.compile(r"url\(#([^)]*)\)")


def svg_element(made: Figure, name: str, says: str) -> str:
    """The figure as an SVG element for a page of HTML. `name` is unlike that of every other figure of the page; `says`
    is read out instead of it. The same figure gives the same text."""
    root = ElementTree.fromstring(_drawn(made))
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in DROPPED]:
            parent.remove(child)
    used = set(_references(root))
    for element in root.iter():
        _restyle(element)
        _rename(element, name, used)
    for size in ("width", "height"):
        del root.attrib[size]
    root.attrib |= {"role": "img", "aria-label": printable(says, 2000)}
    _tighten(root)
    return ElementTree.tostring(root, encoding="unicode")


def _drawn(made: Figure) -> str:
    """matplotlib's own SVG, with text as text and without the date."""
    import matplotlib
    from matplotlib.text import Text

    for text in made.findobj(Text):
        text.set_fontsize(max(SMALLEST, text.get_fontsize()))
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "improve"}):
        made.savefig(stream, format="svg", metadata={"Date": None}, transparent=True)
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK[1:].partition("}")[0])
    return stream.getvalue()


def _references(root: ElementTree.Element) -> Iterator[str]:
    """The ids that something in the figure refers to."""
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == XLINK:
                yield value.removeprefix("#")
            yield from REFERENCE.findall(value)


def _restyle(element: ElementTree.Element) -> None:
    style = element.get("style")
    if style:
        style = COLOR.sub(lambda found: BY_CODE.get(found[0], found[0]), FAMILY.sub("", style))
        element.set("style", style)


def _rename(element: ElementTree.Element, name: str, used: set[str]) -> None:
    """An id stands once in a page, so it gets the figure's name in front; one that nobody refers to goes."""
    own = element.attrib.pop("id", None)
    if own in used:
        element.set("id", f"{name}-{own}")
    for key, value in element.attrib.items():
        if key == XLINK:
            element.set(key, f"#{name}-{value.removeprefix('#')}")
        else:
            element.set(key, REFERENCE.sub(rf"url(#{name}-\1)", value))


def _tighten(root: ElementTree.Element) -> None:
    """Leave out what is only there for a reader of the source."""
    for element in root.iter():
        if element.tag != f"{{{SVG}}}text":
            element.text = None
        element.tail = None
        if element.get("d"):
            element.set("d", " ".join(element.get("d", "").split()))
