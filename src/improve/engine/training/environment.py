"""What a run depends on beside its spec: versions, the device, flags, the commit, the data."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from typing import Any

from improve import __version__
from improve.engine.data.prepare import PreparedData
from improve.engine.model import devices
from improve.lazy import keras
from improve.parallel import cores
from improve.spec import user_code
from improve.spec.datasets import Counts
from improve.spec.partition import full_sizes
from improve.spec.spec import Spec

PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "scipy", "scikit-learn")


def environment_of(spec: Spec, data: PreparedData) -> dict[str, Any]:
    """The content of environment.json."""
    return {
        "versions": {"improve": __version__, "python": platform.python_version(), **versions()},
        "platform": platform.platform(),
        "git": commit(),
        "backend": keras.backend.backend(),
        "device": device(),
        "devices": devices.count(spec.training.devices),
        "onednn": onednn(),
        "seed": spec.seed,
        "code": user_code.digest(spec.model.code) if spec.model.code else None,
        "data": {
            "found": data.found,
            "available": data.available,
            "train_available": train_available(spec, data),
            "classes": list(data.class_names),
            "image": list(data.shape),
            "type": str(data.parts["train"].images.dtype),
            "examples": {name: len(part) for name, part in data.parts.items()},
            "fingerprint": {name: part.digest for name, part in data.statistics.items()},
            "duplicates": data.duplicates,
            "dropped": data.dropped,
            "skipped": dict(data.skipped),
        },
        "normalization": {
            "subtract": data.normalization.subtract.tolist(),
            "divide": data.normalization.divide.tolist(),
        },
    }


def train_available(spec: Spec, data: PreparedData) -> int:
    """How many training examples there would be without `data.train_size`."""
    if spec.data.train_size is None:
        return len(data.parts["train"])
    if data.target is not None:
        return full_sizes(spec.data, Counts(data.available, 0, 0), data.target).train
    used = min(spec.data.subset or data.available, data.available)
    return used - data.dropped - sum(len(part) for name, part in data.parts.items() if name != "train")


def versions() -> dict[str, str]:
    """The version of each of PACKAGES that is installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The commit of the repository that the command runs in, with + when files have changed since."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None


def onednn() -> bool:
    return keras.backend.backend() == "tensorflow" and os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1"


def device() -> str:
    """The accelerators that Keras sees, or the CPU with its cores."""
    accelerators = keras.distribution.list_devices("gpu") if _has_accelerator() else []
    if accelerators:
        return f"{len(accelerators)} GPU{'s' if len(accelerators) > 1 else ''}"
    return f"{cores()} CPU core{'s' if cores() > 1 else ''}{' (oneDNN)' if onednn() else ''}"


def _has_accelerator() -> bool:
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return bool(tensorflow.config.list_physical_devices("GPU"))
    if keras.backend.backend() == "jax":
        import jax

        return bool(jax.default_backend() == "gpu")
    return False
