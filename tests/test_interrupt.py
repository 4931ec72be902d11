"""One signal is a request, two break off; before the first batch one does."""

import contextlib
import signal
import time
import weakref

import pytest

from improve.interrupt import BrokenOff, interruptible

TERM = signal.SIGTERM


def inside(begun, *happens):
    """What happens, one after the other, while it can be interrupted; returns the `Interrupt` after it."""
    with interruptible() as interrupt:
        interrupt.begun = begun
        for step in happens:
            step()
    return interrupt


def press():
    signal.raise_signal(TERM)


def swallowed():
    with contextlib.suppress(BrokenOff):
        press()


def fails():
    raise SystemError("Objects/listobject.c:338: bad argument to internal function")


def test_after_the_first_batch_a_signal_is_a_request():
    interrupt = inside(True, press)
    assert (interrupt.requested, interrupt.signal, interrupt.broken_off) == (True, TERM, False)


def test_a_second_signal_breaks_off_and_is_the_one_that_is_told():
    with pytest.raises(BrokenOff) as stopped:
        inside(True, press, lambda: signal.raise_signal(signal.SIGINT))
    assert stopped.value.signal is signal.SIGINT


def test_before_the_first_batch_one_signal_breaks_off():
    with pytest.raises(BrokenOff) as stopped:
        inside(False, press)
    assert stopped.value.signal is TERM


def test_what_a_library_made_of_it_is_told_as_what_it_was():
    with pytest.raises(BrokenOff):
        inside(False, swallowed, fails)


def test_where_a_library_swallowed_it_the_request_stays():
    assert inside(False, swallowed).requested


def test_who_is_on_the_way_out_is_not_broken_off_once_more():
    written = []

    def broken_off():
        try:
            inside(False, press)
        finally:
            press()
            written.append("summary.json")

    with pytest.raises(BrokenOff):
        inside(False, lambda: inside(False, broken_off))
    assert written


class Dying:
    def __del__(self):
        press()


class Key: ...


def dies():
    Dying()


def is_forgotten():
    """In the callback with which a weak dictionary forgets a key."""
    weak, key = weakref.WeakKeyDictionary(), Key()
    weak[key] = Dying()
    del key


def is_called_back():
    """In the callback of a weak reference, as in those with which Python lets go of a module's lock."""
    key = Key()
    last = weakref.ref(key, lambda reference: press())
    del key
    assert last() is None


@pytest.mark.parametrize("finalized", [dies, is_forgotten, is_called_back])
def test_in_a_finalizer_which_would_swallow_it_it_waits_and_nothing_is_printed(finalized, capsys):
    with pytest.raises(BrokenOff):
        inside(False, finalized, lambda: time.sleep(5))
    assert capsys.readouterr().err == ""


def test_an_error_that_no_signal_made_stays_what_it_is():
    with pytest.raises(SystemError):
        inside(True, press, fails)


def test_the_handlers_are_those_of_before():
    before = signal.getsignal(TERM)
    inside(True)
    assert signal.getsignal(TERM) == before
