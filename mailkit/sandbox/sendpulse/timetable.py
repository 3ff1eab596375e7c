"""When the emails of a campaign reach each status: computed once, asked at any moment.

A report of 50,000 emails that were looked at one by one would hold up the server at each poll.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable

from mailkit.sandbox.sendpulse.codes import RecipientStatus

Course = Iterable[tuple[float, RecipientStatus]]
"""The statuses of one email with their seconds since sending began, in order."""


class Timetable:
    """How many emails have each status, by the seconds since sending began."""

    def __init__(self, courses: Iterable[Course]) -> None:
        reached = {status: array("d") for status in RecipientStatus}
        left = {status: array("d") for status in RecipientStatus}
        self._emails, queued = 0, RecipientStatus.QUEUED
        for course in courses:
            self._emails += 1
            before = queued
            for at, status in course:
                left[before].append(at)
                reached[status].append(at)
                before = status
        self._reached = {one: array("d", sorted(times)) for one, times in reached.items() if times}
        self._left = {one: array("d", sorted(times)) for one, times in left.items() if times}

    def counts(self, age: float) -> Counter[RecipientStatus]:
        """How many emails have each status after so many seconds."""
        found = Counter({RecipientStatus.QUEUED: self._emails})
        for status, times in self._reached.items():
            found[status] += bisect_right(times, age)
        for status, times in self._left.items():
            found[status] -= bisect_right(times, age)
        return found
