"""The arithmetic of one quota: pure, with every time handed in; it knows no clock and never waits.

A permit counts from its grant on. How its request ends decides until when: ``per_seconds`` after
the response, or, without one, after the latest time at which it can have arrived. If it was
certainly not sent, the permit stops counting at once.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable, Sequence
from math import inf

import attrs

from mailkit.core.checks import number

__all__ = ["Quota", "Window", "free_at", "room_at"]


@attrs.frozen
class Quota:
    """At most ``limit`` requests in any window of ``per_seconds`` seconds."""

    limit: int = attrs.field(validator=number(least=1, whole=True))
    per_seconds: float = attrs.field(validator=number(least=0.001))
    name: str = "requests"

    def __str__(self) -> str:
        return f"{self.limit} {self.name} in {_time(self.per_seconds)}"


def _time(seconds: float) -> str:
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} second" + "s" * (seconds != 1)


def room_at(
    quota: Quota, counted: Iterable[tuple[float, int]], now: float, amount: int = 1
) -> float:
    """When there is room for so many permits if nobody goes before; inf: never.

    ``counted`` has the times that permits count from, and how many these are.
    """
    ends = sorted((since + quota.per_seconds, permits) for since, permits in counted)
    ends = [(end, permits) for end, permits in ends if end > now]
    missing = sum(permits for _, permits in ends) + amount - quota.limit
    for end, permits in ends:
        if missing <= 0:
            break
        missing -= permits
        now = end
    return now if missing <= 0 else inf


def free_at(quota: Quota, ends: Sequence[float], now: float, ahead: int = 0) -> float:
    """When a request may go that has ``ahead`` others before it, which go as soon as they may.

    ``ends`` has the times, in order, at which the permits that count now stop counting.
    """
    rounds, place = divmod(ahead, quota.limit)
    place += len(ends) - quota.limit
    at = now if place < 0 else max(now, ends[place])
    return at + rounds * quota.per_seconds


class Window:
    """What counts in one quota: permits in use, and when each of the others stops counting."""

    __slots__ = ("blocked", "ends", "in_use", "quota")

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self.ends: deque[float] = deque()
        self.in_use = 0
        self.blocked = -inf  # until then, by the service's own words

    def room(self, now: float, kept: int = 0) -> bool:
        """Whether a permit is free, with ``kept`` free ones left alone."""
        ends = self.ends
        while ends and ends[0] <= now:
            ends.popleft()
        return len(ends) + self.in_use + kept < self.quota.limit and now >= self.blocked

    def block(self, until: float) -> None:
        """No permit is free before that."""
        self.blocked = max(self.blocked, until)

    def end(self, since: float | None) -> None:
        """A permit in use has ended and counts from this time; None: it does not count."""
        self.in_use -= 1
        if since is None:
            return
        ends, end = self.ends, since + self.quota.per_seconds
        if ends and end < ends[-1]:
            insort(ends, end)
        else:
            ends.append(end)

    def inherited(self, now: float) -> Window:
        """The same for another process: permits in use there count from now."""
        other = Window(self.quota)
        ended = [now + self.quota.per_seconds] * self.in_use
        other.ends = deque(sorted([*self.ends, *ended]))
        other.blocked = self.blocked
        return other

    def soonest(self, now: float, ahead: int) -> float:
        """When a request with ``ahead`` others before it may go, if all in use ended now."""
        ended = [now + self.quota.per_seconds] * self.in_use
        free = free_at(self.quota, sorted([*self.ends, *ended]), now, ahead)
        return max(free, self.blocked)

    def latest(self, now: float, kept: int = 0) -> float:
        """When there is `room` if nobody goes before; inf if that depends on those in use."""
        now = max(now, self.blocked)
        place = len(self.ends) + self.in_use + kept - self.quota.limit
        if place < 0:
            return now
        return max(now, self.ends[place]) if place < len(self.ends) else inf
