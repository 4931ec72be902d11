"""Is the run readable? What stands here explains everything after it."""

from __future__ import annotations

from improve.findings.rule import Case, Change, Finding, Rule, points
from improve.recipe import Gap
from improve.statistics import binomial_tail

CHANCE_P = 0.01
UNREALISTIC = 100_000  # images


class NotFinite(Rule):
    """The loss became NaN or infinite, so training stopped at that step.

    Almost always the learning rate is too high: the weights overshoot further at every step. Seen as: a loss in
    steps.csv that is not a number. Fix: a tenth of the rate; clip the gradients if only single batches explode.
    """

    code, name, title, link = "R1", "non_finite", "the loss became NaN or infinite", "readable"

    def look(self, case: Case) -> Finding | None:
        if case.run is None or case.run.status != "diverged":
            return None
        rate = case.setting("optimizer.learning_rate")
        epoch = int(case.run.summary.get("epochs", 0)) + 1
        return self.found(
            f"in epoch {epoch}, at a learning rate of {rate:g}",
            harm=1.0,
            evidence={"epoch": epoch, "learning_rate": rate},
            changes=(Change("optimizer.learning_rate", rate / 10, "the steps overshoot: a tenth of the rate"),),
            confirm="train one epoch at a tenth of the rate",
        )


class NoBetterThanChance(Rule):
    """The model does no better than always answering the commonest class.

    Seen as: neither on training nor on validation images is the accuracy above the share of the commonest class
    (one-sided binomial test, p ≥ 0.01). It has learned nothing, so the gaps between its errors mean nothing. The usual
    causes are a learning rate far off in either direction, dead units, and labels that do not belong to their images.
    """

    code, name, title, link = "R3", "no_better_than_chance", "it answers no better than the commonest class", "readable"

    def look(self, case: Case) -> Finding | None:
        if case.run is None:
            return None
        parts = {name: case.run.summary.get(name) for name in ("train", "validation")}
        evidence = {}
        for name, part in parts.items():
            if not part or "majority_error" not in part:
                return None
            right = round(part["n"] * (1 - part["error"]))
            p = binomial_tail(right, part["n"], 1 - part["majority_error"])
            if p < CHANCE_P:
                return None
            evidence[name] = {"error": part["error"], "n": part["n"], "majority_error": part["majority_error"], "p": p}
        rate = case.setting("optimizer.learning_rate")
        seen = evidence["validation"]
        return self.found(
            f"validation error {100 * seen['error']:.1f} % (n={seen['n']:,}); "
            f"always answering the commonest class gives {100 * seen['majority_error']:.1f} %",
            harm=seen["error"],
            evidence=evidence,
            changes=(
                Change("optimizer.learning_rate", rate / 10, "a rate that is too high is the commonest cause"),
                Change("optimizer.learning_rate", rate * 10, "if a lower rate does not help, it may be too low"),
            ),
            confirm="train 2 epochs at a tenth and at ten times the rate",
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
        gaps = case.gaps._asdict().items()
        undecided = {name: gap for name, gap in gaps if gap is not None and gap.verdict == "not_enough_evidence"}
        if not undecided:
            return None
        name, gap = max(undecided.items(), key=lambda item: item[1].needed or 0)
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
        rates = {} if case.errors is None else {
            "training": case.errors.train, "validation": case.errors.validation,
            "train-dev": case.errors.train_dev, "test": case.errors.test,
        }  # fmt: skip
        rate = rates.get(larger)
        size = f" at n={rate.n:,}" if rate is not None and rate.n else ""
        settle = settling(gap.needed, larger)
        return f"the gap of {points(gap)} between {smaller} and {larger} is within chance{size}{settle}"


def settling(count: int | None, larger: str) -> str:
    if count is None:
        return ""
    if count > UNREALISTIC:
        return "; it is so close to what matters that no realistic number of images would settle it"
    return f"; {count:,} {larger} images would settle it"


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
