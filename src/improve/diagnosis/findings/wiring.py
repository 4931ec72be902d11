"""Are data, network and loss put together rightly? Much of it shows before the first epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from improve.diagnosis.findings.edits import model_option
from improve.diagnosis.findings.indicators import chance_level, initial_ratio, part_of
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule, fit_text
from improve.diagnosis.findings.scales import scaled_apart
from improve.runs.schema import SQUASHING

START = 0.5, 2.0  # initial cross-entropy over ln K; healthy and harmless runs: up to 1.47
INPUT = 0.03, 10.0  # root mean square of what the first layer is given; 0.3 to 1 where pixels are scaled
CENTRED, PIXELS = 0.3, 128.0  # |mean| over the root mean square; that of black and white pixels around their mean
SCALES = 0.02, 2.5  # of a kernel: standard deviation · √inputs; Glorot and He: 0.3 to 1.5
SUM_SLACK = 1e-3
CUT_OFF, TIES = 0.02, 12  # share of the outputs that sit at their smallest value, and how many at least
SEVERAL = 5  # classes: outputs of fewer are all positive now and then, by chance
LOOKED_AT = 256  # images, at most
NEVER_NEGATIVE = ("relu", "softplus", "relu6", "exponential")
EPSILON = 1e-3  # what Keras's BatchNormalization adds to a variance
WEIGHTS = ("Conv2D", "Dense", "DepthwiseConv2D", "SeparableConv2D")  # layers with weights, by name


class Head(Rule):
    """The outputs do not fit the loss, which takes logits: numbers of both signs without an end or a fixed sum.

    Seen as: before the first step, outputs that all lie between 0 and 1 and add up to 1 (a softmax before the
    softmax of the loss, which then cannot fall below ln(1 + (K−1)/e): 1.461 for ten classes), or between 0 and 1 (a
    sigmoid; of fewer than five classes only where it is one); of which 2 % or more, and 12 at least, sit at the
    smallest value (a ReLU, or a logarithm of clipped numbers: logits read as probabilities); or a last layer with an
    activation that is never negative (ReLU, softplus) or has two ends (tanh). Or a softmax between hidden layers,
    with a high training error. Fix: end in a Dense layer without activation.
    """

    code, name, title, link = "R5", "wrong_head", "the outputs do not fit the loss", "readable"
    needs = ("start",)
    early = True

    def look(self, case: Case) -> Finding | None:
        head = case.evidence.start.get("head")
        mistake = self.mistake(head, case) if head else ""
        why = mistake or (hidden_softmax(case) if head and case.fits_badly else "")
        if not why:
            return None
        return self.found(
            f"{why}; {fit_text(case)}",
            harm=case.to_win,
            evidence={"head": head, "n": case.evidence.start.get("classes")},
            fact=bool(mistake),
            confirm="end in a Dense layer without activation, and train again",
        )

    @staticmethod
    def mistake(head: dict[str, float], case: Case) -> str:
        classes = case.evidence.start.get("classes") or 2
        if head["low"] == head["high"]:  # a last layer that starts at zero, if it is not cut off there
            silent = head["low"] == 0 and ends_in(case, *NEVER_NEGATIVE)
            return "the outputs are all 0, cut off by the last activation: no gradient there" if silent else ""
        if head["low"] >= 0 and abs(head["sum_low"] - 1) < SUM_SLACK and abs(head["sum_high"] - 1) < SUM_SLACK:
            floor = lowest_loss(classes)
            return f"the outputs are probabilities already: a second softmax keeps the loss above {floor:.3f}"
        if (
            head["low"] >= 0
            and head["high"] <= 1
            and not fell_below(case, classes)
            and (classes >= SEVERAL or ends_in(case, "sigmoid", "hard_sigmoid"))
        ):
            return "the outputs lie between 0 and 1, as after a sigmoid: the loss can hardly tell the classes apart"
        images = min(LOOKED_AT, part_of(case, "validation").get("n") or LOOKED_AT)
        alike = head["sum_high"] - head["sum_low"] <= SUM_SLACK * (head["high"] - head["low"])  # for every image
        if head["at_low"] >= CUT_OFF and round(head["at_low"] * images * classes) >= TIES and not alike:
            return f"{100 * head['at_low']:.0f} % of the outputs are cut off at {head['low']:.3g}: no gradient there"
        if head["low"] >= 0 and ends_in(case, *NEVER_NEGATIVE):
            return "no output is ever negative, as after a ReLU or softplus"
        ends = next((ends for name, ends in SQUASHING.items() if ends_in(case, name)), None)
        if ends and ends[0] <= head["low"] and head["high"] <= ends[1]:
            return f"the outputs cannot leave {ends[0]:g} to {ends[1]:g}: the loss can hardly tell the classes apart"
        return ""


def fell_below(case: Case, classes: int) -> bool:
    """Whether the loss came below what outputs between 0 and 1 allow: then they are not what the loss is given."""
    return min(case.column("train_cross_entropy"), default=math.inf) < lowest_loss(classes)


def lowest_loss(classes: int) -> float:
    """The cross-entropy of a softmax over outputs between 0 and 1, at its best."""
    return math.log(1 + (classes - 1) / math.e)


def ends_in(case: Case, *activations: str) -> bool:
    """Whether the last thing that the network does is one of these activations."""
    inside, kernels = case.evidence.start.get("operations") or [], case.evidence.start.get("kernels") or []
    last = next((row for row in reversed(case.evidence.layers) if row["epoch"] == 0), None)
    if last is None or last["activation"] not in activations or not kernels:
        return False
    return inside[-1:] in (["Activation"], ["ReLU"]) or str(kernels[-1]["name"]).startswith(f"{last['layer']}/")


def hidden_softmax(case: Case) -> str:
    start = case.evidence.start
    attention = any(kind in ("EinsumDense", "MultiHeadAttention") for kind in start.get("operations", []))
    inside = [name for name in start.get("activations", []) if name == "softmax"]
    return "" if attention or not inside else "a softmax between hidden layers: one unit takes what all the others get"


class InputScale(Rule):
    """The first layer is given numbers of a scale that it cannot work with.

    Seen as: a root mean square of what goes into the first layer with weights above 10 that do not lie around 0
    (raw pixels, 0 to 255), or under 0.03 (divided by 255 twice), without batch normalisation before or right after
    that layer (which mends large inputs, not small ones), and with a high error; or validation images whose brightness
    and contrast both are three times those of the training images, or a third (one set scaled, the other one not). Fix:
    `normalize: standardize`.
    """

    code, name, title, link = "R6", "input_scale", "the inputs are of the wrong scale", "readable"
    needs = ("start",)
    early = True

    def look(self, case: Case) -> Finding | None:
        rms = case.evidence.start.get("input", {}).get("rms")
        apart = scaled_apart(case)
        if apart and (case.errors is None or case.errors.validation.value >= case.errors.tau):
            return self.found(
                f"validation images have {apart:.3g} times the brightness and contrast of training images",
                harm=1.0 if case.errors is None else case.errors.validation.value,
                evidence={"scale": apart, **{name: part_of(case, name) for name in ("train", "validation")}},
                fact=True,
                confirm="look at a validation image and a training image",
            )
        if rms is None or not math.isfinite(rms) or INPUT[0] <= rms <= INPUT[1] or not case.errs:
            return None
        if rescaled_at_once(case) or centred(case):
            return None
        scale = "large" if rms > INPUT[1] else "small"
        return self.found(
            f"the first layer is given numbers that are too {scale}: root mean square {rms:.3g}; {fit_text(case)}",
            harm=case.to_gain,
            evidence={"rms": rms, "initial_cross_entropy": case.evidence.start.get("initial_cross_entropy")},
            changes=self.remedies(case),
            rivals=("R4", "T9"),
            confirm="improve preview shows the images as they come",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        if (case.setting("data.normalize") or {}).get("name") != "standardize":
            yield Change("data.normalize", {"name": "standardize"}, "mean 0 and standard deviation 1 suit every start")


def centred(case: Case) -> bool:
    """Whether the inputs lie around 0, with a scale of pixels at most: such a scale is a matter of the learning rate,
    and `mean_image` leaves it. Raw pixels do not: all of them push the same way."""
    given = case.evidence.start.get("input", {})
    mean, rms = given.get("mean"), given.get("rms") or 0.0
    return mean is not None and INPUT[1] < rms <= PIXELS and abs(mean) < CENTRED * rms


def rescaled_at_once(case: Case) -> bool:
    """Whether batch normalisation stands before the first layer with weights, or after it and its activation: it gives
    every scale the same one, but for one whose variance is lost beside its `epsilon`."""
    rms = case.evidence.start.get("input", {}).get("rms")
    if rms is not None and rms**2 < EPSILON:
        return False
    inside: list[str] = case.evidence.start.get("operations") or []
    first = next((place for place, name in enumerate(inside) if name in WEIGHTS), len(inside))
    return "BatchNormalization" in inside[:first] or "BatchNormalization" in inside[first + 1 : first + 3]


class Start(Rule):
    """The weights start where learning cannot begin well: all alike, far too large or far too small.

    Seen as: a trained kernel, not the last one, whose values are all the same (its units stay copies of each other); or
    with a standard deviation · √inputs above 2.5 (with a first loss above twice ln K) or under 0.02 (Glorot's and He's
    starts give 0.3 to 1.5); and a high error. Fix: `initializer: he_normal`, or the default of Keras.
    """

    code, name, title, link = "T9", "bad_start", "the weights start wrongly", "training"
    needs = ("start",)
    early = True

    def look(self, case: Case) -> Finding | None:
        kernels = [k for k in case.evidence.start.get("kernels", []) if k["trainable"] and "kernel" in k["name"]]
        wrong = next((says for kernel in kernels[:-1] if (says := self.mistake(kernel, case))), "")
        if not wrong or not case.errs:
            return None
        return self.found(
            f"{wrong}; {fit_text(case)}",
            harm=case.to_gain,
            evidence={"kernels": kernels, "initial_ratio": initial_ratio(case)},
            fact=any(map(starts_alike, kernels[:-1])),
            changes=self.remedies(case),
            rivals=("R4",),
            confirm="start from he_normal, and train 2 epochs",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        yield from model_option(case, "initializer", "he_normal", "He's start keeps the scale from layer to layer")

    @staticmethod
    def mistake(kernel: dict[str, Any], case: Case) -> str:
        if starts_alike(kernel):
            return f"all weights of {kernel['name']} start at one value, so its units stay alike"
        ratio, told = initial_ratio(case), f"{kernel['name']} starts with a scale of {kernel['scale']:.2g}, 1 is usual"
        if kernel["scale"] > SCALES[1] and ratio is not None and ratio > START[1]:
            return told
        return told if kernel["scale"] < SCALES[0] else ""


def starts_alike(kernel: dict[str, Any]) -> bool:
    """Its units start as copies of each other; a single one has no other to be alike."""
    return bool(kernel["constant"]) and kernel["shape"][-1] > 1


class FirstLoss(Rule):
    """The loss before the first step is far from that of guessing, ln K.

    Seen as: initial cross-entropy over ln K outside 0.5 to 2 (healthy runs stay under 1.5), with a high error, in a
    run that does not begin from trained weights, and no other finding that tells why. Usual causes: weights or
    inputs of a wrong scale, outputs that the loss does not take.
    """

    code, name, title, link = "R4", "first_loss", "the loss starts far from that of guessing", "readable"
    needs = ("start",)
    early = True

    def look(self, case: Case) -> Finding | None:
        ratio = initial_ratio(case)
        if case.run is not None and case.run.summary.origin:  # it starts from weights that are trained
            return None
        if ratio is None or START[0] <= ratio <= START[1] or not case.fits_badly:
            return None
        usual_start = model_option(case, "initializer", "he_normal", "a start of the usual scale")
        nats = f"it starts at {ratio * chance_level(case):.3g} nats, guessing gives {chance_level(case):.3g}"
        return self.found(
            f"{nats}; {fit_text(case)}",
            harm=case.to_win,
            evidence={"ratio": ratio, "chance": chance_level(case)},
            changes=(*usual_start, *InputScale().remedies(case)),
            rivals=("R5", "R6", "T9"),
            confirm="train 2 epochs from another start",
        )
