"""Commands that look at a run: what is wrong with it, what to change next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from improve.commands.options import Human, Json, NoCode, Output, Quiet, RunFolder, Target, print_json, print_or_write
from improve.errors import UsageError

if TYPE_CHECKING:
    from improve.diagnosis.diagnose import Diagnosis
    from improve.runs.run import Run


def diagnose(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="a run folder, such as runs/lenet_l2")] = None,
    errors: Annotated[
        str | None,
        typer.Option(metavar="NUMBERS", help='bare numbers instead: "human=0% train=1% validation=11% n=10000"'),
    ] = None,
    human: Human = None,
    target: Target = None,
    test: Annotated[bool, typer.Option("--test", help="open the test set, and write that down")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="exit 1 when something is found")] = False,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="train the likeliest changes for a part of the run, to be sure")
    ] = False,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, metavar="N", help="with --confirm: as many epochs, not the run's")
    ] = None,
    no_code: NoCode = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Why is it bad, and what to change next: the bias/variance recipe."""
    check_asked(run, errors, levels=bool(human or target), confirm=confirm, epochs=epochs)
    if errors is not None:
        from improve.diagnosis.diagnose import diagnose_numbers

        diagnosis = diagnose_numbers(errors)
    else:
        from improve.diagnosis.levels import with_levels
        from improve.runs.run import load_run, write_diagnosis

        loaded = with_levels(load_run(run or Path()), human, target)
        diagnosis = diagnosis_of(loaded, test)
        if confirm:
            try_changes(diagnosis, epochs, quiet, as_json, not no_code)
            diagnosis = diagnosis_of(loaded, test)
        write_diagnosis(loaded.folder, diagnosis.as_json())
    if as_json:
        print_json(diagnosis.as_json())
    else:
        from improve.views.terminal.diagnosis import show_diagnosis

        show_diagnosis(diagnosis)
    if strict and any(finding.status == "found" for finding in diagnosis.findings):
        raise typer.Exit(1)


def check_asked(run: Path | None, errors: str | None, levels: bool, confirm: bool, epochs: int | None) -> None:
    if epochs is not None and not confirm:
        raise UsageError("--epochs says how much --confirm may train", fix="add --confirm")
    if errors is not None and confirm:
        raise UsageError("bare numbers cannot be trained", fix="improve diagnose RUN --confirm")
    if errors is not None and levels:
        raise UsageError("bare numbers hold all levels", fix='--errors "human=5% target=10% train=… validation=…"')
    if (run is None) == (errors is None):
        raise UsageError(
            "diagnose needs a run, or bare numbers", fix='improve diagnose runs/x, or --errors "train=1% …"'
        )


def diagnosis_of(run: Run, test: bool) -> Diagnosis:
    """Of a run; `test` opens its test part."""
    from improve.diagnosis.diagnose import check_diagnosable
    from improve.diagnosis.diagnose import diagnose as diagnose_run
    from improve.runs.test_part import open_test

    check_diagnosable(run)  # before anything is opened
    return diagnose_run(run, open_test(run) if test and run.has_result else None)


def try_changes(diagnosis: Diagnosis, epochs: int | None, quiet: bool, as_json: bool, code: bool) -> None:
    """Train the likeliest changes, for as many epochs."""
    from improve.experiments.confirmation.confirm import confirm
    from improve.views.terminal.confirmation import TerminalConfirmWatcher

    confirm(diagnosis, epochs, TerminalConfirmWatcher(quiet, as_json), code)


def next_spec(
    run: RunFolder,
    output: Output = None,
    finding: Annotated[
        str | None, typer.Option("--finding", metavar="CODE", help="the change of this finding, such as V1")
    ] = None,
    human: Human = None,
    target: Target = None,
) -> None:
    """Write the next spec: the diagnosis' best change, applied."""
    from improve.diagnosis.advice_log import remember
    from improve.diagnosis.diagnose import diagnose as diagnose_run
    from improve.diagnosis.levels import with_levels
    from improve.diagnosis.next_spec import best_change, revised_spec, revised_yaml, spec_diff
    from improve.runs.run import load_run
    from improve.spec.spec import Spec
    from improve.views.terminal.console import console

    loaded = with_levels(load_run(run), human, target)
    chosen, change = best_change(diagnose_run(loaded), finding)
    text = revised_yaml(loaded.spec, change)
    if output is not None and loaded.spec["model"]["name"] == "python":
        bring_own_code(loaded, output.parent)
    out = console(stderr=True)
    remember(loaded, chosen, change, Spec.model_validate(revised_spec(loaded.spec, change)).complete())
    out.print(f"{chosen.code} {chosen.title}: {change.path}: {change.because}")
    for line in spec_diff(loaded.spec, text).splitlines():
        out.print(line)
    print_or_write(text, output)


def bring_own_code(run: Run, folder: Path) -> None:
    """Put the file of the user's own model beside the next spec; only one that lies in the run itself."""
    from improve.runs.begin import bring_code
    from improve.spec.user_code import file_and_function, located_target

    file, _ = file_and_function(located_target(run.spec["model"]["target"], run.folder))
    if not file.is_file():
        raise UsageError(f"there is no {file.name} in {run.folder}", fix="put it back")
    bring_code(file, folder)
