"""Properties that hold for every valid spec, every bent one and every damaged run folder, and how often they are tried:
`make test` and `make slow` share all but the number of examples."""

from __future__ import annotations

import contextlib
import io
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, assume, settings

from fuzzing.runs import Files, before, lay_out
from fuzzing.specs import MODULE
from fuzzing.texts import BENT, configs
from improve.commands.compare import compare
from improve.commands.diagnose import diagnose, next_spec
from improve.errors import ImproveError, SpecError, UsageError
from improve.spec.reading import yaml as yamlfile
from improve.spec.reading.load import load_spec
from improve.spec.reading.template import complete_yaml
from improve.spec.spec import Spec
from improve.views.terminal.console import show_error

QUICK = int(os.environ.get("EXAMPLES", "10"))  # of each property; .ci/run tries 200
SLOW = 10_000
BOUND = timedelta(seconds=20)  # for one example, on a machine that is busy with other things as well
PLACE = re.compile(r".+:[1-9]\d*:[1-9]\d*", re.DOTALL)

quick = settings(
    max_examples=QUICK, deadline=BOUND, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
slow = settings(quick, max_examples=SLOW, derandomize=False, print_blob=True)
counts: Counter[str] = Counter()  # what came of the examples of the test that runs


def written(text: str, folder: Path) -> Path:
    (folder / "mymodel.py").write_text(MODULE)
    file = folder / "spec.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@contextlib.contextmanager
def valid(value: Any) -> Iterator[tuple[Spec, Path]]:
    """A drawn spec, where it is valid, and the folder that it was read from."""
    with TemporaryDirectory() as folder:
        try:
            spec = load_spec(written(yamlfile.write(value), Path(folder)))
        except SpecError:
            counts["passed over"] += 1
            assume(False)
            raise
        counts["loaded"] += 1
        yield spec, Path(folder)


def survives_show(value: Any) -> None:
    with valid(value) as (spec, folder):
        shown = complete_yaml(spec)
        again = load_spec(written(shown, folder))
        assert again == spec
        assert complete_yaml(again) == shown


def survives_saving(value: Any) -> None:
    with valid(value) as (spec, folder):
        again = load_spec(written(yamlfile.write(spec.complete()), folder))
        assert again == spec
        assert again.complete() == spec.complete()
        assert yamlfile.write(again.complete()) == yamlfile.write(spec.complete())


def loads_or_is_told_its_mistakes(name: str, data: bytes | None = None, overrides: tuple[str, ...] = ()) -> None:
    """A config, with these bytes instead of its own where there are any."""
    file = configs() / name
    if data is not None:
        file = file.with_name(BENT)
        file.write_bytes(data)
    refused = None
    try:
        complete_yaml(load_spec(file, list(overrides)))
    except UsageError as error:
        refused = error
    counts["refused" if refused else "loaded"] += 1
    if refused:
        said(refused)
        assert told(refused) or file.stat().st_size > yamlfile.MAX_BYTES, refused


def told(error: UsageError) -> bool:
    """It names the mistakes of a spec, each with its place."""
    problems = error.problems if isinstance(error, SpecError) else []
    return bool(problems) and all(problem.what and PLACE.fullmatch(problem.where) for problem in problems)


def commands(run: Path, other: Path) -> Iterator[tuple[str, Any]]:
    """Everything that reads run folders."""
    yield "diagnose", lambda: diagnose(run)
    yield "diagnose --json", lambda: diagnose(run, test=True, as_json=True)
    yield "next", lambda: next_spec(run)
    yield "compare", lambda: compare([run, other])
    yield "compare --json", lambda: compare([run, other], sort="test_error", test=True, as_json=True)
    yield "compare --csv", lambda: compare([run, other], sort="seconds", as_csv=True)
    yield "compare --md", lambda: compare([run, other], sort="name", markdown=True)


def is_read_or_refused(name: str, files: Files) -> None:
    with TemporaryDirectory() as folder:
        lay_out(Path(folder), files)
        for command, call in commands(Path(folder, name), Path(folder, before(name))):
            try:
                with quiet(), warnings.catch_warnings():
                    warnings.simplefilter("error", RuntimeWarning)  # NumPy's would stand on the terminal
                    call()
                counts[f"{command} worked"] += 1
            except ImproveError as error:
                counts[f"{command} refused"] += 1
                said(error)


def said(error: ImproveError) -> None:
    with quiet():
        show_error(error)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Standard output and error go nowhere, by way of UTF-8 as ever."""
    nowhere = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield
