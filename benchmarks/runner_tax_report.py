"""The figures of the runner tax as a section of Markdown."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

HEADING = "## Runner tax"
BASELINE = "python -c pass"
BUSY = 0.1  # cores used by other processes, from which on the figures are doubtful
PACKAGES = ("improve-keras", "keras", "tensorflow", "numpy")

Figures = dict[str, Any]


class Table(NamedTuple):
    """A case and its figures by way, one per round; `note` says why there are none. `goal`: of the CPU time for
    training, against the Keras script's."""

    title: str
    goal: float
    results: dict[str, list[Figures]]
    note: str = ""


class Column(NamedTuple):
    title: str
    figure: str
    show: Callable[[float], str]


def number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


COLUMNS = (
    Column("training, s", "training", number),
    Column("training, CPU-s", "training_cpu", number),
    Column("epoch, s", "epoch", number),
    Column("beside training", "beside", percent),
    Column("peak memory, MB", "memory", number),
    Column("process, s", "wall", number),
    Column("process, CPU-s", "cpu", number),
    Column("validation error", "error", percent),
    Column("others' CPU, cores", "others", "{:.2f}".format),
)


class Judged(NamedTuple):
    """A figure of improve, divided by that of `way` in the same round where one is named."""

    title: str
    figure: str
    way: str | None
    goal: float | None = None


JUDGED = (
    Judged("training, wall time", "training", "keras+onednn"),
    Judged("training, wall time", "training", "keras"),
    Judged("training, wall time", "training", "pytorch"),
    Judged("training, CPU time", "training_cpu", "keras"),
    Judged("training, CPU time", "training_cpu", "pytorch"),
    Judged("whole epoch, wall time", "epoch", "keras+onednn"),
    Judged("whole epoch, wall time", "epoch", "keras"),
    Judged("whole epoch, wall time", "epoch", "pytorch"),
    Judged("measuring, recording and drawing, share of the epoch", "beside", None, 0.10),
    Judged("peak memory", "memory", "keras+onednn", 1.25),
    Judged("peak memory", "memory", "keras"),
    Judged("peak memory", "memory", "pytorch"),
)


#: of quickstart.yaml as a whole process, and of the commands: times what an empty Python takes
QUICKSTART_GOALS = {"keras": 0.43, "pytorch": 0.72}
ON_JAX, ON_JAX_SECONDS = "improve on JAX, compiled before", 2.8
COMMAND_GOALS = {"--help": 10.0, "check quickstart.yaml": 18.0, "diagnose runs/a": 35.0, "report runs/a": 110.0}


def section(
    arguments: dict[str, Any],
    tables: list[Table],
    quickstart: dict[str, list[Figures]],
    commands: dict[str, list[Figures]],
) -> str:
    parts = [HEADING, about(arguments, tables), warning(tables)]
    parts += [part for table in tables for part in of_case(table)]
    parts += ["### quickstart.yaml, the whole process", of_quickstart(quickstart)]
    parts += ["### Commands that do not train", of_commands(commands)]
    return "\n\n".join(part for part in parts if part) + "\n"


def about(arguments: dict[str, Any], tables: list[Table]) -> str:
    """What was run, on what."""
    figures = [runs[0] for table in tables for runs in table.results.values()]
    torch = next((found["torch"] for found in figures if "torch" in found), "not run")
    versions = [f"{package} {importlib.metadata.version(package)}" for package in PACKAGES]
    versions += [f"torch {torch}", f"Python {platform.python_version()}"]
    cores = len(os.sched_getaffinity(0))
    return (
        f"{arguments['rounds']} rounds, {arguments['epochs']} epochs each, the first not counted; SGD 0.01 with "
        "momentum 0.9, 10 % held out. Times are of one epoch, or of the whole process. Median "
        "[min, max] over the rounds. "
        "Made by `python benchmarks/runner_tax.py`.\n\n"
        f"{cpu()}, {cores} core{'s' if cores > 1 else ''}. {', '.join(versions)}."
    )


def cpu() -> str:
    """Model, family and number of the CPU: virtual machines often hide the model's name."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    known = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", text, re.MULTILINE))
    vector = next((name for name in ("avx512_vnni", "avx512f", "avx2") if name in known.get("flags", "")), "no AVX2")
    name = known.get("model name", platform.machine())
    return f"{name} (family {known.get('cpu family', '?')}, model {known.get('model', '?')}, {vector})"


def of_case(table: Table) -> list[str]:
    if not table.results:
        return [f"### {table.title}", table.note]
    found = table.results["improve"][0]
    heading = f"### {table.title}: {found['images']:,} training images, {found['steps']} steps per epoch"
    first = Judged("training, CPU time", "training_cpu", "keras+onednn", table.goal)
    asked = [judged for judged in (first, *JUDGED) if judged.way is None or judged.way in table.results]
    values = {judged: ratios(judged, table.results) for judged in asked}
    return [heading, of_ways(table.results), of_ratios(values), missed(table.title, values), onednn()]


def of_quickstart(results: dict[str, list[Figures]]) -> str:
    rows = []
    for way, runs in results.items():
        cells = [spread([found[figure] for found in runs], number) for figure in ("cpu", "wall", "memory")]
        shares = [mine["cpu"] / other["cpu"] for mine, other in zip(results["improve"], runs, strict=True)]
        goal = QUICKSTART_GOALS.get(way)
        told = "" if goal is None else reached(statistics.median(shares), goal)
        if way == ON_JAX:
            told = f"wall {reached(statistics.median(found['wall'] for found in runs), ON_JAX_SECONDS)}"
        rows.append([way, *cells, spread(shares, "{:.3f}".format), told])
    return markdown(["way", "CPU-s", "wall, s", "peak memory, MB", "CPU: improve / this", "goal"], rows)


def reached(value: float, goal: float) -> str:
    return f"≤ {goal:g}: {'met' if value <= goal else '**missed**'}"


def of_ways(results: dict[str, list[Figures]]) -> str:
    rows = [
        [way, *(spread([found[column.figure] for found in runs], column.show) for column in COLUMNS)]
        for way, runs in results.items()
    ]
    return markdown(["way", *(column.title for column in COLUMNS)], rows)


def ratios(judged: Judged, results: dict[str, list[Figures]]) -> list[float]:
    """One per round."""
    mine = [found[judged.figure] for found in results["improve"]]
    if judged.way is None:
        return mine
    theirs = [found[judged.figure] for found in results[judged.way]]
    return [one / other for one, other in zip(mine, theirs, strict=True)]


def of_ratios(values: dict[Judged, list[float]]) -> str:
    rows = []
    for judged, found in values.items():
        show = percent if judged.way is None else "{:.3f}".format
        title = f"{judged.title}: improve / {judged.way}" if judged.way else judged.title
        goal = "" if judged.goal is None else f"≤ {'10 %' if judged.way is None else format(judged.goal, 'g')}"
        rows.append([title, spread(found, show), goal, verdict(judged, found)])
    return markdown(["improve against the others", "median [min, max]", "goal", ""], rows)


def verdict(judged: Judged, found: list[float]) -> str:
    if judged.goal is None:
        return ""
    return "met" if statistics.median(found) <= judged.goal else "**missed**"


def missed(data_set: str, values: dict[Judged, list[float]]) -> str:
    titles = [
        f"{judged.title}{f' / {judged.way}' if judged.way else ''}"
        for judged, found in values.items()
        if "missed" in verdict(judged, found)
    ]
    return f"Goals missed on {data_set}: {'; '.join(titles)}." if titles else f"All goals are met on {data_set}."


def onednn() -> str:
    """`keras` is what people get only where TensorFlow leaves oneDNN off by default."""
    if "avx512_vnni" not in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        return ""
    return (
        "This CPU has AVX-512 VNNI, so TensorFlow turns oneDNN on by itself: here the script as people write it is "
        "`keras+onednn`. `keras` is the same script with oneDNN off, the default on CPUs without VNNI."
    )


def of_commands(commands: dict[str, list[Figures]]) -> str:
    rows = []
    for name, runs in commands.items():
        times = [found["cpu"] / empty["cpu"] for found, empty in zip(runs, commands[BASELINE], strict=True)]
        cells = [spread([found[figure] for found in runs], number) for figure in ("cpu", "wall")]
        goal = COMMAND_GOALS.get(name.removeprefix("improve "))
        told = "" if goal is None else reached(statistics.median(times), goal)
        rows.append([f"`{name}`", *cells, spread(times, "{:.1f}×".format), told])
    return markdown(["command", "CPU-s", "wall, s", f"CPU, of `{BASELINE}`", "goal"], rows)


def warning(tables: list[Table]) -> str:
    """PyTorch's threads wait for each other at every operation: a busy core makes it several times slower."""
    busiest = max((found["others"] for table in tables for runs in table.results.values() for found in runs), default=0)
    if busiest < BUSY:
        return ""
    return (
        f"**Doubtful**: other processes used up to {busiest:.2f} cores meanwhile. Wall times do not hold, PyTorch's "
        "(wall and CPU) least of all."
    )


def spread(values: list[float], show: Callable[[float], str]) -> str:
    return f"{show(statistics.median(values))} [{show(min(values))}, {show(max(values))}]"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def put(file: Path, text: str) -> None:
    """Replace the section in `file` that has the heading of `text`, or add it at the end; other sections stay."""
    heading = re.escape(text.lstrip().splitlines()[0])
    old = file.read_text(encoding="utf-8") if file.exists() else "# Benchmarks\n"
    found = re.search(rf"^{heading}$.*?(?=^## |\Z)", old, re.MULTILINE | re.DOTALL)
    before, after = (old[: found.start()], old[found.end() :]) if found else (old, "")
    pieces = [before.rstrip(), text.rstrip(), after.strip()]
    file.write_text("\n\n".join(piece for piece in pieces if piece) + "\n", encoding="utf-8")
