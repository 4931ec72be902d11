"""Commands about a spec before it is trained."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from improve.commands.options import Json, NoCode, Output, Overrides, SpecFile, print_json, print_or_write
from improve.errors import UsageError, visible


def check(spec: SpecFile, overrides: Overrides = None, no_code: NoCode = False) -> None:
    """Validate a spec without training."""
    from improve.experiments.sweep.plan import plan_in
    from improve.spec.reading.load import load_spec

    load_spec(spec, overrides, code=not no_code)
    plan = plan_in(spec, overrides or [], not no_code)
    print(visible(f"{spec} is valid" + (f", and what its sweep varies: {', '.join(plan.keys)}" if plan else "")))


def show(spec: SpecFile, overrides: Overrides = None) -> None:
    """The complete spec; what differs from the default is marked."""
    from improve.experiments.sweep.plan import plan_in
    from improve.spec.reading.load import load_spec
    from improve.spec.reading.template import complete_yaml
    from improve.spec.reading.yaml import write

    print(complete_yaml(load_spec(spec, overrides)), end="")
    plan = plan_in(spec, overrides or [])
    print(write({"sweep": plan.section()}) if plan else "", end="")


def init(
    model: Annotated[str | None, typer.Argument(metavar="[NAME]", help="the architecture to start with")] = None,
    output: Output = None,
) -> None:
    """A commented spec to start from."""
    from improve.spec.reading.template import starter

    text = starter(model)
    if output is not None and os.path.lexists(output):
        raise UsageError(f"{output} is there already", fix="give another name, or remove it")
    print_or_write(text, output)


def preview(
    spec: SpecFile, overrides: Overrides = None, output: Output = None, no_code: NoCode = False, as_json: Json = False
) -> None:
    """A picture of what is to come: the learning rate over the run, and augmented samples."""
    from improve.spec.reading.load import load_spec

    experiment = load_spec(spec, overrides, code=not no_code)
    from improve.engine.preview import preview as preview_spec
    from improve.engine.preview import sample_rows
    from improve.views.figures.preview import draw_preview

    found = preview_spec(experiment)
    if as_json:
        print_json(vars(found))
    if not as_json or output is not None:
        picture = output or Path(f"{spec.stem}_preview.png")
        rates = experiment.rates(found.steps_per_epoch).tolist()
        draw_preview(picture, rates, found.steps_per_epoch, sample_rows(experiment))
        print(visible(str(picture)), file=sys.stderr if as_json else sys.stdout)


def schema(output: Output = None) -> None:
    """JSON Schema (draft-07) of the spec, for editors."""
    from improve.spec.reading.template import json_schema as spec_schema

    print_or_write(json.dumps(spec_schema(), indent=2, ensure_ascii=False) + "\n", output)
