"""Writes docs/findings.md: every finding that is weighed, and where its signs lie in the random worlds.

    python benchmarks/random_worlds/pictures.py

Needs matplotlib, scikit-learn and no Keras. The signs are those that the shipped forest has for each cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from fit import Row, observed
from matplotlib.figure import Figure

from improve.diagnosis.causes import CAUSES
from improve.diagnosis.findings import ORDER
from improve.diagnosis.findings.rule import Rule
from improve.diagnosis.forest import Forest, shipped
from improve.diagnosis.signs import SIGNS
from improve.diagnosis.weighing import SOUND, weighed
from improve.runs.files import write_text

DOCS = Path(__file__).parents[2] / "docs"
PANELS, WIDE, HIGH, DPI = 3, 7.5, 1.2, 90  # signs of a finding; inches
GROUPS = (("this cause", "#c23b22"), ("other faults", "#9a9a9a"), ("sound runs", "#2b6cb0"))
LEAST = 1e-6  # on a logarithmic axis
HEAD = """# Findings, and where their signs lie

Written by `python benchmarks/random_worlds/pictures.py`. A dot is a run of the random worlds (benchmarks/RESULTS.md
says how many there are): one with the cause, one with another fault, or a sound one. The signs are those that say most
for the cause, as the forest weighs them. `improve explain CODE` prints the same text.
"""


def main() -> None:
    matplotlib.rcParams["font.size"] = 7.5
    rows, forest = [row for row in observed(None) if row.cause], shipped()
    parts = [HEAD]
    for rule in ORDER:
        parts += section(rule, rows, forest)
    write_text(DOCS / "findings.md", "\n".join(parts))


def section(rule: type[Rule], rows: list[Row], forest: Forest) -> Iterator[str]:
    causes = [name for name, cause in CAUSES.items() if cause.codes[0] == rule.code and forest.curves.get(name)]
    for name in causes:
        kind = f", {name.replace('_', ' ')}" if len(causes) > 1 else ""
        runs = sum(row.cause == name for row in rows)
        yield f"## {rule.code}  {rule.title}{kind}\n\n{rule.explanation()}\n"
        head, *signs = weighed(rule.code).splitlines()
        yield "\n".join([head, "", *(f"- {line.strip()}" for line in signs), ""])
        drawn = [sign for sign in forest.curves[name] if sign in SIGNS][:PANELS]
        if drawn:
            file = DOCS / "findings" / f"{rule.code}_{name}.png"
            picture(name, drawn, rows, file)
            yield f"![Signs of {rule.code} in {runs} runs with the cause](findings/{file.name})\n"


def picture(cause: str, signs: list[str], rows: list[Row], file: Path) -> None:
    figure = Figure(figsize=(WIDE, HIGH * len(signs)), layout="constrained")
    for axes, sign in zip(np.atleast_1d(figure.subplots(len(signs), 1)), signs, strict=True):
        panel(axes, cause, sign, rows)
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file, dpi=DPI, metadata={"Software": None})


def panel(axes: Any, cause: str, sign: str, rows: list[Row]) -> None:
    one, spread = SIGNS[sign], np.random.default_rng(0)
    for height, (label, colour) in enumerate(GROUPS):
        values = [one.natural(row.values[sign]) for row in rows if sign in row.values and group(row, cause) == label]
        values = [max(value, LEAST) for value in values] if one.log else values
        places = height + spread.uniform(-0.3, 0.3, len(values))
        axes.scatter(values, places, s=9 if label == GROUPS[0][0] else 5, color=colour, alpha=0.6, linewidths=0)
    axes.set_yticks(range(len(GROUPS)), [label for label, _ in GROUPS])
    axes.set_title(one.title, loc="left", fontsize=7.5)
    if one.log:
        axes.set_xscale("log")


def group(row: Row, cause: str) -> str:
    return GROUPS[0 if row.cause == cause else 2 if row.cause == SOUND else 1][0]


if __name__ == "__main__":
    main()
