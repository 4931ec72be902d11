"""What holds the network back, beside what is usual, and what that costs."""

from __future__ import annotations

from improve.diagnosis.findings.indicators import best_epoch, modes_ratio
from improve.diagnosis.findings.over_regularization import as_trained, strengths, weights_left
from improve.diagnosis.findings.rule import Case
from improve.diagnosis.findings.strengths import strongest
from improve.diagnosis.signs.sign import decades, sign


@sign("clean over training-mode loss on the same images", log=True)
def clean_loss(case: Case) -> float | None:
    both = modes_ratio(case)
    return decades(both[0]) if both else None


@sign("clean less training-mode error on the same images")
def clean_error(case: Case) -> float | None:
    both = modes_ratio(case)
    return both[1] if both else None


@sign("the strongest augmentation over what is usual", log=True, above=0.0)
def augmentation_strength(case: Case) -> float | None:
    return strongest(case)


@sign("the strongest restraint over what is usual", log=True, above=0.0)
def restraint(case: Case) -> float | None:
    return max(strength for strength, _ in strengths(case))


@sign("size of the kernel that shrank most, or grew least, over its size at the start", log=True)
def weight_left(case: Case) -> float | None:
    return decades(weights_left(case))


@sign("loss on images as they are over that on augmented ones", log=True)
def augmented_loss(case: Case) -> float | None:
    losses, clean, best = case.column("cross_entropy"), as_trained(case), best_epoch(case)
    if not case.setting("augmentation") or not 0 < best <= min(len(clean), len(losses)):
        return None
    return decades(clean[best - 1] / max(losses[best - 1], 1e-9))
