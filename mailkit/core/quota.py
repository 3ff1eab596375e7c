"""Quotas: so many requests in any window of so many seconds, as the server counts arrivals.

A request arrives at the server some time between its first byte and its completion, so a permit
counts from the completion, or, while that is unknown, from the hard deadline after which the
request is certainly over. A permit whose request provably was not sent counts no more. Thus the
server never sees more than the limit in any window, at the price of a little waiting.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections import deque
from datetime import UTC, datetime
from typing import Protocol

import anyio
import attrs

from mailkit.core.clock import Clock
from mailkit.errors import QuotaExhausted, Where

__all__ = ["Permit", "Permits", "Quota", "Window"]


@attrs.frozen
class Quota:
    """At most ``limit`` requests in any window of ``per_seconds`` seconds."""

    limit: int = attrs.field(validator=attrs.validators.ge(1))
    per_seconds: float = attrs.field(validator=attrs.validators.gt(0))
    name: str = "requests"


class Permit(Protocol):
    """Leave for one request; without a further word it counts from its hard deadline."""

    def sent(self) -> None:
        """The request goes out now: the hard deadline is counted from here."""
        ...

    def done(self) -> None:
        """An answer is here: the permit counts from now."""
        ...

    def release(self) -> None:
        """The request was certainly not sent: the permit does not count."""
        ...


class Permits(Protocol):
    """A quota that permits are taken from, first come first served."""

    async def acquire(self, ceiling: float | None, hold: float) -> Permit:
        """A permit, waiting for it at most ``ceiling`` seconds, None for as long as it takes.

        ``hold`` is the hard deadline: so many seconds after it was sent the request is over.
        Raises QuotaExhausted with the time as soon as the ceiling can't be kept.
        """
        ...


class Window:
    """Permits of one quota within this process."""

    def __init__(self, quota: Quota, clock: Clock | None = None, *, provider: str = "") -> None:
        self.quota = quota
        self._clock = clock or Clock()
        self._provider = provider
        self._latest = float("-inf")
        self._counted: deque[float] = deque()
        """Since when each finished permit counts, the oldest first."""
        self._open: dict[_Permit, None] = {}
        self._queue: deque[asyncio.Event] = deque()

    async def acquire(self, ceiling: float | None, hold: float) -> Permit:
        """A permit of this quota; see `Permits`."""
        if not self._queue and self._free(self._now()):
            return self._grant(hold)
        return await self._wait(ceiling, hold)

    def _now(self) -> float:
        # A clock that is set back stands still here until it has caught up: waits grow longer.
        now = self._clock.monotonic()
        if now > self._latest:
            self._latest = now
        return self._latest

    def _free(self, now: float) -> bool:
        counted, per = self._counted, self.quota.per_seconds
        while counted and counted[0] + per <= now:  # as _next reckons, or it would wait for nothing
            counted.popleft()
        if len(counted) + len(self._open) < self.quota.limit:
            return True
        over = [permit for permit in self._open if permit.deadline <= now]
        for permit in over:
            del self._open[permit]
            insort(counted, permit.deadline)
        while counted and counted[0] + per <= now:
            counted.popleft()
        return len(counted) + len(self._open) < self.quota.limit

    def _grant(self, hold: float) -> _Permit:
        permit = _Permit(self, hold, self._latest + hold)
        self._open[permit] = None
        return permit

    async def _wait(self, ceiling: float | None, hold: float) -> _Permit:
        turn = asyncio.Event()
        self._queue.append(turn)
        try:
            start = self._now()
            give_up = float("inf") if ceiling is None else start + ceiling
            while True:
                now = self._now()
                first = self._queue[0] is turn
                if first and self._free(now):
                    return self._grant(hold)
                soonest = self._soonest(now, self._queue.index(turn))
                if soonest > give_up or now >= give_up:
                    raise self._exhausted(max(soonest - now, 0.0))
                turn.clear()
                await self._pause(turn, min(self._next(now) if first else give_up, give_up) - now)
        finally:
            self._queue.remove(turn)
            self._wake()

    def _soonest(self, now: float, ahead: int) -> float:
        """When the one with so many before it can be served at the earliest."""
        limit, per = self.quota.limit, self.quota.per_seconds
        rounds, place = divmod(ahead, limit)
        ends = sorted([*self._counted, *(now for _ in self._open)])
        missing = limit - len(ends)
        end = now if place < missing else ends[place - missing] + per
        return end + rounds * per

    def _next(self, now: float) -> float:
        """When the next permit stops counting if no request ends before."""
        per = self.quota.per_seconds
        ends = [since + per for since in self._counted]
        ends += [permit.deadline + per for permit in self._open]
        return max(min(ends), now)

    async def _pause(self, turn: asyncio.Event, seconds: float) -> None:
        if seconds == float("inf"):
            await turn.wait()
            return

        async def ring() -> None:
            await self._clock.sleep(seconds)
            turn.set()

        async with anyio.create_task_group() as group:
            group.start_soon(ring)
            await turn.wait()
            group.cancel_scope.cancel()

    def _wake(self) -> None:
        if self._queue:
            self._queue[0].set()

    def _exhausted(self, seconds: float) -> QuotaExhausted:
        at = datetime.fromtimestamp(self._clock.now() + seconds, UTC)
        limit, per, name = self.quota.limit, self.quota.per_seconds, self.quota.name
        return QuotaExhausted(
            f"the quota of {limit} {name} in {per:g} s is used up; the next is free at "
            f"{at:%Y-%m-%d %H:%M:%S} UTC",
            Where(provider=self._provider),
            available_at=at,
        )

    def _settle(self, permit: _Permit, *, counts: bool) -> None:
        now = self._now()
        if permit in self._open:
            del self._open[permit]
        elif permit.deadline in self._counted:
            self._counted.remove(permit.deadline)
        if counts:
            insort(self._counted, now)
        self._wake()


class _Permit:
    __slots__ = ("_hold", "_settled", "_window", "deadline")

    def __init__(self, window: Window, hold: float, deadline: float) -> None:
        self._window = window
        self._hold = hold
        self._settled = False
        self.deadline = deadline

    def sent(self) -> None:
        """The request goes out now."""
        if self in self._window._open:
            self.deadline = self._window._now() + self._hold

    def done(self) -> None:
        """An answer is here."""
        if not self._settled:
            self._settled = True
            self._window._settle(self, counts=True)

    def release(self) -> None:
        """The request was certainly not sent."""
        if not self._settled:
            self._settled = True
            self._window._settle(self, counts=False)
