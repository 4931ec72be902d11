"""The command line: each command parses, calls one plain function, shows the value."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from improve import __version__
from improve.errors import ImproveError, UsageError

app = typer.Typer(
    add_completion=True, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip

SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="the experiment, a YAML file")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="change settings, such as training.epochs=5")
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder, such as runs/lenet_l2")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document and nothing else")]
NoCode = Annotated[bool, typer.Option("--no-code", help="refuse a model that is Python code of the user's own")]
Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="write to this file")]

STOPPED = 130


def main() -> None:
    """The command `improve`: whatever a person can mend ends in one clear message."""
    try:
        app()
    except ImproveError as error:
        from improve.show import show_error

        show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(STOPPED)
    except BrokenPipeError:  # somebody piped us into `head`
        sys.stderr.close()
        sys.exit(0)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"improve {__version__}")
        raise typer.Exit


@app.callback()
def improve(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Why is my image classifier bad, and what should I change next? With proof."""


def _print_json(value: Any) -> None:
    from improve.run import finite

    print(json.dumps(finite(value), indent=2, ensure_ascii=False, default=str))


def _put(text: str, output: Path | None) -> None:
    """To the file, or to standard output."""
    if output is None:
        print(text, end="" if text.endswith("\n") else "\n")
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}", fix="give another file to -o") from error
    print(output)


@app.command()
def train(
    spec: SpecFile,
    overrides: Overrides = None,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="where run folders are made")] = Path("runs"),
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="name of the run; the spec's name unless given")
    ] = None,
    no_code: NoCode = False,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress")] = False,
) -> None:
    """Train a spec into a new run folder."""
    from improve.specfile import load

    experiment = load(spec, overrides, code=not no_code)
    from improve.progress import TerminalWatcher
    from improve.run import load as load_run
    from improve.show import show_trained
    from improve.train import train as train_spec

    watcher = TerminalWatcher(quiet)
    try:
        run = load_run(train_spec(experiment, name or spec.stem, runs, watcher))
    finally:
        watcher.close()
    if as_json:
        _print_json({"folder": str(run.folder), **run.summary})
    else:
        show_trained(run)
    if run.status != "finished":
        raise typer.Exit(STOPPED if run.status == "stopped" else 1)


@app.command()
def diagnose(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="a run folder, such as runs/lenet_l2")] = None,
    errors: Annotated[
        str | None,
        typer.Option(metavar="NUMBERS", help='bare numbers instead: "human=0% train=1% validation=11% n=10000"'),
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="open the test set, and write that down")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="exit 1 when there is a finding")] = False,
    as_json: Json = False,
) -> None:
    """Why is it bad, and what to change next: the bias/variance recipe."""
    from improve.diagnose import diagnose as diagnose_run
    from improve.diagnose import diagnose_numbers
    from improve.run import load, write_diagnosis

    if (run is None) == (errors is None):
        raise UsageError(
            "diagnose needs a run, or bare numbers", fix='improve diagnose runs/x, or --errors "train=1% …"'
        )
    if errors is not None:
        diagnosis = diagnose_numbers(errors)
    else:
        loaded = load(run or Path())
        diagnosis = diagnose_run(loaded, test)
        write_diagnosis(loaded.folder, diagnosis.as_json())
    if as_json:
        _print_json(diagnosis.as_json())
    else:
        from improve.show_diagnosis import show_diagnosis

        show_diagnosis(diagnosis)
    if strict and any(finding.status == "found" for finding in diagnosis.findings):
        raise typer.Exit(1)


@app.command(name="next")
def next_spec(run: RunFolder, output: Output = None) -> None:
    """Write the next spec: the diagnosis' best change, applied."""
    from improve.diagnose import diagnose as diagnose_run
    from improve.revise import best_change, edit, revise
    from improve.run import bring_code, load
    from improve.show import console

    loaded = load(run)
    change = best_change(diagnose_run(loaded))
    text = revise(loaded.spec, change)
    if output is not None and loaded.spec["model"]["name"] == "python":
        bring_code(loaded.folder / loaded.spec["model"]["target"].partition(":")[0], output.parent)
    out = console(stderr=True)
    out.print(f"{change.path}: {change.because}")
    out.print(edit(loaded.spec, text))
    _put(text, output)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="run folders, such as runs/*")],
    sort: Annotated[
        str,
        typer.Option(
            metavar="METRIC", help="validation_error, train_error, test_error, best_epoch, parameters, seconds or name"
        ),
    ] = "validation_error",
    test: Annotated[bool, typer.Option("--test", help="show the test error as well")] = False,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="print CSV")] = False,
    markdown: Annotated[bool, typer.Option("--md", help="print a Markdown table")] = False,
) -> None:
    """Put runs side by side: only the settings that differ, and what they brought."""
    from improve.compare import compare as compare_runs

    comparison = compare_runs(runs, sort)
    if as_json:
        rows = [row.as_json(test) for row in comparison.rows]
        _print_json({"runs": rows, "settings": comparison.settings, "skipped": comparison.skipped,
                     "same_validation": comparison.same_validation})  # fmt: skip
        return
    from improve.show_comparison import comparison_rows, show_comparison

    if as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(comparison_rows(comparison, test))
    elif markdown:
        head, *body = comparison_rows(comparison, test)
        for cells in (head, ["---"] * len(head), *body):
            print("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    else:
        show_comparison(comparison, test)


@app.command()
def check(spec: SpecFile, overrides: Overrides = None, no_code: NoCode = False) -> None:
    """Validate a spec without training."""
    from improve.specfile import load

    load(spec, overrides, code=not no_code)
    print(f"{spec} is valid")


@app.command()
def show(spec: SpecFile, overrides: Overrides = None) -> None:
    """The complete spec; what differs from the default is marked."""
    from improve.specfile import load
    from improve.template import complete

    print(complete(load(spec, overrides)), end="")


@app.command(name="list")
def list_shelf(
    shelf: Annotated[str | None, typer.Argument(metavar="[SHELF]", help="datasets, models, findings …")] = None,
) -> None:
    """What there is."""
    from improve.glossary import summaries
    from improve.show import show_names
    from improve.spec import SHELVES

    if shelf is not None:
        show_names(summaries(shelf))
        return
    for name in (*SHELVES, "findings", "terms"):
        print(f"{name}: {', '.join(summaries(name))}")


@app.command()
def explain(
    name: Annotated[list[str], typer.Argument(metavar="NAME", help="a part, a finding's code or name, a term")],
) -> None:
    """What a part, a finding or a term means."""
    from improve.glossary import explain as explain_name

    print(explain_name(" ".join(name)))


@app.command()
def init(
    model: Annotated[str | None, typer.Argument(metavar="[NAME]", help="the architecture to start with")] = None,
    output: Output = None,
) -> None:
    """A commented spec to start from."""
    from improve.template import starter

    text = starter(model)
    if output is not None and output.exists():
        raise UsageError(f"{output} is there already", fix="give another name, or remove it")
    _put(text, output)


@app.command()
def preview(
    spec: SpecFile, overrides: Overrides = None, output: Output = None, no_code: NoCode = False, as_json: Json = False
) -> None:
    """A picture of what is to come: the learning rate over the run, and augmented samples."""
    from improve.specfile import load

    experiment = load(spec, overrides, code=not no_code)
    from improve.preview import draw
    from improve.preview import preview as preview_spec

    found = preview_spec(experiment)
    if as_json:
        _print_json(vars(found))
    if not as_json or output is not None:
        picture = output or Path(f"{spec.stem}_preview.png")
        draw(experiment, found, picture)
        print(picture, file=sys.stderr if as_json else sys.stdout)


@app.command()
def schema(output: Output = None) -> None:
    """JSON Schema (draft-07) of the spec, for editors."""
    from improve.template import schema as spec_schema

    _put(json.dumps(spec_schema(), indent=2, ensure_ascii=False) + "\n", output)
