"""Shelf: findings. The order is the order of the recipe: what comes first explains what comes after."""

from improve.findings.readable import EvaluationTooSmall, NoBetterThanChance, NotFinite
from improve.findings.rule import Rule
from improve.findings.testing import ValidationOverfit
from improve.findings.training import AvoidableBias
from improve.findings.validation import DataMismatch, Variance

BROKEN: tuple[type[Rule], ...] = (NotFinite, NoBetterThanChance)
ORDER: tuple[type[Rule], ...] = (*BROKEN, AvoidableBias, Variance, DataMismatch, ValidationOverfit, EvaluationTooSmall)
