"""Shelf: findings, in the order of the recipe. What is found is told by how likely its cause is (weighing.py); alike,
in this order."""

from improve.diagnosis.findings.capacity import AvoidableBias, Frozen, Irreducible, TooSmall
from improve.diagnosis.findings.classes import ClassNeverPredicted
from improve.diagnosis.findings.convergence import LaggingAverage, NotFinished
from improve.diagnosis.findings.deployment import Abstention, FieldError, HiddenByTheMetric, WeakSlice
from improve.diagnosis.findings.gradients import ColdStatistics, DeadUnits, Exploding, Saturated, TooDeep, Vanishing
from improve.diagnosis.findings.images import DamagedImages
from improve.diagnosis.findings.label_noise import LabelNoise
from improve.diagnosis.findings.labels import NoSignal
from improve.diagnosis.findings.mismatch import DataMismatch, LabelShift
from improve.diagnosis.findings.optimization import BatchSize, Clipping, DecayedEarly, RateTooHigh, RateTooLow
from improve.diagnosis.findings.over_regularization import OverRegularized
from improve.diagnosis.findings.readable import (
    Diverged,
    EvaluationTooSmall,
    Interrupted,
    NoBetterThanChance,
    NotClean,
    NotFinite,
)
from improve.diagnosis.findings.rule import Rule
from improve.diagnosis.findings.test_set import TestDuplicates, TestShift, TestTooSmall, ValidationOverfit
from improve.diagnosis.findings.validation import Leak, NoisyValidation, Overconfident, WeakClasses
from improve.diagnosis.findings.variance import DataLimited, Overtrained, Unheld, Variance
from improve.diagnosis.findings.wiring import FirstLoss, Head, InputScale, Start

#: what keeps the training set from being fitted, or makes its fit mean nothing
CAUSES: tuple[type[Rule], ...] = (
    DamagedImages, Start, Head, NotClean, InputScale, NotFinite, Diverged, OverRegularized, NoSignal,
    ColdStatistics, LaggingAverage, LabelNoise, Clipping, DecayedEarly, TooDeep, BatchSize, RateTooHigh, DeadUnits,
    Vanishing, RateTooLow, Exploding, Saturated, Frozen, DataLimited, TooSmall, NotFinished, ClassNeverPredicted,
    FirstLoss, NoBetterThanChance, AvoidableBias,
)  # fmt: skip
#: what is between training, validation and test images
GAPS: tuple[type[Rule], ...] = (
    Leak, DataMismatch, WeakClasses, LabelShift, Variance, Unheld, Overtrained, NoisyValidation,
    Overconfident, ValidationOverfit, TestShift, TestDuplicates, TestTooSmall,
)  # fmt: skip
#: what holds whatever else is found
ALWAYS: tuple[type[Rule], ...] = (
    Irreducible, Interrupted, EvaluationTooSmall, FieldError, WeakSlice, HiddenByTheMetric, Abstention
)  # fmt: skip
ORDER: tuple[type[Rule], ...] = (*CAUSES, *GAPS, *ALWAYS)
#: broken: it did not learn, or was wired wrongly
BROKEN = ("R1", "R2", "R3", "R5", "T14")
