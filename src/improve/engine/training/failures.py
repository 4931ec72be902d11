"""What goes wrong in a run: written down in its folder, and told in the words of the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from improve.engine.training.resources import FULL, OutOfMemoryError, disk_full, is_out_of_memory
from improve.interrupt import BrokenOff, Interrupt, interruptible
from improve.runs import run
from improve.spec import user_code
from improve.spec.spec import Spec


@contextmanager
def recording_failures(folder: Path, spec: Spec, taken_up: Callable[[], bool] = lambda: True) -> Iterator[Interrupt]:
    """What goes wrong stands in summary.json, from where on the run is `taken_up`; what is saved stays. Gives whether a
    signal asked the run to stop. Raises OutOfMemoryError where memory ran out."""
    try:
        with interruptible() as interrupt:
            yield interrupt
    except BaseException as error:
        if taken_up():
            run.write_failure(folder, error)
        if isinstance(error, BrokenOff):
            error.add_note(f"go on   improve resume {folder}")
        if isinstance(error, OSError) and error.errno in FULL:
            raise disk_full(folder) from error
        if is_out_of_memory(error) and not spec.training.deterministic:
            raise OutOfMemoryError(folder, spec) from error
        if isinstance(error, Exception) and spec.model.code:
            user_code.blame(spec.model.code, "a layer", error)
        raise
