"""The command line: the commands by name, and the one place where an error becomes a message."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from functools import cache
from types import ModuleType
from typing import Annotated, Any

import typer

from improve import __version__
from improve.commands import (
    auto,
    compare,
    diagnose,
    ensemble,
    experiments,
    explain,
    inference,
    report,
    spec,
    sweep,
    train,
)
from improve.commands.options import STOPPED, TERMINATED
from improve.errors import ImproveError, visible
from improve.interrupt import BrokenOff, interruptible

app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The command `improve`: whatever a person can mend ends in one clear message."""
    _start_light()
    try:
        with interruptible():
            if len(sys.argv) == 1 or {"-h", "--help"} & set(sys.argv):
                _import_help()
            _command(sys.argv[1] if len(sys.argv) > 1 else "")()
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


def _start_light() -> None:
    """While modules load, a sixth of a light command would go into looking for cyclic garbage and for plugins of
    Pydantic, of which none serves here."""
    gc.set_threshold(50_000)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


@cache
def _command(name: str) -> Any:
    """What Typer makes of the functions: of the one that is called so, or of all, which takes as long as a command."""
    commands = app.registered_commands
    app.registered_commands = [command for command in commands if _name(command) == name] or commands
    try:
        return typer.main.get_command(app)
    finally:
        app.registered_commands = commands


def _import_help() -> None:
    """Typer's help imports Rich's Markdown and tracebacks as well, which it does not use here: 40 % of its time."""
    unused = {"rich.markdown": "Markdown", "rich.traceback": "Traceback"}
    stand_ins = {name: ModuleType(name) for name in unused if name not in sys.modules}
    for name, stand_in in stand_ins.items():
        setattr(stand_in, unused[name], None)
    sys.modules |= stand_ins
    try:
        importlib.import_module("typer.rich_utils")
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _name(command: Any) -> str:
    return str(command.name or command.callback.__name__)


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


app.command()(train.train)
app.command()(train.resume)
app.command()(diagnose.diagnose)
app.command(name="next")(diagnose.next_spec)
app.command()(compare.compare)
app.command()(report.report)
app.command()(ensemble.ensemble)
app.command()(sweep.sweep)
app.command()(auto.auto)
app.command(name="learning-curve")(experiments.learning_curve)
app.command(name="lr")(experiments.learning_rate)
app.command()(inference.predict)
app.command()(inference.evaluate)
app.command()(inference.export)
app.command()(spec.check)
app.command()(spec.show)
app.command(name="list")(explain.list_shelf)
app.command()(explain.explain)
app.command()(explain.selftest)
app.command()(spec.init)
app.command()(spec.preview)
app.command()(spec.schema)
