"""Does what it learned hold on new images?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from improve.datasets import DATASETS
from improve.findings.rule import Case, Change, Finding, Rule, above


class Variance(Rule):
    """The error on new images is well above the error on training images: it learned its training set by heart.

    Seen as: train-dev (or validation) error − training error is high. The recipe: more data is the surest, then
    regularisation (augmentation, dropout, L2). A smaller network is not advised: it raises the bias.
    """

    code, name, title, link = "V1", "variance", "it does not carry over to new images", "validation"

    def look(self, case: Case) -> Finding | None:
        if case.gaps is None or case.errors is None or case.gaps.variance.verdict != "high":
            return None
        gap, fitted = case.gaps.variance, case.errors.train_dev or case.errors.validation
        where = "train-dev" if case.errors.train_dev else "validation"
        return self.found(
            above(where, fitted, gap, "the training error"),
            harm=gap.value,
            evidence={"variance": gap._asdict(), f"{where}_error": fitted.value, "n": fitted.n},
            changes=tuple(recipe(case)) if case.run else (),
        )


def recipe(case: Case) -> Iterator[Change]:
    """The recipe's knobs for a high variance, the most promising first."""
    subset = case.setting("data.subset")
    available = case.run.environment.get("data", {}).get("available", 0) if case.run else 0
    if subset and 1.5 * subset <= available:
        yield Change("data.subset", min(2 * subset, available), "more training images: the surest way")
    split = case.setting("data.split")
    if isinstance(split, str) and "/" in split and float(split.split("/")[0]) < 50:
        better = "60/20/20" if split.count("/") == 2 else "70/30"
        yield Change("data.split", better, "more training images: the surest way")
    if not case.setting("augmentation"):
        yield Change("augmentation", gentle_augmentation(case), "each image is seen in more ways")
    if case.setting("model.name") == "python":  # nothing reaches into a model of the user's own
        return
    if not case.setting("regularization.dropout"):
        yield Change("regularization.dropout", 0.5, "no unit can lean on another one")
    l2 = case.setting("regularization.l2") or 0.0
    if l2 < 1e-3:
        yield Change("regularization.l2", 1e-4 if l2 < 1e-5 else 10 * l2, "smaller weights, smoother decisions")


def gentle_augmentation(case: Case) -> list[dict[str, Any]]:
    """A shift; and a mirror where a mirrored image surely keeps its class (a mirrored digit does not)."""
    source = next(part for part in DATASETS if part.key() == case.setting("data.source.name"))
    shift = {"name": "shift", "width": 0.1, "height": 0.1}
    return [{"name": "flip"}, shift] if source.mirrored_is_the_same else [shift]


class DataMismatch(Rule):
    """Validation images are harder than new images of the training kind: the two come from different distributions.

    Seen as: validation error − train-dev error is high (needs `data.train_dev`). Look at what differs by hand, then
    collect or make training images like those that count. Regularisation does not help here.
    """

    code, name, title, link = "M1", "data_mismatch", "validation images are of another kind", "validation"

    def look(self, case: Case) -> Finding | None:
        gap = case.gaps.data_mismatch if case.gaps else None
        if case.errors is None or gap is None or gap.verdict != "high":
            return None
        return self.found(
            above("validation", case.errors.validation, gap, "the error on unseen images of the training kind"),
            harm=gap.value,
            evidence={"data_mismatch": gap._asdict(), "n": case.errors.validation.n},
            confirm="look at 100 wrong validation images and count what sets them apart",
        )
