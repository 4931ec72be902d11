"""The folder in which each user keeps what may be made anew at any time: decoded images, programs that JAX compiled."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from improve.errors import UsageError


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
