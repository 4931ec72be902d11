"""Does it fit the training set?"""

from __future__ import annotations

from collections.abc import Iterator

from improve.findings.rule import Case, Change, Finding, Rule, above
from improve.models import MODELS

#: regularisation, the strongest first, and the value that switches it off
HOLDING_BACK = {"dropout": 0.0, "l2": 0.0, "l1": 0.0, "activity_l1": 0.0, "activity_l2": 0.0, "max_norm": None}


class AvoidableBias(Rule):
    """The training error is above what people reach: the model does not fit its own training set.

    Seen as: training error − human error is high (at least 2 points, at least a third of the excess, interval above 0).
    The recipe: train longer, optimise better, hold the weights back less, then take a bigger network. More data does
    not help here. Only the size of the gap is known: what holds the training error up is not told apart yet.
    """

    code, name, title, link = "T19", "avoidable_bias", "it does not fit its own training set", "training"

    def look(self, case: Case) -> Finding | None:
        if case.gaps is None or case.errors is None or case.gaps.avoidable_bias.verdict != "high":
            return None
        gap, train = case.gaps.avoidable_bias, case.errors.train
        return self.found(
            above("training", train, gap, "the human level"),
            harm=gap.value,
            evidence={"avoidable_bias": gap._asdict(), "train_error": train.value, "n": train.n},
            changes=tuple(recipe(case)) if case.run else (),
        )


def recipe(case: Case) -> Iterator[Change]:
    """The recipe's knobs for a high bias, the most promising first."""
    epochs = int(case.setting("training.epochs"))
    if still_falling(case):
        yield Change("training.epochs", 2 * epochs, "the training error was still falling when the run ended")
    for option, nothing in HOLDING_BACK.items():
        if case.setting(f"regularization.{option}"):
            why = "what holds the weights back keeps them from fitting the training set"
            yield Change(f"regularization.{option}", nothing, why)
    if case.setting("optimizer.name") != "adam":
        yield Change("optimizer", {"name": "adam", "learning_rate": 0.001}, "an adaptive optimizer fits faster")
    model = next(part for part in MODELS if part.key() == case.setting("model.name"))
    for option, value in model.model_validate(case.setting("model")).bigger().items():
        yield Change(f"model.{option}", value, "a bigger network fits more")
    if not still_falling(case):
        yield Change("training.epochs", 2 * epochs, "training longer never hurts the fit")


def still_falling(case: Case) -> bool:
    """The training error of the last quarter of the epochs is on average below that of the quarter before."""
    errors = [row["train_error"] for row in case.run.history] if case.run else []
    quarter = max(1, len(errors) // 4)
    last, before = errors[-quarter:], errors[-2 * quarter : -quarter]
    return bool(before) and sum(last) / len(last) < sum(before) / len(before)
