"""Ctrl+C and SIGTERM as a request: the first one lets the batch in hand finish, the second one breaks off.

Before the first batch there is nothing to finish, and compiling may take half a minute: the first one breaks off.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SOON = 0.02  # seconds


class BrokenOff(BaseException):
    """Out now; `signal` said so, notes tell how to go on. No KeyboardInterrupt: Typer would swallow that."""

    def __init__(self, signal: signal.Signals, note: str | None = None):
        super().__init__(f"broken off by {signal.name}")
        self.signal = signal
        if note:
            self.add_note(note)


class Interrupt:
    """Whether the run was asked to stop, and by which signal; `begun`: its first batch is done; `broken_off`: it was
    told to end at once; `leaving`: what was inside is on its way out already, and has things to write."""

    requested = begun = broken_off = leaving = over = False
    signal = signal.SIGINT

    def __init__(self) -> None:
        self.heard: Callable[[], None] = lambda: None  # told when the first signal asks it to stop

    def press(self, number: int, frame: FrameType | None) -> None:
        if self.leaving:
            return
        self.broken_off = self.requested or not self.begun
        self.requested, self.signal = True, signal.Signals(number)
        if self.broken_off:
            raise BrokenOff(self.signal)
        self.heard()

    def swallowed(self, caught: Any) -> bool:
        """Whether Python ignored, in a finalizer or a callback, the exception with which it was to end: then the signal
        comes again in a moment. `caught`: what `sys.unraisablehook` is given."""
        ours = isinstance(caught.exc_value, BrokenOff)
        if ours:
            threading.Timer(SOON, self.again).start()
        return ours

    def again(self) -> None:
        if not self.over:
            os.kill(os.getpid(), self.signal)


@contextmanager
def goes_on(note: str) -> Iterator[None]:
    """Context in which who breaks off is told `note` in place of what was noted so far."""
    try:
        with interruptible():
            yield
    except BrokenOff as stop:
        stop.__notes__ = [note]
        raise


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """While inside, SIGINT and SIGTERM set `requested`. Python lets only the main thread handle signals."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before, told = {number: signal.signal(number, interrupt.press) for number in SIGNALS}, sys.unraisablehook
    sys.unraisablehook = lambda caught: None if interrupt.swallowed(caught) else told(caught)
    around = getattr(before[signal.SIGINT], "__self__", None)
    try:
        yield interrupt
    except (BrokenOff, Exception) as error:
        if isinstance(around, Interrupt):
            around.leaving = interrupt.broken_off or isinstance(error, BrokenOff)
        if interrupt.broken_off and not isinstance(error, BrokenOff):
            # raised within C++, which may make a SystemError of it (TensorFlow 2.21, tracing)
            raise BrokenOff(interrupt.signal) from error
        raise
    finally:
        interrupt.over = True
        sys.unraisablehook = told
        for number, handler in before.items():
            signal.signal(number, handler)
