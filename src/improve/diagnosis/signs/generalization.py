"""How well it fits, beside guessing and something simple, and what is lost on new images."""

from __future__ import annotations

from improve.diagnosis.findings.edits import part_of_train
from improve.diagnosis.findings.indicators import best_epoch, chance_level, part_of
from improve.diagnosis.findings.rule import Case
from improve.diagnosis.signs.sign import decades, sign
from improve.statistics.intervals import standard_errors


@sign("training loss over that of guessing")
def loss_left(case: Case) -> float | None:
    losses, best = case.column("train_cross_entropy"), best_epoch(case)
    return losses[best - 1] / chance_level(case) if 0 < best <= len(losses) else None


@sign("training error over that of always answering the commonest class")
def error_left(case: Case) -> float | None:
    guessing = case.trained.majority_error if case.trained else None
    return case.errors.train.value / guessing if guessing and case.errors else None


@sign("share of the validation images that guessing the commonest class has wrong, and it has right")
def carried_over(case: Case) -> float | None:
    guessing = case.validated.majority_error if case.validated else None
    return 1 - case.errors.validation.value / guessing if guessing and case.errors else None


@sign("training error above what something simple reaches on images that it has not seen")
def above_simple(case: Case) -> float | None:
    return case.errors.train.value - case.errors.simple.value if case.errors and case.errors.simple else None


@sign("training error above that of a linear model on the same images")
def above_linear(case: Case) -> float | None:
    found = case.evidence.start.get("baselines") or {}
    return case.errors.train.value - found["linear"] if case.errors and "linear" in found else None


@sign("validation error less training error")
def gap(case: Case) -> float | None:
    return case.gaps.variance.value if case.gaps else None


@sign("validation error less training error, in its standard errors")
def gap_in_errors(case: Case) -> float | None:
    if case.errors is None:
        return None
    return standard_errors(case.errors.train_dev or case.errors.validation, case.errors.train)


@sign("validation error less training error at the end of the run")
def gap_at_end(case: Case) -> float | None:
    return case.end.validation.value - case.end.train.value if case.end else gap(case)


@sign("training images of a class", log=True, below=2.0)
def images_per_class(case: Case) -> float | None:
    images, classes = part_of(case, "train").get("n"), case.evidence.start.get("classes")
    return decades(images / classes) if images and classes else None


@sign("training images that are there over those that are used", log=True)
def images_unused(case: Case) -> float | None:
    used, available = part_of_train(case.data), case.data.train_available or 0
    return decades(available / used) if used and available else None
