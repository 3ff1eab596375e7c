"""How far a job is, and how long it still takes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from mailkit.bulk.journal import Counts
from mailkit.bulk.waiting import Waiting
from mailkit.events import DeliveryStatus

__all__ = ["Pace", "Progress"]

HINDRANCE_SECONDS = 60.0


@attrs.frozen
class Progress:
    """How far a job is ``at`` a moment; all counts are of rows. ``seconds`` is the time since this
    run began; ``rate`` rows a second, without waits; ``seconds_left`` the time until everything is
    sent, at this rate and under the quotas, or None while it is unknown.

    ``checked`` of the accepted rows were found in the provider's status list; mailkit looks for the
    others until ``looks_until``. If the run tracks ``deliveries``, it polls them until
    ``tracks_until``. ``loaded`` of the unsent rows are uploaded; None if the sending request has
    them. ``waiting`` says why nothing is being sent at the moment; ``done``: the run has ended.
    """

    counts: Counts
    checked: int
    at: datetime
    seconds: float
    rate: float = 0.0
    seconds_left: float | None = None
    looks_until: datetime | None = None
    deliveries: Mapping[DeliveryStatus, int] = attrs.field(factory=dict)
    tracks_until: datetime | None = None
    loaded: int | None = None
    waiting: Waiting | None = None
    done: bool = False

    @property
    def sent(self) -> int:
        """The rows whose request has ended, whatever its outcome."""
        return self.counts.to_send - self.counts.unsent

    @property
    def unreconciled(self) -> int:
        """The accepted rows that are not in the provider's status list yet."""
        return self.counts.accepted - self.checked


@attrs.define
class Pace:
    """How fast rows are sent while nothing is waited for. Times are of a steady clock."""

    _first: int | None = None
    _last: float | None = None
    _busy: float = 0.0

    def rate(self, unsent: int, now: float, *, waits: bool) -> float:
        """Rows a second, with so many unsent now; 0 before any was sent."""
        if self._first is None or self._last is None:
            self._first, self._last = unsent, now
        if not waits:
            self._busy += now - self._last
        self._last = now
        self._first = max(self._first, unsent)  # rows may be planned again
        return (self._first - unsent) / self._busy if self._busy > 0 else 0.0


def seconds_left(unsent: int, rate: float, waits: float, quotas: float) -> float | None:
    """The time until so many rows are sent: at this rate, once what is waited for is over, but not
    before the quotas allow it; None if neither is known. Before there is a rate, quotas that are
    no hindrance say nothing.
    """
    if not unsent:
        return 0.0
    if not rate and quotas < HINDRANCE_SECONDS:
        return None
    return max(waits + (unsent / rate if rate else 0.0), quotas)
