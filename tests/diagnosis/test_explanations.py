"""What `improve explain CODE` says is what the code does: each limit that it names is the rule's own."""

import re

import pytest

from evidence_data import RULES
from improve.diagnosis.findings import (
    capacity,
    classes,
    convergence,
    gradients,
    images,
    label_noise,
    labels,
    mismatch,
    optimization,
    over_regularization,
    readable,
    scales,
    simple_models,
    test_set,
    validation,
    variance,
    wiring,
)

WORDS = {
    "half": 0.5,
    "a fifth": 0.2,
    "a tenth": 0.1,
    "a quarter": 0.25,
    "twenty": 20,
    "five": 5,
    "three": 3,
    "once": 1,
    "a third": 1 / 3,
}
LIMITS = [
    ("R10", images.SHARE, "{1 %} of the images of a part"),
    ("R10", images.IMAGES, "and {3} at least"),
    ("R10", images.HEAPS, "{twenty} times the brightness"),
    ("R10", images.ROUGH, "({1.05} standard deviations"),
    ("R10", images.SMOOTH, "do not ({0.75})"),
    ("T9", wiring.SCALES[1], "√inputs above {2.5}"),
    ("T9", wiring.SCALES[0], "or under {0.02}"),
    ("R5", wiring.CUT_OFF, "of which {2 %} or more"),
    ("R5", wiring.TIES, "and {12} at least"),
    ("R6", wiring.INPUT[1], "with weights above {10}"),
    ("R6", wiring.INPUT[0], "or under {0.03}"),
    ("R6", scales.OTHER_SCALE, "both are {three} times"),
    ("R4", wiring.START[0], "outside {0.5} to"),
    ("R4", wiring.START[1], "to {2} (healthy"),
    ("R3", readable.CHANCE_P, "p ≥ {0.01}"),
    ("T11", over_regularization.PENALTY, "more than {a fifth} of the loss"),
    ("T11", over_regularization.SHRUNK, "have lost {half} of their size"),
    ("T11", over_regularization.SMOOTHED, "label smoothing from {0.5} on"),
    ("T11", over_regularization.LOPSIDED, "above {30} times the smallest"),
    ("T11", over_regularization.HEAVY_DROPOUT, "dropout of {0.75} or more"),
    ("T11", over_regularization.SHORT, "after {five} epochs"),
    ("T11", over_regularization.HELD_BACK, "under {0.7} of that in training mode"),
    ("T11", over_regularization.WORSE, "there {15} points higher"),
    ("T11", over_regularization.HARDER, "under {0.6} of that of the augmented"),
    ("T11", over_regularization.STUCK, "above {0.9} of ln K"),
    ("T14", labels.CHANCE_P, "p < {0.01}"),
    ("T14", labels.FEEBLE, "less than {three} times the accuracy"),
    ("T14", labels.RENAMED, "make {20} points more"),
    ("T13", label_noise.CONTRADICTING, "{1 %} of the training images"),
    ("T13", label_noise.CONTRADICTIONS, "and {3} at least"),
    ("T13", simple_models.POINTS, "by {5} points"),
    ("T13", label_noise.CLASS_P, "p < {0.001} over all classes"),
    ("T13", label_noise.UNRELATED, "confidence under {0.8}"),
    ("T16", classes.CHANCE_P, "p < {0.01} by chance"),
    ("T16", classes.LEARNED, "at most {half} of what guessing"),
    ("T12", optimization.SLOW, "under {5e-4}"),
    ("T12", optimization.CLIPPED_STEPS, "more than {half} of the steps"),
    ("T4", optimization.LOW_STEPS, "more than {half} of the steps"),
    ("T2", optimization.SLOW, "under {5e-4}"),
    ("T3", optimization.SPIKE_STEPS, "first {50} steps"),
    ("T3", optimization.SPIKE, "above {three} times the first"),
    ("T3", optimization.FAST, "‖Δw‖/‖w‖ above {0.1}"),
    ("T3", optimization.COLLAPSE, "at the end is {10} points"),
    ("T15", optimization.FEW_UPDATES, "fewer than {100} updates"),
    ("T15", optimization.FEW_PER_EPOCH, "at most {8} per epoch"),
    ("T15", optimization.TINY_BATCH, "batches of {4} or less"),
    ("T7", gradients.DEAD, "{95 %} or more of a layer's units"),
    ("T10", gradients.DEEP, "{15} layers with weights"),
    ("T10", gradients.DEEP_NORMALIZED, "({30} with normalisation)"),
    ("T20", capacity.FROZEN, "more than {half} of the weights"),
    ("T1", convergence.ENDED, "the rate is {a fifth} of its peak"),
    ("T1", convergence.SHORT, "less than {five} epochs"),
    ("T1", convergence.FALLING_P, "p < {0.05}"),
    ("T1", convergence.STILL, "take {a tenth} of it away"),
    ("T21", convergence.BEHIND, "lacks {a third} or more"),
    ("V6", validation.LEAKED_IMAGES, "at least {3} validation images"),
    ("V5", validation.IMBALANCE, "{five} times as many"),
    ("V5", validation.WEAK_P, "p < {0.05} after Holm"),
    ("V8", validation.NATS, "by {0.05} nats"),
    ("V9", validation.JUMPY, "above {2.5} times"),
    ("M1", simple_models.POINTS, "by {5} points"),
    ("M2", mismatch.SHIFTED, "at least {15 %} of the validation images"),
    ("S1", test_set.CHOSEN, "and {five} or more specs"),
    ("S3", test_set.ENOUGH, "more than {5} points"),
    ("V2", variance.LATE_P, "p < {0.05}"),
]


def number(text):
    return WORDS[text] if text in WORDS else float(text.removesuffix(" %")) / (100 if text.endswith("%") else 1)


@pytest.mark.parametrize(("code", "limit", "said"), LIMITS)
def test_a_limit_in_an_explanation_is_the_one_in_the_code(code, limit, said):
    explanation = " ".join(RULES[code].explanation().split())
    assert re.sub(r"[{}]", "", said) in explanation
    told = number(re.search(r"{(.*)}", said)[1])
    assert told in (pytest.approx(limit), pytest.approx(100 * limit))  # points are hundredths
