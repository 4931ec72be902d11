"""Trains many small runs in a few processes, each with one thread, and keeps of a run what the diagnosis reads."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from improve.engine.training import curves
from improve.errors import ImproveError
from improve.runs import files, run
from improve.spec.reading import load as specfile
from improve.spec.reading import yaml as yamlfile

LEFT_OUT = ("model.keras", "state", "curves.png")
RUNS_PER_PROCESS = 40  # TensorFlow keeps some memory of every model


@dataclass(frozen=True)
class Job:
    """One run to be trained: its folder, its spec as plain data, and the world's work folder, where the spec lies."""

    folder: Path
    spec: dict[str, Any]
    work: Path
    change: dict[str, Any] | None = None

    @property
    def title(self) -> str:
        return "/".join(self.folder.parts[-3:])

    def load(self) -> Any:
        """The Spec, with all the checks of a spec that a user writes. Raises ImproveError."""
        file = self.work / f"{'-'.join(self.folder.parts[-2:])}.yaml"
        files.write_text(file, yamlfile.write(self.spec))
        return specfile.load_spec(file)

    def is_done(self) -> bool:
        """Whether it lies there already, trained from the same spec. Options that are new since have their defaults."""
        if summary(self.folder).get("status") in (None, "running", "failed"):
            return False
        try:
            return bool(specfile.load_spec(self.folder / "spec.yaml").complete() == self.load().complete())
        except ImproveError:
            return False


def summary(folder: Path) -> dict[str, Any]:
    return read_json(folder / "summary.json") or {}


def read_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def one_thread() -> None:
    """What a process does first, before TensorFlow is loaded; a run without a picture of its curves is faster."""
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = "1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    curves.draw_curves = lambda *arguments, **keywords: None


def train(job: Job) -> tuple[str, str, float]:
    """Train into the job's folder; returns its title, how it ended and the seconds it took."""
    from improve.engine.training.train import train as improve_train

    began = time.monotonic()
    shutil.rmtree(job.folder, ignore_errors=True)
    job.folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        improve_train(job.load(), job.folder.name, job.folder.parent)
    except Exception as error:  # a case that cannot be trained is a result too
        failed(job.folder, f"{type(error).__name__}: {error}")
    strip(job)
    return job.title, said(summary(job.folder)), time.monotonic() - began


def failed(folder: Path, message: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    run.write_summary(folder, {"status": "failed", "name": folder.name, "error": message})


def strip(job: Job) -> None:
    for name in LEFT_OUT:
        unwanted = job.folder / name
        shutil.rmtree(unwanted) if unwanted.is_dir() else unwanted.unlink(missing_ok=True)
    if job.change is not None:
        files.write_json(job.folder / "patch.json", job.change)


def said(found: dict[str, Any]) -> str:
    parts = [f"{part} {100 * found[part]['error']:.1f} %" for part in ("train", "validation", "test") if part in found]
    return " ".join([found.get("status", "nothing"), *parts, found.get("error", "")]).strip()


def train_all(jobs: Iterable[Job], processes: int, again: bool = False) -> None:
    """Train what is missing, with a line for each run and the time left."""
    missing = [job for job in jobs if again or not job.is_done()]
    began = time.monotonic()
    print(f"{len(missing)} runs to train", flush=True)
    spawn = multiprocessing.get_context("spawn")
    # not ProcessPoolExecutor: with max_tasks_per_child it hangs when its first processes are used up (Python 3.11)
    with spawn.Pool(processes, one_thread, maxtasksperchild=RUNS_PER_PROCESS) as pool:
        for number, (title, ended, seconds) in enumerate(pool.imap_unordered(train, missing), start=1):
            left = (time.monotonic() - began) / number * (len(missing) - number) / 60
            print(f"{number}/{len(missing)}  {title}  {ended}  {seconds:.1f} s, {left:.0f} min left", flush=True)
