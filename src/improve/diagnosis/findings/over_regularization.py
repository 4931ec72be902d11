"""Is the network kept from fitting? Penalties, dropout, augmentation, decay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from improve.diagnosis.findings.edits import HEAVY_DROPOUT, gentle_dropout
from improve.diagnosis.findings.indicators import best_epoch, chance_level, kernel_columns, modes_ratio, penalty_share
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule, fit_text

PENALTY = 0.2  # of the loss; healthy runs with L2: up to 0.11; L2 0.1: 0.44
HELD_BACK = 0.7  # clean over training-mode cross-entropy; dropout 0.7: 0.57; 0.2: 0.96
WORSE = 0.15  # error in training mode above the clean one
STUCK = 0.9  # of ln K: the cross-entropy of augmented batches, at the end of a run of
SHORT = 5  # epochs at least
HARDER = 0.6  # clean cross-entropy over that of the augmented batches
DECAY, SHRUNK = 0.05, 0.5  # weight decay, and the share of their size that the weights have left


class Brake(NamedTuple):
    """One thing that holds the network back: how much, in words, and what to do."""

    says: str
    change: Change


class OverRegularized(Rule):
    """What should hold the network back from learning by heart keeps it from learning at all.

    Seen as one of: penalties that make more than a fifth of the loss; with dropout, a clean cross-entropy under 0.7 of
    that in training mode, an error there 15 points higher, or a rate from 0.75 on; with augmentation, a clean
    cross-entropy under 0.6 of that of the augmented batches, or one of those that stays above 0.9 of ln K; a weight
    decay that has halved the weights. And a training error that is high, by more than the variance, which the brake is
    there for. Fix: the brake at a usual strength, or off.
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


def brakes(case: Case) -> Iterator[Brake]:
    """The brakes that are pressed too hard, the surest evidence first."""
    yield from penalties(case)
    yield from dropout(case)
    yield from decay(case)
    yield from augmentation(case)


def penalties(case: Case) -> Iterator[Brake]:
    share = penalty_share(case)
    usual = {"l2": 1e-4, "l1": 1e-6, "activity_l1": 0.0, "activity_l2": 0.0}
    given = {name: value for name in usual if (value := case.setting(f"regularization.{name}"))}
    if share > PENALTY and given:
        strongest = max(given, key=lambda name: given[name])
        weaker = usual[strongest] if given[strongest] > usual[strongest] else 0.0
        release = Change(f"regularization.{strongest}", weaker, "a usual strength" if weaker else "it goes first")
        yield Brake(f"penalties make {100 * share:.0f} % of the loss", release)


def dropout(case: Case) -> Iterator[Brake]:
    rates, both = case.evidence.start.get("dropout") or [0.0], modes_ratio(case)
    held = both is not None and (both[0] < HELD_BACK or both[1] < -WORSE)
    less = next(gentle_dropout(case), None)
    if max(rates) > 0 and less and (held or max(rates) >= HEAVY_DROPOUT):
        seen = f"; in training mode it errs on {-100 * both[1]:.1f} points more" if both else ""
        yield Brake(f"dropout switches off {100 * max(rates):.0f} % of the units{seen}", less)


def decay(case: Case) -> Iterator[Brake]:
    given = case.setting("optimizer.weight_decay") or 0.0
    norms = [columns["weight_norm"].tolist() for columns in kernel_columns(case)]
    left = [norm[-1] / max(norm[0], 1e-30) for norm in norms]
    if given >= DECAY and left and min(left) < SHRUNK:
        release = Change("optimizer.weight_decay", 0.004, "Keras's default for AdamW")
        yield Brake(f"a weight decay of {given:g} has left {100 * min(left):.0f} % of a kernel's size", release)


def augmentation(case: Case) -> Iterator[Brake]:
    losses, clean, best = case.column("cross_entropy"), case.column("train_cross_entropy"), best_epoch(case)
    if not case.setting("augmentation") or not 0 < best <= len(clean) or case.setting("regularization.dropout"):
        return
    ratio = clean[best - 1] / max(losses[best - 1], 1e-30)
    release = Change("augmentation", [], "the images as they are")
    if len(losses) >= SHORT and losses[-1] > STUCK * chance_level(case):
        stays = f"the cross-entropy of augmented images stays at {losses[-1]:.3g}"
        yield Brake(f"{stays}, guessing gives {chance_level(case):.3g}", release)
    elif ratio < HARDER:
        yield Brake(f"augmented images are so hard that the clean cross-entropy is {ratio:.2f} of theirs", release)
