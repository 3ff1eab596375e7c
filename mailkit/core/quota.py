"""Quotas: at most N requests in any window of T seconds, as the server counts arrivals.

A request arrives at the server some time between its first byte and its completion, so a permit
counts from the completion, or, while that is unknown, from the time when the request is certainly
over. A permit whose request provably was not sent counts no more. So the server never
sees more than the limit in any window, at the cost of a little waiting.

A call that falls under several quotas takes all of its permits at once or none: while it waits for
one quota, it uses up nothing of the others.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count, takewhile
from math import inf
from typing import Protocol

import anyio
import attrs

from mailkit.core.clock import Clock
from mailkit.core.loops import Wake
from mailkit.core.window import Quota, Window
from mailkit.errors import ErrorContext, InvalidArgument, QuotaExhausted

__all__ = [
    "REQUESTS",
    "SLACK",
    "Limited",
    "LocalPermits",
    "Permit",
    "Permits",
    "Quota",
    "request_quotas",
    "used_up",
]

SLACK = 2.0
"""The seconds that a request may still be on its way after it was given up."""

_BY_WINDOW = {60.0: "requests a minute", 3600.0: "requests an hour", 86_400.0: "requests a day"}
REQUESTS = ("requests", *_BY_WINDOW.values())
"""The names of the quotas that every request falls under."""


def request_quotas(given: Quota | Sequence[Quota] | None) -> dict[str, Quota]:
    """The quotas of an account's requests, by their names: these depend on the window, so that
    clients with different settings mean the same quota by one name.
    """
    quotas = [given] if isinstance(given, Quota) else list(given or ())
    named = {_BY_WINDOW.get(quota.per_seconds, REQUESTS[0]): quota for quota in quotas}
    if len(named) < len(quotas):
        raise InvalidArgument(
            "requests: two of the quotas have one name; give at most one per minute, one per hour, "
            "one per day, and one with any other window"
        )
    return named


def used_up(quota: Quota, provider: str, at: float) -> QuotaExhausted:
    """The error of who can't wait for a permit that is free at that moment, as far as is known."""
    moment = datetime.fromtimestamp(at, UTC)
    return QuotaExhausted(
        f"the quota of {quota} is used up; the next is free at {moment:%Y-%m-%d %H:%M:%S} UTC",
        ErrorContext(provider=provider),
        available_at=moment,
    )


class Permit(Protocol):
    """Leave for one request. It counts from its grant until ``done``, ``lost`` or ``release`` is
    called; only the first of them has an effect.
    """

    @property
    def begins_by(self) -> float:
        """When the request has to begin (see mailkit.core.lateness)."""
        ...

    def sent(self) -> None:
        """The request goes out now: its deadline is counted from here."""
        ...

    def done(self) -> None:
        """A response is here: the permit counts from now."""
        ...

    def lost(self) -> None:
        """The request was given up, and may have arrived: the permit counts from its deadline, or
        from now if that is later.
        """
        ...

    def release(self) -> None:
        """The request was certainly not sent: the permit does not count."""
        ...

    def refused(self, *, requests: bool, seconds: float | None) -> None:
        """The service says that a quota is used up: that of ``requests``, or else the others that
        the request fell under. Nobody gets a permit for so many seconds; None: for as long as it
        takes, evenly spread, until one comes free.
        """
        ...


class Permits(Protocol):
    """Quotas that permits are taken from, first come first served."""

    async def acquire(
        self, names: tuple[str, ...], max_wait: float | None, deadline: float
    ) -> Permit:
        """One permit of all the quotas of these names at once; names of no quota don't matter.

        Waits at most ``max_wait`` seconds, None for as long as it takes, and raises QuotaExhausted
        with the time as soon as that can't be kept. ``deadline`` is how many seconds after it was
        sent the request is given up.
        """
        ...


class Limited(Protocol):
    """A client: its account at a provider, and that one's quotas by their names."""

    @property
    def name(self) -> str:
        """The provider's short name."""
        ...

    @property
    def account(self) -> str:
        """Whose quotas these are."""
        ...

    @property
    def quotas(self) -> Mapping[str, Quota]:
        """How much each quota allows."""
        ...

    @property
    def clock(self) -> Clock:
        """What its waits are measured by."""
        ...


@attrs.define(eq=False)
class _Waiter:
    number: int
    windows: tuple[Window, ...]
    deadline: float
    wake: Wake = attrs.field(factory=Wake)
    permit: _Permit | None = None


class LocalPermits:
    """The permits of some quotas, by their names, within this process, for all its event loops.

    Waiters for the same quotas form one line. The oldest of all can't be starved: a free permit
    of the scarcest quota that it needs is kept for it, then one of the next scarcest, and so on.
    Apart from this, nobody waits because of somebody who waits for another quota.
    """

    def __init__(
        self, quotas: Mapping[str, Quota], clock: Clock | None = None, *, provider: str = ""
    ) -> None:
        self._clock = clock or Clock()
        self._provider = provider
        self._latest = -inf
        scarcity = {name: quota.per_seconds / quota.limit for name, quota in quotas.items()}
        order = sorted(quotas, key=lambda name: (-scarcity[name], name))
        self._windows = {name: Window(quotas[name]) for name in order}
        self._of_requests = {self._windows[name] for name in REQUESTS if name in quotas}
        self._known: dict[tuple[str, ...], tuple[Window, ...]] = {}
        self._lines: dict[tuple[Window, ...], OrderedDict[_Waiter, None]] = {}
        self._numbers = count()
        self._oldest: _Waiter | None = None
        self._alarm = inf
        """When time alone lets somebody go; the oldest waiter keeps it for all."""
        self._process = os.getpid()
        self._lock = threading.RLock()
        """Held by whoever looks at the windows or at the lines, never while it waits."""

    async def acquire(
        self, names: tuple[str, ...], max_wait: float | None, deadline: float
    ) -> Permit:
        """A permit of these quotas; see `Permits`."""
        if self._process != os.getpid():
            self._inherit()
        with self._lock:
            windows = self._known.get(names)
            if windows is None:
                found = tuple(window for name, window in self._windows.items() if name in names)
                windows = self._known[names] = found
            if not self._lines:
                now = self._now()
                for window in windows:
                    if not window.room(now):
                        break
                else:
                    return _Permit(self, windows, deadline, now)
        return await self._wait(windows, max_wait, deadline)

    def _inherit(self) -> None:
        """In a forked process: what the parent had under way is taken for sent just now, and its
        waiters are not ours. From here on each process counts its own requests alone.
        """
        self._process, self._lock = os.getpid(), threading.RLock()
        now = self._now()
        self._windows = {name: window.inherited(now) for name, window in self._windows.items()}
        self._of_requests = {window for name, window in self._windows.items() if name in REQUESTS}
        self._known, self._lines, self._oldest, self._alarm = {}, {}, None, inf

    def _now(self) -> float:
        """The time; a clock that is set back stops here until it has caught up."""
        now = self._clock.monotonic()
        if now > self._latest:
            self._latest = now
        return self._latest

    def _serve(self) -> None:
        """Hand out what is free to those whose turn it is."""
        now, alarm = self._now(), inf
        oldest: _Waiter | None = None
        kept: list[Window] = []
        lines = dict(self._lines)
        while lines:
            waiter = min(map(_first, lines.values()), key=_number)
            windows = waiter.windows
            if waiter.wake.lost:
                self._leave(waiter)
                if windows not in self._lines:
                    del lines[windows]
                continue
            if all(window.room(now, window in kept) for window in windows):
                waiter.permit = _Permit(self, windows, waiter.deadline, now)
                waiter.wake.set()
                self._leave(waiter)
                if windows not in self._lines:
                    del lines[windows]
                continue
            alarm = min(alarm, max(window.latest(now, window in kept) for window in windows))
            if oldest is None:
                oldest = waiter
                kept = list(takewhile(lambda window: window.room(now), windows))
            del lines[windows]
        if oldest is not None and (oldest is not self._oldest or alarm < self._alarm):
            oldest.wake.set()
        self._oldest, self._alarm = oldest, alarm

    async def _wait(
        self, windows: tuple[Window, ...], max_wait: float | None, deadline: float
    ) -> _Permit:
        waiter = _Waiter(next(self._numbers), windows, deadline)
        with self._lock:
            now = self._now()
            give_up = inf if max_wait is None else now + max_wait
            ahead = {key: len(line) for key, line in self._lines.items() if {*key} <= {*windows}}
            self._lines.setdefault(windows, OrderedDict())[waiter] = None
        try:
            with self._lock:
                self._serve()
                if waiter.permit is None and give_up != inf:
                    self._check(windows, give_up, ahead)
            while waiter.permit is None:
                waiter.wake.clear()
                with self._lock:
                    now = self._now()
                    if now >= give_up:
                        self._check(windows, -inf, {})
                    until = min(give_up, self._alarm) if waiter is self._oldest else give_up
                if waiter.permit is None:  # nor has another thread given it one just now
                    await self._pause(waiter.wake, max(until - now, 0.0))  # time goes on meanwhile
                with self._lock:
                    self._serve()
        except BaseException:
            if waiter.permit is not None:
                waiter.permit.release()
            raise
        finally:
            with self._lock:
                if waiter.permit is None:
                    self._leave(waiter)
                    self._serve()
        assert waiter.permit is not None  # noqa: S101 - the loop ends with one
        return waiter.permit

    def _leave(self, waiter: _Waiter) -> None:
        line = self._lines.get(waiter.windows, OrderedDict())
        line.pop(waiter, None)  # one whose loop was closed is gone already
        if not line:
            self._lines.pop(waiter.windows, None)

    def _check(
        self, windows: tuple[Window, ...], give_up: float, ahead: Mapping[tuple[Window, ...], int]
    ) -> None:
        """QuotaExhausted if no permit can be free by then. ``ahead`` counts those who go first."""
        now = self._now()
        soonest, quota = -inf, windows[0].quota
        for window in windows:
            at = window.soonest(now, sum(n for key, n in ahead.items() if window in key))
            if at > soonest:
                soonest, quota = at, window.quota
        if soonest <= give_up:
            return
        raise used_up(quota, self._provider, self._clock.now() + max(soonest - now, 0.0))

    async def _pause(self, wake: Wake, seconds: float) -> None:
        if seconds == inf:
            await wake.wait()
            return

        async def wake_later() -> None:
            await self._clock.sleep(seconds)
            wake.set()

        async with anyio.create_task_group() as group:
            group.start_soon(wake_later)
            await wake.wait()
            group.cancel_scope.cancel()


def _first(line: OrderedDict[_Waiter, None]) -> _Waiter:
    return next(iter(line))


def _number(waiter: _Waiter) -> int:
    return waiter.number


class _Permit:
    __slots__ = ("_deadline", "_ended", "_permits", "_sent", "_windows")
    begins_by = inf  # whoever goes on after a while has not lost count of anything

    def __init__(
        self, permits: LocalPermits, windows: tuple[Window, ...], deadline: float, now: float
    ) -> None:
        self._permits = permits
        self._windows = windows
        self._deadline = deadline
        self._sent = now
        self._ended = False
        for window in windows:
            window.in_use += 1

    def sent(self) -> None:
        """The request goes out now."""
        self._sent = self._permits._now()

    def done(self) -> None:
        """A response is here."""
        self._end(self._permits._now())

    def lost(self) -> None:
        """The request was given up."""
        self._end(max(self._sent + self._deadline, self._permits._now()) + SLACK)

    def release(self) -> None:
        """The request was certainly not sent."""
        self._end(None)

    def refused(self, *, requests: bool, seconds: float | None) -> None:
        """The service says that a quota is used up."""
        with self._permits._lock:
            own = self._permits._of_requests
            now = self._permits._now()
            meant = [window for window in self._windows if (window in own) == requests]
            for window in meant or self._windows:
                quota = window.quota
                pause = quota.per_seconds / quota.limit if seconds is None else seconds
                window.block(now + pause)

    def _end(self, since: float | None) -> None:
        with self._permits._lock:
            if not self._ended:
                self._ended = True
                for window in self._windows:
                    window.end(since)
                if self._permits._lines:
                    self._permits._serve()
