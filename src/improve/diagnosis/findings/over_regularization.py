"""Is the network kept from fitting? Penalties, dropout, augmentation, decay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from improve.diagnosis.findings.capacity import still_falling
from improve.diagnosis.findings.edits import HEAVY_DROPOUT, gentle_dropout
from improve.diagnosis.findings.indicators import (
    best_epoch,
    chance_level,
    kernel_columns,
    modes_ratio,
    penalty_share,
    steps_taken,
)
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule, fit_text
from improve.diagnosis.findings.strengths import over, strongest
from improve.lazy import np

PENALTY = 0.2  # of the loss; healthy runs with L2: up to 0.11; L2 0.1: 0.44
HELD_BACK = 0.7  # clean over training-mode cross-entropy; dropout 0.7: 0.57; 0.2: 0.96
WORSE = 0.15  # error in training mode above the clean one
STUCK = 0.9  # of ln K: the cross-entropy of augmented batches, at the end of a run of
SHORT = 5  # epochs at least
FIFTHS = 5  # of the run: whether the training error still falls
HARDER = 0.6  # clean cross-entropy over that of the augmented batches
DECAY, SHRUNK = 0.05, 0.5  # weight decay, and the share of their size that the weights have left
SMOOTHED = 0.5  # of every label goes to the other classes
LOPSIDED = 30.0  # times the smallest class weight
FEW_IMAGES = 16  # in a batch


#: what is still usual: a share of units, of a label, of the loss, of a weight in the whole run, and what a limit leaves
USUAL_DROPOUT, USUAL_SMOOTHING, USUAL_PENALTY, USUAL_DECAY, USUALLY_LEFT = 0.5, 0.2, 0.2, 0.5, 0.7
AS_THEY_ARE = Change("augmentation", [], "the images as they are")
LESS_SMOOTHING = Change("regularization.label_smoothing", 0.1, "a usual strength")
LESS_DECAY = Change("optimizer.weight_decay", 0.004, "Keras's default for AdamW")
LARGER_NORM = Change("regularization.max_norm", 3.0, "a usual limit")


class Brake(NamedTuple):
    """One thing that holds the network back: how much, in words, and what to do."""

    says: str
    change: Change


class OverRegularized(Rule):
    """What should hold the network back from learning by heart keeps it from learning at all.

    Seen as one of: penalties that make more than a fifth of the loss, of weights that have lost half of their size;
    a label smoothing from 0.5 on; a class weight above 30 times the smallest; a largest norm that has halved a
    kernel; dropout of 0.75 or more, or one with which, after five epochs and where the training error no longer
    falls, the clean cross-entropy is under 0.7 of that in training mode, or the error there 15 points higher; a
    weight decay that has halved the weights; with augmentation, a cross-entropy of the images as they are under 0.6
    of that of the augmented batches, or, where it is stronger than is usual (a turn of 30 degrees, a shift of a fifth,
    noise of 0.4), one of those that stays above 0.9 of ln K for five epochs. And a training error that is high, by
    more than the variance, which the brake is there for. Fix: the brake at a usual strength, or off.
    """

    code, name, title, link = "T11", "over_regularized", "it is held back too much", "training"

    def look(self, case: Case) -> Finding | None:
        if not case.fits_badly or case.errors is None or case.gaps is None:
            return None
        found = next(brakes(case), None)
        if found is None or case.to_win < case.gaps.variance.value:
            return None
        return self.found(
            f"{found.says}; {fit_text(case)}",
            harm=case.to_win,
            evidence={"penalty_share": penalty_share(case), "modes": modes_ratio(case)},
            changes=(found.change,),
            rivals=("T1", "T2"),
            confirm="train 2 epochs with it off",
        )

    def remedies(self, case: Case) -> Iterable[Change]:
        """What releases the brake that is furthest over its usual strength."""
        pressed = [(strength, change) for strength, changes in strengths(case) for change in changes]
        return [max(pressed, key=lambda one: one[0])[1]]


def strengths(case: Case) -> Iterator[tuple[float, Iterable[Change]]]:
    """Each brake in decades over its usual strength, and what releases it; weight decay by what it takes of a weight in
    the whole run."""
    decay, rate = (case.setting(f"optimizer.{name}") or 0.0 for name in ("weight_decay", "learning_rate"))
    rate = rate if isinstance(rate, int | float) else 0.0
    yield strongest(case), [AS_THEY_ARE]
    yield over(max(case.evidence.start.get("dropout") or [0.0]), USUAL_DROPOUT), gentle_dropout(case)
    yield over(case.setting("regularization.label_smoothing") or 0.0, USUAL_SMOOTHING), [LESS_SMOOTHING]
    yield over(penalty_share(case), USUAL_PENALTY), weaker_penalty(case)
    yield over(decay * rate * steps_taken(case), USUAL_DECAY), [LESS_DECAY]
    left = weights_left(case)
    if case.setting("regularization.max_norm") and left:
        yield over(USUALLY_LEFT, left), [LARGER_NORM]


def brakes(case: Case) -> Iterator[Brake]:
    """The brakes that are pressed too hard, the surest evidence first."""
    yield from penalties(case)
    yield from limits(case)
    yield from dropout(case)
    yield from decay(case)
    yield from augmentation(case)


def penalties(case: Case) -> Iterator[Brake]:
    share, left, release = penalty_share(case), weights_left(case), next(weaker_penalty(case), None)
    # those of a network that they do not hold stay as they are
    weights = any(case.setting(f"regularization.{name}") for name in ("l1", "l2"))
    if share > PENALTY and release and (not weights or left is None or left < SHRUNK):
        yield Brake(f"penalties make {100 * share:.0f} % of the loss", release)


def weaker_penalty(case: Case) -> Iterator[Change]:
    usual = {"l2": 1e-4, "l1": 1e-6, "activity_l1": 0.0, "activity_l2": 0.0}
    given = {name: value for name in usual if (value := case.setting(f"regularization.{name}"))}
    if given:
        name = max(given, key=lambda name: given[name])
        weaker = usual[name] if given[name] > usual[name] else 0.0
        yield Change(f"regularization.{name}", weaker, "a usual strength" if weaker else "it goes first")


def dropout(case: Case) -> Iterator[Brake]:
    rates, both = case.evidence.start.get("dropout") or [0.0], modes_ratio(case)
    settled = len(case.column("train_error")) >= SHORT and not still_falling(case, FIFTHS)
    held = settled and both is not None and (both[0] < HELD_BACK or both[1] < -WORSE) and not tiny_batches(case)
    less = next(gentle_dropout(case), None)
    if max(rates) > 0 and less and (held or max(rates) >= HEAVY_DROPOUT):
        seen = f"; in training mode it errs on {-100 * both[1]:.1f} points more" if both else ""
        yield Brake(f"dropout switches off {100 * max(rates):.0f} % of the units{seen}", less)


def decay(case: Case) -> Iterator[Brake]:
    given = case.setting("optimizer.weight_decay") or 0.0
    left = weights_left(case)
    if given >= DECAY and left is not None and left < SHRUNK:
        yield Brake(f"a weight decay of {given:g} has left {100 * left:.0f} % of a kernel's size", LESS_DECAY)


def weights_left(case: Case) -> float | None:
    """The share of its size that the kernel has left which lost most of it."""
    norms = [columns["weight_norm"].tolist() for columns in kernel_columns(case)]
    return min((norm[-1] / max(norm[0], 1e-30) for norm in norms), default=None)


def limits(case: Case) -> Iterator[Brake]:
    """What leaves the loss little to tell the right class by."""
    smoothing, weights = case.setting("regularization.label_smoothing") or 0.0, case.setting("training.class_weights")
    if smoothing >= SMOOTHED:
        yield Brake(f"a label smoothing of {smoothing:g} takes that share of every label", LESS_SMOOTHING)
    given = [float(value) for value in weights.values()] if isinstance(weights, dict) else [1.0]
    given += [1.0] if len(given) < (case.evidence.start.get("classes") or 2) else []  # the others weigh 1
    if max(given) > LOPSIDED * max(min(given), 1e-30):
        release = Change("training.class_weights", "balanced", "classes weigh by how rare they are")
        yield Brake(f"class weights from {min(given):g} to {max(given):g} leave some classes hardly any say", release)
    norm, moves = case.setting("regularization.max_norm"), weights_left(case)
    if norm and moves is not None and moves < SHRUNK:
        yield Brake(f"a largest norm of {norm:g} has left {100 * moves:.0f} % of a kernel's size", LARGER_NORM)


def tiny_batches(case: Case) -> bool:
    """Batch normalisation over so few images makes training mode another thing, whatever dropout does."""
    return bool(case.evidence.start.get("batch_normalizations")) and case.setting("training.batch_size") < FEW_IMAGES


def augmentation(case: Case) -> Iterator[Brake]:
    losses, clean, best = case.column("cross_entropy"), as_trained(case), best_epoch(case)
    if not case.setting("augmentation") or not 0 < best <= len(clean):
        return
    ratio = clean[best - 1] / max(losses[best - 1], 1e-30)
    if len(losses) >= SHORT and losses[-1] > STUCK * chance_level(case) and strongest(case) > 0:
        stays = f"the cross-entropy of augmented images stays at {losses[-1]:.3g}"
        yield Brake(f"{stays}, guessing gives {chance_level(case):.3g}", AS_THEY_ARE)
    elif ratio < HARDER:
        yield Brake(f"augmented images are so hard that the clean cross-entropy is {ratio:.2f} of theirs", AS_THEY_ARE)


def as_trained(case: Case) -> list[float]:
    """The cross-entropy of training images after each epoch, in training mode where dropout or batch normalisation make
    that another one: so that beside the augmented batches the augmentation alone differs."""
    start, clean = case.evidence.start, case.column("train_cross_entropy")
    trained = case.evidence.epochs.get("training_mode_cross_entropy", np.zeros(0))
    differs = any(start.get("dropout") or ()) or start.get("batch_normalizations")
    return trained.tolist() if differs and len(trained) == len(clean) and np.isfinite(trained).all() else clean
