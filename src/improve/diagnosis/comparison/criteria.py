"""The numbers that runs are chosen by: one to optimise, others that only have to be good enough (Ng, Machine Learning
Yearning, 2018, chapter 9)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from improve.errors import UsageError, nearest, printable
from improve.runs.schema import Summary

PARTS = ("validation", "train", "train_dev", "test")
KINDS = ("error", "cross_entropy", "cost")
WHOLE = ("best_epoch", "epochs", "parameters", "seconds", "seconds_per_image", "model_bytes", "images_per_second")
METRICS = (*(f"{part}_{kind}" for part in PARTS for kind in KINDS), *WHOLE)
MORE_IS_BETTER = ("images_per_second",)
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne, "==": operator.eq,
    "<": operator.lt, ">": operator.gt, "=": operator.eq,
}  # fmt: skip
FORM = re.compile(r"\s*([a-z][a-z0-9_.]*)\s*(<=|>=|!=|==|<|>|=)\s*([^<>=!\s].*?)\s*")
NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(%|kB|MB|GB|k|M|ms|s|min)?", re.IGNORECASE)
UNITS = {"%": 0.01, "kb": 1e3, "mb": 1e6, "gb": 1e9, "k": 1e3, "m": 1e6, "ms": 1e-3, "s": 1.0, "min": 60.0, "": 1.0}


def measured_value(summary: Summary, metric: str) -> float | None:
    """The value of `metric` in a run's summary; None where it was not measured."""
    if metric in WHOLE:
        value = getattr(summary, metric) if metric in summary.model_fields_set else None
    else:
        part = next(part for part in sorted(PARTS, key=len, reverse=True) if metric.startswith(f"{part}_"))
        value = getattr(getattr(summary, part), metric.removeprefix(f"{part}_"), None)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def is_sealed(metric: str) -> bool:
    """Whether looking at it opens the test part."""
    return metric.startswith("test_")


@dataclass(frozen=True)
class Condition:
    """`subject` is a metric, or the dotted path of a setting."""

    subject: str
    sign: str
    limit: float | str
    text: str

    def holds(self, value: Any) -> bool:
        """What was not measured does not hold; a word is only ever equal to something or not."""
        if isinstance(self.limit, str) or isinstance(value, str):
            return self.sign in ("=", "==", "!=") and SIGNS[self.sign](str(value), str(self.limit))
        return value is not None and SIGNS[self.sign](value, self.limit)


def condition(text: str) -> Condition:
    """Read `seconds_per_image<=10ms`, `validation_error < 6%`, `optimizer=adam`. Raises UsageError."""
    found = FORM.fullmatch(text)
    if not found:
        raise UsageError(
            f"'{printable(text)}' is no condition", fix="write METRIC<=NUMBER, such as 'seconds_per_image<=0.01'"
        )
    subject, sign, limit = found.groups()
    return Condition(subject, sign, number(limit), text.strip())


def number(text: str) -> float | str:
    found = NUMBER.fullmatch(text)
    return float(found[1]) * UNITS[(found[2] or "").lower()] if found else text


def unknown_subject(word: str, known: Mapping[str, Any] | tuple[str, ...], what: str) -> UsageError:
    """The error about a `word` that is none of the `known` ones, with those that may have been meant; `what`: what to
    call it."""
    close = nearest(word, known, 3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"one of {', '.join(METRICS)}"
    return UsageError(f"{what} '{printable(word)}'", fix=hint)
