"""Causes that are told apart by weighing signs, the codes of the findings that name each, and where one cannot be:
where a sign is no larger than a limit, such as clipping where nothing is clipped."""

from __future__ import annotations

from typing import NamedTuple

from improve.diagnosis.findings.strengths import NONE


class Cause(NamedTuple):
    """`codes` of the findings that name it, the most fitting first; `above`: limits of signs."""

    codes: tuple[str, ...]
    above: dict[str, float]


def cause(codes: str, **above: float) -> Cause:
    return Cause(tuple(codes.split()), above)


CAUSES: dict[str, Cause] = {
    "rate_too_low": cause("T2"),
    "rate_too_high": cause("T3"),
    "too_few_epochs": cause("T1"),
    "rate_falls_early": cause("T4", low_rate_share=0.0),
    "clipping": cause("T12", clipped=0.0),
    "too_few_steps": cause("T15"),
    "mean_lags": cause("T21", mean_span=NONE),
    "start_too_large": cause("T9 R4"),
    "start_too_small": cause("T9"),
    "dead": cause("T7"),
    "head": cause("R5"),
    "climbs": cause("R2 R1"),
    "not_clean": cause("R8"),
    "cold_statistics": cause("V7", batch_norm=0.0),
    "flat_activations": cause("T5 T8", squashed_layers=0.0),
    "too_deep": cause("T10 T6"),
    "frozen": cause("T20", frozen=0.0),
    "too_small": cause("T17"),
    "held_back": cause("T11", restraint=NONE),
    "wrong_labels": cause("T13"),
    "wrong_validation_labels": cause("T13"),
    "no_signal": cause("T14"),
    "variance": cause("V1 V4 V3", gap_at_end=0.0, carried_over=0.0),
    "rare_classes": cause("V5", imbalance=0.0),
    "class_missing": cause("T16", classes_without_images=0.0),
    "leak": cause("V6"),
    "mismatch": cause("M1"),
    "test_differs": cause("S4 S1"),
    "input_scale": cause("R6"),
    "damaged_images": cause("R10"),
}
