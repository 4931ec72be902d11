"""A run as MLflow keeps it: on the server, or in the file, that MLflow's own environment variables name."""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from improve import __version__
from improve.runs import files
from improve.runs.run import Run, summary_as_written
from improve.spec.identity import curve_identity
from improve.spec.reading import yaml
from improve.spec.reading.flatten import scalar_settings

MOST_PARAMS, MOST_METRICS = 100, 1000  # in one call
LONGEST_VALUE = 6000
STATUS = {"finished": "FINISHED", "stopped": "KILLED", "running": "KILLED"}
FINAL = ("best_epoch", "parameters", "model_bytes", "seconds_per_image", "images_per_second")
KEPT = "tracking.json"
#: unless the user says otherwise: a server that is gone shall not hold the training up for minutes (MLflow's own
#: values are 7 and 120), and nobody is told that MLflow is used
QUICK = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class MLflow:
    """Settings as parameters, the columns of metrics.csv as metrics by epoch, then the final numbers and three files.
    The run's id stands in tracking.json, so that whoever goes on with the run goes on there as well. What the test part
    gave stays in the run folder."""

    name, package, install = "MLflow", "mlflow", "mlflow-skinny sqlalchemy alembic"

    def begin(self, run: Run) -> None:
        for variable, value in QUICK.items():
            os.environ.setdefault(variable, value)
        import mlflow

        for chatty in ("mlflow", "alembic"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        self.client = mlflow.MlflowClient()
        self.id = self.known(run.folder) or self.created(run)
        self.client.update_run(self.id, status="RUNNING")
        there = self.client.get_run(self.id).data.params
        self.params({key: value for key, value in scalar_settings(run.spec).items() if key not in there})
        history = self.client.get_metric_history(self.id, "loss")
        self.there = {metric.step: metric.value for metric in sorted(history, key=lambda metric: metric.timestamp)}

    def known(self, folder: Path) -> str | None:
        """The id under which MLflow knows this run already."""
        from mlflow.exceptions import MlflowException

        try:
            identity = str(json.loads((folder / KEPT).read_text(encoding="utf-8"))["mlflow"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        try:
            active = self.client.get_run(identity).info.lifecycle_stage == "active"
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            active = False  # on another server, or deleted there
        return identity if active else None

    def created(self, run: Run) -> str:
        tags = {
            "folder": str(run.folder.absolute()),
            "spec": curve_identity(run.spec),
            "version": __version__,
        }
        made = self.client.create_run(
            self.experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or "improve"),
            run_name=run.name,
            tags={"mlflow.source.name": "improve"} | {f"improve.{key}": value for key, value in tags.items()},
        )
        files.write_json(run.folder / KEPT, {"mlflow": made.info.run_id})
        return str(made.info.run_id)

    def experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self.client.create_experiment(name))
            except MlflowException:  # somebody else was faster
                found = self.client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def params(self, settings: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        found = [Param(key, str(value)[:LONGEST_VALUE]) for key, value in settings.items()]
        for first in range(0, len(found), MOST_PARAMS):
            self.client.log_batch(self.id, params=found[first : first + MOST_PARAMS])

    def log(self, rows: Sequence[dict[str, float]], times: Sequence[float]) -> None:
        """Whole epochs at a time; one that is there already, to the last digit, is not told twice."""
        new = [
            (row, at)
            for row, at in zip(rows, times, strict=True)
            if not math.isclose(self.there.get(int(row["epoch"]), math.nan), row["loss"], rel_tol=1e-9)
        ]
        size = MOST_METRICS // max((len(row) for row, _ in new), default=1)
        for first in range(0, len(new), size):
            found = [metric for row, at in new[first : first + size] for metric in metrics(row, int(row["epoch"]), at)]
            self.client.log_batch(self.id, metrics=found)

    def end(self, run: Run) -> None:
        """The files last: a store for them is what is most often missing."""
        summary, now = summary_as_written(run.folder), time.time()
        self.client.log_batch(self.id, metrics=list(metrics(final(summary), run.summary.epochs, now)))
        ends = {"status": run.status, "state_sha256": run.summary.state_sha256}
        for key, value in ends.items():
            self.client.set_tag(self.id, f"improve.{key}", value)
        if changes := run.summary.changes:
            self.client.set_tag(self.id, "improve.changes", yaml.inline(changes)[:LONGEST_VALUE])
        self.client.set_terminated(self.id, STATUS.get(run.status, "FAILED"))
        self.client.log_dict(self.id, files.finite_json(without_test(summary)), "summary.json")
        for name in ("spec.yaml", "curves.png"):
            if (run.folder / name).is_file():
                self.client.log_artifact(self.id, str(run.folder / name))


def metrics(values: Mapping[str, Any], step: int, at: float) -> Iterator[Any]:
    """`at`: seconds since 1970."""
    from mlflow.entities import Metric

    for key, value in values.items():
        if key != "epoch":
            yield Metric(key, float(value), int(1000 * at), step)


def final(summary: Mapping[str, Any]) -> dict[str, float]:
    """What summary.json has beside the curves: of the best epoch, and of the whole run."""
    found = {key: summary[key] for key in FINAL if summary.get(key) is not None}
    for part in ("train", "train_dev", "validation"):
        found |= {f"best_{part}_{name}": value for name, value in summary.get(part, {}).items()}
    return found


def without_test(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The test error is told to those who ask for it."""
    return {key: value for key, value in summary.items() if key != "test"}
