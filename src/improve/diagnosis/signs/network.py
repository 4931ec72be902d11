"""What the network is like: depth, flat activations, gradients, room for the classes."""

from __future__ import annotations

from improve.diagnosis.findings.indicators import best_epoch, gradient_ratio
from improve.diagnosis.findings.rule import Case
from improve.diagnosis.signs.sign import decades, sign
from improve.runs.schema import SQUASHING

FLAT = {"sigmoid", "hard_sigmoid", "softmax"}  # a slope of a quarter at most
NEVER = 2.6  # decades of steps: the network never learned them by heart, in 200
LINEAR = -1.0  # decades: no hidden layer at all


@sign("the first layer's gradient over the last one's", log=True)
def gradient_balance(case: Case) -> float | None:
    return decades(gradient_ratio(case))


@sign("layers with weights one after another without a way around; with normalisation each counts half", above=10.0)
def depth(case: Case) -> float | None:
    start = case.evidence.start
    layers = sum(kernel["trainable"] for kernel in start.get("kernels", []))
    return 0.0 if start.get("skips") else layers / (2 if start.get("normalizations") else 1)


def layers_of(case: Case, activations: set[str]) -> float:
    return float(sum(name in activations for name in case.evidence.start.get("activations", ())))


@sign("layers with a sigmoid or softmax", above=2.0)
def sigmoids(case: Case) -> float | None:
    return layers_of(case, FLAT)


@sign("layers with an activation that flattens out", above=2.0)
def squashed_layers(case: Case) -> float | None:
    return layers_of(case, {*SQUASHING, *FLAT})


@sign("largest share of a layer's outputs at the ends of their range")
def saturation(case: Case) -> float | None:
    shares = [row["saturated"] for row in case.evidence.layers if row["epoch"] == best_epoch(case)]
    return max(shares, default=0.0) if case.evidence.layers else None


@sign("steps until a fresh copy knew a few images by heart", log=True)
def memorizing(case: Case) -> float | None:
    probe = case.evidence.start.get("memorized") or {}
    if probe.get("memorized") is None:
        return None
    return decades(probe["steps"]) if probe["memorized"] else NEVER


@sign("units of the narrowest hidden layer, for each class", log=True, below=0.0)
def room(case: Case) -> float | None:
    kernels, classes = case.evidence.start.get("kernels", []), case.evidence.start.get("classes") or 2
    if len(kernels) == 1:
        return LINEAR
    return decades(min(kernel["shape"][-1] for kernel in kernels[:-1]) / classes) if kernels else None


@sign("whether batches are normalised")
def batch_norm(case: Case) -> float | None:
    return float(bool(case.evidence.start.get("batch_normalizations")))
