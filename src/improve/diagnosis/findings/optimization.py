"""Do the steps lead anywhere? Rate, its schedule, clipping, batch, and the number of steps."""

from __future__ import annotations

from collections.abc import Iterator

from improve.diagnosis.bias_variance import SLACK, worse_than_simple
from improve.diagnosis.findings.edits import higher_rate, lower_rate, two_digits
from improve.diagnosis.findings.indicators import (
    DEAD,
    SLOW,
    batch_cross_entropies,
    best_epoch,
    chance_level,
    clipped_share,
    largest_update,
    last_epoch,
    part_of,
    silent_share,
    steps_taken,
    update_ratio,
    usual_gradient,
)
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule, fit_text
from improve.lazy import np
from improve.statistics.intervals import Rate, difference

FAST = 0.1
CLIPPED_STEPS, CLIPPED_AWAY = 0.5, 0.5  # share of the steps, and of their gradient
LOW_RATE, LOW_STEPS = 0.05, 0.5  # of the highest rate; share of the steps below that
SPIKE = 3.0  # times the larger of the first loss and ln K, within
SPIKE_STEPS = 50
COLLAPSE = 0.1  # training error of the last epoch above that of the best
FEW_UPDATES, FEW_PER_EPOCH = 100, 8
TINY_BATCH = 4
LARGEST_TENTH = "only the largest tenth of the gradients needs clipping"


def learned_little(case: Case) -> bool:
    """The training error is above what something simple reaches on images that it has not seen."""
    return case.errors is not None and worse_than_simple(case.errors)


CLIPS = ("global_clipnorm", "clipnorm", "clipvalue")


class Clipping(Rule):
    """Clipping takes away most of every gradient, so the weights hardly move.

    Seen as: more than half of the steps clipped, by more than half of their gradient in the median, and an early
    ‖Δw‖/‖w‖ under 5e-4, with a high error. Fix: clip at the 90th percentile of the gradient norms that were logged.
    """

    code, name, title, link = "T12", "clipping_dominates", "clipping takes the steps away", "training"
    needs = ("kernels",)

    def look(self, case: Case) -> Finding | None:
        (share, away), moved = clipped_share(case), update_ratio(case)
        if moved is None or moved >= SLOW or share <= CLIPPED_STEPS or away <= CLIPPED_AWAY or not case.fits_badly:
            return None
        kind = next((name for name in CLIPS if case.setting(f"optimizer.{name}")), None)
        if kind is None:
            return None
        usual = usual_gradient(case)
        value = two_digits(usual) if usual and kind == "global_clipnorm" else None
        return self.found(
            f"{100 * share:.0f} % of the steps lost {100 * away:.0f} % of their gradient (median), so ‖Δw‖/‖w‖ is "
            f"{moved:.1e} per step; {fit_text(case)}",
            harm=case.to_win,
            evidence={"clipped_steps": share, "clipped_away": away, "update_ratio": moved},
            changes=(Change(f"optimizer.{kind}", value, LARGEST_TENTH if value else "steps as long as gradients say"),),
            rivals=("T2",),
            confirm="train 2 epochs without clipping",
        )


class DecayedEarly(Rule):
    """The learning rate fell before the network had learned.

    Seen as: for more than half of the steps the rate is below a twentieth of its peak, and the training error is high.
    Fix: a schedule that falls in the second half of the run.
    """

    code, name, title, link = "T4", "rate_decayed_too_early", "the learning rate fell too early", "training"

    def look(self, case: Case) -> Finding | None:
        low = low_rate_share(case)
        if low is None or low <= LOW_STEPS or not case.fits_badly:
            return None
        rates = case.evidence.steps["learning_rate"]
        return self.found(
            f"for {100 * low:.0f} % of the steps the rate was under a twentieth of its peak of {rates.max():.2g}; "
            f"{fit_text(case)}",
            harm=case.to_win,
            evidence={"low_steps": low, "peak": float(rates.max()), "end": float(rates[-1]), "n": len(rates)},
            changes=self.remedies(case),
            rivals=("T2",),
            confirm="train with a constant rate",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        yield Change("schedule", {"name": "cosine"}, "the rate falls when most is learned")


def low_rate_share(case: Case) -> float | None:
    """The share of the steps with a rate under a twentieth of its peak; None where the rates were not recorded."""
    rates, steps = (case.evidence.steps.get(name) for name in ("learning_rate", "step"))
    if rates is None or steps is None or len(rates) < 2:
        return None
    thick = np.diff(steps, append=steps[-1] + 1)  # steps.csv is thinned after the first 50
    return float(np.average(rates < LOW_RATE * rates.max(), weights=thick))


class RateTooLow(Rule):
    """The learning rate is too low: the weights move too little per step to get anywhere in the epochs given.

    Seen as: median ‖Δw‖/‖w‖ of the first tenth of the steps under 5e-4 (healthy runs: 2e-3 to 1.4e-2), with a high
    training error. Fix: the rate that brings it to 4e-3, in powers of ten; `improve lr SPEC` measures the range.
    """

    code, name, title, link = "T2", "learning_rate_too_low", "the learning rate is too low", "training"
    needs = ("kernels",)

    def look(self, case: Case) -> Finding | None:
        moved = update_ratio(case)
        if not moved or moved >= SLOW or not case.fits_badly:  # what does not move at all is not slow
            return None
        return self.found(
            f"the weights move by {moved:.1e} of their size per step, 2e-3 to 1.4e-2 is usual; {fit_text(case)}",
            harm=case.to_win,
            evidence={"update_ratio": moved, "learning_rate": case.setting("optimizer.learning_rate")},
            changes=self.remedies(case),
            rivals=("T1",),
            confirm="improve lr SPEC measures which rates work",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        yield higher_rate(case)


class RateTooHigh(Rule):
    """The learning rate is too high: the steps overshoot, and the network collapses or never gets down.

    Seen as one of: within the first 50 steps, a loss above three times the first one (and three times ln K); early
    steps with ‖Δw‖/‖w‖ above 0.1 and a network that learned nothing, or less than a linear model or the nearest
    neighbours do on images that they have not seen; a layer whose units died while it trained, with the same end; a
    training error that at the end is 10 points above that of the best epoch. Fix: a lower rate, by as much as the
    early steps are too large; warm-up if only the first steps are.
    """

    code, name, title, link = "T3", "learning_rate_too_high", "the learning rate is too high", "training"
    needs = ("kernels",)

    def look(self, case: Case) -> Finding | None:
        badly = case.fits_badly
        why = self.collapsed(case) or (badly and (self.spike(case) or self.overshot(case) or self.killed(case)))
        if not why:
            return None
        rate = case.setting("optimizer.learning_rate")
        return self.found(
            f"{why}; {fit_text(case)}",
            harm=case.to_win,
            evidence={
                "largest_update": largest_update(case),
                "learning_rate": rate,
                "n": len(batch_cross_entropies(case)),
            },
            changes=self.remedies(case),
            rivals=("T6", "T9"),
            confirm="train 2 epochs at a third of the rate; improve lr SPEC measures which rates work",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        yield lower_rate(case)

    @staticmethod
    def spike(case: Case) -> str:
        losses = batch_cross_entropies(case)[:SPIKE_STEPS]
        usual = max(float(losses[0]), chance_level(case)) if len(losses) else 0.0
        if not len(losses) or not losses.max() > SPIKE * usual:
            return ""
        return f"the loss jumped to {losses.max():.3g} in step {int(losses.argmax()) + 1}, from {losses[0]:.3g}"

    @staticmethod
    def overshot(case: Case) -> str:
        moved = largest_update(case)
        if moved is None or moved <= FAST or not (case.at_chance or learned_little(case)):
            return ""
        learned = "nothing" if case.at_chance else "less than something simple does"
        return f"the weights moved by {moved:.2g} of their size in a step, and it learned {learned}"

    @staticmethod
    def killed(case: Case) -> str:
        dead = silent_share(case, last_epoch(case))
        if not (case.at_chance or learned_little(case)) or dead < DEAD or silent_share(case, 0) >= DEAD:
            return ""
        return f"{100 * dead:.0f} % of a layer's units died while it trained"

    @staticmethod
    def collapsed(case: Case) -> str:
        errors, best = case.column("train_error"), best_epoch(case)
        if not errors or not 0 < best <= len(errors) or case.errors is None:
            return ""
        before, after = errors[best - 1], errors[-1]
        surely = difference(Rate(after, case.errors.train.n), Rate(before, case.errors.train.n))[0] > COLLAPSE / 2
        if after - before < COLLAPSE - SLACK or not surely:
            return ""
        return f"the training error was {100 * before:.1f} % in epoch {best} and {100 * after:.1f} % at the end"


class BatchSize(Rule):
    """The batch does not suit the run: so large that there are hardly any steps, or so small that batch normalisation
    has nothing to average over.

    Seen as: fewer than 100 updates in all, at most 8 per epoch, in batches of more than 32, and a high training error;
    or batch normalisation with batches of 4 or less and a high error. Fix: batches of 32.
    """

    code, name, title, link = "T15", "batch_size", "the batch size does not suit the run", "training"
    needs = ("start",)

    def look(self, case: Case) -> Finding | None:
        why = self.too_large(case) or self.too_small(case)
        if not why:
            return None
        return self.found(
            f"{why}; {fit_text(case)}",
            harm=case.to_win,
            evidence={"batch_size": case.setting("training.batch_size"), "updates": steps_taken(case)},
            fact=self.one_step(case),
            changes=self.remedies(case),
            rivals=("T1", "T2"),
            confirm="train 2 epochs with batches of 32",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        yield Change("training.batch_size", 32, "a usual size: many steps, and enough images in each")

    @staticmethod
    def too_large(case: Case) -> str:
        epochs, size = len(case.column("train_error")), case.setting("training.batch_size")
        few = steps_taken(case) < FEW_UPDATES and steps_taken(case) <= FEW_PER_EPOCH * epochs
        if not few or size <= 32 or not epochs or not case.fits_badly:
            return ""
        moved = update_ratio(case)
        if moved is not None and moved < SLOW:  # more steps of that size would lead nowhere either
            return ""
        whole = "the batch holds the whole training set: one step an epoch, " if BatchSize.one_step(case) else ""
        return f"{whole}batches of {size:,} make {steps_taken(case)} updates in all"

    @staticmethod
    def one_step(case: Case) -> bool:
        images = part_of(case, "train").get("n") or 0
        return bool(0 < images <= case.setting("training.batch_size"))

    @staticmethod
    def too_small(case: Case) -> str:
        size, norms = case.setting("training.batch_size"), case.evidence.start.get("batch_normalizations", 0)
        return f"batch normalisation over batches of {size}" if norms and size <= TINY_BATCH and case.fits_badly else ""
