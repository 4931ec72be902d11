"""What the steps do: how far they lead, beside what a short range test likes, and whether they were at their end."""

from __future__ import annotations

from typing import Any

from improve.diagnosis.findings import convergence, optimization
from improve.diagnosis.findings.convergence import epochs_that_move, mean_behind
from improve.diagnosis.findings.indicators import (
    batch_cross_entropies,
    best_epoch,
    chance_level,
    clipped_share,
    kernel_columns,
    largest_update,
    part_of,
    steps_taken,
    update_ratio,
)
from improve.diagnosis.findings.optimization import SPIKE_STEPS
from improve.diagnosis.findings.rule import Case
from improve.diagnosis.findings.strengths import NONE
from improve.diagnosis.signs.sign import decades, sign
from improve.lazy import np

FEWEST = 5  # readings that say something
FEWEST_EPOCHS = 3
TWENTIETH = 0.05  # of the loss: it has begun to fall
BEYOND = 3.5  # decades: further than the range test goes


def range_test(case: Case) -> tuple[Any, Any] | None:
    """Factors on the rate of the run and the losses of the short range test before it; None where it was not asked."""
    probe = case.evidence.start.get("rate_probe")
    if not isinstance(probe, dict):
        return None
    factors = np.array(probe["factors"], float)
    losses = np.array([np.nan if loss is None else loss for loss in probe["losses"]], float)
    known = np.isfinite(losses)
    return (factors[known], losses[known]) if known.sum() >= FEWEST else None


@sign("rate with which a short range test came lowest, over the run's own", log=True)
def rate_below_lowest(case: Case) -> float | None:
    found = range_test(case)
    if found is None:
        return None
    factors, losses = found
    smooth = np.convolve(np.pad(losses, 1, mode="edge"), np.ones(3) / 3, "valid")
    return decades(factors[smooth.argmin()])


@sign("rate with which the loss of a short range test begins to fall, over the run's own", log=True)
def rate_below_falling(case: Case) -> float | None:
    found = range_test(case)
    if found is None:
        return None
    factors, losses = found
    fallen = np.flatnonzero(losses[0] - losses >= TWENTIETH * losses[0])
    return decades(factors[fallen[0]]) if len(fallen) else BEYOND


@sign("‖Δw‖/‖w‖ per step, early in the run", log=True)
def early_update(case: Case) -> float | None:
    return decades(update_ratio(case))


@sign("largest ‖Δw‖/‖w‖ of an early step", log=True)
def largest_early_update(case: Case) -> float | None:
    return decades(largest_update(case))


@sign("path of the weights, Σ‖Δw‖/‖w‖", log=True)
def path(case: Case) -> float | None:
    lengths = [path_length(columns) for columns in kernel_columns(case) if len(columns["step"]) > 1]
    return decades(float(np.median(lengths))) if lengths else None


def path_length(columns: dict[str, Any]) -> float:
    """kernels.csv is thinned: a step stands for those up to the next one."""
    steps = columns["step"]
    return float((columns["update_ratio"] * np.diff(steps, append=steps[-1] + 1)).sum())


@sign("‖Δw‖/‖w‖ of the second half over that of the beginning", log=True)
def late_update(case: Case) -> float | None:
    begun = update_ratio(case)
    late = [columns["update_ratio"][columns["step"] > columns["step"][-1] / 2] for columns in kernel_columns(case)]
    medians = [float(np.median(ratios)) for ratios in late if len(ratios)]
    return decades(float(np.median(medians)) / begun) if medians and begun else None


@sign("share of the steps with a rate under a twentieth of its peak", above=0.25)
def low_rate_share(case: Case) -> float | None:
    return optimization.low_rate_share(case)


@sign("share of the gradient that clipping takes away, times the share of the steps", above=0.25)
def clipped(case: Case) -> float | None:
    share, away = clipped_share(case)
    return share * away


@sign("steps of the run", log=True, below=2.5)
def step_count(case: Case) -> float | None:
    return decades(steps_taken(case))


@sign("steps of an epoch", log=True, below=1.0)
def steps_per_epoch(case: Case) -> float | None:
    return decades(steps_taken(case) / max(1, len(case.column("train_error"))))


@sign("a batch over the whole training set", log=True, above=-1.0)
def batch_share(case: Case) -> float | None:
    images, batch = part_of(case, "train").get("n"), case.setting("training.batch_size")
    return decades(batch / images) if images and batch else None


@sign("highest loss of the first steps over the first one (or that of guessing)", log=True)
def spike(case: Case) -> float | None:
    losses = batch_cross_entropies(case)[:SPIKE_STEPS]
    if not len(losses):
        return None
    return decades(losses.max() / max(losses[0], chance_level(case))) if np.isfinite(losses).all() else BEYOND


@sign("how far the loss jumps from step to step, over its mean, in the second half", log=True)
def roughness(case: Case) -> float | None:
    losses = batch_cross_entropies(case)
    if len(losses) <= FEWEST or not np.isfinite(losses).all():
        return None
    late = losses[len(losses) // 2 :]
    return decades(np.std(np.diff(late)) / max(float(late.mean()), 1e-9))


@sign("training error at the end above that of the best epoch")
def collapse(case: Case) -> float | None:
    errors, best = case.column("train_error"), best_epoch(case)
    return errors[-1] - errors[best - 1] if 0 < best <= len(errors) else None


@sign("training loss that as long again would win, at half the slope, over that of guessing")
def training_fall(case: Case) -> float | None:
    return fall(case, "train_cross_entropy")


@sign("validation loss that as long again would win, at half the slope, over that of guessing")
def validation_fall(case: Case) -> float | None:
    return fall(case, "validation_cross_entropy")


def fall(case: Case, column: str) -> float | None:
    """By the last third of the epochs in which the rate moves the weights; by the steps where those are less than
    three."""
    values = np.array(case.column(column)[: epochs_that_move(case)], float)
    if len(values) < FEWEST_EPOCHS:
        values = batch_cross_entropies(case)
    late = values[-max(FEWEST_EPOCHS, len(values) // 3) :]
    if len(late) < FEWEST_EPOCHS or not np.isfinite(late).all():
        return None
    slope = np.polyfit(np.arange(len(late)), late, 1)[0]
    return float(-slope * len(values) / 2 / chance_level(case))


@sign("where the best epoch lies; 1: at the end")
def best_place(case: Case) -> float | None:
    epochs, best = len(case.column("train_error")), best_epoch(case)
    return best / epochs if epochs and best else None


@sign("share of the epochs that early stopping took away, over its patience")
def stopped_early(case: Case) -> float | None:
    patience, planned = case.setting("training.early_stopping.patience"), case.setting("training.epochs") or 0
    epochs = len(case.column("train_error"))
    return 0.0 if patience is None or epochs >= planned else (1 - epochs / planned) / (patience + 0.5)


@sign("steps that a mean of the weights spans, over those that were taken", log=True, above=-1.0)
def mean_span(case: Case) -> float | None:
    spanned = convergence.mean_span(case) / max(steps_taken(case), 1)
    return decades(spanned) if case.setting("optimizer.use_ema") else NONE


@sign("share of what the training loss has won that the mean of the weights has not")
def mean_lag(case: Case) -> float | None:
    return mean_behind(case) or 0.0
