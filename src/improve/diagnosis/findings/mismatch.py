"""Are validation images of another kind than training images?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from improve.diagnosis.findings.edits import with_augmentation
from improve.diagnosis.findings.indicators import part_of
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule, gap_sentence
from improve.diagnosis.findings.scales import scaled_apart
from improve.diagnosis.findings.simple_models import METHODS, SimpleModel, percent, simple_model, surely_above
from improve.lazy import np
from improve.runs.schema import LOOKS

OBVIOUS = 1.0  # standard deviations: without a train-dev set, the looks must differ by that much
APART = 0.5  # standard deviations between the means of two sets: a medium effect (Cohen, 1988)
SURELY = 5.0  # standard errors: a colour that changes its sign by chance is less
EXCHANGED = "as if red and blue were exchanged: are both read in the same order (RGB, BGR)?"
INVERTED = "as if light and dark were exchanged: is one of the two sets a negative?"
LOOK = "look at 100 wrong validation images and count what sets them apart"
SHIFTED = 0.15  # of the images belong to other classes
JOINING = 0.5  # share of the target's images that join the training set
MIRRORED = 0.05  # of the width of the pixels
ENOUGH = 100  # validation images: with fewer none can be spared


class DataMismatch(Rule):
    """Validation images are harder than new images of the training kind: the two come from different distributions.

    Seen as: what a linear model or the nearest neighbours learn from training images is surely worse on validation
    images (by 5 points, by chance once in ten thousand), and a linear model tells the two sets apart. Or validation
    error − train-dev error is high (needs `data.train_dev`; without it, light, contrast, sharpness or colour must
    differ by a whole standard deviation, or red and blue look exchanged, and the variance be high). What differs in
    these is told; the rest is to be looked at. Fix: training images like those that count (`data.target.train`), or
    an augmentation that makes some. Regularisation does not help here.
    """

    code, name, title, link = "M1", "data_mismatch", "validation images are of another kind", "validation"
    early = True

    def look(self, case: Case) -> Finding | None:
        fails = fails_across(case)
        if fails and case.errs and not scaled_apart(case):  # that is R6's
            return self.by_simple_model(case, fails)
        if case.errors is None or case.gaps is None:
            return None
        measured = case.gaps.data_mismatch
        differing, exchanged = differences(case, "train", "validation"), colours_exchanged(case)
        obvious = measured is None and (exchanged or other_kind(case))
        gap = case.gaps.variance if obvious else measured
        if gap is None or gap.verdict != "high":
            return None
        against = "the training error" if obvious else "the error on unseen images of the training kind"
        says = gap_sentence("validation", case.errors.validation, gap, against)
        return self.found(
            "; ".join(
                [
                    says,
                    *(f"{what} differs by {size:+.1f} sd" for what, size in differing.items()),
                    *([EXCHANGED] if exchanged else []),
                ]
            ),
            harm=gap.value,
            evidence={"data_mismatch": gap._asdict(), "differing": differing, "n": case.errors.validation.n},
            changes=tuple(changes(case, differing)) if case.run and not exchanged else (),
            rivals=("V1",) if obvious else (),
            confirm="data.train_dev: 10% tells it from variance" if obvious else LOOK,
        )

    def by_simple_model(self, case: Case, simple: SimpleModel) -> Finding:
        differing, lost = differences(case, "train", "validation"), simple.across.value - simple.known.value
        looks = [f"{what} differs by {size:+.1f} sd" for what, size in differing.items()]
        exchanged = [EXCHANGED] if colours_exchanged(case) else [INVERTED] if inverted(case) else []
        says = (
            f"what {METHODS[simple.method]} learn{'s' if simple.method == 'linear' else ''} from training images is "
            f"wrong on {percent(simple.across)} of validation (n={simple.across.n:,}), on {percent(simple.known)} of "
            f"other training images; the pixels alone tell the two sets apart ({percent(simple.apart)} wrong)"
        )
        return self.found(
            "; ".join([says, *looks, *exchanged]),
            harm=lost,
            evidence={**simple._asdict(), "differing": differing, "n": simple.across.n},
            changes=() if exchanged else tuple(changes(case, differing)),  # they are to be read rightly, not mixed in
            fact=True,
            confirm=LOOK,
        )


def fails_across(case: Case) -> SimpleModel | None:
    """What says that something in training images, and not in validation images, gives the classes away."""
    simple = simple_model(case)
    return simple if simple and simple.told_apart and surely_above(simple.across, simple.known) else None


def other_kind(case: Case) -> bool:
    """The validation images obviously look otherwise than the training images."""
    return any(abs(size) >= OBVIOUS for size in differences(case, "train", "validation").values())


def colours_exchanged(case: Case) -> bool:
    """Validation images are as blue as training images are red, or the other way round, and surely so."""
    train, new = (part_of(case, name) for name in ("train", "validation"))
    (red, spread), (blue, other) = (part.get("colour") or (0.0, 0.0) for part in (train, new))
    error = float(np.hypot(spread / np.sqrt(train.get("n") or 1), other / np.sqrt(new.get("n") or 1)))
    return bool(red * blue < 0 and abs(red - blue) > SURELY * error and abs(red + blue) < abs(red - blue) / 2)


def inverted(case: Case) -> bool:
    """Validation images are as far from white as training images are from black: their mean brightness mirrored between
    the ends of the pixels, with the same contrast."""
    train, new = (part_of(case, name) for name in ("train", "validation"))
    ends = train.get("pixels")
    if not ends or not new:
        return False
    width = float(ends["high"]) - float(ends["low"])
    (light, _), (other, _) = train["brightness"], new["brightness"]
    mirrored = abs(light + other - ends["low"] - ends["high"]) < MIRRORED * width
    alike = abs(train["contrast"][0] - new["contrast"][0]) < MIRRORED * width
    return bool(mirrored and alike and abs(light - other) > 2 * MIRRORED * width)


def differences(case: Case, one: str, other: str) -> dict[str, float]:
    """By look (brightness …), how many standard deviations the means of two parts are apart, where it is half of one or
    more, and surely not by chance."""
    found, parts = {}, (part_of(case, one), part_of(case, other))
    by_chance = SURELY * math.sqrt(sum(1 / max(1, part.get("n") or 1) for part in parts))
    for what in LOOKS:
        first, second = (part.get(what) for part in parts)
        if first and second:
            spread = max(float(np.hypot(first[1], second[1]) / np.sqrt(2)), 1e-9)
            found[what] = (second[0] - first[0]) / spread
    return {what: size for what, size in found.items() if abs(size) >= max(APART, by_chance)}


def changes(case: Case, differing: dict[str, float]) -> Iterator[Change]:
    target: Any = case.setting("data.target")
    yield from joined(case, target)
    if target and target.get("simulate") and not case.setting("augmentation"):
        yield with_augmentation(case, target["simulate"], "training images changed as the target is")
    imitated: list[dict[str, Any]] = [{"name": "shift", "width": 0.1, "height": 0.1}]
    imitated += [{"name": "brightness"}] if "brightness" in differing else []
    imitated += [{"name": "contrast"}] if "contrast" in differing else []
    imitated += [{"name": "gaussian_noise"}] if differing.get("sharpness", 0.0) >= 0 else []  # it sharpens
    if not case.setting("augmentation"):
        yield with_augmentation(case, imitated, "makes training images more like those that count")


def joined(case: Case, target: Any) -> Iterator[Change]:
    """Images of the kind that counts, into the training set: those of the target, or a part of the validation set."""
    own = case.setting("data.split") == "own" and not (target or {}).get("simulate")
    n = case.errors.validation.n if case.errors else None
    if (target or {}).get("train", 0) >= JOINING or not ((target or {}).get("source") or (own and (n or 0) >= ENOUGH)):
        return
    why = "training images like those that count are the surest way"
    if target:
        yield Change("data.target.train", JOINING, why)
    else:
        yield Change("data.target", {"train": JOINING}, f"{why}: half of the validation images join them")


class LabelShift(Rule):
    """The classes come in other shares in the validation set than in the training set.

    Seen as: at least 15 % of the validation images would have to change class to give the shares of the training set
    (total variation distance), beyond what drawing them gives, and a validation error that is high. Fix: show every
    class equally often, or weigh them.
    """

    code, name, title, link = "M2", "label_shift", "classes come in other shares", "validation"
    symptom = True

    def look(self, case: Case) -> Finding | None:
        train, validation = (part_of(case, name).get("classes") for name in ("train", "validation"))
        if not train or not validation or case.errors is None or not sum(train) or not sum(validation):
            return None
        ours, theirs = np.array(train) / sum(train), np.array(validation) / sum(validation)
        distance = float(abs(ours - theirs).sum() / 2)
        chance = float(np.sqrt(theirs * (1 - theirs) / sum(validation)).sum())  # about twice its mean
        if distance < SHIFTED or distance < 2 * chance or case.errors.validation.value < case.errors.tau:
            return None
        balanced = Change("training.sampling", "balanced", "every class is shown equally often")
        return self.found(
            f"{100 * distance:.0f} % of the validation images would have to change class to give the shares of the "
            f"training set (n={sum(validation):,})",
            harm=min(distance, case.errors.validation.value) / 2,
            evidence={"distance": distance, "train": train, "validation": validation, "n": sum(validation)},
            changes=() if case.setting("training.sampling") == "balanced" else (balanced,),
            rivals=("V5",),
            confirm="train once with classes shown equally often",
        )
