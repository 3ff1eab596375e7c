"""Which signals are heard. Those that come once a command is done change nothing: the process ends
with the command's own exit code.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

from mailkit.core.clock import Clock

__all__ = ["SIGNALS", "Signals", "come_too_late", "held_back", "process_ends_with_command"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is not known everywhere
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))

REPEATED_SECONDS = 1.0
"""What comes so soon after the first signal repeats it: GNU timeout signals the process and then
its whole group, and programs that pass Ctrl-C on do the same.
"""

_whole_process = [False]


class Signals:
    """Tells the first signal, those that repeat it, and later ones apart."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._first: float | None = None

    def is_first(self) -> bool:
        """Whether the signal that has just come is the first."""
        if self._first is not None:
            return False
        self._first = self._clock.monotonic()
        return True

    def repeats(self) -> bool:
        """Whether a later one only repeats the first."""
        return self._first is not None and self._clock.monotonic() - self._first < REPEATED_SECONDS


def process_ends_with_command() -> None:
    """This process runs one command, so its handlers need not be put back."""
    _whole_process[0] = True


def come_too_late(clock: Clock = Clock()) -> None:
    """From now on, a signal changes nothing; a second one ends a process that hangs."""
    if not _whole_process[0]:
        return
    late = Signals(clock)

    def hear(number: int, frame: FrameType | None) -> None:
        if not late.is_first() and not late.repeats():
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, hear)
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


def _ignore() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
