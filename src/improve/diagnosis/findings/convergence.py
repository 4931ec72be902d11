"""Was it at its end? Errors that still fall, early stopping that did not wait, a mean of the weights that lags."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from improve.diagnosis.bias_variance import SLACK
from improve.diagnosis.findings.indicators import batch_cross_entropies, best_epoch, steps_taken
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule, fit_text
from improve.lazy import np
from improve.statistics.student_t import slope

FALLING_P = 0.05
SHORT = 5  # epochs: too few for a slope over epochs
STILL_P, STILL = 0.01, 0.1  # the loss falls by that share
MOST = 0.9  # of an error: a straight line foretells no more
ENDED = 0.2  # of the peak rate
HASTY = 2  # epochs of patience
LAGS = 1 / 3  # of the steps: a mean over more holds much of where it began
BEHIND = 1 / 3  # of what the cross-entropy of the batches has won, that the mean has not


def falling(values: Sequence[float]) -> float:
    """The share of its last value that as many epochs again would take away, at half the slope of the last third; 0
    where it does not surely fall."""
    last = max(SHORT, len(values) // 3)
    if len(values) < last:
        return 0.0
    fall = slope(range(last), values[-last:])
    return -fall.value * len(values) / 2 / max(values[-1], 1e-30) if fall.value < 0 and fall.p < FALLING_P else 0.0


def epochs_that_move(case: Case) -> int | None:
    """The epochs until the rate is down to a fifth of its peak: at the end of a cosine every curve is flat. None where
    the rate was not recorded."""
    rates = case.column("learning_rate")
    return next((place for place in range(len(rates), 0, -1) if rates[place - 1] >= ENDED * max(rates)), None)


PATIENT = Change("training.early_stopping", {"patience": 10}, "a validation error jumps: wait longer")


def longer(case: Case, factor: int) -> Iterator[Change]:
    yield Change("training.epochs", factor * case.setting("training.epochs"), "it was still learning")


def times_longer(epochs: int, fall: float) -> int:
    return 10 if epochs < SHORT else 4 if fall > 2 * STILL else 2


class NotFinished(Rule):
    """Training ended while the errors were still falling.

    Seen as: over the last third of the epochs (five at least) in which the rate is a fifth of its peak or more, the
    validation cross-entropy falls (p < 0.05), and at half the slope as many epochs again would take a tenth of it
    away, or of the error where that falls too; the best epoch is in the last quarter. In runs of less than five
    epochs, a loss that falls over the whole run by a tenth (p < 0.01). And the training error is high, by more than
    the variance. Or early stopping with a patience of 1 or 2 broke it off, and the error is high. Fix: more epochs.
    (A loss that still falls says little where the training error is low: it does in healthy runs.)
    """

    code, name, title, link = "T1", "not_finished", "training ended too early", "training"

    def look(self, case: Case) -> Finding | None:
        epochs = len(case.column("train_error"))
        if self.hasty(case, epochs):
            return self.impatient(case, epochs)
        if not case.fits_badly or case.gaps is None or case.to_win < case.gaps.variance.value:
            return None
        fall, what = self.by_steps(case) if epochs < SHORT else self.by_epochs(case)
        if fall < STILL:
            return None
        factor = times_longer(epochs, fall)
        share = "most" if fall > MOST else f"{100 * fall:.0f} %"
        after = f"{epochs} epoch{'s' * (epochs > 1)}"
        falling = f"the {what} was still falling after {after}: as many again could take {share} of it away"
        return self.found(
            f"{falling}; {fit_text(case)}",
            harm=case.to_win,
            evidence={"fall": fall, "epochs": epochs},
            changes=longer(case, factor),
            rivals=("T2", "T15"),
            confirm=f"train {factor} times as long",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        if case.setting("training.early_stopping"):
            yield PATIENT
        yield from longer(case, times_longer(len(case.column("train_error")), 0.0))

    @staticmethod
    def by_epochs(case: Case) -> tuple[float, str]:
        """The share of the validation cross-entropy, or of the error where that is more, that as many epochs again
        would take, at half the present slope; and which of the two that is. An error alone, of few images, jumps."""
        epochs = len(case.column("validation_cross_entropy"))
        if epochs < SHORT or best_epoch(case) < 0.75 * epochs:
            return 0.0, ""
        learning = epochs_that_move(case)
        loss, error = (falling(case.column(f"validation_{what}")[:learning]) for what in ("cross_entropy", "error"))
        return max((loss, "validation loss"), (error, "validation error")) if loss else (0.0, "")

    @staticmethod
    def by_steps(case: Case) -> tuple[float, str]:
        losses = batch_cross_entropies(case)
        if len(losses) < SHORT:
            return 0.0, ""
        fall = slope(range(len(losses)), np.log(np.maximum(losses, 1e-30)))
        return (1 - float(np.exp(fall.value * len(losses))) if fall.p < STILL_P else 0.0), "training loss"

    @staticmethod
    def hasty(case: Case, epochs: int) -> bool:
        """Early stopping did not wait for a better epoch."""
        patience, planned = case.setting("training.early_stopping.patience"), case.setting("training.epochs") or 0
        return patience is not None and patience <= HASTY and epochs < 0.8 * planned and case.errs

    def impatient(self, case: Case, epochs: int) -> Finding:
        patience = case.setting("training.early_stopping.patience")
        return self.found(
            f"early stopping with a patience of {patience} ended it after {epochs} of "
            f"{case.setting('training.epochs')} epochs, and one worse epoch is often chance; {fit_text(case)}",
            harm=case.to_gain,
            evidence={"patience": patience, "epochs": epochs},
            changes=(PATIENT,),
            confirm="train without early stopping",
        )


class LaggingAverage(Rule):
    """The running mean of the weights lags behind: what is measured and kept is near where it began.

    Seen as: `optimizer.use_ema` with a mean over more than a third of the steps that were taken (it spans about
    1 / (1 − ema_momentum) of them), which at the end lacks a third or more of what the cross-entropy of the batches
    has won since the start (on a logarithmic scale), and a high training error. Fix: a mean over a tenth of the steps.
    """

    code, name, title, link = "T21", "averaged_weights_lag", "the mean of the weights lags behind", "training"

    def look(self, case: Case) -> Finding | None:
        span, steps, behind = mean_span(case), steps_taken(case), mean_behind(case)
        if behind is None or behind < BEHIND - SLACK or span <= LAGS * steps or not case.fits_badly:
            return None
        return self.found(
            f"the mean of the weights spans about {span:,.0f} steps, {steps:,} were taken: it lacks "
            f"{100 * behind:.0f} % of what the loss of the weights that train has won; {fit_text(case)}",
            harm=case.to_win,
            evidence={"span": span, "steps": steps, "behind": behind},
            changes=self.remedies(case),
            rivals=("V7",),
            confirm="train with use_ema: false",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        shorter = float(f"{max(0.5, 1 - 10 / max(1, steps_taken(case))):.3g}")
        yield Change("optimizer.ema_momentum", shorter, "a mean over a tenth of the steps")


def mean_span(case: Case) -> float:
    """The steps that a running mean of the weights spans."""
    return 1 / max(1 - (case.setting("optimizer.ema_momentum") or 0.0), 1e-9)


def mean_behind(case: Case) -> float | None:
    """The share of what the cross-entropy of the batches has won by the last epoch that the mean of the weights has
    not, on a logarithmic scale; None without such a mean, and where nothing was won."""
    clean, batches = case.column("train_cross_entropy"), case.column("cross_entropy")
    first = case.evidence.start.get("initial_cross_entropy")
    if not case.setting("optimizer.use_ema") or not clean or not batches or first is None or first <= batches[-1]:
        return None
    now, mean = (max(loss, 1e-6) for loss in (batches[-1], clean[-1]))
    return math.log(mean / now) / math.log(first / now)
