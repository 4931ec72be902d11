"""Edits that several rules propose."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from improve.diagnosis.findings.indicators import largest_update, update_ratio
from improve.diagnosis.findings.rule import Case, Change
from improve.runs.schema import DataFacts
from improve.spec.datasets import source_class
from improve.spec.models import MODELS
from improve.spec.optimizers import OPTIMIZERS

GOOD_UPDATE = 4e-3  # ‖Δw‖/‖w‖ per step; healthy runs: 2.2e-3 to 1.4e-2
HEAVY_DROPOUT = 0.75
ALL = 50  # times the images that are used: up to that, all are taken at once
LONGER, LONG = 4, 40  # times the epochs, where there are fewer than these
FLIP, SHIFT = {"name": "flip"}, {"name": "shift", "width": 0.1, "height": 0.1}


def own_code(case: Case) -> bool:
    """The network is code of the user's own: no option of the spec reaches into it."""
    return bool(case.setting("model.name") == "python")


def power_of_ten(factor: float, least: int = 1, most: int = 3) -> float:
    """The nearest power of ten, within limits."""
    return float(10 ** min(most, max(least, round(math.log10(min(max(factor, 1e-30), 1e30))))))


def two_digits(value: float) -> float:
    """A number rounded to two digits, as a person would write it."""
    return float(f"{value:.2g}")


def lower_rate(case: Case, why: str = "the steps overshoot") -> Change:
    """The change to a lower learning rate: as much lower as the largest early update is too large."""
    moved, rate = largest_update(case), case.setting("optimizer.learning_rate")
    factor = power_of_ten(moved / GOOD_UPDATE) if moved and math.isfinite(moved) else 10.0
    return Change("optimizer.learning_rate", two_digits(rate / factor), f"{why}: 1/{factor:.0f} of the rate")


def usual_rate(case: Case) -> float:
    """Keras's default for the run's optimizer."""
    part = next(part for part in OPTIMIZERS if part.key() == case.setting("optimizer.name"))
    return float(part.model_fields["learning_rate"].default)


def gentle_dropout(case: Case) -> Iterator[Change]:
    """Dropout at a usual rate, in convolutions none, where the spec has more."""
    given, spatial = case.setting("regularization.dropout") or 0.0, case.setting("model.spatial_dropout") or 0.0
    less = ("regularization.dropout", 0.2 if given > 0.2 else 0.0)
    none = ("model.spatial_dropout", 0.0)
    why = "gentle: most units stay"
    if given:
        yield Change(*less, why, (none,) if spatial > 0.2 else ())
    elif spatial:
        yield Change(*none, why)


def higher_rate(case: Case) -> Change:
    """The change to a higher learning rate: as much higher as the early update is too small."""
    moved, rate = update_ratio(case), case.setting("optimizer.learning_rate")
    factor = power_of_ten(GOOD_UPDATE / moved) if moved else 10.0
    return Change("optimizer.learning_rate", two_digits(rate * factor), f"the weights hardly move: {factor:.0f} times")


def model_option(case: Case, name: str, value: Any, why: str) -> Iterator[Change]:
    """The change to another value of an option of the network, where it has that option; a function of the user's own
    has those that it takes."""
    known = {*(case.setting("model") or {}), *(case.run.own_options if case.run and own_code(case) else ())}
    if name in known and case.setting(f"model.{name}") != value:
        yield Change(f"model.{name}", value, why)


def bigger_model(case: Case, why: str) -> Iterator[Change]:
    """The changes that make the network bigger, one for each option that can; none where it has no such option."""
    model = next(part for part in MODELS if part.key() == case.setting("model.name"))
    for name, value in model.model_validate(case.setting("model")).bigger().items():
        yield Change(f"model.{name}", value, why)


def more_data(case: Case) -> Iterator[Change]:
    """More training images, where there are some that are not used."""
    data = case.data
    used, why = part_of_train(data), "more training images: the surest way"
    size, available = case.setting("data.train_size"), data.train_available or 0
    if size is not None and available >= 1.5 * used > 0:
        yield Change("data.train_size", None if available <= ALL * used else 10 * used, why)
    subset, total = case.setting("data.subset"), data.available
    if subset and 1.5 * subset <= total:
        yield Change("data.subset", min(2 * subset, total), why)
    split = case.setting("data.split")
    if isinstance(split, str) and "/" in split and float(split.split("/")[0]) < 50:
        yield Change("data.split", "60/20/20" if split.count("/") == 2 else "70/30", why)


def part_of_train(data: DataFacts) -> int:
    """The number of training images in use; 0 where it is not known."""
    return data.examples.get("train", 0)


def with_augmentation(case: Case, parts: list[dict[str, Any]], why: str) -> Change:
    """Augmented images take longer to learn. Measured on 200 digits, 3 seeds: a shift of 0.1 raised the error from 7.1
    to 10.2 % in the same 25 epochs, and lowered it to 3.8 % in 100."""
    return taking_longer(case, "augmentation", parts, why)


def with_dropout(case: Case, why: str) -> Change:
    """Measured on 300 digits with two layers of 64 units, 4 seeds: a dropout of 0.5 raised the error from 6.1 to 8.5 %
    in the same 30 epochs, and lowered it to 4.9 % in 120."""
    return taking_longer(case, "regularization.dropout", 0.5, why)


def taking_longer(case: Case, path: str, value: Any, why: str) -> Change:
    epochs = int(case.setting("training.epochs"))
    longer = epochs * (LONGER if epochs < LONG else 2)
    return Change(path, value, f"{why}; it takes more epochs", (("training.epochs", longer),))


def gentle_augmentation(case: Case) -> list[dict[str, Any]]:
    """A shift; and a mirror where a mirrored image surely keeps its class (a mirrored digit does not)."""
    return [FLIP, SHIFT] if mirrored_is_the_same(case) else [SHIFT]


def with_mirrored_images(case: Case) -> Iterator[Change]:
    """A mirror as well, for images of which nobody here knows whether it changes their class."""
    if mirrored_is_the_same(case) is None:
        yield with_augmentation(case, [FLIP, SHIFT], "if a mirrored image keeps its class, as most photographs do")


def mirrored_is_the_same(case: Case) -> bool | None:
    return source_class(case.setting("data.source.name")).mirrored_is_the_same
