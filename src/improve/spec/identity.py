"""When two specs are the same: one digest, and what it leaves out for which question."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

#: the runs of one experiment differ in these: what is drawn by chance, what judges, what is recorded beside it
EXPERIMENT = ("seed", "data.split_seed", "diagnosis", "evidence")
#: an experiment, however long it trains
ANY_LENGTH = (*EXPERIMENT, "training.epochs")
#: the runs of one learning curve differ in these
LEARNING_CURVE = ("seed", "data.train_size")


def identity(
    spec: Mapping[str, Any], without: Collection[str] = (), code: bytes = b"", ensure_ascii: bool = True
) -> str:
    """SHA-256 (64 hexadecimal digits) of a complete spec, less the settings at these dotted paths.

    Equal for equal specs. `code` is hashed behind it. `ensure_ascii` is that of JSON: what was written into files once
    keeps its digest.
    """
    text = json.dumps(_without(spec, without), sort_keys=True, ensure_ascii=ensure_ascii, default=str)
    return hashlib.sha256(text.encode() + code).hexdigest()


def experiment_identity(spec: Mapping[str, Any]) -> str:
    """One digest for all runs of an experiment, whatever their seed and whatever they are judged by."""
    return identity(spec, EXPERIMENT)


def curve_identity(spec: Mapping[str, Any]) -> str:
    """One digest for all runs of a learning curve: every seed, every size of the training part."""
    return identity(spec, LEARNING_CURVE, ensure_ascii=False)


def _without(spec: Mapping[str, Any], paths: Collection[str]) -> dict[str, Any]:
    kept = {key: value for key, value in spec.items() if key not in paths}
    for path in paths:
        section, _, key = path.partition(".")
        if key and isinstance(kept.get(section), Mapping):
            kept[section] = {name: value for name, value in kept[section].items() if name != key}
    return kept
