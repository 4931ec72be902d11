"""A figure of the same numbers is drawn once in a test run."""

from functools import cache

from improve.views.figures.svg import svg_element
from improve.views.report import auto_section, page, run_section

FIGURES = {run_section: ("ladder_figure", "curves_figure", "reliability_figure"), page: ("overlay_figure",),
           auto_section: ("error_path", "start_and_best")}  # fmt: skip


class Asked:
    """A figure that is not drawn yet; what is asked for in the same words is the same figure."""

    def __init__(self, draw, arguments):
        self.draw, self.arguments, self.words = draw, arguments, repr((draw, arguments))

    def __eq__(self, other):
        return self.words == other.words

    def __hash__(self):
        return hash(self.words)


@cache
def drawn(asked, name, says):
    return svg_element(asked.draw(*asked.arguments), name, says)


def draw_each_once(monkeypatch):
    for module, names in FIGURES.items():
        monkeypatch.setattr(module, "svg_element", drawn)
        for name in names:
            draw = getattr(module, name)
            monkeypatch.setattr(module, name, lambda *arguments, draw=draw: Asked(draw, arguments))
