"""Points that Optuna proposes from what others have reached: TPE, and Hyperband, which also stops hopeless trials.

The study lives in memory. A sweep that goes on asks and tells it all over again, from the run folders: the sampler's
draws are seeded, so the same results lead to the same proposals, and nothing but the folders has to be trusted.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from improve.experiments.sweep.plan import Plan, SweepPoint, Trial, numbered_trial
from improve.spec.reading.search_space import Knob

STARTUP = 10  # trials that are drawn before any is proposed
REDUCTION = 3  # Hyperband's η: of so many trials one goes on
WORST = 1.0  # the error of a trial that has none, because it diverged


class Proposed:
    """Optuna's ask-and-tell; trials in the hands of others count as bad ones (constant liar)."""

    def __init__(self, plan: Plan):
        self.plan, self.total, self.asked = plan, plan.trials or 0, 0
        self.study, self.open = study(plan), dict[int, Any]()
        self.space = {knob.key: distribution(knob) for knob in plan.knobs}

    def ask(self, count: int) -> Sequence[Trial]:
        trials: list[Trial] = []
        while len(trials) < count and self.asked < self.total:
            number, self.asked = self.asked, self.asked + 1
            asked = self.open[number] = self.study.ask(self.space)
            values = [value(knob, asked.params[knob.key]) for knob in self.plan.knobs]
            spec, problems = self.plan.tried(values)
            trials.append(
                numbered_trial(self.plan, number, SweepPoint(tuple(values), spec, problems[0].what if problems else ""))
            )
        return trials

    def judge(self, trial: Trial, row: dict[str, Any]) -> str:
        if self.plan.search != "hyperband":
            return ""
        asked = self.open[trial.number]
        asked.report(float(f"{row['validation_error']:.7g}"), int(row["epoch"]))  # as metrics.csv has it
        if not asked.should_prune() or row["epoch"] >= trial.point.spec.training.epochs:
            return ""
        return f"Hyperband: after epoch {row['epoch']:.0f} others were better"

    def tell(self, trial: Trial, error: float | None, stopped: bool) -> None:
        from optuna.trial import TrialState

        asked = self.open.pop(trial.number)
        if stopped:
            self.study.tell(asked, state=TrialState.PRUNED)
        elif error is None:
            self.study.tell(asked, state=TrialState.FAIL)
        else:
            self.study.tell(asked, error)


def study(plan: Plan) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=plan.base.seed, n_startup_trials=STARTUP)
    epochs = plan.base.training.epochs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that Hyperband is experimental
        pruner = optuna.pruners.HyperbandPruner(1, epochs, REDUCTION) if plan.search == "hyperband" else None
    # Hyperband's brackets hang on the name; without one it would be another each time
    return optuna.create_study(sampler=sampler, pruner=pruner or optuna.pruners.NopPruner(), study_name="sweep")


def distribution(knob: Knob) -> Any:
    """A number among `values` is one of them: Optuna is told their places, in order where they have one."""
    from optuna import distributions

    if knob.kind == "int":
        return distributions.IntDistribution(int(knob.low), int(knob.high))
    if knob.kind in ("log", "uniform"):
        return distributions.FloatDistribution(knob.low, knob.high, log=knob.kind == "log")
    places = range(len(knob.values))
    if knob.numeric and list(knob.values) == sorted(knob.values):
        return distributions.IntDistribution(0, places[-1])
    return distributions.CategoricalDistribution(list(places))


def value(knob: Knob, proposed: Any) -> Any:
    """A knob's value from what Optuna proposed: for listed values their index, else the number."""
    if knob.kind == "values":
        return knob.values[int(proposed)]
    return int(proposed) if knob.kind == "int" else knob.rounded(float(proposed))
