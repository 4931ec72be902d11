"""Runs → one that answers with the mean of their probabilities: gathered, weighed, written. NumPy only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.errors import ImproveError, UsageError, visible
from improve.lazy import np
from improve.runs import begin, files, ledger, run
from improve.runs.predictions import DAMAGED, read_predictions
from improve.runs.run import Run
from improve.spec.identity import experiment_identity
from improve.spec.spec import Spec
from improve.spec.user_code import file_and_function, located_target
from improve.statistics import cost
from improve.statistics.calibration import TINY
from improve.statistics.intervals import Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = {"train": "training", "train_dev": "train-dev", "validation": "validation", "test": "test"}
NEEDED = ("train", "validation")
ADDED_UP = ("parameters", "seconds", "model_bytes", "seconds_per_image")  # an ensemble takes what all members take
IMPROVES = 1e-4  # nats of validation cross-entropy that another member has to bring


class Part(NamedTuple):
    """What the members said of one part, in one order for all: `id` (n,), `label` (n,), `probability` (members, n,
    classes)."""

    id: NDArray[Any]
    label: NDArray[Any]
    probability: NDArray[Any]

    def mean(self, weights: Sequence[float]) -> NDArray[np.float64]:
        """(n, classes): the members' probabilities, so weighted."""
        return np.average(self.probability, axis=0, weights=np.asarray(weights, float))


class Score(NamedTuple):
    """A clean error with its interval (Wilson), and the mean −log p of the true class in nats."""

    error: float
    low: float
    high: float
    n: int
    cross_entropy: float


def ensemble(folders: Sequence[Path], runs: Path, name: str, greedy: bool = False, test: bool = False) -> Path:
    """Average finished runs, or with `greedy` those that lower the validation cross-entropy, into a new run folder
    under `runs`, which is returned. `test`: they must have a test part in common.

    Raises UsageError, with nothing left behind, where they were not measured on the same images.
    """
    name, candidates = begin.checked_name(name), [run.load_run(folder) for folder in folders]
    parts = gather(candidates)
    if test and "test" not in parts:
        raise UsageError("these runs have no test part in common", fix="leave --test out")
    weights = selected(parts["validation"]) if greedy else [1 / len(candidates)] * len(candidates)
    best = best_of(parts["validation"])
    spec = as_members(candidates[best], sum(weight > 0 for weight in weights))
    runs = begin.writable(runs)
    folder = begin.create(runs, name, spec, members=[entry(one.folder, runs) for one in candidates])
    best_name = visible(candidates[best].name)
    head = f"# an ensemble of {len(candidates)} runs; this is the spec of the best of them, {best_name}\n"
    files.write_text(folder / "spec.yaml", head + (folder / "spec.yaml").read_text(encoding="utf-8"))
    write(folder, candidates, parts, weights, **({"selection": "greedy"} if greedy else {}))
    return folder


def as_members(best: Run, count: int) -> Spec:
    """The spec that would train so many members like `best`."""
    spec = best.spec | {"training": best.spec["training"] | {"members": count, "snapshots": None}}
    if spec["model"]["name"] == "python":
        spec["model"] = spec["model"] | {"target": located_target(spec["model"]["target"], best.folder)}
        if not (file := file_and_function(spec["model"]["target"])[0]).is_file():
            raise UsageError(f"there is no {file.name} in {best.folder}", fix="put it back")
    return Spec.model_validate(spec)


def entry(folder: Path, runs: Path) -> str:
    """How an ensemble in `runs` names a member: by its path from there."""
    return Path(os.path.relpath(os.path.realpath(folder), os.path.realpath(runs))).as_posix()


def members(made: Run) -> tuple[list[Path], list[float]]:
    """The folders of an ensemble's members, and their weights, which add up to 1; empty for any other run."""
    names = made.summary.members or []
    weights = made.summary.weights
    return [made.folder.parent / name for name in names], [weights.get(name, 1 / len(names)) for name in names]


def best_member(made: Run) -> Path:
    """The folder of the member that is best on validation."""
    return made.folder.parent / made.summary.best_member


def gather(runs: Sequence[Run]) -> dict[str, Part]:
    """Each part that all have predicted. Raises UsageError where their images, labels or classes differ."""
    check(runs)
    found = {}
    for name in PARTS:
        read = [read_part(one, name) for one in runs]
        missing = next((one for one, arrays in zip(runs, read, strict=True) if not arrays), None)
        if missing is None:
            found[name] = aligned(name, runs, read)
        elif name in NEEDED:
            raise UsageError(f"{missing.folder} has no predictions of its {PARTS[name]} images", fix="train it again")
    return found


def check(runs: Sequence[Run]) -> None:
    """Raises UsageError for what can be no ensemble, before any array is read."""
    if len(runs) < 2:
        raise UsageError("an ensemble has two members at least", fix="improve ensemble runs/a runs/b …")
    places = [os.path.realpath(one.folder) for one in runs]
    for one, place in zip(runs, places, strict=True):
        if places.count(place) > 1:
            raise UsageError(f"{one.folder} is named twice", fix="name each run once; --greedy finds weights")
        if one.summary.members:
            raise UsageError(f"{one.folder} is an ensemble already", fix="name its members, and the others")
        if one.status == "running" or not one.has_result:
            raise UsageError(f"{one.folder} has no results yet", fix=f"improve resume {one.folder}")
    for one in runs[1:]:
        for what in differences(runs[0], one):
            raise differ(runs[0], one, what)


def differences(first: Run, second: Run) -> Iterator[str]:
    """What is not the same in the data of two runs, as far as they tell."""
    classes = [one.environment.data.classes for one in (first, second)]
    if all(classes) and classes[0] != classes[1]:
        yield "classes"
    for name, words in PARTS.items():
        prints = [one.fingerprint.get(name) for one in (first, second)]
        if None not in prints and prints[0] != prints[1]:
            yield f"{words} images"


def differ(first: Run, second: Run, what: str) -> UsageError:
    return UsageError(
        f"{first.folder} and {second.folder} do not have the same {what}",
        fix="training.members: 5 trains such that do; data.split_seed keeps the parts where the seeds differ",
    )


def read_part(one: Run, name: str) -> dict[str, NDArray[Any]]:
    """A run's predictions of a part; empty where there are none."""
    try:
        found = read_predictions(one.folder, name)
        if found.id is None or not np.isfinite(found.probability).all():
            raise ValueError("ids, labels and probabilities do not fit together")
    except FileNotFoundError:
        return {}
    except DAMAGED as error:
        file = one.folder / "predictions" / f"{name}.npz"
        raise ImproveError(f"{file} is damaged: {error}", fix="train the run again") from error
    return {"id": found.id, "label": found.label, "probability": found.probability}


def aligned(name: str, runs: Sequence[Run], read: Sequence[Mapping[str, NDArray[Any]]]) -> Part:
    """One part of all runs, in the first one's order. Raises UsageError where they do not hold the same examples."""
    first, ordered = read[0], [in_order(read[0]["id"], arrays) for arrays in read]
    for one, arrays in zip(runs[1:], ordered[1:], strict=True):
        same = all(np.array_equal(first[key], arrays[key]) for key in ("id", "label"))
        if not same or first["probability"].shape != arrays["probability"].shape:
            raise differ(runs[0], one, f"{PARTS[name]} images")
    return Part(first["id"], first["label"], np.stack([arrays["probability"] for arrays in ordered]))


def in_order(ids: NDArray[Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """`arrays` in the order of `ids`, where they hold the same ones."""
    if len(arrays["id"]) != len(ids):
        return dict(arrays)
    place = np.empty(len(ids), int)
    place[np.argsort(ids, kind="stable")] = np.argsort(arrays["id"], kind="stable")
    return {key: array[place] for key, array in arrays.items()}


def score(probability: NDArray[Any], label: NDArray[Any]) -> Score:
    """Error with its 95 % interval, n, and cross-entropy in nats, of probabilities (n, classes) against labels (n,)."""
    n, error = len(label), float((probability.argmax(axis=1) != label).mean())
    right = np.maximum(probability[np.arange(n), label].astype(float), TINY)
    return Score(error, *Rate(error, n).interval(), n, float(-np.log(right).mean()))


def best_of(validation: Part) -> int:
    """The member with the lowest validation error; ties go to the lower cross-entropy."""
    scores = [score(one, validation.label) for one in validation.probability]
    return min(range(len(scores)), key=lambda place: (scores[place].error, scores[place].cross_entropy))


def selected(validation: Part) -> list[float]:
    """Weights, 0 for those left out: greedy selection with replacement (Caruana et al., 2004).

    It starts from the member with the lowest validation cross-entropy and adds, again and again, the one whose joining
    lowers it most, as long as one does. By the cross-entropy, not the error: that moves in steps of 1/n, so many
    candidates tie, and the luck of a few images would choose.
    """
    own = validation.probability[:, np.arange(len(validation.label)), validation.label].astype(float)
    counts, total, reached = np.zeros(len(own)), np.zeros(own.shape[1]), np.inf
    while True:
        losses = -np.log(np.maximum((total + own) / (counts.sum() + 1), TINY)).mean(axis=1)
        chosen = int(losses.argmin())
        if not losses[chosen] < reached - IMPROVES:
            return [float(weight) for weight in counts / counts.sum()]
        counts[chosen], total, reached = counts[chosen] + 1, total + own[chosen], losses[chosen]


def write(folder: Path, runs: Sequence[Run], parts: Mapping[str, Part], weights: Sequence[float], **more: Any) -> None:
    """The predictions, then environment.json and summary.json, in which `more` stands as well."""
    means = {name: part.mean(weights).astype(np.float32) for name, part in parts.items()}
    for name in PARTS:
        file = folder / "predictions" / f"{name}.npz"
        if name in means:
            files.write_arrays(file, {"id": parts[name].id, "label": parts[name].label, "probability": means[name]})
        else:
            file.unlink(missing_ok=True)  # of one that was made here before
    if (runs[0].folder / "environment.json").is_file():
        shutil.copyfile(runs[0].folder / "environment.json", folder / "environment.json")
    spec = run.load_run(folder).spec
    classes = tuple(runs[0].environment.data.classes)
    costs = cost.by_class(spec["diagnosis"]["cost"], classes)
    reached = {name: numbers(means[name], parts[name].label, costs) for name in parts}
    chosen = [one for one, weight in zip(runs, weights, strict=True) if weight > 0]
    summary = {"status": "finished", "name": folder.name, **named(folder, runs, weights)}
    summary |= {"best_member": entry(runs[best_of(parts["validation"])].folder, folder.parent)}
    run.write_summary(folder, summary | reached | sums(chosen) | more)
    digest = runs[0].fingerprint.get("validation")
    ledger.write_down(
        folder.parent, folder.name, "validation", digest, experiment_identity(spec), reached["validation"]
    )


def named(folder: Path, runs: Sequence[Run], weights: Sequence[float]) -> dict[str, Any]:
    """Who answers, with what weight where these differ, and who was left out."""
    shares = {entry(one.folder, folder.parent): weight for one, weight in zip(runs, weights, strict=True)}
    chosen = {name: weight for name, weight in shares.items() if weight > 0}
    if len(set(shares.values())) == 1:
        return {"members": list(chosen)}
    return {"members": list(chosen), "weights": chosen, "left_out": [name for name in shares if name not in chosen]}


def numbers(probability: NDArray[Any], label: NDArray[Any], costs: NDArray[Any] | None) -> dict[str, Any]:
    """What summary.json tells of one part; `costs` (classes,): of an error on each class."""
    found = {**score(probability, label)._asdict(), "majority_error": 1 - int(np.bincount(label).max()) / len(label)}
    return (
        found if costs is None else found | cost.weighted(probability.argmax(axis=1) != label, label, costs)._asdict()
    )


def sums(runs: Sequence[Run]) -> dict[str, Any]:
    """What all members take together, where all tell."""
    found = {key: [getattr(one.summary, key) for one in runs] for key in ADDED_UP}
    return {key: sum(filter(None, values)) for key, values in found.items() if None not in values}
