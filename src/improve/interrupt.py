"""Ctrl+C and SIGTERM as a request: the first one lets the batch in hand finish, the second one breaks off.

Before the first batch there is nothing to finish, and compiling may take half a minute: the first one breaks off.
"""

from __future__ import annotations

import os
import signal
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

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

    def press(self, number: int, frame: FrameType | None) -> None:
        if self.leaving:
            return
        if (self.requested or not self.begun) and finalizing(frame):
            threading.Timer(SOON, self.again, (number,)).start()
            return
        self.broken_off = self.requested or not self.begun
        self.requested, self.signal = True, signal.Signals(number)
        if self.broken_off:
            raise BrokenOff(self.signal)

    def again(self, number: int) -> None:
        if not self.over:
            os.kill(os.getpid(), number)


def finalizing(frame: FrameType | None) -> bool:
    """Whether it came in a finalizer: Python prints what is raised there, and goes on."""
    while frame is not None:
        if frame.f_code.co_name == "__del__" or frame.f_code.co_filename == weakref.__file__:
            return True
        frame = frame.f_back
    return False


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
    before = {number: signal.signal(number, interrupt.press) for number in SIGNALS}
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
        for number, handler in before.items():
            signal.signal(number, handler)
