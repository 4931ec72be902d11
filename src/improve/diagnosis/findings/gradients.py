"""Does the error signal get through the network? Gradients, activations, depth."""

from __future__ import annotations

from collections.abc import Iterator

from improve.diagnosis.bias_variance import SLACK
from improve.diagnosis.findings.edits import model_option, two_digits
from improve.diagnosis.findings.indicators import (
    DEAD,
    best_epoch,
    gradient_ratio,
    last_epoch,
    memorization_failure,
    modes_ratio,
    silent_share,
    usual_gradient,
)
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule, fit_text
from improve.runs.schema import SQUASHING

VANISHING, EXPLODING = 0.05, 70.0  # gradient norm of the first over that of the last kernel; healthy: 0.3 to 1.1
SATURATED = 0.5  # of a layer's outputs
DEEP, DEEP_NORMALIZED = 15, 30  # layers with weights and no way around them
FADING = {*SQUASHING, "softmax", "softplus"}
COLD = 1.3  # clean over training-mode cross-entropy; healthy: up to 1.3 after 1,000 updates


def easier_network(case: Case) -> Iterator[Change]:
    """What lets gradients through, the surest first."""
    if case.setting("model.activation") in FADING:
        yield from model_option(case, "activation", "relu", "a slope of 1 where it is active: gradients pass unchanged")
    yield from model_option(case, "batch_norm", True, "keeps every layer's outputs at one scale")


class DeadUnits(Rule):
    """A layer is dead: nearly all its units say the same for every image, and no gradient comes back.

    Seen as: 95 % or more of a layer's units silent on the probe batch, before the first step or at the end, and a
    training error no better than guessing. (Half of them silent is ordinary: 68 % did no harm. Units of a sigmoid or
    tanh do not die, they saturate: T8.) Fix: an activation that never dies (leaky_relu), biases at 0; a lower rate
    where they died while training (T3).
    """

    code, name, title, link = "T7", "dead_units", "the units of a layer are dead", "training"
    needs = ("layers",)
    early = True

    def look(self, case: Case) -> Finding | None:
        before, after = silent_share(case, 0), silent_share(case, last_epoch(case))
        dead = max(before, after)
        if dead < DEAD or not (case.at_chance or case.errors is None):
            return None
        when = "before the first step" if before >= DEAD else "at the end"
        return self.found(
            f"{100 * dead:.0f} % of a layer's units were silent {when}; {fit_text(case)}",
            harm=case.to_win,
            evidence={"silent_before": before, "silent_after": after, "layers": len(case.evidence.layers)},
            changes=self.remedies(case),
            rivals=() if before >= DEAD else ("T3",),
            confirm="train 2 epochs with leaky_relu",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        yield from model_option(case, "activation", "leaky_relu", "its units never die")


class TooDeep(Rule):
    """The network is too deep for plain layers: without ways around them, each layer makes learning harder.

    Seen as: 15 layers with weights or more (30 with normalisation) and no skip connection, and a high training error,
    or a high variance. Fix: a few layers, or an architecture with skip connections (resnet).
    """

    code, name, title, link = "T10", "too_deep", "too deep without skip connections", "training"
    needs = ("start",)

    def look(self, case: Case) -> Finding | None:
        start = case.evidence.start
        depth = sum(kernel["trainable"] for kernel in start.get("kernels", []))
        limit = DEEP_NORMALIZED if start.get("normalizations") else DEEP
        high_variance = case.gaps is not None and case.gaps.variance.verdict == "high"
        if depth < limit or start.get("skips") or not (case.fits_badly or high_variance):
            return None
        variance = case.gaps.variance.value if case.gaps else 0.0
        return self.found(
            f"{depth} layers with weights one after another, none of them with a way around; {fit_text(case)}",
            harm=max(case.to_win, variance),
            evidence={"depth": depth, "gradient_ratio": gradient_ratio(case)},
            changes=self.remedies(case),
            rivals=("T5", "T6", "T8"),
            confirm="train 2 epochs with 3 layers",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        yield from fewer_layers(case)


def fewer_layers(case: Case) -> Iterator[Change]:
    for name in ("hidden", "filters"):
        layers = case.setting(f"model.{name}")
        if isinstance(layers, list) and len(layers) > 3:
            yield from model_option(case, name, layers[:3], "three layers learn easily")
    if (case.setting("model.convolutions") or 1) > 2:
        yield from model_option(case, "convolutions", 2, "blocks of two learn easily")


class Vanishing(Rule):
    """The gradient fades on its way back, so the first layers do not learn.

    Seen as: the gradient norm of the first kernel under 0.05 of that of the last one (healthy runs: 0.3 to 1.1); or
    hidden layers of an activation that flattens out, and a fresh copy that does not learn 32 images by heart in 200
    steps; with a high training error. Fix: ReLU instead of sigmoid, tanh or softmax in hidden layers; batch
    normalisation.
    """

    code, name, title, link = "T5", "vanishing_gradient", "the gradient fades on its way back", "training"
    needs = ("kernels",)

    def look(self, case: Case) -> Finding | None:
        ratio, flat = gradient_ratio(case), sorted(FADING.intersection(case.evidence.start.get("activations", ())))
        fades, slow = ratio is not None and ratio < VANISHING, memorization_failure(case) if flat else ""
        if not (fades or slow) or not case.fits_badly:
            return None
        faded = f"the first layer gets {ratio:.1e} of the last one's gradient, 0.3 to 1.1 is usual" if fades else ""
        why = faded or f"{flat[0]} flattens out, and {slow}"
        return self.found(
            f"{why}; {fit_text(case)}",
            harm=case.to_win,
            evidence={"gradient_ratio": ratio, "activations": case.evidence.start.get("activations")},
            changes=self.remedies(case),
            rivals=("T8", "T10"),
            confirm="train 2 epochs with relu",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        yield from easier_network(case)


class Exploding(Rule):
    """The gradient grows on its way back, so the first layers are thrown about.

    Seen as: the gradient norm of the first kernel above 70 times that of the last one, with a high training error. Fix:
    fewer layers or skip connections; warm-up and clipping at the 90th percentile of the norms where it is only early.
    """

    code, name, title, link = "T6", "exploding_gradient", "the gradient grows on its way back", "training"
    needs = ("kernels",)

    def look(self, case: Case) -> Finding | None:
        ratio = gradient_ratio(case)
        if ratio is None or ratio <= EXPLODING or not case.fits_badly:
            return None
        usual = usual_gradient(case)
        clip = [Change("optimizer.global_clipnorm", two_digits(usual), "no step is thrown about")] if usual else []
        return self.found(
            f"the first layer gets {ratio:.0f} times the last one's gradient, 0.3 to 1.1 is usual; {fit_text(case)}",
            harm=case.to_win,
            evidence={"gradient_ratio": ratio, "usual_gradient": usual},
            changes=(*fewer_layers(case), *clip),
            rivals=("T3", "T10"),
            confirm="train 2 epochs with clipping",
        )


class Saturated(Rule):
    """A layer's outputs stick to the ends of their range, where there is no slope to learn by.

    Seen as: more than half of the outputs of a sigmoid or tanh layer within 1 % of its range from an end, at the best
    epoch, with a high training error. Fix: ReLU; a smaller start; inputs of mean 0 and standard deviation 1.
    """

    code, name, title, link = "T8", "saturated_units", "a layer is saturated", "training"
    needs = ("layers",)

    def look(self, case: Case) -> Finding | None:
        rows = [row for row in case.evidence.layers if row["epoch"] == best_epoch(case)]
        worst = max(rows, key=lambda row: row["saturated"], default=None)
        if worst is None or not worst["saturated"] > SATURATED or not case.fits_badly:
            return None
        return self.found(
            f"{100 * worst['saturated']:.0f} % of the outputs of {worst['layer']} ({worst['activation']}) are at an "
            f"end of their range; {fit_text(case)}",
            harm=case.to_win,
            evidence={"layer": worst["layer"], "saturated": worst["saturated"]},
            changes=easier_network(case),
            rivals=("T5", "T9"),
            confirm="train 2 epochs with relu",
        )


class ColdStatistics(Rule):
    """Batch normalisation works otherwise than it was trained: its moving averages do not fit the batches.

    Seen as: on the same training images and weights, a clean cross-entropy above 1.3 times that of training mode, and
    an error at least 2 points higher. Usual causes: too few updates for the momentum (0.99 needs some hundred), tiny
    batches, a momentum near 1. Fix: train longer, with larger batches; or go without.
    """

    code, name, title, link = "V7", "batch_norm_mismatch", "batch normalisation differs when it counts", "validation"
    needs = ("modes",)

    def look(self, case: Case) -> Finding | None:
        both = modes_ratio(case)
        if both is None or not case.evidence.start.get("batch_normalizations"):
            return None
        ratio, worse = both
        if ratio <= COLD or worse < (case.errors.tau - SLACK if case.errors else 1.0):
            return None
        return self.found(
            f"on the same images the clean error is {100 * worse:.1f} points above that of training mode, the "
            f"cross-entropy {ratio:.2f} times",
            harm=worse,
            evidence={"cross_entropy_ratio": ratio, "error_difference": worse},
            changes=self.remedies(case),
            rivals=("T15",),
            confirm="evaluate once more with the statistics of the batch",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        yield from model_option(case, "batch_norm", False, "nothing to differ")
