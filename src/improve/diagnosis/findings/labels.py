"""Do the labels belong to the images, and are all classes there?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from improve.diagnosis.bias_variance import SLACK
from improve.diagnosis.findings.edits import gentle_augmentation, with_augmentation
from improve.diagnosis.findings.indicators import (
    SLOW,
    chance_level,
    largest_update,
    memorization_failure,
    part_of,
    update_ratio,
)
from improve.diagnosis.findings.mismatch import colours_exchanged, other_kind
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule, error_text, fit_text
from improve.lazy import np
from improve.runs.schema import Measured
from improve.statistics.intervals import difference
from improve.statistics.significance import auroc, binomial_tail

CHANCE_P = 0.01
SMALL = 50  # images: too few to say that nothing carries over
FEEBLE = 3.0  # times the accuracy of guessing: less is hardly any
LEARNED = 0.98  # of ln K
CALM = 0.1  # ‖Δw‖/‖w‖ per step
RENAMED = 0.2  # of the validation images, that exchanging classes would make right
AS_GOOD = 0.85  # of the training accuracy, with classes exchanged
NOISE = 0.03  # training error from where on noise can be told
ENOUGH = 100  # training images: with fewer, what is missed is a handful
SETTLED = 200  # steps: before that a network is unsure of everything
UNRELATED = 0.8  # AUROC of the confidence for right against wrong labels; 0.5: no relation
UNLIKELY = 1.0  # of 1/K: the median probability of the labels it misses; on clean labels 1.8 to 2.7, with noise 0.4
MANY = 6  # classes: that is 0.18 and more with ten, and of two classes every label that is missed lies below 1/K

BALANCED = Change("training.class_weights", "balanced", "each class weighs the same")


class NoSignal(Rule):
    """What it learned from the training labels says nothing about new images: the labels do not belong to them.

    Seen as: the training accuracy is above that of the commonest class (p < 0.01), the train-dev (or validation) one is
    not, and surely lower; or the cross-entropy falls on training images and on validation images never does, but rises
    above ln K, with less than three times the accuracy of guessing, though the network could learn 32 images by heart;
    or exchanging classes one for one would make 20 points more of the validation images right, nearly as many as of the
    training images. Usual causes: labels shuffled against the images, classes numbered differently in two folders, an
    index off by one.
    """

    code, name, title, link = "T14", "labels_without_signal", "the labels carry no signal", "training"

    def look(self, case: Case) -> Finding | None:
        if case.errors is None or case.run is None:
            return None
        unlike = other_kind(case) or colours_exchanged(case)
        return self.renamed(case) or (None if unlike else self.shuffled(case) or self.useless(case))

    def shuffled(self, case: Case) -> Finding | None:
        part = "train_dev" if case.errors and case.errors.train_dev else "validation"
        judged = case.run.summary.part(part) if case.run else None
        learned, carried = better_than_chance(case.trained), better_than_chance(judged)
        if learned is None or carried is None or judged is None or judged.n < SMALL:
            return None
        if learned >= CHANCE_P or carried < CHANCE_P or case.gaps is None or case.gaps.variance.low <= 0:
            return None
        return self.found(
            f"{part} accuracy {100 * (1 - judged.error):.1f} % (n={judged.n:,}) is what guessing "
            f"gives, though it fits the training labels better than that; {fit_text(case)}",
            harm=judged.error,
            evidence={"p_train": learned, f"p_{part}": carried, "n": judged.n},
            rivals=("M1",) if part == "validation" else (),
            confirm="look at 20 training images with their labels",
        )

    def useless(self, case: Case) -> Finding | None:
        train, new = case.column("train_cross_entropy"), case.column("validation_cross_entropy")
        guess, part, moved = chance_level(case), case.validated, largest_update(case)
        if (
            not train or not new or moved is None or moved > CALM or memorization_failure(case)
        ):  # it would learn no labels
            return None
        if part is None or part.error < 1 - FEEBLE * (1 - (part.majority_error or 0.0)) or not case.fits_badly:
            return None
        if case.errors is None or case.errors.train_dev or not train[-1] < LEARNED * guess or not new[-1] > guess:
            return None
        if min(new) < LEARNED * guess:  # something was carried over at first: then it learned by heart
            return None
        return self.found(
            f"the more it learns of the training labels (cross-entropy {train[-1]:.3g}), the worse it does on "
            f"validation images: {new[-1]:.3g}, guessing gives {guess:.3g}; {fit_text(case)}",
            harm=part.error,
            evidence={"train_cross_entropy": train[-1], "validation_cross_entropy": new[-1], "n": part.n},
            rivals=("T3",),
            confirm="look at 20 training images with their labels",
        )

    def renamed(self, case: Case) -> Finding | None:
        answers = case.evidence.best("validation")
        if answers is None or case.errors is None or answers.wrong.mean() < 0.5 or len(answers.label) < SMALL:
            return None
        right = 1 - answers.wrong.mean()
        explained, names = exchanged(answers.label, answers.predicted, answers.probability.shape[1])
        if explained - right < RENAMED - SLACK or explained < AS_GOOD * (1 - case.errors.train.value):
            return None
        return self.found(
            f"exchanging classes one for one would make {100 * explained:.0f} % of the validation images right, as "
            f"they are {100 * right:.0f} % are (n={len(answers.label):,}): the classes are numbered "
            "differently",
            harm=explained - float(right),
            evidence={"explained": explained, "becomes": names, "n": len(answers.label)},
            confirm="compare the class lists of the two sets",
        )


def better_than_chance(part: Measured | None) -> float | None:
    """The p of the one-sided test against always answering the commonest class."""
    if part is None or part.majority_error is None:
        return None
    return binomial_tail(round(part.n * (1 - part.error)), part.n, 1 - part.majority_error)


def exchanged(label: Any, predicted: Any, classes: int) -> tuple[float, dict[int, int]]:
    """The largest share that any renaming of the classes makes right, found greedily, and that renaming."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (label, predicted), 1)
    left, right, names = counts.astype(float), 0, {}
    for _ in range(classes):
        row, column = (int(place) for place in np.unravel_index(left.argmax(), left.shape))
        right, names[row] = right + int(counts[row, column]), column
        left[row], left[:, column] = -1, -1
    return right / max(1, len(label)), names


class LabelNoise(Rule):
    """A part of the training labels is wrong.

    Seen as: the training error is above the train-dev (or validation) error, and its interval says not by chance: on
    clean labels a network is never better on images that it has not seen. Where validation labels are as noisy, that
    sign is missing; then: the training images it gets wrong are those that it is as sure of as of the others (AUROC of
    its confidence under 0.8), and it gives their labels less chance than guessing would (of six classes or more: of
    two, it always does). Fix: clean the labels; until then a loss that does not go after them (`training.loss:
    generalized_cross_entropy`).
    """

    code, name, title, link = "T13", "label_noise", "a part of the training labels is wrong", "training"

    def look(self, case: Case) -> Finding | None:
        errors = case.errors
        if errors is None or case.at_chance or not case.fits_badly or errors.train.value < NOISE:
            return None
        moved = update_ratio(case)
        if moved is not None and moved < SLOW:  # it has hardly begun to learn: nothing it misses tells of the labels
            return None
        clean = errors.train_dev or errors.validation
        low, high = difference(errors.train, clean)
        if low > 0 and errors.train.value - clean.value >= errors.tau - SLACK:
            says = (
                f"{error_text('training', errors.train)} is above the error on unseen images, {100 * clean.value:.1f} %"
            )
            gap = [errors.train.value - clean.value, low, high]
            return self.noisy(case, says, errors.train.value - clean.value, {"gap": gap, "n": errors.train.n})
        unsure = unrelated(case)
        if unsure is None:
            return None
        says = f"the labels it misses among the training images are as good as random to it (AUROC {unsure:.2f})"
        return self.noisy(case, f"{says}; {fit_text(case)}", errors.train.value, {"auroc": unsure, "n": errors.train.n})

    def noisy(self, case: Case, says: str, share: float, evidence: dict[str, Any]) -> Finding:
        harm = case.errors.validation.value if case.errors else share
        return self.found(
            f"{says}: about {100 * share:.0f} % of them are wrong",
            harm=harm,
            evidence=evidence,
            changes=unbelieving(case),
            rivals=("M1",),
            confirm="look at the 50 training images whose labels it gives the least chance",
        )


def unbelieving(case: Case) -> Iterator[Change]:
    """A loss that does not go after every label; shifted images cannot be learned by heart as easily. Measured on 1,000
    digits, 20 % of the labels wrong, 2 seeds: validation error 4.1 % as it was, 2.4 % with either alone, 0.9 % with
    both."""
    robust = ("training.loss", "generalized_cross_entropy")
    if case.setting("training.loss") == robust[1] or case.run is None:
        return
    why = "it does not go after labels that are wrong"
    more = () if case.setting("augmentation") else with_augmentation(case, gentle_augmentation(case), why).edits
    yield Change(*robust, why, more)


def unrelated(case: Case) -> float | None:
    """AUROC of the confidence for right against wrong, where the training labels that it misses look like noise."""
    seen, steps = case.evidence.best("train"), case.evidence.steps.get("step")
    if seen is None or steps is None or not len(steps) or steps[-1] < SETTLED or not NOISE <= seen.wrong.mean() <= 0.5:
        return None
    wrong, classes = seen.wrong, seen.probability.shape[1]
    if len(wrong) < ENOUGH or classes < MANY:
        return None
    of_label = seen.probability[np.arange(len(wrong)), seen.label][wrong]
    found = auroc(seen.probability.max(axis=1), ~wrong)
    return found if found < UNRELATED and np.median(of_label) < UNLIKELY / classes else None


class ClassNeverPredicted(Rule):
    """A class is missing: from the training images, or from all answers.

    Seen as: no training image of a class that validation images have; or none of the training images that are measured
    is taken for a class that makes enough of them (p < 0.01 by chance; a rare class is V5's). Fix: images of that
    class; where there are some, classes that weigh the same.
    """

    code, name, title, link = "T16", "class_missing", "a class is missing", "training"

    def look(self, case: Case) -> Finding | None:
        return self.untrained(case) or self.unanswered(case)

    def untrained(self, case: Case) -> Finding | None:
        train, validation = part_of(case, "train"), part_of(case, "validation")
        if not train or not validation:
            return None
        missing = [k for k, have in enumerate(train["classes"]) if not have and validation["classes"][k]]
        if not missing:
            return None
        share = sum(validation["classes"][k] for k in missing) / validation["n"]
        return self.found(
            f"no training image of {names(case, missing)}, {100 * share:.1f} % of the validation images",
            harm=share,
            evidence={"classes": missing, "share": share, "n": validation["n"]},
            fact=True,
            confirm="count the images of each class",
        )

    def unanswered(self, case: Case) -> Finding | None:
        seen, trained = case.evidence.best("train"), part_of(case, "train").get("classes")
        if seen is None or case.at_chance or not case.fits_badly:
            return None
        counts = np.bincount(seen.label, minlength=seen.probability.shape[1])
        answers = np.bincount(seen.predicted, minlength=len(counts))
        n = len(seen.label)
        by_chance = (1 - counts / n) ** n  # that a class with this share gets no answer
        even = [sum(trained) / len(trained) / 3 <= count for count in trained] if trained else [True] * len(counts)
        never = [k for k in range(len(counts)) if not answers[k] and by_chance[k] < CHANCE_P and even[k]]
        if not never:
            return None
        share = float(sum(counts[k] for k in never) / n)
        return self.found(
            f"no training image is taken for {names(case, never)}, which {100 * share:.1f} % of them are",
            harm=share,
            evidence={"classes": never, "share": share, "n": n},
            changes=() if case.setting("training.class_weights") == "balanced" else (BALANCED,),
            rivals=("R5", "T2"),
            confirm="look at what those images are taken for",
        )


def names(case: Case, classes: list[int]) -> str:
    known = case.data.classes
    return ", ".join(f"'{known[k]}'" if k < len(known) else f"class {k}" for k in classes[:5])
