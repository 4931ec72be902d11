"""The folder in which each user keeps what may be made anew at any time: decoded images, programs that JAX compiled."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from improve.errors import UsageError

DAMAGED_PROGRAM = re.compile(r"persistent compilation cache entry for '([\w.-]+)'")


def cache_folder() -> Path:
    """$IMPROVE_CACHE, $XDG_CACHE_HOME/improve or ~/.cache/improve."""
    chosen, caches = os.environ.get("IMPROVE_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if chosen:
        return Path(os.path.expanduser(chosen))  # unlike Path's it leaves a user who is not there as it is
    return (Path(caches) if caches else Path.home() / ".cache") / "improve"


def checked_cache(cache: Path) -> Path:
    """The folder itself. Raises UsageError where it is there and somebody else may put something into it."""
    try:
        found = cache.lstat()
    except OSError:
        return cache
    if stat.S_ISLNK(found.st_mode):
        why = f"is a link to {os.readlink(cache)}"
    elif hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        why = "belongs to another user"
    elif hasattr(os, "geteuid") and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        why = "can be written to by others"
    else:
        return cache
    fix = "set IMPROVE_CACHE to a folder that is yours alone (chmod 700)"
    raise UsageError(f"the cache {cache} {why}: what lies in it cannot be trusted", fix=fix)


def keep_compiled_programs() -> None:
    """JAX finds again what an earlier run has compiled for this user on this processor: half of a short run's time.
    A program that is damaged is taken out, so that it is compiled anew. A folder that the environment names is left
    as it is; where nothing can be written, nothing is kept. Raises UsageError where others may write to the folder:
    a program from there is carried out."""
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    cache = checked_cache(cache_folder())
    with contextlib.suppress(OSError):
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    if cache.is_dir() and os.access(cache, os.W_OK):
        programs = cache / f"jax-{processor_digest()}"
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(programs)
        warnings.showwarning = mending(programs, warnings.showwarning)
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def processor_digest() -> str:
    """Machines that share a home folder may have different processors."""
    import hashlib
    import platform

    told = platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        told += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


def mending(programs: Path, told: Callable[..., Any]) -> Callable[..., Any]:
    """In place of `warnings.showwarning`: where JAX warns that a program cannot be read, it is removed, for JAX would
    warn at every start and never write it anew."""

    def shown(message: Any, *where: Any, **more: Any) -> None:
        damaged = DAMAGED_PROGRAM.search(str(message))
        if damaged is None:
            told(message, *where, **more)
            return
        for entry in programs.glob(f"{glob.escape(damaged[1])}-*"):
            with contextlib.suppress(OSError):
                entry.unlink()

    return shown
