"""The process that a shell starts with `improve` or `python -m improve`."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress

from improve.cli import main


def process() -> None:
    """The command, and then the end. Python would free what is loaded piece by piece, which takes 0.3 s with TensorFlow
    and serves nobody: once all exit functions have run, the system takes the memory back whole."""
    status: int | None = None

    def leave() -> None:
        with suppress(OSError, ValueError):  # a stream that takes nothing: Python ends as ever, and says so
            for stream in filter(None, (sys.stdout, sys.stderr)):
                stream.flush()
            if status is not None:
                os._exit(status)

    atexit.register(leave)  # the first that is registered is the last that runs
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else None if end.code else 0
        raise


if __name__ == "__main__":
    process()
