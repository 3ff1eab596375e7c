"""Signals that come once a command is done: the process ends with the command's own exit code."""

from __future__ import annotations

import atexit
import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

__all__ = ["SIGNALS", "come_too_late", "held_back", "process_ends_with_command"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is not known everywhere
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))

_whole_process = [False]


def process_ends_with_command() -> None:
    """This process runs one command, so its handlers need not be put back."""
    _whole_process[0] = True


def come_too_late() -> None:
    """From now on, a signal changes nothing; a second one ends a process that hangs."""
    if not _whole_process[0]:
        return
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _late)
    atexit.register(_ignore)  # threads have ended then: nothing hangs any more


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Signals wait while their handlers are replaced."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _late(number: int, frame: FrameType | None) -> None:
    for one in SIGNALS:
        if signal.getsignal(one) is _late:
            signal.signal(one, signal.SIG_DFL)


def _ignore() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
