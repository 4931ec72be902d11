"""Is the network too small? Said only when nothing else explains a high bias."""

from __future__ import annotations

import math
from collections.abc import Iterator

from improve.diagnosis.bias_variance import Errors, Gap, worse_than_simple
from improve.diagnosis.findings.convergence import SHORT, times_longer
from improve.diagnosis.findings.edits import bigger_model
from improve.diagnosis.findings.indicators import memorization_failure
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule, error_text, fit_text, gap_sentence
from improve.statistics.student_t import slope

FROZEN = 0.5  # of the weights
FLAT = 0.02  # training error still to be won by as many epochs again
LARGER = 4  # times
LINEAR = {  # what a sum of pixels goes through and stays one
    "InputLayer", "Rescaling", "Normalization", "Flatten", "Reshape", "Conv2D", "Dense", "DepthwiseConv2D",
    "SeparableConv2D", "AveragePooling2D", "GlobalAveragePooling2D", "BatchNormalization", "Dropout",
    "SpatialDropout2D", "ZeroPadding2D", "Add", "Identity", "Activation",
}  # fmt: skip
FEWEST = 4  # filters of a convolution that are not far too few; LeNet-5 begins with six


class Frozen(Rule):
    """Most of the network does not train, and what does cannot make up for it.

    Seen as: more than half of the weights in kernels are not trainable, and the training error is high. Right for
    features learned elsewhere that fit; a fault where the frozen part was never trained. Fix: `trainable = True`, with
    a tenth of the rate where the features are worth keeping.
    """

    code, name, title, link = "T20", "frozen_weights", "most of the weights do not train", "training"
    needs = ("start",)
    early = True

    def look(self, case: Case) -> Finding | None:
        still, weights = frozen_weights(case)
        if still <= FROZEN * weights or not case.fits_badly:
            return None
        if case.errors is None and still < weights:  # features that were learned elsewhere, perhaps
            return None
        return self.found(
            f"{100 * still / weights:.0f} % of the {weights:,} weights do not train; {fit_text(case)}",
            harm=case.to_win,
            evidence={"frozen": still, "n": weights},
            fact=still == weights,
            rivals=("T17",),
            confirm="set trainable = True and train 2 epochs",
        )


def frozen_weights(case: Case) -> tuple[int, int]:
    """How many weights of kernels do not train, and how many there are."""
    kernels = case.evidence.start.get("kernels", [])
    still = sum(size(kernel["shape"]) for kernel in kernels if not kernel["trainable"])
    return still, sum(size(kernel["shape"]) for kernel in kernels)


def easier_unseen(case: Case) -> bool:
    """Unseen images are easier than training images: a sign of wrong labels (T13), too weak to say so."""
    return case.errors is not None and case.errors.train.value - case.errors.validation.value >= case.errors.tau / 2


def fits_later(case: Case) -> bool:
    """Whether the training set is fitted at the end. The best epoch comes before that where validation images are so
    unlike that their error is a matter of luck."""
    errors = case.column("train_error")
    return bool(errors and case.errors and errors[-1] - case.human < case.errors.tau)


def size(shape: list[int]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


class TooSmall(Rule):
    """The network is too small for the task: what is left when nothing else keeps it from fitting.

    Seen as: the avoidable bias is high, no other finding explains it, and the training error no longer falls; or a
    fresh copy that nothing holds back does not learn 32 images by heart in 200 steps (healthy networks: 10 to 104); or
    a hidden layer that is narrower than the number of classes, through which not all of them pass; or none at all; or
    no activation between its layers.
    Capacity is named last because it is rarely the cause: of 42 faults that a high training error shows, 2 were. Fix: a
    bigger network.
    """

    code, name, title, link = "T17", "too_small", "the network is too small", "training"

    def look(self, case: Case) -> Finding | None:
        narrow = straight(case) or narrowest(case)
        high = case.gaps is not None and case.gaps.avoidable_bias.verdict == "high"
        high = high and bias_is_sure(case)
        forgets = memorization_failure(case)
        left = (
            bool((high and flat(case)) or forgets)
            and not case.at_chance
            and not easier_unseen(case)
            and not fits_later(case)
        )
        if case.run is None or not case.fits_badly or not (narrow or left):
            return None
        measured = {"parameters": case.run.summary.parameters, "memorized": case.evidence.start.get("memorized")}
        why = narrow or forgets or "nothing else that was looked at keeps it from fitting"
        return self.found(
            f"{why}; {fit_text(case)}",
            harm=case.to_win,
            evidence=measured,
            changes=self.remedies(case),
            rivals=("T13", "T18"),
            confirm=f"train a network {LARGER} times as wide",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        yield from wider(case, straight(case) or narrowest(case))


def straight(case: Case) -> str:
    """That several layers make one linear model, in words."""
    start = case.evidence.start
    inside = set(start.get("operations") or [])
    if not inside or len(start.get("kernels") or []) < 2 or start.get("activations") or inside - LINEAR:
        return ""
    return "no activation stands between its layers, so all of them together are one linear model"


def narrowest(case: Case) -> str:
    """No hidden kernel, or one with fewer units than there are classes, in words."""
    classes, kernels = case.evidence.start.get("classes") or 0, case.evidence.start.get("kernels", [])
    if len(kernels) == 1:
        return "there is no hidden layer, so classes are told apart by straight cuts alone"
    for kernel in kernels[:-1]:
        if len(kernel["shape"]) == 2 and kernel["shape"][-1] < classes - 1:
            return f"{kernel['name']} has {kernel['shape'][-1]} units for {classes} classes"
    return ""


def wider(case: Case, narrow: str) -> Iterator[Change]:
    hidden = case.setting("model.hidden")
    if isinstance(hidden, list):
        units = [max(64, LARGER * count) for count in hidden] or [256]
        filters = case.setting("model.filters") or [FEWEST]
        more = [max(8, LARGER * count) for count in filters]
        also = (("model.filters", more),) if min(filters) < FEWEST else ()
        yield Change("model.hidden", units, "a wider network fits more" if not narrow else "room for all classes", also)
    else:
        yield from bigger_model(case, "a bigger network fits more")


def flat(case: Case) -> bool:
    """Whether as many epochs again, at the present slope, would win next to nothing."""
    errors = case.column("train_error")
    last = max(4, len(errors) // 4)
    if len(errors) < last:
        return False
    return -slope(range(last), errors[-last:]).value * len(errors) / 2 < FLAT


class Irreducible(Rule):
    """The target is below what people reach, and the network is where people are.

    Seen as: `target_error` under `human_error`, and a training error between the two. What is left may be in the labels
    and the images, not in the network. Fix: question the target, or clean labels and images.
    """

    code, name, title, link = "T18", "at_human_level", "it is where people are, and the target is below", "training"

    def look(self, case: Case) -> Finding | None:
        errors = case.errors
        if errors is None or errors.human is None or errors.target is None or errors.target >= errors.human.value:
            return None
        if errors.train.interval()[0] > errors.human.value or errors.validation.value <= errors.target:
            return None
        if errors.train.value <= errors.target:  # it fits better than it has to: what is left is variance
            return None
        human, target = (f"{100 * share:.1f} %" for share in (errors.human.value, errors.target))
        return self.found(
            f"people err on {human}, the target is {target}; {fit_text(case)}",
            harm=errors.validation.value - errors.target,
            evidence={"human": errors.human.value, "target": errors.target, "n": errors.train.n},
            confirm="let a second person label 100 of the images that it gets wrong",
        )


class AvoidableBias(Rule):
    """The training error is above what can be reached: the model underfits, it does not fit its own training set.

    Seen as: training error − human error is high (at least 2 points, at least a third of the excess, interval above 0),
    and none of the causes that could be told apart explains it. Where the human level is not known: a linear model or
    the nearest neighbours err surely less, by 2 points or more, on images that they have not seen. A training error
    that surely is ten points is told as well, as likely: people may do no better. The recipe: train longer, optimise
    better, hold the weights back less, then take a bigger network. More data does not help here.
    """

    code, name, title, link = "T19", "avoidable_bias", "it does not fit its own training set", "training"
    symptom = True

    def look(self, case: Case) -> Finding | None:
        if case.gaps is None or case.errors is None or case.gaps.avoidable_bias.verdict != "high" or fits_later(case):
            return None
        gap, train = case.gaps.avoidable_bias, case.errors.train
        return self.found(
            underfit_sentence(case.errors, gap),
            harm=gap.value,
            status="found" if bias_is_sure(case) else "not_enough_evidence",
            evidence={"avoidable_bias": gap._asdict(), "train_error": train.value, "n": train.n},
            changes=tuple(recipe(case)) if case.run else (),
            rivals=("T1", "T2", "T11", "T17"),
            confirm="train twice as long",
        )


def bias_is_sure(case: Case) -> bool:
    """Whether something is known to do better: people, or something simple on images that it has not seen, and that at
    the end of the run as well."""
    ends = [errors for errors in (case.errors, case.end) if errors is not None]
    return bool(ends) and (ends[0].human is not None or all(map(worse_than_simple, ends)))


def underfit_sentence(errors: Errors, gap: Gap) -> str:
    if errors.human is not None:
        return gap_sentence("training", errors.train, gap, "the human level")
    told = error_text("training", errors.train)
    if worse_than_simple(errors) and errors.simple:
        simple = f"{100 * errors.simple.value:.1f} %"
        return f"{told}; on images that it has not seen, a linear model or the nearest neighbours reach {simple}"
    return f"{told}: that is bias, unless people do no better; the human level (diagnosis.human_error) decides"


#: regularisation, the strongest first, and the value that switches it off
HOLDING_BACK = {"dropout": 0.0, "l2": 0.0, "l1": 0.0, "activity_l1": 0.0, "activity_l2": 0.0, "max_norm": None}


def recipe(case: Case) -> Iterator[Change]:
    """The recipe's knobs for a high bias, the most promising first."""
    epochs, short = int(case.setting("training.epochs")), len(case.column("train_error")) < SHORT
    falling, times = still_falling(case), times_longer(len(case.column("train_error")), 0.0)
    why = "a run this short tells little" if short else "the training error was still falling"
    if falling or short:
        yield Change("training.epochs", times * epochs, why)
    for option, nothing in HOLDING_BACK.items():
        if case.setting(f"regularization.{option}"):
            why = "what holds the weights back keeps them from fitting the training set"
            yield Change(f"regularization.{option}", nothing, why)
    if case.setting("optimizer.name") != "adam":
        yield Change("optimizer", {"name": "adam", "learning_rate": 0.001}, "an adaptive optimizer fits faster")
    yield from bigger_model(case, "a bigger network fits more")
    if not (falling or short):
        yield Change("training.epochs", times * epochs, "training longer never hurts the fit")


def still_falling(case: Case, parts: int = 4) -> bool:
    """The training error of the last quarter (of `parts`) of the epochs is on average below that of the one before, by
    more than the images make it by chance."""
    errors = case.column("train_error")
    length = max(1, len(errors) // parts)
    last, before = (sum(part) / length for part in (errors[-length:], errors[-2 * length : -length] or [0.0]))
    images = length * (case.errors.train.n or 1) if case.errors and case.errors.train.n else math.inf
    return before - last > math.sqrt(2 * before * (1 - before) / images)
