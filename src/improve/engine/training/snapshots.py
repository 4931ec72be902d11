"""Snapshot ensembles: the weights at the ends of a run's last cycles, each kept as a small run, answer together.

After Huang et al., Snapshot Ensembles: Train 1, get M for free (2017). A snapshot is on disk before the run saves a
state in which its epoch is done: who is killed in between goes on from an older one and makes the same snapshot again.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from improve.engine.data.prepare import PreparedData
from improve.engine.model.measure import Measured
from improve.engine.model.timeline import Timeline
from improve.engine.model.weights import restore, weights_of
from improve.engine.training.checkpoint import best_weights, only_weights
from improve.engine.training.history import History, measure_test_part, part_summary
from improve.errors import ImproveError
from improve.runs import begin, ensemble, files, generations, run
from improve.spec.reading import yaml
from improve.spec.spec import Spec

FOLDER = "snapshots"  # in the run's


def snapshot_epochs(spec: Spec, line: Timeline) -> list[int]:
    """The epochs of the run after which a snapshot is taken: the last ends of its cycles."""
    if spec.training.snapshots is None:
        return []
    found = (line.schedule_epochs + end for end in spec.schedule.cycle_ends(line.length(spec).epochs))
    return [int(end) for end in found if end == int(end)][-spec.training.snapshots :]


def snapshot_folder(folder: Path, epoch: int) -> Path:
    return folder / FOLDER / f"epoch{epoch}"


def take(folder: Path, model: Any, history: History, measured: dict[str, Measured]) -> None:
    """Keep the weights that were measured after an epoch, where a cycle of the schedule ends."""
    if history.epoch not in snapshot_epochs(history.spec, history.timeline):
        return
    snapshot = snapshot_folder(folder, history.epoch)
    half = snapshot.with_name(f".{snapshot.name}.tmp")
    shutil.rmtree(half, ignore_errors=True)
    (half / "state").mkdir(parents=True)
    (half / "predictions").mkdir()
    fill(half, folder, model, history, measured)
    for path in [half, *half.rglob("*")]:
        generations.sync(path)
    shutil.rmtree(snapshot, ignore_errors=True)
    half.rename(snapshot)
    generations.sync(snapshot.parent)
    history.snapshots.append(history.epoch)


def fill(half: Path, folder: Path, model: Any, history: History, measured: dict[str, Measured]) -> None:
    """What makes it a run with a best epoch: its spec, numbers, predictions, weights."""
    spec, epoch, parts = history.spec, history.epoch, history.data.measured
    alone = spec.model_copy(update={"training": spec.training.model_copy(update={"snapshots": None})})
    head = f"# the weights after epoch {epoch} of this run\n"
    files.write_text(half / "spec.yaml", head + yaml.write(alone.complete()))
    if spec.model.code:
        begin.bring_code(spec.model.code, half)
    shutil.copyfile(folder / "environment.json", half / "environment.json")
    for name, part in parts.items():
        arrays = {"id": part.ids, "label": part.labels, "probability": measured[name].probability}
        files.write_arrays(half / "predictions" / f"{name}.npz", arrays)
    generations.save(half / "state", only_weights(weights_of(model)))
    reached = {name: part_summary(measured[name], part, history.data.cost) for name, part in parts.items()}
    about = {"status": "finished", "name": f"epoch{epoch}", "snapshot_of": folder.name, "epochs": epoch}
    run.write_summary(half, {**about, "best_epoch": epoch, "parameters": model.count_params(), **reached})


def conclude(folder: Path, model: Any, history: History, data: PreparedData, seconds: float) -> dict[str, str]:
    """Open the test part for each snapshot of a run that is at its end, and let them answer together: a run of its own
    beside this one. Gives what the run's summary says of it. The model has other weights then."""
    planned = snapshot_epochs(history.spec, history.timeline)
    kept = [snapshot_folder(folder, epoch) for epoch in history.snapshots if epoch in planned]
    kept = [one for one in kept if one.is_dir()]
    if len(kept) < 2:
        return {}
    if "test" in data.parts:
        for one in kept:
            restore(model, best_weights(one))
            run.update_summary(one, {"test": measure_test_part(model, data, one)})
    found = [run.load_run(one) for one in kept]
    made = earlier_ensemble(folder) or begin.create(
        folder.parent, f"{folder.name}-snapshots", history.spec, snapshots_of=folder.name, members=[]
    )
    files.write_text(made / "spec.yaml", yaml.write(history.spec.complete()))
    equal = [1 / len(found)] * len(found)
    more = {"snapshots_of": folder.name, "seconds": seconds}
    ensemble.write(made, found, ensemble.gather(found), equal, **more)
    return {FOLDER: made.name}


def earlier_ensemble(folder: Path) -> Path | None:
    """The ensemble that was made of this run's snapshots before: it went on, or was killed at its end."""
    for made in sorted(folder.parent.iterdir()):
        if not made.name.startswith(f"{folder.name}-snapshots"):
            continue
        with suppress(ImproveError):
            if run.load_run(made).summary.snapshots_of == folder.name:
                return made
    return None
