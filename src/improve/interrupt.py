"""Ctrl+C and SIGTERM as a request: the first one lets the batch in hand finish, the second one breaks off.

Before the first batch there is nothing to finish, and compiling may take half a minute: the first one breaks off.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class BrokenOff(BaseException):
    """Out now; `signal` is what said so. No KeyboardInterrupt: Typer would swallow that."""

    def __init__(self, signal: signal.Signals):
        super().__init__(f"broken off by {signal.name}")
        self.signal = signal


class Interrupt:
    """Whether the run was asked to stop, and by which signal; `begun`: its first batch is done."""

    requested = begun = False
    signal = signal.SIGINT

    def press(self, number: int, frame: FrameType | None) -> None:
        if self.requested or not self.begun:
            raise BrokenOff(signal.Signals(number))
        self.requested, self.signal = True, signal.Signals(number)


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """While inside, SIGINT and SIGTERM set `requested`. Python lets only the main thread handle signals."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = {number: signal.signal(number, interrupt.press) for number in SIGNALS}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
