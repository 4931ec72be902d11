"""The human and the target level of a run, given after it was trained."""

from __future__ import annotations

from dataclasses import replace

from improve.errors import UsageError
from improve.runs.run import Run
from improve.spec.component import fraction
from improve.spec.reading.flatten import with_setting


def with_levels(run: Run, human: str | None, target: str | None) -> Run:
    """The run as if its spec had given these errors, as people write them; what is None stays. Nothing is written.
    Raises UsageError for what is no error."""
    spec = run.spec
    for option, key, text in (("--human", "human_error", human), ("--target", "target_error", target)):
        if text is not None:
            spec = with_setting(spec, f"diagnosis.{key}", error_rate(option, text))
            spec = with_setting(spec, "diagnosis.human_n", None) if key == "human_error" else spec
    return replace(run, spec=spec)


def error_rate(name: str, text: str) -> float:
    """An error as a fraction, from "5%" or "0.05". Raises UsageError with the name of what was given."""
    try:
        number = float(fraction(text))
    except ValueError:  # PydanticCustomError is one
        number = -1.0
    if not 0 <= number <= 1:
        raise UsageError(f"{name}={text} is not an error between 0 and 100 %", fix="write 11% or 0.11")
    return number
