"""Does it work where it is used? A run's error on images from the field, against the error it is known by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.diagnosis.bias_variance import Gap, gap_between
from improve.diagnosis.run_errors import errors_of
from improve.engine.data.image_statistics import ImageStatistics, image_hashes, image_statistics
from improve.engine.inference.distribution_shift import Apart, Classes, classes_apart, looks_apart
from improve.engine.inference.field_data import Field
from improve.engine.inference.predictor import Predictor
from improve.errors import UsageError
from improve.lazy import np
from improve.runs import files, ledger
from improve.runs.begin import checked_name, writable
from improve.runs.evidence import Evidence
from improve.runs.predictions import Predictions
from improve.runs.run import Run
from improve.runs.schema import LOOKS
from improve.runs.test_part import check_test, open_test
from improve.spec.identity import experiment_identity
from improve.statistics.intervals import Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class ByClass:
    """The error of one class in the field and where it is known; None where it has no images."""

    name: str
    field: Rate | None
    known: Rate | None


@dataclass(frozen=True)
class Evaluation:
    """`error` on images that were not trained on; `known`: the one of `part` (validation, or test where it was opened);
    `gap` their difference. `also_in` counts images that are in a part of the run too: those that were trained on are
    left out. `by_class`: the `classes` that the run knows, then others. `tried`: experiments that these images have
    judged."""

    run: Run
    data: str
    field: Field
    error: Rate
    part: str
    known: Rate
    gap: Gap
    also_in: dict[str, int]
    looks: list[Apart]
    shares: Classes | None
    by_class: list[ByClass]
    classes: int
    tried: int

    @property
    def unknown(self) -> dict[str, int]:
        """Images of classes that the run does not know, by class."""
        return {one.name: one.field.n or 0 for one in self.by_class[self.classes :] if one.field}

    @property
    def missing(self) -> list[str]:
        """Classes of which the field has no image."""
        return [one.name for one in self.by_class[: self.classes] if one.field is None]

    @property
    def on_known_classes(self) -> Rate | None:
        """The error without images of unknown classes, which are always wrong; None where there are none such."""
        others, n = sum(self.unknown.values()), self.error.n or 0
        return Rate((round(self.error.value * n) - others) / (n - others), n - others) if 0 < others < n else None

    def as_json(self) -> dict[str, Any]:
        """The content of a file of evaluations/, but for its number."""
        return {
            "run": self.run.name,
            "data": self.data,
            "found": self.field.found,
            **as_json(self.error),
            "part": self.part,
            "known": as_json(self.known),
            "difference": self.gap._asdict(),
            "best_epoch": self.run.summary.best_epoch,
            "validation_error": self.run.validation.error,
            "on_known_classes": as_json(self.on_known_classes),
            "unknown_classes": self.unknown,
            "missing_classes": self.missing,
            "also_in": self.also_in,
            "looks": [one._asdict() for one in self.looks],
            "shares": self.shares._asdict() if self.shares else None,
            "by_class": [
                {"class": one.name, "field": as_json(one.field), "known": as_json(one.known)} for one in self.by_class
            ],
            "skipped": [{"file": name, "error": reason} for name, reason in self.field.skipped],
            "experiments_judged": self.tried,
            "spec": {"diagnosis": {"field_error": self.error.value, "field_n": self.error.n}},
        }


def as_json(rate: Rate | None) -> dict[str, Any]:
    if rate is None:
        return {}
    low, high = rate.interval()
    return {"error": rate.value, "low": low, "high": high, "n": rate.n}


def evaluate(predictor: Predictor, data: str, field: Field, test: bool = False) -> Evaluation:
    """Measure and compare with the validation error, or with the test error where `test` opens it.

    Raises UsageError, with nothing measured, where all of it was trained on, where images of the sealed test part would
    be opened without `test`, or where there is no test part to open.
    """
    run, evidence = predictor.run, evidence_of(predictor)
    if test:
        check_test(run)
    field, also_in = new_images(field, evidence, data, test)
    wrong = predictor.probabilities(field.images).argmax(axis=1) != field.labels
    errors = errors_of(run, open_test(run) if test else None)
    error, part = Rate(float(wrong.mean()), len(wrong)), "test" if test else "validation"
    recorded = (errors.test if test else None) or errors.validation
    looks = image_statistics(field.images, field.labels, len(field.class_names))
    judged = Evidence(run.folder).best(part)
    measured = {what: evidence.images.get(f"{part}_{what}", np.zeros(0)) for what in LOOKS}
    return Evaluation(
        run,
        data,
        field,
        error,
        part,
        recorded,
        gap_between(error, recorded, errors, share=False),
        also_in,
        looks_apart({what: looks.arrays()[what] for what in LOOKS}, measured),
        classes_apart(field.class_names, field.labels, judged.label, judged.wrong) if judged else None,
        list(by_class(field, wrong, judged)),
        len(predictor.form.class_names),
        write_down(run, looks, error),
    )


def evidence_of(predictor: Predictor) -> Evidence:
    """The evidence of a run; of an ensemble its first member's, which saw the same images."""
    own = Evidence(predictor.run.folder)
    return own if own.images else Evidence(predictor.members[0].run.folder)


def new_images(field: Field, evidence: Evidence, data: str, test: bool) -> tuple[Field, dict[str, int]]:
    """The field without images that were trained on, and how many of it are in each part of the run, pixel for pixel.
    Raises UsageError where some are in the sealed test part and `test` does not open it."""
    hashes = image_hashes(field.images)
    inside = {
        key.removesuffix("_hash"): np.isin(hashes, found) for key, found in evidence.images.items() if "hash" in key
    }
    counts = {part: int(found.sum()) for part, found in inside.items() if found.any()}
    if counts.get("test") and not test:
        raise UsageError(
            f"{counts['test']:,} of these images are in the run's sealed test part",
            fix="--test opens it, and writes that down; or give other images",
        )
    kept = ~inside.get("train", np.zeros(len(hashes), bool))
    if not kept.any():
        raise UsageError(
            f"the run was trained on all {len(hashes):,} images of {data}", fix="give images from the field"
        )
    return field.only(kept), counts


def by_class(field: Field, wrong: NDArray[Any], judged: Predictions | None) -> Iterator[ByClass]:
    for number, name in enumerate(field.class_names):
        known = rate_of(judged.wrong, judged.label == number) if judged else None
        yield ByClass(name, rate_of(wrong, field.labels == number), known)


def rate_of(wrong: NDArray[Any], where: NDArray[Any]) -> Rate | None:
    return Rate(float(wrong[where].mean()), int(where.sum())) if where.any() else None


def write_down(found: Run, looks: ImageStatistics, error: Rate) -> int:
    """Write into the ledger that these images judged the run; gives how many experiments they have judged."""
    runs, digest = found.folder.parent, experiment_identity(found.spec)
    ledger.write_down(runs, found.name, "field", looks.digest, digest, {"error": error.value, "n": error.n})
    return ledger.tried(runs, "field", looks.digest)


def write_evaluation(evaluation: Evaluation, name: str | None = None) -> Path:
    """Write it to the run's evaluations/, under the name of the data unless another is given; `improve diagnose` takes
    the newest."""
    stem = NO_NAME.sub("_", Path(evaluation.data).stem).strip("_-")[:60] or "field"
    folder = writable(evaluation.run.folder / "evaluations")
    before = [one["number"] for one in Evidence(evaluation.run.folder).evaluations]
    file = folder / f"{checked_name(name or stem)}.json"
    files.write_json(file, {"number": max(before, default=0) + 1, **evaluation.as_json()})
    return file
