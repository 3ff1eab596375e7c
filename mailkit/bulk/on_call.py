"""Those who have found nothing to do are on call: who finds something calls one of them, since
there may be more. So a change wakes as many as find something, and one that does not.
"""

from __future__ import annotations

from collections import deque
from math import inf

import anyio

from mailkit.bulk.signal import Signal
from mailkit.core.clock import Clock

__all__ = ["OnCall"]

SOONEST = 0.001
"""Seconds after which somebody is called at the earliest: what it waits for is a moment later."""


class OnCall:
    """Who waits to be called, and for how long: one timer, in `keep_time`, serves all of them.

    Whoever looks for something to do begins with ``look`` and, having found nothing, ends with
    ``wait``: no call that comes between the two is lost. Whoever changes something that others may
    have looked at in vain makes a ``call``, unless it goes on to look by itself.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[anyio.Event] = deque()
        self._calls = 0
        self._due = inf
        self._sooner = Signal(clock)
        self._closed = False

    def __len__(self) -> int:
        """How many wait, and are not called yet."""
        return len(self._waiting)

    def look(self) -> int:
        """Somebody is about to look, and so for all whose time was to come. Gives the number of
        calls so far, for `wait`.
        """
        self._due = inf
        return self._calls

    def call(self, *, everybody: bool = False) -> bool:
        """Let one look again, or everybody; whether somebody waited."""
        self._calls += 1
        called = len(self._waiting) if everybody else min(len(self._waiting), 1)
        for _ in range(called):
            self._waiting.popleft().set()
        return called > 0

    def called(self, since: int) -> bool:
        """Whether there was a call since so many."""
        return self._calls != since

    async def wait(self, since: int, seconds: float = inf) -> None:
        """Wait for a call, unless there was one ``since`` so many. After so many ``seconds`` there
        is one, unless somebody has looked meanwhile.
        """
        if self._calls != since:
            return
        due = self._clock.monotonic() + max(seconds, SOONEST)
        if due < self._due:
            self._due = due
            self._sooner.notify()
        called = anyio.Event()
        self._waiting.append(called)
        try:
            await called.wait()
        finally:
            if not called.is_set():
                self._waiting.remove(called)

    async def keep_time(self) -> None:
        """Call when the time has come, until closed."""
        while not self._closed:
            wait = self._due - self._clock.monotonic()
            if wait > 0:
                await self._sooner.wait(None if wait == inf else wait)
            else:
                self._due = inf
                self.call()

    def close(self) -> None:
        """Nobody waits any more."""
        self._closed = True
        self._sooner.notify()
