"""The command line: the commands by name, and the one place where an error becomes a message."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from improve import __version__
from improve.commands import (
    auto as looping,
)
from improve.commands import (
    diagnose as judging,
)
from improve.commands import (
    ensemble as ensembles,
)
from improve.commands import (
    experiments,
)
from improve.commands import (
    explain as shelves,
)
from improve.commands import (
    inference as handover,
)
from improve.commands import (
    report as reporting,
)
from improve.commands import (
    spec as specs,
)
from improve.commands import (
    sweep as sweeping,
)
from improve.commands import (
    train as training,
)
from improve.commands.options import STOPPED, TERMINATED
from improve.errors import ImproveError, visible
from improve.interrupt import BrokenOff, interruptible

app = typer.Typer(
    add_completion=True, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


def main() -> None:
    """The command `improve`: whatever a person can mend ends in one clear message."""
    try:
        with interruptible():
            app()
    except ImproveError as error:
        from improve.views.terminal.console import show_error

        show_error(error)
        sys.exit(error.exit_code)
    except BrokenOff as stop:
        print("interrupted", *map(visible, getattr(stop, "__notes__", [])), sep="\n", file=sys.stderr)
        sys.exit(TERMINATED if stop.signal == signal.SIGTERM else STOPPED)
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


app.command()(training.train)
app.command()(training.resume)
app.command()(judging.diagnose)
app.command(name="next")(judging.next_spec)
app.command()(judging.compare)
app.command()(reporting.report)
app.command()(ensembles.ensemble)
app.command()(sweeping.sweep)
app.command()(looping.auto)
app.command(name="learning-curve")(experiments.learning_curve)
app.command(name="lr")(experiments.learning_rate)
app.command()(handover.predict)
app.command()(handover.evaluate)
app.command()(handover.export)
app.command()(specs.check)
app.command()(specs.show)
app.command(name="list")(shelves.list_shelf)
app.command()(shelves.explain)
app.command()(shelves.selftest)
app.command()(specs.init)
app.command()(specs.preview)
app.command()(specs.schema)
