"""Do the labels belong to the images?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from improve.diagnosis.bias_variance import SLACK
from improve.diagnosis.findings.indicators import (
    chance_level,
    largest_update,
    memorization_failure,
    part_of,
)
from improve.diagnosis.findings.mismatch import colours_exchanged, other_kind
from improve.diagnosis.findings.rule import Case, Finding, Rule, fit_text
from improve.diagnosis.findings.simple_models import (
    METHODS,
    labels_mean_something,
    percent,
    simple_model,
    surely_above,
)
from improve.lazy import np
from improve.runs.schema import Measured
from improve.statistics.significance import binomial_tail

CHANCE_P = 0.01
SMALL = 50  # images: too few to say that nothing carries over
FEEBLE = 3.0  # times the accuracy of guessing: less is hardly any
LEARNED = 0.98  # of ln K
CALM = 0.1  # ‖Δw‖/‖w‖ per step
RENAMED = 0.2  # of the validation images, that exchanging classes would make right
LOPSIDED = 1.5  # times an even share
AS_GOOD = 0.85  # times as right as the other


class NoSignal(Rule):
    """What it learned from the training labels says nothing about new images: the labels do not belong to them.

    Seen as: a linear model and the nearest neighbours do no better than guessing on training images, of which no
    class has 1.5 times its even share, and surely do on validation images. Or, where they do no better either, the
    training accuracy is above that of the commonest class (p < 0.01), the train-dev (or validation) one is not, and
    surely lower; or the cross-entropy falls on training images and on validation images never does, but rises above
    ln K, with less than three times the accuracy of guessing, though the network could learn 32 images by heart; or
    exchanging classes one for one would make 20 points more of the validation images right, nearly as many as of the
    training images. Usual causes: labels shuffled against the images, classes numbered differently in two folders,
    an index off by one.
    """

    code, name, title, link = "T14", "labels_without_signal", "the labels carry no signal", "training"
    early = True

    def look(self, case: Case) -> Finding | None:
        if case.errors is None or case.run is None:
            return self.meaningless(case)
        unlike = other_kind(case) or colours_exchanged(case) or labels_mean_something(case)
        found = self.meaningless(case) or self.renamed(case)
        return found or (None if unlike else self.shuffled(case) or self.useless(case))

    def meaningless(self, case: Case) -> Finding | None:
        """What something simple tells from validation images it cannot tell from training images."""
        simple = simple_model(case)
        if simple is None or labels_mean_something(case) or not surely_above(simple.known, simple.own):
            return None
        if lopsided(case):  # then something simple answers the commonest class, whatever the labels say
            return None
        return self.found(
            f"neither a linear model nor the nearest neighbours tell the training labels from the pixels "
            f"({percent(simple.known)} wrong, n={simple.known.n:,}), as {METHODS[simple.method]} "
            f"{'does' if simple.method == 'linear' else 'do'} in the validation set ({percent(simple.own)} wrong)",
            harm=case.errors.validation.value if case.errors else 1.0,
            evidence={"known": simple.known, "own": simple.own, "n": simple.known.n},
            fact=True,
            confirm="look at 20 training images with their labels",
        )

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
        classes = answers.probability.shape[1]
        _, names = exchanged(answers.label, answers.predicted, classes)
        explained = explained_by_halves(answers.label, answers.predicted, classes)
        if explained - right < RENAMED - SLACK or explained < AS_GOOD * (1 - case.errors.train.value):
            return None
        found = self.found(
            f"{100 * right:.0f} % of the validation images are right (n={len(answers.label):,}); with the classes "
            f"exchanged one for one, {100 * explained:.0f} % would be",
            harm=explained - float(right),
            evidence={"explained": explained, "becomes": names, "n": len(answers.label)},
            fact=learned_by_itself(case) >= AS_GOOD * explained,
            confirm="compare the class lists of the two sets",
        )
        return replace(found, title="the two parts number the classes differently")


def learned_by_itself(case: Case) -> float:
    """The accuracy on training images after their best epoch: how well it learned their numbering."""
    return 1 - min(case.column("train_error"), default=1.0)


def lopsided(case: Case) -> bool:
    """One class has half more training images than its even share, or more than that."""
    counts = part_of(case, "train").get("classes") or []
    return bool(counts) and max(counts) > LOPSIDED * sum(counts) / len(counts)


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


def explained_by_halves(label: Any, predicted: Any, classes: int) -> float:
    """The share that a renaming makes right, found on every second image of each class and tried on the others: the
    best one of many classes always explains a part of the images that it was found on."""
    right, halves = 0, np.zeros(len(label), np.int64)
    for known in range(classes):
        halves[label == known] = np.arange(int((label == known).sum())) % 2
    for half in (0, 1):
        _, names = exchanged(label[halves == half], predicted[halves == half], classes)
        becomes = np.array([names[known] for known in range(classes)])
        right += int((becomes[label[halves != half]] == predicted[halves != half]).sum())
    return right / max(1, len(label))
