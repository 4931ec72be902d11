"""Run folders as `train` leaves them, written without training."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from improve.runs import ledger
from improve.runs.run import Run, load_run
from improve.runs.tables import EPOCHS, KERNELS, LAYERS, STEPS
from improve.spec.identity import curve_identity
from improve.spec.reading import yaml as yamlfile
from improve.spec.spec import Spec
from improve.statistics.intervals import Rate

MLP = {"data": {"source": "digits"}, "model": "mlp"}
SPECS: dict[str, tuple[dict[str, Any], str]] = {}  # as given: complete, and as text; PyYAML is slow


def complete(spec: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """A spec with every default, and the text of its spec.yaml."""
    if repr(spec) not in SPECS:
        whole = Spec.model_validate(spec).complete()
        SPECS[repr(spec)] = whole, yamlfile.write(whole)
    return SPECS[repr(spec)]


def write_run(
    folder: Path,
    name: str = "run",
    train: float = 0.01,
    validation: float = 0.02,
    n: int = 1000,
    spec: dict[str, Any] | None = None,
    history: list[float] | None = None,
    fingerprint: str = "a",
    majority_error: float = 0.9,
    evidence: dict[str, Any] | None = None,
    **summary: Any,
) -> Run:
    """The run `name` in a folder of runs, with the given errors; `evidence` as for `write_evidence`, `summary` joins
    summary.json."""
    run = folder / name
    run.mkdir(parents=True)
    whole, text = complete(spec or {})
    (run / "spec.yaml").write_text(text)
    errors = history or [train]
    rows = ["epoch,train_error,validation_error,learning_rate"]
    rows += [f"{number},{error},{validation},0.01" for number, error in enumerate(errors, start=1)]
    (run / "metrics.csv").write_text("\n".join(rows) + "\n")
    parts = {"train": part(train, n, majority_error), "validation": part(validation, n, majority_error)}
    numbers = {"status": "finished", "name": name, "epochs": len(errors), "best_epoch": len(errors)}
    numbers |= {"parameters": 1000, "seconds": 12.5, **parts}
    (run / "summary.json").write_text(json.dumps({**numbers, **summary}))
    data = {"available": 5000, "fingerprint": {"validation": fingerprint}, "duplicates": {}}
    (run / "environment.json").write_text(json.dumps({"data": data | (evidence or {}).get("data", {})}))
    write_evidence(run, evidence or {}, whole, fingerprint)
    return load_run(run)


def part(error: float, n: int, majority_error: float = 0.9) -> dict[str, Any]:
    low, high = Rate(error, n).interval()
    return {"error": error, "low": low, "high": high, "n": n, "cross_entropy": error, "majority_error": majority_error}


def write_evidence(folder: Path, evidence: dict[str, Any], spec: dict[str, Any], fingerprint: str) -> None:
    """The evidence files of a run, from plain data: `start` a mapping; `layers`, `kernels`, `epochs`, `steps` and
    `metrics` lists of rows; `images` and `last` arrays by name; `predictions` (labels, probabilities) by part; `data`
    joins environment.json; `learning_curve` that file; `tried` how many specs were judged before."""
    (folder / "evidence").mkdir()
    (folder / "predictions").mkdir()
    if "start" in evidence:
        (folder / "evidence" / "start.json").write_text(json.dumps(evidence["start"]))
    tables = {"layers": LAYERS, "kernels": KERNELS, "epochs": EPOCHS, "steps": STEPS}
    for name in tables.keys() & evidence.keys():
        file = folder / "steps.csv" if name == "steps" else folder / "evidence" / f"{name}.csv"
        write_rows(file, tables[name], evidence[name])
    if "metrics" in evidence:
        write_rows(folder / "metrics.csv", tuple(evidence["metrics"][0]), evidence["metrics"])
    arrays = {f"evidence/{name}": evidence[name] for name in ("images", "last") if name in evidence}
    for name, (label, probability) in evidence.get("predictions", {}).items():
        arrays[f"predictions/{name}"] = {"label": label, "probability": probability}
    for name, found in arrays.items():
        np.savez(folder / f"{name}.npz", **{key: np.asarray(value) for key, value in found.items()})
    write_down_others(folder, evidence, spec, fingerprint)


def write_down_others(folder: Path, evidence: dict[str, Any], spec: dict[str, Any], fingerprint: str) -> None:
    if "learning_curve" in evidence:
        curve = {"digest": curve_identity(spec), **evidence["learning_curve"]}
        (folder / "learning_curve.json").write_text(json.dumps(curve))
    for number in range(evidence.get("tried", 0)):
        rate = {"error": 0.1, "n": 100}
        ledger.write_down(folder.parent, f"r{number}", "validation", fingerprint, f"spec{number}", rate)


def write_rows(file: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """A table as `Table` writes it, at one go, with every number to its last digit, so that a value at a threshold
    stays at it."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([exact(row.get(column)) for column in columns] for row in rows)


def exact(value: Any) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def wrong_on(run: Run, count: int, n: int = 1000) -> None:
    """The run errs on the first `count` of n validation images."""
    ids = np.arange(n)
    probability = np.where((ids < count)[:, None], [0.2, 0.8], [0.7, 0.3]).astype("float32")
    (run.folder / "predictions").mkdir(exist_ok=True)
    np.savez(run.folder / "predictions" / "validation.npz", id=ids, label=np.zeros(n, int), probability=probability)
