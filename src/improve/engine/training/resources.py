"""What to do when there is too little memory or room on the disk."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from improve.errors import ImproveError
from improve.spec.spec import Spec

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
WORDS = ("RESOURCE_EXHAUSTED", "ResourceExhausted", "OOM when allocating", "out of memory")
GENERATIONS = 3  # of a run's state are on the disk while one is written


class OutOfMemoryError(ImproveError):
    """Training ran out of memory; `overrides` need less of it and make the same updates."""

    def __init__(self, folder: Path, spec: Spec):
        size = spec.training.batch_size
        super().__init__(f"out of memory with batches of {size:,}", fix="take a smaller model or smaller images")
        self.folder, self.overrides = folder, smaller_batches(spec)


def smaller_batches(spec: Spec) -> list[str]:
    """The overrides for at most half the batch, a divisor of it, with as many more gradients added up before each
    update: the effective batch stays. (Batch normalisation still sees the smaller one.) Nothing for a single image."""
    size, together = spec.training.batch_size, spec.optimizer.gradient_accumulation_steps or 1
    if size == 1:
        return []
    smaller = next(part for part in range(size // 2, 0, -1) if size % part == 0)
    steps = together * size // smaller
    return [f"training.batch_size={smaller}", f"optimizer.gradient_accumulation_steps={steps}"]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, of Python or of the backend, says that memory ran out."""
    told = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or any(word in told for word in WORDS)


def disk_full(folder: Path) -> ImproveError:
    """The error about a full disk, with the MB that are left for `folder`."""
    left = shutil.disk_usage(folder).free / 1e6
    return ImproveError(
        f"the disk is full: {left:,.0f} MB are left for {folder}", fix=f"make room, then improve resume {folder}"
    )


def check_room(folder: Path, state: int) -> None:
    """Raises ImproveError, before the first step, where the state (bytes) will not fit."""
    need, free = GENERATIONS * state, shutil.disk_usage(folder).free
    if need > free:
        raise ImproveError(
            f"the state of this run needs {need / 1e6:,.0f} MB of disk, {free / 1e6:,.0f} MB are free in {folder}",
            fix="make room, or choose another folder with --runs",
        )
