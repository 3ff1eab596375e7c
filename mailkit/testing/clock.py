"""Time that a test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from mailkit.bulk.journal.store import under_way
from mailkit.core.clock import Clock

if TYPE_CHECKING:
    from mailkit.core.hooks import Attempt

__all__ = ["FakeClock"]

_NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
_IDLE_TURNS = 50  # of the event loop without a new sleeper: everybody waits
_LOOK_SECONDS = 0.001  # of the real time, until work in another thread is looked for again
_SHORTEST = 1e-6  # seconds: a loop of waits for 0 seconds comes to an end


@attrs.frozen(eq=False)
class _Sleeper:
    due: float
    woken: asyncio.Future[None]


class FakeClock(Clock):
    """Made-up time, for the ``clock`` of a client or a BulkSender.

    It passes by `advance` and, with ``autojump``, jumps to the next sleeper's moment once nothing
    else is left to do, in the event loop and in a journal's threads. ``start`` is an aware datetime
    or seconds since 1970. ``moved`` is called with the seconds of each step:
    ``sandbox.clock.advance`` makes a sandbox keep the same time.
    """

    def __init__(
        self,
        start: datetime | float = _NEW_YEAR,
        *,
        autojump: bool = True,
        moved: Callable[[float], object] | None = None,
    ) -> None:
        if isinstance(start, datetime):
            if start.tzinfo is None:
                raise ValueError("start: give the datetime a time zone")
            start = start.timestamp()
        self.autojump = autojump
        self.slept: list[float] = []
        """The seconds of each sleep, in the order in which they began."""
        self._wall = float(start)  # at 0 of the steady counter
        self._steady = 0.0
        self._moved = moved
        self._sleepers: list[_Sleeper] = []
        self._holds = 0
        self._look: asyncio.Handle | None = None

    def __repr__(self) -> str:
        """Short, since failing tests show it."""
        return f"<FakeClock: {self._steady:g} s have passed, {len(self._sleepers)} sleep>"

    def now(self) -> float:
        """The wall clock: seconds since 1970."""
        return self._wall + self._steady

    @property
    def utc(self) -> datetime:
        """The wall clock as an aware datetime."""
        return datetime.fromtimestamp(self.now(), UTC)

    def monotonic(self) -> float:
        """The seconds since this clock was made; `shift` leaves them alone."""
        return self._steady

    def elapsed(self) -> float:
        """The same: nothing starts this clock anew."""
        return self._steady

    def boot(self) -> str:
        """It has no name."""
        return ""

    async def sleep(self, seconds: float) -> None:
        """Wait until the time has moved by ``seconds``."""
        self.slept.append(seconds)
        loop = asyncio.get_running_loop()
        sleeper = _Sleeper(self._steady + max(seconds, _SHORTEST), loop.create_future())
        self._sleepers.append(sleeper)
        self._wait_for_idleness()
        try:
            await sleeper.woken
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)

    def advance(self, seconds: float) -> None:
        """Let time pass; sleepers whose moment has come wake up at the end of it."""
        if not seconds >= 0:
            raise ValueError("time only moves forward; shift sets the wall clock")
        self._move(seconds, self._steady + seconds)

    def shift(self, seconds: float) -> None:
        """Set the wall clock forward or, if negative, back; no time passes."""
        self._wall += seconds

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the time from jumping while something is done that the event loop can't see."""
        self._hold(1)
        try:
            yield
        finally:
            self._hold(-1)

    def hook(self, attempt: Attempt) -> None:
        """A client's hook: time doesn't jump while a request of that client is under way."""
        self._hold(1 if attempt.outcome is None else -1)

    def _hold(self, step: int) -> None:
        self._holds += step
        if not self._holds and self._sleepers:
            self._wait_for_idleness()

    def _wait_for_idleness(self) -> None:
        if self._look is not None:
            self._look.cancel()
        if self.autojump and not self._holds:
            self._look = asyncio.get_running_loop().call_soon(self._jump, _IDLE_TURNS)

    def _jump(self, turns: int) -> None:
        if self._holds or not self._sleepers:
            return
        loop = asyncio.get_running_loop()
        if turns:
            self._look = loop.call_soon(self._jump, turns - 1)
            return
        if under_way():
            self._look = loop.call_later(_LOOK_SECONDS, self._jump, _IDLE_TURNS)
            return
        due = min(sleeper.due for sleeper in self._sleepers)
        self._move(due - self._steady, due)
        if self._sleepers:
            self._wait_for_idleness()

    def _move(self, seconds: float, to: float) -> None:
        self._steady = to
        if self._moved is not None:
            self._moved(seconds)
        woken = [sleeper for sleeper in self._sleepers if sleeper.due <= to]
        self._sleepers = [sleeper for sleeper in self._sleepers if sleeper.due > to]
        for sleeper in sorted(woken, key=lambda sleeper: sleeper.due):
            if not sleeper.woken.done():
                sleeper.woken.set_result(None)
