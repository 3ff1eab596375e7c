"""What will happen later, in the order of its time; and how many requests a while allows."""

from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Timeline(Generic[Item]):
    """Items with the moments at which they are due; equal moments keep their order."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Item]] = []
        self._order = count()

    def add(self, at: float, item: Item) -> None:
        """Note an item for the moment `at`."""
        heappush(self._heap, (at, next(self._order), item))

    def next(self) -> float | None:
        """The moment of the first item."""
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> tuple[float, Item] | None:
        """Take out the first item if it is due, with its moment."""
        if not self._heap or self._heap[0][0] > now:
            return None
        at, _, item = heappop(self._heap)
        return at, item


class Window:
    """At most `limit` arrivals within any `seconds`; None allows everything.

    Only what was allowed counts.
    """

    def __init__(self) -> None:
        self._arrivals: deque[float] = deque()

    def used(self, now: float, seconds: float) -> int:
        """How many arrivals count now."""
        return sum(at > now - seconds for at in self._arrivals)

    def wait(self, now: float, limit: int | None, seconds: float) -> float | None:
        """Count an arrival; if it is one too many, the seconds until the next may come."""
        if limit is None:
            return None
        arrivals = self._arrivals
        while arrivals and arrivals[0] <= now - seconds:
            arrivals.popleft()
        if len(arrivals) >= limit:
            return arrivals[0] + seconds - now if arrivals else seconds
        arrivals.append(now)
        return None
