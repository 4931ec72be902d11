"""What runs leave behind, made up: a healthy run's evidence, and the one thing in it that is wrong."""

from __future__ import annotations

import math
from typing import Any

from improve.diagnosis import findings
from improve.diagnosis.bias_variance import components
from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.findings.rule import Case
from improve.diagnosis.run_errors import errors_of
from improve.runs.test_part import open_test

SGD = {"optimizer": {"name": "sgd", "learning_rate": 0.01}, "diagnosis": {"human_error": 0.0}}
RULES = {rule.code: rule for rule in findings.ORDER}
LN10 = math.log(10)


def part_of(n=1000, brightness=(0.5, 0.1), contrast=(0.2, 0.05), classes=None, **looks):
    looks |= {"brightness": brightness, "contrast": contrast}
    return {"n": n, "classes": classes or [n // 10] * 10, **{look: list(values) for look, values in looks.items()}}


def kernel(name, shape=(10, 10), **changes):
    return {"name": name, "shape": list(shape), "scale": 1.0, "constant": False, "trainable": True, **changes}


def start(**changes) -> dict[str, Any]:
    """start.json of a healthy network for ten classes."""
    return {
        "evidence": "full", "classes": 10, "parts": {name: part_of() for name in ("train", "validation", "test")},
        "initial_cross_entropy": 1.1 * LN10,
        "head": {"low": -2.0, "high": 2.0, "at_low": 0.001, "sum_low": -3.0, "sum_high": 3.0},
        "kernels": [kernel("conv/kernel", (3, 3, 1, 8)), kernel("hidden/kernel", (800, 64)),
                    kernel("logits/kernel", (64, 10))],
        "skips": False, "normalizations": 0, "batch_normalizations": 0, "dropout": [],
        "activations": ["relu", "relu"],
        "operations": ["Conv2D", "Activation", "Flatten", "Dense", "Activation", "Dense"],
        "input": {"mean": 0.0, "rms": 1.0}, "memorized": {"examples": 32, "steps": 40, "loss": 0.2, "memorized": True},
        **changes,
    }  # fmt: skip


def head(**changes):
    return start(head={**start()["head"], **changes})


def layers(silent=0.1, saturated=0.0, before=0.1, activation="relu"):
    """One layer before the first step (epoch 0) and after the only epoch."""
    row = {"layer": "hidden_act", "activation": activation, "mean": 0.4, "std": 0.6, "zeros": 0.5}
    return [{"epoch": 0, **row, "silent": before, "saturated": 0.0},
            {"epoch": 1, **row, "silent": silent, "saturated": saturated}]  # fmt: skip


def kernels(update=0.005, first=0.8, last=1.0, left=1.0, steps=20):
    """Two kernels at every step: ‖Δw‖/‖w‖, gradient norms of the first and the last one, share of ‖w‖ that is left."""
    rows = []
    for step in range(steps):
        weight = 1.0 if step < steps - 1 else left
        for name, gradient in (("conv/kernel", first), ("logits/kernel", last)):
            rows.append(
                {"step": step, "kernel": name, "update_ratio": update, "gradient_norm": gradient, "weight_norm": weight}
            )
    return rows  # fmt: skip


LEARNED = tuple(2.3 - 0.14 * min(step, 5) for step in range(400))  # falls, then stays


def steps(losses=LEARNED, rates=None, penalty=0.0, clipped=None, norm=1.0):
    rates, clipped = rates or [0.01] * len(losses), clipped or [0.0] * len(losses)
    return [{"step": step, "loss": loss, "learning_rate": rates[step], "gradient_norm": norm, "penalty": penalty,
             "clipped": clipped[step]} for step, loss in enumerate(losses)]  # fmt: skip


def modes(clean=0.5, training=0.5, clean_error=0.1, training_error=0.1):
    return [{"epoch": 1, "most_predicted": 0.1, "clean_cross_entropy": clean, "training_mode_cross_entropy": training,
             "clean_error": clean_error, "training_mode_error": training_error}]  # fmt: skip


def answers(wrong, n=1000, classes=10, sure=0.9, label=None):
    """Labels and probabilities where the images in `wrong` get the class after their own."""
    label = [i % classes for i in range(n)] if label is None else list(label)
    wrong = set(wrong)
    table = []
    for i, own in enumerate(label):
        row = [(1 - sure) / (classes - 1)] * classes
        row[(own + 1) % classes if i in wrong else own] = sure
        table.append(row)
    return label, table


def healthy(**changes) -> dict[str, Any]:
    """All the evidence of a run that is as it should be, but for `changes`."""
    return {"start": start(), "layers": layers(), "kernels": kernels(), "steps": steps(), "epochs": modes(), **changes}


def bad(spec=None, **changes) -> dict[str, Any]:
    """A run with a high training error and healthy evidence but for `changes`."""
    return {"train": 0.3, "validation": 0.3, "spec": {**SGD, **(spec or {})}, "evidence": healthy(**changes)}


def case_of(run, test=False) -> Case:
    errors = errors_of(run, open_test(run) if test else None) if run.has_result else None
    return Case(errors, components(errors) if errors else None, run)


def look(run, code, test=False):
    """What this one rule says of a run, whatever the others find."""
    case, rule = case_of(run, test), RULES[code]
    return None if any(rule.unseen(case)) else rule().look(case)


def codes(run, test=False, forest=None):
    return [finding.code for finding in diagnose(run, open_test(run) if test else None, forest).findings]
