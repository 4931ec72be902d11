"""Where the diagnosis has nothing more to say that is likely to pay: points around the best spec, which Optuna proposes
from all runs so far."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from improve.experiments.auto.journal import Tried
from improve.experiments.auto.proposals import SIDE, Proposal, edited_spec, neighbours, steps_aside
from improve.experiments.sweep.search_optuna import distribution, value
from improve.randomness import keyed_generator
from improve.runs.run import Run
from improve.spec.reading.flatten import setting
from improve.spec.reading.search_space import Knob

FURTHER = 10.0  # so many times lower and higher the learning rate may go
ASKED = 8  # times, for each point that is wanted: some are no valid specs, some were tried
RATE = "optimizer.learning_rate"


def points_to_explore(best: Run, runs: Sequence[Run], seed: int, tried: Tried, count: int) -> list[Proposal]:
    """`count` new points, fewer where there are none left. Without Optuna: one setting further or back."""
    epochs = int(best.spec["training"]["epochs"])
    if importlib.util.find_spec("optuna") is None:
        return steps_aside(best.spec, seed, tried, epochs, best.folder)[:count]
    knobs = list(knobs_around(best.spec, best.folder))
    found = list[Proposal]()
    for point in asked(knobs, runs, seed, ASKED * count):
        edits = tuple((path, new) for path, new in point if setting(best.spec, path) != new)
        made = edited_spec(best.spec, edits, best.folder)
        if made is not None and made not in tried and made not in [one.spec for one in found] and len(found) < count:
            found.append(
                Proposal("", "explored", edits, "no advice is likelier; Optuna proposes it", SIDE, epochs, made)
            )
    return found


def knobs_around(spec: dict[str, Any], folder: Path | None = None) -> Iterator[Knob]:
    """What may vary: the learning rate within a factor of ten, of everything else what steps to the side know."""
    rate = float(setting(spec, RATE))
    yield Knob(("optimizer", "learning_rate"), "", "log", (), rate / FURTHER, rate * FURTHER)
    values = dict[str, list[Any]]()
    for path, new in neighbours(spec):
        made = edited_spec(spec, [(path, new)], folder)
        known = values.setdefault(path, [setting(spec, path)])
        if made is not None and setting(made, path) not in known:
            known.append(setting(made, path))
    for path, found in values.items():
        if path != RATE and len(found) > 1:
            numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in found)
            yield Knob(tuple(path.split(".")), "", "values", tuple(sorted(found) if numbers else found))


def asked(knobs: Sequence[Knob], runs: Sequence[Run], seed: int, count: int) -> Iterator[list[tuple[str, Any]]]:
    """Points, with what the runs reached as the prior."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {knob.key: distribution(knob) for knob in knobs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that multivariate sampling is experimental
        drawn = int(keyed_generator(seed, "auto").integers(2**31))
        sampler = optuna.samplers.TPESampler(seed=drawn, n_startup_trials=0, multivariate=True, constant_liar=True)
    study = optuna.create_study(sampler=sampler)
    for one in runs:
        params = {knob.key: place(knob, one.spec) for knob in knobs}
        if None not in params.values() and one.summary.validation is not None:
            error = float(one.summary.validation.error)
            study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=error))
    for _ in range(count):
        params = study.ask(space).params
        yield [(knob.key, value(knob, params[knob.key])) for knob in knobs]


def place(knob: Knob, spec: dict[str, Any]) -> Any:
    """Where a run stands on this knob, as Optuna is told; None: not on it."""
    own = setting(spec, knob.key)
    if knob.kind == "values":
        return knob.values.index(own) if own in knob.values else None
    return own if isinstance(own, int | float) and knob.low <= own <= knob.high else None
