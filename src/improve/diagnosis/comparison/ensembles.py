"""How an ensemble stands beside its members: the best of them, the mean of them, and itself, on the same images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING, Any

from improve.errors import UsageError
from improve.lazy import np
from improve.runs import run
from improve.runs.ensemble import Part, Score, best_of, gather, members, score
from improve.runs.run import Run
from improve.runs.test_part import open_test
from improve.statistics.intervals import Rate
from improve.statistics.paired import Paired, paired_comparison
from improve.statistics.significance import expected_optimism

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Standing:
    """How an ensemble stands on one part of the data: each member, the mean of those that answer (by weight), the
    ensemble, and the ensemble's error − the best member's."""

    members: tuple[Score, ...]
    mean: Score
    ensemble: Score
    against: Paired

    def as_json(self) -> dict[str, Any]:
        scores = {"mean": self.mean._asdict(), "ensemble": self.ensemble._asdict()}
        return {"members": [one._asdict() for one in self.members], **scores, "against_best": self.against.as_json()}


@dataclass(frozen=True)
class Report:
    """`parts`: validation, and test where it was opened. `best`: the place of the member that is best on validation;
    `optimism`: by how much, as a fraction, the luck of choosing it makes it look better there than it is."""

    run: Run
    names: tuple[str, ...]
    weights: tuple[float, ...]
    best: int
    optimism: float
    parts: dict[str, Standing]

    @property
    def selected(self) -> bool:
        """Who answers was chosen on the validation images."""
        return bool(self.run.summary.selection == "greedy")

    def as_json(self) -> dict[str, Any]:
        return {
            "members": list(self.names),
            "weights": list(self.weights),
            "best": self.names[self.best],
            "optimism_of_best": self.optimism,
            "selected_on_validation": self.selected,
            **{name: standing.as_json() for name, standing in self.parts.items()},
        }


def ensemble_report(ensemble: Run, test: bool = False) -> Report:
    """The report of an ensemble that was written, from the predictions of its members; `test` opens their test part.

    Raises UsageError where a member is gone, or there is no test part that all have.
    """
    folders, weights = members(ensemble)
    left_out = [ensemble.folder.parent / name for name in ensemble.summary.left_out]
    runs = [run.load_run(folder) for folder in (*folders, *left_out)]
    weights = [*weights, *(0.0 for _ in left_out)]
    parts = gather(runs)
    if test and "test" not in parts:
        raise UsageError(f"the members of {ensemble.folder} have no test part in common", fix="leave --test out")
    if test:
        open_test(ensemble)
    best = best_of(parts["validation"])
    opened = ("validation", "test") if test else ("validation",)
    standings = {name: standing(parts[name], weights, best) for name in opened}
    names = tuple(one.name for one in runs)
    return Report(ensemble, names, tuple(weights), best, optimism(parts["validation"], best), standings)


def standing(part: Part, weights: Sequence[float], best: int) -> Standing:
    own = tuple(score(one, part.label) for one in part.probability)
    together = part.mean(weights)
    rows = [wrong(together, part.label), wrong(part.probability[best], part.label)]
    return Standing(own, mean_of(own, weights), score(together, part.label), paired_comparison(*rows))


def wrong(probability: NDArray[Any], label: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray(probability.argmax(axis=1) != label)


def mean_of(scores: Sequence[Score], weights: Sequence[float]) -> Score:
    """The mean member. Its interval is that of one classifier with this error, which is wider than that of a mean."""
    n = scores[0].n
    error, loss = (
        float(np.average([getattr(one, key) for one in scores], weights=np.asarray(weights, float)))
        for key in ("error", "cross_entropy")
    )
    return Score(error, *Rate(error, n).interval(), n, loss)


def optimism(validation: Part, best: int) -> float:
    """How much too good the best of equals looks on the images that it was chosen by: the expected maximum of so many
    normal draws, times the deviation of one member's error that is not common to all (d / 2n)."""
    missed = [wrong(one, validation.label) for one in validation.probability]
    apart = fmean(float((one != other).mean()) for one, other in combinations(missed, 2))
    return expected_optimism(len(missed)) * math.sqrt(apart / 2 / len(validation.label))
