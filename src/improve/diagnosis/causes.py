"""Causes that are told apart by weighing signs, and which signs speak for each.

A sign is named with the way in which it speaks for the cause: `path-` says that a short path does. `seen:T2` is the
finding's own check, `fact:T13` that it was counted. That a finding is the first in the order of the recipe,
`first:T2`, is a sign of every cause. Signs joined by `|` measure much the same: the strongest counts.
Some causes cannot be where a sign is no larger than a limit, such as clipping where nothing is clipped.
"""

from __future__ import annotations

from typing import NamedTuple

from improve.diagnosis.findings.strengths import NONE


class Cause(NamedTuple):
    """`codes` of the findings that name it, the most fitting first, and its signs."""

    codes: tuple[str, ...]
    signs: tuple[tuple[str, int, int], ...]
    above: dict[str, float]  # limits of signs


def cause(codes: str, signs: str, **above: float) -> Cause:
    """Each sign with the number of its group, and 1 where a high value speaks for the cause, −1 for a low one."""
    groups = [group.split("|") for group in signs.split()]
    named = codes.split()
    groups.append([f"first:{named[0]}+"])
    each = [(sign[:-1], at, 1 if sign[-1] == "+" else -1) for at, group in enumerate(groups) for sign in group]
    return Cause(tuple(named), tuple(each), above)


CAUSES: dict[str, Cause] = {
    "rate_too_low": cause(
        "T2",
        "rate_below_lowest+|rate_below_falling+ early_update-|largest_early_update-|path-|seen:T2+ loss_left+ "
        "training_fall- spike- oddest_setting-",
    ),
    "rate_too_high": cause(
        "T3",
        "rate_below_lowest-|rate_below_falling- early_update+|largest_early_update+ spike+|roughness+|seen:T3+ "
        "collapse+ fallen_silent+ above_simple+ weight_left+ oddest_setting-",
    ),
    "too_few_epochs": cause(
        "T1", "training_fall+|validation_fall+|best_place+|seen:T1+ stopped_early+ step_count-|path- oddest_setting-"
    ),
    "rate_falls_early": cause("T4", "low_rate_share+|late_update-|seen:T4+", low_rate_share=0.0),
    "clipping": cause("T12", "clipped+|seen:T12+ early_update-", clipped=0.0),
    "too_few_steps": cause("T15", "step_count-|steps_per_epoch-|batch_share+|seen:T15+ oddest_setting-"),
    "mean_lags": cause("T21", "mean_span+|mean_lag+|seen:T21+", mean_span=NONE),
    "start_too_large": cause("T9 R4", "first_loss+|seen:R4+ largest_start+|seen:T9+"),
    "start_too_small": cause("T9", "smallest_start-|alike+|seen:T9+ smallest_spread-"),
    "dead": cause("T7", "silent_at_start+|silent_at_end+|seen:T7+"),
    "head": cause("R5", "memorizing+ first_loss+ seen:R5+"),
    "climbs": cause("R2 R1", "error_left+|loss_left+ memorizing+ seen:R2+"),
    "not_clean": cause("R8", "clean_error-|clean_loss+ knows_its_errors- roughness+ seen:R8+"),
    "cold_statistics": cause("V7", "clean_error+|clean_loss+|seen:V7+ batch_norm+ gap+", batch_norm=0.0),
    "flat_activations": cause(
        "T5 T8",
        "gradient_balance-|seen:T5+ sigmoids+|squashed_layers+ saturation+|smallest_spread- memorizing+",
        squashed_layers=0.0,
    ),
    "too_deep": cause("T10 T6", "depth+|seen:T10+ memorizing+"),
    "frozen": cause("T20", "frozen+|seen:T20+ memorizing+", frozen=0.0),
    "too_small": cause("T17", "room-|seen:T17+ memorizing+ training_fall- above_simple+|above_linear+"),
    "held_back": cause(
        "T11",
        "clean_loss-|clean_error- restraint+|augmentation_strength+|seen:T11+ weight_left- augmented_loss- memorizing-",
        restraint=NONE,
    ),
    "wrong_labels": cause(
        "T13",
        "training_above+|training_above_at_end+|gap_in_errors-|class_missed_more+ simple_training_above+ "
        "knows_its_errors-|missed_label_chance- lost_by_heart+ seen:T13+|fact:T13+",
    ),
    "wrong_validation_labels": cause(
        "T13",
        "simple_gap+|seen:T13+|fact:T13+ told_apart+|looks_apart- gap_in_errors+ above_simple_in_validation-",
    ),
    "no_signal": cause("T14", "seen:T14+|fact:T14+ simple_gap+ carried_over-"),
    "variance": cause(
        "V1 V4 V3",
        "gap_in_errors+|gap+|gap_at_end+|seen:V1+ images_per_class-|images_unused+|seen:V4+",
        gap_at_end=0.0,
        carried_over=0.0,
    ),
    "rare_classes": cause("V5", "imbalance+ rare_error+|seen:V5+", imbalance=0.0),
    "class_missing": cause("T16", "never_answered+|seen:T16+", classes_without_images=0.0),
    "leak": cause("V6", "seen:V6+"),
    "mismatch": cause("M1", "told_apart-|looks_apart+ simple_gap+ seen:M1+|fact:M1+"),
    "test_differs": cause("S4 S1", "seen:S4+|seen:S1+"),
    "input_scale": cause("R6", "input_scale+|seen:R6+|fact:R6+"),
    "damaged_images": cause("R10", "seen:R10+"),
}
