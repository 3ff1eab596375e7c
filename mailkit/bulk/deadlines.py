"""How long a row is looked for that the provider does not name, whatever the wall clock does.

Within a run only the steady clock counts. What an earlier process did has a wall time, which is
believed within limits: a clock that was set back never makes the wait longer than the whole of it,
and one that was set forward still leaves ``SHORTEST`` seconds in this run. Pure functions; times
are readings of the steady clock unless they are called ``now``, ``ended`` or ``send_at``.
"""

from __future__ import annotations

import math

__all__ = ["SHORTEST", "begins_at", "is_late", "pause", "taken_at"]

SHORTEST = 60.0
"""Seconds for which every run looks for a row, at least."""


def taken_at(ended: float, *, now: float, steady: float, patience: float) -> float:
    """The moment at which a chunk was taken that ended at the wall time ``ended``."""
    longest = max(0.0, patience - SHORTEST)
    return steady - min(max(0.0, now - ended), longest)


def begins_at(
    send_at: float | None, *, now: float, steady: float, before: float | None = None
) -> float:
    """The moment at which the provider begins to send; -inf where it does at once.

    ``before`` is the answer of an earlier look in this run: the earlier of the two is right, but a
    wall clock that jumps past ``send_at`` makes it this moment and no past one.
    """
    if send_at is None:
        return -math.inf
    if before is None:
        return steady + send_at - now
    return min(before, steady + max(0.0, send_at - now))


def is_late(since: float, begins: float, *, steady: float, patience: float) -> bool:
    """Whether a row that was never named is in doubt by now: after so much ``patience`` from
    ``since``, or from the moment at which the provider begins to send.
    """
    return steady >= max(since, begins) + patience


def pause(tries: int, first: float, longest: float) -> float:
    """The seconds until the next try, after so many: twice as long each time."""
    return min(first * 2.0 ** min(tries, 20), longest)
