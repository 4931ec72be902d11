"""Can the run be read at all?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from improve.diagnosis.bias_variance import SLACK, Gap
from improve.diagnosis.findings.classes import class_names
from improve.diagnosis.findings.edits import HEAVY_DROPOUT, gentle_dropout, lower_rate, two_digits, usual_rate
from improve.diagnosis.findings.indicators import batch_cross_entropies, chance_level, largest_update, part_of
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule, gap_points
from improve.lazy import np
from improve.statistics.intervals import Rate
from improve.statistics.significance import binomial_tail

CHANCE_P, LEARNED = 0.01, 0.5  # and of the error of guessing: who has less has learned, however few images show it
UNREALISTIC = 100_000  # images
ERROR_FIELDS = {"training": "train", "validation": "validation", "train-dev": "train_dev", "test": "test"}
RISEN = 2.0  # times ln K: worse than guessing by that much
NOISE = 1e-3  # of the standard deviation of the outputs; rounding gives 1e-6
UNUSUAL = 10  # times Keras's default rate
CALM = 0.05  # ‖Δw‖/‖w‖ per step; where steps are larger, the rate explains a loss that rises


class NotFinite(Rule):
    """The loss became NaN or infinite, so training stopped at that step.

    Almost always the learning rate is too high: the weights overshoot further at every step. Seen as: a run
    that broke off for it (status diverged). Fix: a lower rate, by as much as the first updates were too large, and no
    higher than Keras's default; where the rate is a usual one, what else throws the steps: a dropout that multiplies
    what it leaves by four or more, or code of one's own.
    """

    code, name, title, link = "R1", "non_finite", "the loss became NaN or infinite", "readable"

    def look(self, case: Case) -> Finding | None:
        if case.run is None or case.run.status != "diverged":
            return None
        rate = case.setting("optimizer.learning_rate")
        epoch = case.run.summary.epochs + 1
        return self.found(
            f"in epoch {epoch}, at a learning rate of {rate:g}",
            harm=1.0,
            evidence={"epoch": epoch, "learning_rate": rate, "largest_update": largest_update(case)},
            changes=self.changes(case),
            rivals=("T3",),
            confirm="train one epoch at a tenth of the rate",
        )

    @staticmethod
    def changes(case: Case) -> Iterator[Change]:
        if max(case.evidence.start.get("dropout") or [0.0]) >= HEAVY_DROPOUT:
            yield from gentle_dropout(case)
        usual = case.setting("optimizer.learning_rate") <= UNUSUAL * usual_rate(case)
        lower = lower_rate(case)
        yield lower if usual else replace(lower, value=usual_rate(case), because="Keras's default for this optimizer")


class Diverged(Rule):
    """The loss rises all along, though the steps are no larger than in a healthy run: they go the wrong way.

    Seen as: the cross-entropy of the last quarter of the steps is above twice ln K and above that of every quarter
    before, which rise one after another, while ‖Δw‖/‖w‖ stays under 0.05. Usual causes: the sign of a loss of one's
    own, labels turned round, a gradient that a custom operation gets wrong. A rate that is too high (T3) makes the
    loss jump instead.
    """

    code, name, title, link = "R2", "diverged", "the loss rises all along", "readable"
    needs = ("kernels",)

    def look(self, case: Case) -> Finding | None:
        quarters = [float(np.mean(part)) for part in np.array_split(batch_cross_entropies(case), 4) if len(part)]
        moved = largest_update(case, 1.0)
        if len(quarters) < 4 or moved is None or moved >= CALM:
            return None
        rising = all(later > before for before, later in pairwise(quarters))
        if not rising or not quarters[-1] > RISEN * chance_level(case):
            return None
        return self.found(
            f"the cross-entropy rose from {quarters[0]:.3g} to {quarters[-1]:.3g} nats, guessing gives "
            f"{chance_level(case):.3g}; the steps are small (‖Δw‖/‖w‖ at most {moved:.2g})",
            harm=case.to_win,
            evidence={
                "cross_entropy_by_quarter": quarters,
                "largest_update": moved,
                "n": len(batch_cross_entropies(case)),
            },
            changes=self.remedies(case),
            rivals=("T3",),
            confirm="take one step on one batch: its loss must fall",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        yield lower_rate(case, "if the sign is right after all, the steps are too large")


class NoBetterThanChance(Rule):
    """The model does no better than always answering the commonest class.

    Seen as: neither on training nor on validation images is the accuracy above the share of the commonest class
    (one-sided binomial test, p ≥ 0.01), nor the error half of what guessing makes. It has learned nothing, so the gaps
    between its errors mean nothing. Said only where no other finding tells why: a rate far off, dead units, a start far
    from what works, labels that do not belong to their images.
    """

    code, name, title, link = "R3", "no_better_than_chance", "it answers no better than the commonest class", "readable"
    symptom = True

    def look(self, case: Case) -> Finding | None:
        evidence = at_chance(case)
        if evidence is None:
            return None
        rate, seen = case.setting("optimizer.learning_rate"), evidence["validation"]
        return self.found(
            f"validation error {100 * seen['error']:.1f} % (n={seen['n']:,}); {one_answer(case)}"
            f"always answering the commonest class gives {100 * seen['majority_error']:.1f} %",
            harm=seen["error"],
            evidence=evidence,
            changes=(
                Change(
                    "optimizer.learning_rate", two_digits(rate / 10), "a rate that is too high is the commonest cause"
                ),
                Change(
                    "optimizer.learning_rate", two_digits(rate * 10), "if a lower rate does not help, it may be too low"
                ),
            ),
            rivals=("T2", "T3", "T7", "T9", "T14"),
            confirm="train 2 epochs at a tenth and at ten times the rate",
        )


def one_answer(case: Case) -> str:
    """What it always answers, where it does."""
    seen = case.evidence.best("validation")
    only: list[int] = np.unique(seen.predicted).tolist() if seen is not None else []
    return f"it always answers {class_names(case, only)}; " if len(only) == 1 else ""


def at_chance(case: Case) -> dict[str, dict[str, float]] | None:
    """The test on both parts, where neither is better than chance."""
    evidence = {}
    for name, part in (("train", case.trained), ("validation", case.validated)):
        if part is None or part.majority_error is None:
            return None
        p = binomial_tail(round(part.n * (1 - part.error)), part.n, 1 - part.majority_error)
        if p < CHANCE_P or part.error < LEARNED * part.majority_error:
            return None
        evidence[name] = {"error": part.error, "n": part.n, "majority_error": part.majority_error, "p": p}
    return evidence


class Interrupted(Rule):
    """The run ended before its epochs were done, so what it could still have learned is not known.

    Seen as: status stopped, failed or running in summary.json, with less than nine tenths of the epochs done. Fix:
    let it go on to its end before anything else is changed.
    """

    code, name, title, link = "R7", "interrupted", "the run did not get to its end", "readable"

    def look(self, case: Case) -> Finding | None:
        if case.run is None or case.run.status not in ("stopped", "failed", "running"):
            return None
        done, planned = case.run.summary.epochs, int(case.setting("training.epochs"))
        if done >= 0.9 * planned:
            return None
        return self.found(
            f"it {case.run.status} after {done} of {planned} epochs",
            harm=0.0,
            evidence={"status": case.run.status, "epochs": done, "planned": planned},
            confirm="let it go on to its end",
        )


class NotClean(Rule):
    """The errors are not clean ones: they were measured in training mode, so no gap can be read off them.

    Keras's own logs do this: a running mean over changing weights, with dropout and augmentation on; so does a network
    that calls its dropout with training=True. Seen as: two measurements of the untrained network on the same images
    that differ, with a high error; or a metrics.csv without a column train_error. Fix: leave `training` to Keras;
    evaluate the training set with the weights of the best epoch (improve train does).
    """

    code, name, title, link = "R8", "not_clean", "the errors were measured in training mode", "readable"

    def look(self, case: Case) -> Finding | None:
        noise = case.evidence.start.get("noise") or 0.0
        if noise > NOISE and case.errs:
            return self.found(
                f"two measurements of the same images differ by up to {noise:.2g} standard deviations of the outputs",
                harm=case.to_gain,
                evidence={"noise": noise},
                fact=True,
                confirm="let Keras say whether it trains: no training=True in the network",
            )
        if case.run is None or not case.run.history or case.column("train_error"):
            return None
        return self.found(
            f"{len(case.run.history)} epochs were recorded, none with a training error in inference mode",
            harm=0.0,
            evidence={"epochs": len(case.run.history), "columns": sorted(case.run.history[0])},
            confirm="evaluate the training set in inference mode",
        )


class EvaluationTooSmall(Rule):
    """A set is too small to say whether a gap matters.

    Seen as: the 95 % interval of a gap reaches from nothing to more than matters (2 points, or half the way to the
    target). The number given is n ≈ (1.96/gap)² · [e₁(1−e₁)/r + e₂(1−e₂)], the examples that would settle it. Fix: a
    larger validation share, or wait with the decision. Guessing from such a gap is how people chase noise.
    """

    code, name, title, link = "R9", "evaluation_too_small", "a set is too small to tell", "readable"

    def look(self, case: Case) -> Finding | None:
        if case.gaps is None:
            return None
        gaps, biased = case.gaps._asdict().items(), case.gaps.avoidable_bias.verdict == "high"
        undecided = {name: gap for name, gap in gaps if gap is not None and gap.verdict == "not_enough_evidence"}
        if biased:  # that comes first; a gap that is not even there by its estimate can wait
            undecided = {name: gap for name, gap in undecided.items() if gap.value > 0}
        if not undecided:
            return None
        # the training error is measured on nearly all images that there are: more of them are hard to have
        name, gap = max(undecided.items(), key=lambda item: (item[0] != "avoidable_bias", item[1].needed or 0))
        return self.found(
            self.sentence(case, name, gap),
            harm=max(0.0, gap.high),
            status="not_enough_evidence",
            evidence={key: open_gap._asdict() for key, open_gap in undecided.items()},
            changes=larger_validation(case) if name != "validation_overfit" else (),
        )

    @staticmethod
    def sentence(case: Case, name: str, gap: Gap) -> str:
        larger, smaller = {
            "avoidable_bias": ("training", "human"),
            "variance": ("train-dev" if case.errors and case.errors.train_dev else "validation", "training"),
            "data_mismatch": ("validation", "train-dev"),
            "validation_overfit": ("test", "validation"),
        }[name]
        rate: Rate | None = getattr(case.errors, ERROR_FIELDS[larger]) if case.errors else None
        size = f" at n={rate.n:,}" if rate is not None and rate.n else ""
        settle = settling(gap.needed, larger, images_there(case) if larger != "test" else None)
        tau = 100 * case.errors.tau if case.errors else 0.0
        open_ = "is within chance" if gap.low <= SLACK else f"may be more or less than the {tau:.2g} points that matter"
        return f"the gap of {gap_points(gap)} between {smaller} and {larger} {open_}{size}{settle}"


def settling(count: int | None, larger: str, there: int | None) -> str:
    """`there`: images for training and validation, all together."""
    if count is None:
        return ""
    if count > UNREALISTIC:
        return "; it is so close to what matters that no realistic number of images would settle it"
    more = f", more than the {there:,} that there are for training and validation" if there and count > there else ""
    return f"; {count:,} {larger} images would settle it{more}"


def images_there(case: Case) -> int | None:
    train, validation = case.data.train_available or part_of(case, "train").get("n"), case.validated
    return int(train) + validation.n if train and validation else None


def larger_validation(case: Case) -> tuple[Change, ...]:
    """A larger validation share, where the present one is under a fifth."""
    split = case.setting("data.split")
    why = "more validation images, so that a gap can be told from chance"
    if isinstance(split, str) and "/" in split:
        shares = [float(share) for share in split.split("/")]
        if shares[1] < 10:
            return (Change("data.split", "80/10/10" if len(shares) > 2 else "80/20", why),)
        return (Change("data.split", "60/20/20", why),) if shares[1] < 20 and len(shares) > 2 else ()
    if isinstance(split, dict) and isinstance(split["validation"], float) and split["validation"] < 0.2:
        return (Change("data.split", {"validation": min(0.2, 2 * split["validation"])}, why),)
    return ()
