"""Runs as a comparison sees them, made up."""

import numpy as np

from improve.diagnosis.comparison.candidate import Candidate
from improve.diagnosis.comparison.rules import comparison_findings
from improve.spec.spec import Spec


def missed(n, *stretches):
    """Which of n images are wrong: those in the given stretches."""
    wrong = np.zeros(n, bool)
    for first, last in stretches:
        wrong[first:last] = True
    return wrong


def run(name, error=0.1, n=1000, wrong=None, images="a", **spec):
    whole = Spec.model_validate(spec).complete()
    error = error if wrong is None else float(wrong.mean())
    return Candidate(name, whole, error, n if wrong is None else len(wrong), images, wrong)


def seeds(name, errors, **spec):
    return [run(f"{name}{seed}", error, images=f"{seed}", seed=seed, **spec) for seed, error in enumerate(errors)]


def rates(errors):
    return [run(f"{rate:g}", error, optimizer={"name": "sgd", "learning_rate": rate}) for rate, error in errors.items()]


def codes(runs):
    return [finding.code for finding in comparison_findings(runs)]


def only(runs, code):
    (finding,) = [finding for finding in comparison_findings(runs) if finding.code == code]
    return finding


def several(count, error, n):
    return [run(f"r{seed}", error, n, seed=seed) for seed in range(count)]
