"""Runs → a table of what differs and what it brought. Pure, but for reading the run folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from improve import npzfile
from improve.errors import ImproveError, UsageError
from improve.findings.comparison import weigh
from improve.findings.rule import Finding
from improve.lazy import np
from improve.paired import Candidate, Paired, wrong
from improve.run import Run, load
from improve.spec import SHELVES

MISSING = "–"
ALWAYS_TOLD = ("learning_rate", "path")  # options that say something even at their default
SORTS = ("validation_error", "train_error", "test_error", "best_epoch", "parameters", "seconds", "name")


@dataclass(frozen=True)
class Row:
    """One run: the settings in which the runs differ, and its numbers; None where a run has none. `against`: its
    validation error against that of the table's first run, where both were measured on the same images."""

    name: str
    status: str
    settings: dict[str, Any]
    validation: dict[str, Any] | None
    train: dict[str, Any] | None
    test: dict[str, Any] | None
    best_epoch: int | None
    parameters: int | None
    seconds: float | None
    against: Paired | None = None

    def as_json(self, test: bool) -> dict[str, Any]:
        value = {**vars(self), "against": self.against.as_json() if self.against else None}
        return value if test else {key: item for key, item in value.items() if key != "test"}


@dataclass(frozen=True)
class Comparison:
    """All readable runs, sorted; `skipped` names the rest with the reason."""

    rows: tuple[Row, ...]
    settings: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    same_validation: bool
    findings: tuple[Finding, ...] = ()

    def as_json(self, test: bool) -> dict[str, Any]:
        return {
            "runs": [row.as_json(test) for row in self.rows],
            "settings": self.settings,
            "skipped": self.skipped,
            "same_validation": self.same_validation,
            "findings": [asdict(finding) for finding in self.findings],
        }


def compare(folders: Iterable[Path], sort: str = "validation_error") -> Comparison:
    """Read the runs and put them side by side. Raises UsageError where none can be read, or `sort` is unknown."""
    if sort not in SORTS:
        raise UsageError(f"runs cannot be sorted by '{sort}'", fix=f"one of {', '.join(SORTS)}")
    runs, skipped = _loaded(folders)
    settings = {run.folder: flat(run.spec) for run in runs}
    differing = tuple(differences(list(settings.values())))
    rows = [row(run, {key: settings[run.folder].get(key, MISSING) for key in differing}) for run in runs]
    pairs = sorted(zip(rows, candidates(runs), strict=True), key=lambda pair: _rank(pair[0], sort))
    first = pairs[0][1]
    against = [one.against(first) if first and one and one is not first else None for _, one in pairs]
    return Comparison(
        tuple(replace(one, against=seen) for (one, _), seen in zip(pairs, against, strict=True)),
        differing,
        skipped,
        len({fingerprint(run) for run in runs}) == 1,
        weigh([one for _, one in pairs if one]),
    )


def _loaded(folders: Iterable[Path]) -> tuple[list[Run], tuple[tuple[str, str], ...]]:
    """The runs, and the folders that are none with the reason."""
    runs, skipped = [], []
    for folder in folders:
        try:
            runs.append(load(folder))
        except ImproveError as error:
            skipped.append((str(folder), error.what.removeprefix(f"{folder} is ")))
    if not runs:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped)
        raise UsageError(f"none of these is a run: {reasons}", fix="improve train makes runs")
    return runs, tuple(skipped)


def fingerprint(run: Run) -> str | None:
    """The digest of the run's validation images; None in a run that has not told."""
    value = run.environment.get("data", {}).get("fingerprint", {}).get("validation")
    return None if value is None else str(value)


def candidates(runs: Sequence[Run]) -> list[Candidate | None]:
    """The runs as the findings see them; None for one without results. Predictions are read only where there are
    others on the same images."""
    measured = [run for run in runs if run.summary.get("validation")]
    shared = Counter(fingerprint(run) for run in measured)
    ids: dict[str | None, Any] = {}
    found: list[Candidate | None] = []
    for run in runs:
        part = run.summary.get("validation")
        missed = _missed(run, ids) if part and fingerprint(run) and shared[fingerprint(run)] > 1 else None
        found.append(
            Candidate(run.name, run.spec, part["error"], part["n"], fingerprint(run), missed) if part else None
        )
    return found


def _missed(run: Run, ids: dict[str | None, Any]) -> Any:
    """Which validation images (n,) the run gets wrong, by id; None where that cannot be read or the ids are others."""
    try:
        own, missed = wrong(npzfile.load(run.folder / "predictions" / "validation.npz"))
    except (*npzfile.DAMAGED, KeyError):
        return None
    return missed if np.array_equal(ids.setdefault(fingerprint(run), own), own) else None


def row(run: Run, settings: dict[str, Any]) -> Row:
    summary = run.summary
    parts = (summary.get(part) for part in ("validation", "train", "test"))
    numbers = (summary.get(key) for key in ("best_epoch", "parameters", "seconds"))
    return Row(run.name, run.status, settings, *parts, *numbers)


def _rank(item: Row, sort: str) -> tuple[bool, Any, str]:
    part, _, kind = sort.rpartition("_")
    value = (getattr(item, part) or {}).get("error") if kind == "error" else getattr(item, sort)
    return value is None, value if value is not None else 0, item.name


def flat(spec: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted settings; a part is its name plus the options that are not its defaults, a list one word per part."""
    settings: dict[str, Any] = {}
    for key, value in spec.items():
        path = f"{prefix}{key}"
        if isinstance(value, list):
            settings[path] = ", ".join(_short(item) for item in value) or MISSING
        elif not isinstance(value, dict):
            settings[path] = MISSING if value is None else value
        elif "name" in value:
            settings[path] = value["name"]
            settings |= {f"{path}.{option}": _plain(given) for option, given in _not_default(value).items()}
        else:
            settings |= flat(value, f"{path}.")
    return settings


def _plain(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _short(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    options = ", ".join(f"{key} {value}" for key, value in _not_default(item).items())
    return f"{item.get('name')}({options})" if options else str(item.get("name"))


def _not_default(part: dict[str, Any]) -> dict[str, Any]:
    """The options of a part that differ from its defaults, and those that every part of the shelf may well share."""
    known = next((cls for shelf in SHELVES.values() for cls in shelf if cls.key() == part.get("name")), None)
    fields = known.model_fields if known else {}
    plain = {key: value for key, value in part.items() if key != "name"}
    return {key: value for key, value in plain.items()
            if key in ALWAYS_TOLD or key not in fields or not _same(value, fields[key].default)}  # fmt: skip


def _same(given: Any, default: Any) -> bool:
    return bool(given == (list(default) if isinstance(default, tuple) else default))


def differences(settings: list[dict[str, Any]]) -> list[str]:
    """The keys whose values are not the same in all runs, in the order of the spec."""
    keys = list(dict.fromkeys(key for one in settings for key in one))
    return [key for key in keys if len({str(one.get(key, MISSING)) for one in settings}) > 1]
