"""Are some of the labels wrong?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from improve.diagnosis.bias_variance import SLACK
from improve.diagnosis.findings.classes import class_names
from improve.diagnosis.findings.edits import gentle_augmentation, with_augmentation
from improve.diagnosis.findings.indicators import SLOW, update_ratio
from improve.diagnosis.findings.labels import NoSignal
from improve.diagnosis.findings.mismatch import other_kind
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule, error_text, fit_text
from improve.diagnosis.findings.simple_models import (
    METHODS,
    POINTS,
    SimpleModel,
    percent,
    simple_model,
    surely_above,
)
from improve.diagnosis.findings.validation import Leak
from improve.lazy import np
from improve.runs.predictions import Predictions
from improve.statistics.intervals import difference, standard_errors
from improve.statistics.significance import auroc, fisher_greater

CONTRADICTING, CONTRADICTIONS = 0.01, 3  # share of the training images, and how many at least
NOISE = 0.03  # training error from where on noise can be told
CLASS_P = 1e-3  # that a class is missed more often by chance, over all classes
ENOUGH = 100  # training images: with fewer, what is missed is a handful
SETTLED = 200  # steps: before that a network is unsure of everything
IMPOSSIBLE = 4.0  # standard errors
UNRELATED = 0.8  # AUROC of the confidence for right against wrong labels; 0.5: no relation
UNLIKELY = 1.0  # of 1/K: the median probability of the labels it misses; on clean labels 1.8 to 2.7, with noise 0.4
MANY = 6  # classes: that is 0.18 and more with ten, and of two classes every label that is missed lies below 1/K


class LabelNoise(Rule):
    """A part of the labels is wrong.

    Seen as: 1 % of the training images, and 3 at least, that are there twice under different labels. Or a linear
    model or the nearest neighbours do surely worse (by 5 points, by chance once in ten thousand) on training
    images, each by all the others, than on validation images: then training labels are wrong. Or surely worse on
    validation images that look the same: then validation labels are wrong, or the two parts were labelled by
    different rules. Or the training error is above the train-dev (or validation) error, and its interval says not
    by chance: on clean labels a network is never better on images that it has not seen; or that is so of one class
    (5 points, p < 0.001 over all classes). Where validation labels are
    as noisy, these signs are missing; then: the training images it gets wrong are those that it is as sure of as of
    the others (AUROC of its confidence under 0.8), and it gives their labels less chance than guessing would (of
    six classes or more: of two, it always does). Fix: clean the labels; until then a loss that does not go after
    them (`training.loss: generalized_cross_entropy`).
    """

    code, name, title, link = "T13", "label_noise", "a part of the labels is wrong", "training"
    early = True

    def look(self, case: Case) -> Finding | None:
        found = self.contradicting(case) or self.by_simple_model(case)
        return found or self.by_gap(case) or self.by_class(case) or self.by_confidence(case)

    def contradicting(self, case: Case) -> Finding | None:
        """The same image, pixel for pixel, under two labels."""
        hashes, labels = (case.evidence.images.get(f"train_{what}") for what in ("hash", "label"))
        if hashes is None or labels is None or len(hashes) != len(labels) or not case.errs:
            return None
        _, image = np.unique(hashes, return_inverse=True)
        pairs = np.unique(np.stack([image, labels.astype(np.int64)]), axis=1)[0]
        count, n = int((np.bincount(pairs)[image] > 1).sum()), len(labels)
        if count < max(CONTRADICTIONS, CONTRADICTING * n):
            return None
        return self.found(
            f"{count:,} of {n:,} training images stand there again, pixel for pixel, under another label",
            harm=count / n / 2,
            evidence={"contradicting": count, "n": n},
            fact=True,
            confirm="look at them, and decide for one label",
        )

    def by_simple_model(self, case: Case) -> Finding | None:
        """What a linear model or the nearest neighbours learn of one part does not hold for the labels of the other."""
        simple = simple_model(case)
        if simple is None or not case.errs or Leak().look(case):
            return None
        if surely_above(simple.known, simple.across) and not simple.told_apart:
            says = f"{simple_text(simple)}: {percent(simple.known)} wrong, but {percent(simple.across)} of validation"
            share = simple.known.value - simple.across.value
            return self.noisy(case, says, share, {**simple._asdict(), "n": simple.known.n}, fact=True)
        if not surely_above(simple.across, simple.known) or not simple.looks_alike or NoSignal().renamed(case):
            return None
        return self.in_validation(case, simple)

    def in_validation(self, case: Case, simple: SimpleModel) -> Finding:
        agree = surely_above(simple.across, simple.own)
        told = (
            "the labels of each part agree with themselves, not with those of the other: the two were labelled by "
            f"different rules{pair_text(case)}"
            if agree
            else "the labels of a part of the validation images are wrong"
        )
        return self.found(
            f"{simple_text(simple)}: {percent(simple.known)} wrong, but {percent(simple.across)} of validation (n="
            f"{simple.across.n:,}), whose images look the same; {told}",
            harm=simple.across.value - simple.known.value,
            evidence={**simple._asdict(), "n": simple.across.n},
            fact=True,
            confirm="look at the 50 validation images that it gets wrong and is surest of",
        )

    def by_gap(self, case: Case) -> Finding | None:
        errors = case.errors
        if errors is None or not has_learned(case):
            return None
        clean = errors.train_dev or errors.validation
        low, high = difference(errors.train, clean)
        # the best epoch was chosen by its validation error, so that may be luck
        lasts = case.end is None or difference(case.end.train, case.end.train_dev or case.end.validation)[0] > 0
        if low <= 0 or not lasts or errors.train.value - clean.value < errors.tau - SLACK:
            return None
        says = f"{error_text('training', errors.train)} is above the error on unseen images, {100 * clean.value:.1f} %"
        gap = [errors.train.value - clean.value, low, high]
        evidence = {"gap": gap, "n": errors.train.n}
        return self.noisy(case, says, errors.train.value - clean.value, evidence, fact=surely_impossible(case))

    def by_confidence(self, case: Case) -> Finding | None:
        unsure = unrelated(case) if has_learned(case) else None
        if unsure is None or case.errors is None:
            return None
        train = case.errors.train
        says = f"the labels it misses among the training images are as good as random to it (AUROC {unsure:.2f})"
        return self.noisy(case, f"{says}; {fit_text(case)}", train.value, {"auroc": unsure, "n": train.n})

    def by_class(self, case: Case) -> Finding | None:
        """On clean labels no class is missed more often in training than in validation."""
        train, new = case.evidence.best("train"), case.evidence.best("validation")
        if train is None or new is None or not case.errs or other_kind(case) or Leak().look(case):
            return None
        classes = train.probability.shape[1]
        found = [(*missed_more(train, new, known), known) for known in range(classes)]
        excess, p, known = max(found, key=lambda one: one[0])
        if p >= CLASS_P / classes or excess < POINTS:
            return None
        mine, others = train.label == known, new.label == known
        taken = int(np.bincount(train.predicted[mine & train.wrong]).argmax())
        return self.noisy(
            case,
            f"of the training images labelled {class_names(case, [known])} it misses "
            f"{100 * train.wrong[mine].mean():.0f} % (n={int(mine.sum()):,}), of such validation images "
            f"{100 * new.wrong[others].mean():.0f} % (n={int(others.sum()):,}), and takes most of them for "
            f"{class_names(case, [taken])}",
            excess * float(mine.mean()),
            {"class": known, "excess": excess, "p": p, "n": len(train.label)},
        )

    def noisy(self, case: Case, says: str, share: float, evidence: dict[str, Any], fact: bool = False) -> Finding:
        harm = case.errors.validation.value if case.errors else share
        return self.found(
            f"{says}: about {100 * share:.0f} % of the training labels are wrong",
            harm=harm,
            evidence=evidence,
            fact=fact,
            changes=self.remedies(case),
            rivals=("M1",),
            confirm="look at the 50 training images whose labels it gives the least chance",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        yield from unbelieving(case)


def surely_impossible(case: Case) -> bool:
    """Whether the training error is above that on unseen images of the same looks, in the best epoch and in the last
    one, as it is on clean labels by chance once in thousands."""
    parts = [errors for errors in (case.errors, case.end) if errors is not None]
    sure = all(standard_errors(one.train, one.train_dev or one.validation) >= IMPOSSIBLE for one in parts)
    return sure and not other_kind(case) and not Leak().look(case)


def missed_more(train: Predictions, new: Predictions, known: int) -> tuple[float, float]:
    """By how much a class is missed more often among training images than among new ones, and p of Fisher's one-sided
    test for it; 0 and 1 where a part has none of it."""
    trained, unseen = (part.wrong[part.label == known] for part in (train, new))
    if not len(trained) or not len(unseen):
        return 0.0, 1.0
    p = fisher_greater(int(trained.sum()), len(trained), int(unseen.sum()), len(unseen))
    return float(trained.mean() - unseen.mean()), p


def has_learned(case: Case) -> bool:
    """Whether what it misses may tell of the labels: it misses enough, and has begun to learn."""
    if case.errors is None or case.at_chance or not case.fits_badly or case.errors.train.value < NOISE:
        return False
    moved = update_ratio(case)
    return moved is None or moved >= SLOW


def simple_text(simple: SimpleModel) -> str:
    return f"{METHODS[simple.method]}, asked for the labels of training images by all the others"


def pair_text(case: Case) -> str:
    """The class that is most often taken for another, where that is every fourth mistake."""
    answers = case.evidence.best("validation")
    if answers is None or not answers.wrong.any():
        return ""
    pairs, counts = np.unique(
        np.stack([answers.label, answers.predicted])[:, answers.wrong], axis=1, return_counts=True
    )
    one, other = (class_names(case, [int(known)]) for known in pairs[:, counts.argmax()])
    return f"; most often {one} is called {other}" if counts.max() >= answers.wrong.sum() / 4 else ""


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
