"""Commands that hand a run over: what is this image, does it work where it is used, a file for others to run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from improve.commands.options import Json, NoCode, Output, RunFolder, print_json
from improve.errors import UsageError

if TYPE_CHECKING:
    from improve.engine.inference.classify import Classifier
    from improve.engine.inference.image_files import Look
    from improve.engine.inference.predictor import Predictor

Pictures = Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="image files, or folders of images")]
Top = Annotated[int, typer.Option("--top", min=1, metavar="K", help="tell the K most probable classes")]
Csv = Annotated[bool, typer.Option("--csv", help="print CSV, as for a folder")]
Trust = Annotated[bool, typer.Option("--trust", help="load a .keras file of somebody whom you trust")]
What = Annotated[
    str,
    typer.Option("--data", metavar="WHAT", help="a folder of class folders, an .npz file with x and y, or a source"),
]


def predict(
    run: RunFolder,
    images: Pictures,
    top: Top = 1,
    as_csv: Csv = False,
    as_json: Json = False,
    trust: Trust = False,
    no_code: NoCode = False,
) -> None:
    """Classify images: class and probability. A bad file is named, and the others go on."""
    from improve.engine.inference.classify import classify
    from improve.engine.inference.image_files import files_of
    from improve.views.terminal.inference import CountedAnswers, print_csv, print_note, show_answers

    files, others = files_of(images)
    if not files:
        raise UsageError("there is no image in what was given", fix="PNG, JPEG, WebP, BMP, GIF or TIFF")
    classifier, look = classifier_of(run, trust, not no_code)
    print_note(look.rule)
    print_note(f"{others:,} other file{'s' if others > 1 else ''} left out: no image by the name" if others else "")
    answers = CountedAnswers(classify(classifier, look, files, top))
    if as_json:
        print_json({"run": str(run), "images": [answer.as_json() for answer in answers]})
    elif as_csv or any(path.is_dir() for path in images):
        print_csv(answers, min(top, len(classifier.form.class_names)))
    else:
        show_answers(answers, files)
    if answers.bad:
        raise typer.Exit(1)


def classifier_of(run: Path, trust: bool, code: bool) -> tuple[Classifier, Look]:
    """What answers: the network of a run, or of a model file; and how image files are read for it."""
    from improve.engine.inference import external_model
    from improve.engine.inference.image_files import look_of

    if run.is_file():
        external_model.check(run, trust)
        theirs = external_model.load(run)
        return theirs, look_of(None, theirs.form)
    mine = predictor_of(run, code)
    return mine, look_of(mine.spec, mine.form)


def predictor_of(run: Path, code: bool) -> Predictor:
    """Load a run's network, with a note on standard error about each file of the user's own code that this runs."""
    from improve.engine.inference.predictor import load_predictor
    from improve.views.terminal.inference import print_note

    found = load_predictor(run, code)
    for file in found.code:
        print_note(f"this runs your own code, {file}")
    return found


def evaluate(
    run: RunFolder,
    data: What,
    test: Annotated[
        bool, typer.Option("--test", help="against the test error; opens it, and writes that down")
    ] = False,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="keep the result under this name")] = None,
    no_code: NoCode = False,
    as_json: Json = False,
) -> None:
    """Does it work where it is used? The error on images from the field, and in what they differ."""
    from improve.engine.inference.evaluate import evaluate as evaluate_predictor
    from improve.engine.inference.evaluate import write_evaluation
    from improve.engine.inference.field_data import read_field
    from improve.runs.begin import checked_name
    from improve.views.terminal.inference import show_evaluation
    from improve.views.terminal.training import TerminalWatcher

    if name is not None:
        checked_name(name)
    predictor, watcher = predictor_of(run, not no_code), TerminalWatcher()
    try:
        field = read_field(data, predictor.spec, predictor.form, watcher.reading)
    finally:
        watcher.close()
    found = evaluate_predictor(predictor, data, field, test)
    file = write_evaluation(found, name)
    if as_json:
        print_json({"file": str(file), **found.as_json()})
    else:
        show_evaluation(found, file)


def export(
    run: RunFolder,
    format_name: Annotated[str, typer.Option("--format", metavar="FORMAT", help="keras, savedmodel, onnx or litert")],
    output: Output = None,
    force: Annotated[bool, typer.Option("--force", help="replace what was exported there before")] = False,
    no_code: NoCode = False,
    as_json: Json = False,
) -> None:
    """A file for others to run: raw images in, probabilities out; checked by its own runtime."""
    from improve.engine.inference.export import export as export_predictor
    from improve.engine.inference.export import export_target
    from improve.runs.run import load_run
    from improve.views.terminal.inference import show_exported

    chosen, file = export_target(format_name, output, load_run(run), force)
    predictor = predictor_of(run, not no_code)
    exported = export_predictor(predictor, format_name, chosen, file)
    if as_json:
        print_json(exported.as_json())
    else:
        show_exported(exported, predictor.form)
