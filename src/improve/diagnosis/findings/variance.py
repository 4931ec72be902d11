"""Does what it learned hold on new images? The gap, and what it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from improve.diagnosis.bias_variance import LARGE, SLACK, Errors, Gap, gap_between
from improve.diagnosis.findings.classes import class_names
from improve.diagnosis.findings.edits import (
    gentle_augmentation,
    more_data,
    own_code,
    part_of_train,
    with_augmentation,
    with_dropout,
    with_mirrored_images,
)
from improve.diagnosis.findings.indicators import best_epoch, copies
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule, Status, gap_points, gap_sentence
from improve.lazy import np
from improve.runs.schema import Curve, schema_fault
from improve.statistics.intervals import Rate, difference
from improve.statistics.significance import mcnemar

HELPS = 0.02  # fall of the error that more data must promise
MORE_ON_TRAINING = "more of the error is there on training images already, and that comes first"
SEVERAL, HALF = 10, 0.5  # images of a class, and the share of them that are copies
SHARE_OF_ERRORS = 0.1  # of the validation errors, that such classes make
LATE = 0.75  # of the epochs: a best epoch before that is early
LATE_P = 0.05


def surely_matters(case: Case, gap: Gap) -> bool:
    """The gap is above the limit by more than chance: it surely is, or it is twice that, and surely half of it. Of bare
    numbers a high one does: half of all sound runs have a gap by their estimate alone, but these were chosen to be
    judged."""
    if gap.verdict != "high" or case.errors is None:
        return False
    if case.run is None:
        return True
    tau = case.errors.tau - SLACK
    return gap.low >= tau or (gap.value >= 2 * tau and gap.low >= tau / 2)


class Variance(Rule):
    """The error on new images is well above the error on training images: it learned its training set by heart.

    Seen as: train-dev (or validation) error − training error is high, and surely above the limit (2 points): the lower
    end of its interval is, or the gap is twice the limit and the lower end half of it. (With small validation sets half
    of all sound runs have a gap of 2 points by their estimate alone.) Where the best epoch came early, the gap of the
    last epoch counts as well: by then the training error had surely fallen, and the model overfits. Where augmentation
    is on and all images are used, a gap under ten points is told, but not blamed: it may be all that so few images
    allow; nor one under ten points that is smaller than what the training error is above the human level, which comes
    first. The recipe: more data is the surest, then regularisation (augmentation, dropout, L2). A smaller network is
    not advised: it raises the bias.
    """

    code, name, title, link = "V1", "variance", "it does not carry over to new images", "validation"
    symptom = True

    def look(self, case: Case) -> Finding | None:
        if case.gaps is None or case.errors is None:
            return None
        late = None if surely_matters(case, case.gaps.variance) else late_gap(case)
        if late is not None and case.end is not None:
            return self.overfitted(case, case.end, late)
        if case.gaps.variance.verdict != "high":
            return None
        gap, fitted = case.gaps.variance, case.errors.train_dev or case.errors.validation
        where = "train-dev" if case.errors.train_dev else "validation"
        sure, helped = surely_matters(case, gap), case.run is None or strong_change_left(case) or gap.low >= LARGE
        doubt = "" if sure else f"; at n={fitted.n:,} it is not sure to be more than {100 * case.errors.tau:.0f} points"
        doubt += "" if helped else "; what usually lowers it is done, so more data may be all that helps"
        after = sure and helped and gap.low < LARGE and gap.value < case.to_win - SLACK
        status: Status = "cannot_tell_yet" if after else "found" if sure and helped else "not_enough_evidence"
        return self.found(
            gap_sentence(where, fitted, gap, "the training error") + doubt,
            harm=gap.value,
            status=status,
            waits=MORE_ON_TRAINING if after else "",
            evidence={"variance": gap._asdict(), f"{where}_error": fitted.value, "n": fitted.n},
            changes=tuple(more_data(case) if unheld(case) else variance_changes(case)) if case.run else (),
            rivals=("V5", "V6", "M1") if case.errors.train_dev is None else ("V5", "V6"),
            confirm="improve learning-curve SPEC: would more data help?",
        )

    def overfitted(self, case: Case, end: Errors, gap: Gap) -> Finding:
        """By the last epoch it fits its training set, and does not carry over; the best epoch came before that."""
        epochs, above = len(case.column("train_error")), f"the training error of {100 * end.train.value:.1f} %"
        return self.found(
            f"by epoch {epochs} it had overfitted: {gap_sentence('validation', end.validation, gap, above)}; the best "
            f"epoch, {best_epoch(case)}, was before that",
            harm=case.to_gain,
            evidence={"variance": gap._asdict(), "epoch": epochs, "n": end.validation.n},
            changes=tuple(more_data(case) if unheld(case) else variance_changes(case)),
            rivals=("V5", "V6", "M1"),
            confirm="improve learning-curve SPEC: would more data help?",
        )


def late_gap(case: Case) -> Gap | None:
    """The gap of the last epoch, where it surely matters, and training images were by then surely fitted better than at
    the best epoch."""
    if case.end is None or case.errors is None:
        return None
    gap = gap_between(case.end.validation, case.end.train, case.end)
    fell, _ = difference(case.errors.train, case.end.train)
    return gap if fell > SLACK and surely_matters(case, gap) else None


def strong_change_left(case: Case) -> bool:
    """One of the strong knobs is left: more training images, or augmentation."""
    return not case.setting("augmentation") or any(more_data(case))


def variance_changes(case: Case) -> Iterator[Change]:
    """The recipe's knobs for a high variance, the most promising first."""
    yield from more_data(case)
    if not case.setting("augmentation"):
        yield with_augmentation(case, gentle_augmentation(case), "each image is seen in more ways")
        yield from with_mirrored_images(case)
    if own_code(case):  # nothing reaches into a model of the user's own
        return
    if not case.setting("regularization.dropout"):
        yield with_dropout(case, "no unit can lean on another one")
    l2 = case.setting("regularization.l2") or 0.0
    if l2 < 1e-3:
        yield Change("regularization.l2", 1e-4 if l2 < 1e-5 else 10 * l2, "smaller weights, smoother decisions")


class Unheld(Rule):
    """A high variance, and nothing configured that would hold it.

    Seen as: the variance is surely high, without dropout, augmentation, weight decay or an L2 of 1e-4, and V1 proposes
    another thing: training images that are not used. Fix: augmentation first, for it brings what new images would.
    """

    code, name, title, link = "V3", "nothing_holds_the_variance", "nothing holds the variance", "validation"
    symptom = True

    def look(self, case: Case) -> Finding | None:
        if case.gaps is None or not unheld(case):
            return None
        return self.found(
            f"no dropout, no augmentation, l2 {case.setting('regularization.l2') or 0:g}; the gap is "
            f"{gap_points(case.gaps.variance)}",
            harm=case.gaps.variance.value / 2,
            evidence={"variance": case.gaps.variance._asdict()},
            changes=[change for change in variance_changes(case) if not change.path.startswith("data")],
            rivals=("V4",),
            confirm="train once with augmentation",
        )


def unheld(case: Case) -> bool:
    """Whether V3 proposes what would hold the variance; V1 then proposes the images that are not used, and no more."""
    sure = case.run is not None and case.gaps is not None and surely_matters(case, case.gaps.variance)
    return sure and not held(case) and any(more_data(case))


def held(case: Case) -> bool:
    """Something is configured against learning by heart."""
    decay = max(case.setting("regularization.l2") or 0.0, case.setting("optimizer.weight_decay") or 0.0)
    dropout = case.setting("regularization.dropout") or case.evidence.start.get("dropout")
    return bool(dropout or case.setting("augmentation") or decay >= 1e-4)


class DataLimited(Rule):
    """More data would help most.

    Seen as: half of the training images, or of those of a class that has ten and errs, are copies of others, pixel for
    pixel, which teach nothing new. Or `improve learning-curve` was run for this spec, and twice the data is forecast to
    win 2 points or more, at the careful end of its range; or the gap is 2 points or more while at least as many
    training images again lie unused (`data.train_size`). Otherwise the finding waits for that experiment. Fix: more
    training images, collected in rounds: a power law promises too much as often as too little.
    """

    code, name, title, link = "V4", "data_limited", "more data would help most", "validation"

    def look(self, case: Case) -> Finding | None:
        if case.run is None or case.errors is None or case.gaps is None:
            return None
        return self.repeated(case) or self.foretold(case) or self.unused(case)

    def repeated(self, case: Case) -> Finding | None:
        """Fewer images than there seem to be."""
        again, labels = copies(case), case.evidence.images.get("train_label")
        seen = case.evidence.best("validation")
        if again is None or labels is None or len(labels) != len(again) or seen is None or not case.errs:
            return None
        few = [k for k in np.unique(labels) if is_repeated(again[labels == k])]
        wrong = float((seen.wrong & np.isin(seen.label, few)).mean())
        if not few or wrong < SHARE_OF_ERRORS * seen.wrong.mean():
            return None
        n, left = (int(np.isin(labels[kept], few).sum()) for kept in (slice(None), ~again))
        return self.found(
            f"of {n:,} training images of {class_names(case, few)} only {left:,} are different: a copy, "
            "pixel for pixel, teaches nothing new",
            harm=wrong,
            evidence={"classes": few, "images": n, "different": left},
            fact=True,
            confirm="look where the copies come from, and take more images that differ",
        )

    def unused(self, case: Case) -> Finding | None:
        data = case.data
        used, available = part_of_train(data), data.train_available or 0
        if case.gaps is None or case.errors is None or not available >= 2 * used > 0:
            return None
        if case.gaps.variance.value < case.errors.tau - SLACK:
            return None
        return self.found(
            f"{used:,} of {available:,} training images are used, and the gap is {gap_points(case.gaps.variance)}",
            harm=case.to_gain,
            evidence={"used": used, "available": available, "variance": case.gaps.variance._asdict()},
            changes=more_data(case),
            rivals=("V3",),
            confirm="improve learning-curve SPEC: would more data help?",
        )

    def foretold(self, case: Case) -> Finding | None:
        curve = case.run.neighbourhood.learning_curve if case.run else None
        if not curve or schema_fault(Curve, curve) or case.errors is None:
            return None
        twice = next(iter(curve.get("forecasts", [])), None)  # the first one is for twice the images
        if twice is None or twice["high"] is None or case.errors.validation.value - twice["high"] < HELPS - SLACK:
            return None
        return self.found(
            curve["sentence"],
            harm=case.errors.validation.value - twice["high"],
            evidence={"forecast": twice, "sizes": curve.get("sizes"), "n": case.errors.validation.n},
            changes=more_data(case),
            rivals=("V3",),
            confirm="collect in rounds, and look again after each",
        )


def is_repeated(again: Any) -> bool:
    """Whether half of the images of a class, of ten at least, are copies."""
    return len(again) >= SEVERAL and bool(again.mean() >= HALF)


class Overtrained(Rule):
    """The validation error was lower before: it learned by heart from then on.

    Seen as: a best epoch in the first three quarters of the run, and at its end a validation error 2 points higher,
    on the same images (exact McNemar test, p < 0.05). The best epoch is the one that is kept, so this costs time, not
    points. Fix: early stopping. (A validation loss that rises while the error falls is over-confidence, V8.)
    """

    code, name, title, link = "V2", "overtrained", "it was better before the end", "validation"
    symptom = True

    def look(self, case: Case) -> Finding | None:
        best, epochs = best_epoch(case), len(case.column("validation_error"))
        then, now = (case.evidence.best("validation"), case.evidence.last("validation"))
        if not best or best > LATE * epochs or then is None or now is None or case.errors is None:
            return None
        worse, better = int((now.wrong & ~then.wrong).sum()), int((then.wrong & ~now.wrong).sum())
        lost, p = (worse - better) / len(now.label), mcnemar(worse, better)
        if lost < case.errors.tau - SLACK or p >= LATE_P:
            return None
        low, high = Rate(float(now.wrong.mean()), len(now.label)).interval()
        stop = Change("training.early_stopping", {"patience": max(3, epochs // 10)}, "the rest was lost time")
        return self.found(
            f"{100 * lost:.1f} points were lost after epoch {best} of {epochs} (p={p:.2g}, n={len(now.label):,}); the "
            f"last epoch errs on {100 * now.wrong.mean():.1f} % [{100 * low:.1f}, {100 * high:.1f}]",
            harm=0.0,
            evidence={"lost": lost, "p": p, "best_epoch": best, "epochs": epochs, "n": len(now.label)},
            changes=() if case.setting("training.early_stopping") else (stop,),
            rivals=("T3",),
        )
