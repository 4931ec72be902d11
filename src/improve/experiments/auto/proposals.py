"""What `improve auto` could try next: the changes that the diagnosis of the best run proposes, and when there are none,
steps to the side. Each with what it may win and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from improve.diagnosis.diagnose import Diagnosis
from improve.diagnosis.findings.edits import SHIFT
from improve.diagnosis.findings.rule import Change, Finding
from improve.errors import SpecError
from improve.experiments.auto.advice_prior import AdvicePrior, change_key
from improve.experiments.auto.hypotheses import hypothesis_of
from improve.experiments.auto.journal import EVEN, Tried
from improve.randomness import keyed_generator
from improve.runs.run import Run
from improve.spec.reading.constraints import complaints
from improve.spec.reading.flatten import with_setting
from improve.spec.reading.validate import spec_of_tree
from improve.spec.reading.yaml import Tree
from improve.spec.user_code import located_target

JUDGING = (
    "data.source",
    "data.split",
    "data.subset",
    "data.train_dev",
    "data.target",
)  # they move what judges the runs
LATER = 0.7  # of what is expected, for each alternative that stands before it
SIDE = 0.01  # what a step to the side may win; nobody knows


class Proposal(NamedTuple):
    """A change of the best run's spec: what it may win, as a share of the images, for so many epochs; `chance` that it
    comes true; `change`: what the ledger counts it as."""

    code: str
    title: str
    edits: tuple[tuple[str, Any], ...]
    because: str
    expected: float
    epochs: int
    spec: dict[str, Any]
    chance: float = 0.0
    change: str = ""

    @property
    def worth(self) -> float:
        return self.expected / max(1, self.epochs)


def proposals(diagnosis: Diagnosis, prior: AdvicePrior, tried: Tried, left: int) -> list[Proposal]:
    """What was found and can be tried with `left` epochs, the best first."""
    assert diagnosis.run is not None
    found = [
        proposal
        for finding in changeable(diagnosis)
        for proposal in proposals_of(finding, diagnosis.run, prior, left, reality(finding))
    ]
    return possible(found, tried, left)


def reality(finding: Finding) -> float:
    """The probability that it is as told."""
    return 1.0 if finding.probability is None or finding.status == "found" else finding.probability


def changeable(diagnosis: Diagnosis) -> list[Finding]:
    """What was found; where that asks a person to look, such as at the labels, and no change is known, what waits."""
    found = [finding for finding in diagnosis.findings if finding.stands]
    if found and not any(finding.changes for finding in found):
        return [finding for finding in diagnosis.findings if finding.status == "cannot_tell_yet"]
    return found


def suspected_proposals(diagnosis: Diagnosis, prior: AdvicePrior, tried: Tried, left: int) -> list[Proposal]:
    """What is only suspected and can be tried with `left` epochs, the best first: a variance where it is likelier than
    not that it comes true, and what the diagnosis guesses."""
    assert diagnosis.run is not None
    found, suspicion = list[Proposal](), hypothesis_of(diagnosis)
    if suspicion is not None:
        of_variance = proposals_of(suspicion.finding, diagnosis.run, prior, left, suspicion.chance)
        found = [one for one in of_variance if one.chance > EVEN]
    for guess in diagnosis.findings:
        if guess.is_guess:
            found += proposals_of(guess, diagnosis.run, prior, left, reality(guess))
    return possible(found, tried, left)


def possible(found: Sequence[Proposal], tried: Tried, left: int) -> list[Proposal]:
    """The proposals that are new and fit into `left` epochs, the best first."""
    return sorted((one for one in found if one.epochs <= left and one.spec not in tried), key=lambda one: -one.worth)


def proposals_of(finding: Finding, run: Run, prior: AdvicePrior, left: int, real: float = 1.0) -> Iterator[Proposal]:
    """`real`: the probability that it is as found."""
    spec, image = run.spec, run.environment.data.image
    for place, change in enumerate(finding.changes):
        if left_to_people(change):
            continue
        edits = affordable_edits(change.edits, spec, left)
        made = edited_spec(spec, edits, run.folder)
        if made is not None:
            counted = change_key(change.path, change.value, image)
            chance = real * prior.of(finding.code, counted)
            expected, epochs = finding.harm * chance * LATER**place, int(made["training"]["epochs"])
            yield Proposal(finding.code, finding.title, edits, change.because, expected, epochs, made, chance, counted)


def left_to_people(change: Change) -> bool:
    """Whether it changes the images that the runs are judged by: what wins on others has won nothing."""
    return any(path.startswith(JUDGING) for path, _ in change.edits)


def advice_for_people(diagnosis: Diagnosis) -> list[tuple[Finding, Change]]:
    """The changes that only a person may make, each with what was found."""
    return [
        (finding, change)
        for finding in diagnosis.findings
        if finding.stands
        for change in finding.changes
        if left_to_people(change)
    ]


def affordable_edits(edits: Sequence[tuple[str, Any]], spec: dict[str, Any], left: int) -> tuple[tuple[str, Any], ...]:
    """The edits, with as many epochs as are left where they ask for more; never fewer than the run had."""
    least = int(spec["training"]["epochs"])
    return tuple(
        (path, max(least, min(int(value), left)) if path == "training.epochs" else value) for path, value in edits
    )


def edited_spec(
    spec: dict[str, Any], edits: Sequence[tuple[str, Any]], folder: Path | None = None
) -> dict[str, Any] | None:
    """`spec` with the edits, complete; None where that is nothing that could be trained. `folder`: where the code of a
    model of the user's own lies."""
    for path, value in edits:
        spec = with_setting(spec, path, value)
    if folder and spec["model"]["name"] == "python":
        spec = with_setting(spec, "model.target", located_target(spec["model"]["target"], folder))
    try:
        made = spec_of_tree(Tree(spec))
    except SpecError:
        return None
    return None if next(complaints(made), None) else made.complete()


def steps_aside(spec: dict[str, Any], seed: int, tried: Tried, left: int, folder: Path | None = None) -> list[Proposal]:
    """Neighbours of `spec`, in an order that the seed gives."""
    proposals = []
    for path, value in neighbours(spec):
        made = edited_spec(spec, [(path, value)], folder)
        if made is None or made == spec or made in tried:
            continue
        epochs = int(made["training"]["epochs"])
        if epochs <= left:
            proposals.append(
                Proposal("", "a step to the side", ((path, value),), "no advice is likelier", SIDE, epochs, made)
            )
    order = keyed_generator(seed, "auto").permutation(len(proposals))
    return [proposals[place] for place in order]


def neighbours(spec: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """One setting further or back: rates and weight penalties by factors, shares by the usual steps, sizes by two."""
    rate = float(spec["optimizer"]["learning_rate"])
    yield from (("optimizer.learning_rate", float(f"{rate * factor:.2g}")) for factor in (1 / 3, 3))
    yield from (("regularization.dropout", share) for share in (0.0, 0.25, 0.5))
    yield from (("regularization.l2", weight) for weight in (0.0, 1e-4, 1e-3))
    yield ("regularization.label_smoothing", 0.0 if spec["regularization"]["label_smoothing"] else 0.1)
    size = int(spec["training"]["batch_size"])
    yield from (("training.batch_size", number) for number in (max(1, size // 2), size * 2))
    yield ("schedule", {"name": "constant"} if spec["schedule"]["name"] == "cosine" else {"name": "cosine"})
    yield ("augmentation", [] if spec["augmentation"] else [SHIFT])
    yield from network_neighbours(spec["model"])


def network_neighbours(model: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(model.get("batch_norm"), bool):
        yield ("model.batch_norm", not model["batch_norm"])
    if isinstance(model.get("activation"), str) and model["activation"] != "relu":
        yield ("model.activation", "relu")
    for name in ("hidden", "filters"):
        sizes = model.get(name)
        if isinstance(sizes, list) and sizes:
            yield (f"model.{name}", [2 * size for size in sizes])
            yield (f"model.{name}", [max(2, size // 2) for size in sizes])
