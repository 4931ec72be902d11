"""What commands share: the types of their arguments, and where a result goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from improve.errors import UsageError, visible

SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="the experiment, a YAML file")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="change settings, such as training.epochs=5")
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder, such as runs/lenet_l2")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document and nothing else")]
NoCode = Annotated[bool, typer.Option("--no-code", help="refuse a model that is Python code of the user's own")]
Human = Annotated[
    str | None, typer.Option("--human", metavar="ERROR", help="error of people, such as 5%, in place of the spec's")
]
Target = Annotated[
    str | None, typer.Option("--target", metavar="ERROR", help="the error you need, in place of the spec's")
]
Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="write to this file")]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="where run folders are made")]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="name of the run; the spec's name unless given")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]

RUNS = Path("runs")
STOPPED, TERMINATED = 130, 75


def print_json(value: Any) -> None:
    """Print a value as JSON: NaN and infinity become null, what a terminal would not show is escaped."""
    from improve.runs.files import finite_json

    text = json.dumps(finite_json(value), indent=2, ensure_ascii=False, default=str)
    print("".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text))


def print_or_write(text: str, output: Path | None) -> None:
    """Write `text` to a file, or print it where there is none. Raises UsageError where it cannot be written."""
    if output is None:
        print(text, end="" if text.endswith("\n") else "\n")
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}", fix="give another file to -o") from error
    print(visible(str(output)))
