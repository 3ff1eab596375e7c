"""The arithmetic of one quota: pure, with every time handed in; it knows no clock and never waits.

A permit counts from its grant on. How its request ends decides until when: ``per_seconds`` after
the response, or, without one, after the latest time at which it can have arrived. If it was
certainly not sent, the permit stops counting at once.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Sequence
from math import inf

import attrs

from mailkit.core.checks import number

__all__ = ["Quota", "Window", "free_at"]


@attrs.frozen
class Quota:
    """At most ``limit`` requests in any window of ``per_seconds`` seconds."""

    limit: int = attrs.field(validator=number(least=1, whole=True))
    per_seconds: float = attrs.field(validator=number(least=0.001))
    name: str = "requests"


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

    __slots__ = ("ends", "in_use", "quota")

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self.ends: deque[float] = deque()
        self.in_use = 0

    def room(self, now: float, kept: int = 0) -> bool:
        """Whether a permit is free, with ``kept`` free ones left alone."""
        ends = self.ends
        while ends and ends[0] <= now:
            ends.popleft()
        return len(ends) + self.in_use + kept < self.quota.limit

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

    def soonest(self, now: float, ahead: int) -> float:
        """When a request with ``ahead`` others before it may go, if all in use ended now."""
        ended = [now + self.quota.per_seconds] * self.in_use
        return free_at(self.quota, sorted([*self.ends, *ended]), now, ahead)

    def latest(self, now: float, kept: int = 0) -> float:
        """When there is `room` if nobody goes before; inf if that depends on those in use."""
        place = len(self.ends) + self.in_use + kept - self.quota.limit
        if place < 0:
            return now
        return max(now, self.ends[place]) if place < len(self.ends) else inf
