"""Numbers that several rules read off the evidence. None where it was not recorded."""

from __future__ import annotations

import math
from typing import Any

from improve.diagnosis.findings.rule import Case
from improve.lazy import np
from improve.runs.schema import SQUASHING
from improve.statistics.significance import fisher_greater

DEAD = 0.95  # of a layer's units; 68 % silent did no harm
SLOW = 5e-4  # ‖Δw‖/‖w‖ per step, early; healthy or harmless runs: 2.2e-3 to 1.4e-2
EARLY = 0.1  # of the run: while a healthy network moves most


def kernel_columns(case: Case) -> list[dict[str, Any]]:
    """Columns of each trained kernel, from the input on, without numbers that are none and without the steps in which
    an accumulated gradient waits."""
    found = []
    for columns in case.evidence.kernels.values():
        kept = np.isfinite(columns["update_ratio"])
        if case.setting("optimizer.gradient_accumulation_steps"):
            kept &= columns["update_ratio"] > 0
        if kept.any():
            found.append({key: column[kept] for key, column in columns.items()})
    return found


def early(columns: dict[str, Any], name: str, share: float = EARLY) -> Any:
    """The values of the first part of the run, at least three of them."""
    first = columns["step"] < share * (columns["step"][-1] + 1)
    first[:3] = True
    return columns[name][first]


def update_ratio(case: Case) -> float | None:
    """‖Δw‖/‖w‖ per step: the median over kernels of its median in the first tenth of the run."""
    medians = [float(np.median(early(columns, "update_ratio"))) for columns in kernel_columns(case)]
    return float(np.median(medians)) if medians else None


def largest_update(case: Case, share: float = EARLY) -> float | None:
    """The largest ‖Δw‖/‖w‖ of that first part of the run, the median over kernels."""
    peaks = [float(np.max(early(columns, "update_ratio", share))) for columns in kernel_columns(case)]
    return float(np.median(peaks)) if peaks else None


def gradient_ratio(case: Case) -> float | None:
    """Gradient norm of the first kernel over that of the last one: the median over the first half of the run, in the
    steps that both have numbers for."""
    found = kernel_columns(case)
    if len(found) < 2:
        return None
    first, last = found[0], found[-1]
    steps, at_first, at_last = np.intersect1d(first["step"], last["step"], return_indices=True)
    half = steps < 0.5 * (max(first["step"][-1], last["step"][-1]) + 1)
    with np.errstate(invalid="ignore"):
        ratios = first["gradient_norm"][at_first] / np.maximum(last["gradient_norm"][at_last], 1e-30)
    ratio = float(np.median(ratios[half])) if half.any() else math.nan
    return ratio if math.isfinite(ratio) else None


def usual_gradient(case: Case) -> float | None:
    """The 90th percentile of the gradient norms: what to clip at (tuning playbook); None where they are no numbers."""
    norms = case.evidence.steps.get("gradient_norm", np.zeros(0))
    found = float(np.quantile(norms, 0.9)) if len(norms) else math.nan
    return found if math.isfinite(found) and found > 0 else None


def silent_share(case: Case, epoch: int) -> float:
    """The largest share of silent units after `epoch` (0: untrained) in any layer whose units can die; those of a
    sigmoid or tanh saturate, and come back."""
    rows = (row for row in case.evidence.layers if row["epoch"] == epoch and row["activation"] not in SQUASHING)
    return max((row["silent"] for row in rows), default=0.0)


def last_epoch(case: Case) -> int:
    """The last epoch, counted from 1, after which the layers were looked at; 0 where there is none."""
    return int(max((row["epoch"] for row in case.evidence.layers), default=0))


def best_epoch(case: Case) -> int:
    """The run's best epoch, counted from 1; 0 where there is none."""
    return (case.run.summary.best_epoch if case.run else 0) or 0


def chance_level(case: Case) -> float:
    """The cross-entropy of guessing: ln K, in nats."""
    return math.log(case.evidence.start.get("classes") or 2)


def initial_ratio(case: Case) -> float | None:
    """Cross-entropy of the untrained network over ln K."""
    initial = case.evidence.start.get("initial_cross_entropy")
    return initial / chance_level(case) if initial is not None and math.isfinite(initial) else None


def modes_ratio(case: Case) -> tuple[float, float] | None:
    """Clean over training-mode cross-entropy of the same images, and clean − training-mode error, at the best epoch;
    None where they were not measured."""
    epochs, best = case.evidence.epochs, best_epoch(case)
    if not best or "training_mode_cross_entropy" not in epochs or len(epochs["epoch"]) < best:
        return None
    at = best - 1
    clean, training = epochs["clean_cross_entropy"][at], epochs["training_mode_cross_entropy"][at]
    if not np.isfinite(training) or not np.isfinite(clean) or training <= 0:
        return None
    return float(clean / training), float(epochs["clean_error"][at] - epochs["training_mode_error"][at])


def penalty_share(case: Case) -> float:
    """The largest share of penalties in the loss: the median of the first or of the last tenth of the steps."""
    steps = case.evidence.steps
    if "penalty" not in steps:
        return 0.0
    shares = steps["penalty"] / np.maximum(steps["loss"], 1e-30)
    tenth = max(1, len(shares) // 10)
    return float(max(np.median(shares[:tenth]), np.median(shares[-tenth:])))


def clipped_share(case: Case) -> tuple[float, float]:
    """The share of steps that were clipped, and the median share of the gradient that they lost."""
    clipped = case.evidence.steps.get("clipped")
    if clipped is None or not len(clipped):
        return 0.0, 0.0
    return float((clipped > 1e-3).mean()), float(np.median(clipped))


def batch_cross_entropies(case: Case) -> Any:
    """Cross-entropy of each logged batch, penalties taken off; an empty array where there is none."""
    steps = case.evidence.steps
    return steps["loss"] - steps["penalty"] if "penalty" in steps else np.zeros(0)


def errs_more(wrong: Any, at: Any) -> float:
    """p of the one-sided Fisher test that images `at` (n,; bool) are wrong more often than all others."""
    return fisher_greater(int(wrong[at].sum()), int(at.sum()), int(wrong[~at].sum()), int((~at).sum()))


def part_of(case: Case, name: str) -> dict[str, Any]:
    """What the images of a part are like: n, classes, brightness, contrast; empty where there is none."""
    found = case.evidence.start.get("parts", {}).get(name, {})
    return found if isinstance(found, dict) else {}


def memorization_failure(case: Case) -> str:
    """What says that the network could not learn a few images by heart; empty where it could, or nobody knows."""
    probe = case.evidence.start.get("memorized") or {}
    if probe.get("memorized") is not False:
        return ""
    return f"with nothing that holds it back it did not learn {probe['examples']} images by heart"


def copies(case: Case) -> Any:
    """Which training images (n,; bool) stand there once already, pixel for pixel; None where it is not known."""
    hashes = case.evidence.images.get("train_hash")
    if hashes is None or not len(hashes):
        return None
    again = np.ones(len(hashes), bool)
    again[np.unique(hashes, return_index=True)[1]] = False
    return again


def steps_taken(case: Case) -> int:
    """Steps that were taken."""
    steps = case.evidence.steps.get("step")
    return int(steps[-1]) + 1 if steps is not None and len(steps) else 0
