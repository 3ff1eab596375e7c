"""What happens to a message after a provider accepted it, in one vocabulary for all providers; and
what happens to a job while it is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import IntEnum

import attrs

__all__ = [
    "FINAL",
    "ChunkAccepted",
    "ChunkInDoubt",
    "ChunkRejected",
    "DeliveryStatus",
    "JobEnded",
    "JobEvent",
    "JobHook",
    "JobStarted",
    "JobStopped",
    "SendingHeld",
]


class DeliveryStatus(IntEnum):
    """How far a message got; ordered, so that reports arriving in any order merge alike.

    The later of two statuses is the greater one: ``max(old, new)``.
    """

    QUEUED = 10
    SENT = 20
    DEFERRED = 30
    SOFT_BOUNCE = 31
    DELIVERED = 40
    OPENED = 50
    CLICKED = 60
    UNDELIVERED = 70
    EXPIRED = 71
    REJECTED = 72
    HARD_BOUNCE = 73
    UNSUBSCRIBED = 80
    COMPLAINED = 90

    @property
    def final(self) -> bool:
        """Whether polling may stop: the message arrived, or will not."""
        return self >= DeliveryStatus.DELIVERED


FINAL = frozenset(status for status in DeliveryStatus if status.final)
"""The statuses that are ``final``, for loops over many."""


@attrs.frozen
class JobEvent:
    """Something that happened to a job in this process, after the journal knew it. ``job`` is the
    job's name. Events hold no addresses and no credentials.
    """

    job: str


@attrs.frozen
class JobStarted(JobEvent):
    """A job began to be sent, or was resumed; ``unsent`` rows are left to send."""

    provider: str
    unsent: int


@attrs.frozen
class ChunkAccepted(JobEvent):
    """The provider accepted ``accepted`` rows of a chunk; it refused, or left in doubt, the others.
    ``reference`` is its name for the request, if it gave one.
    """

    chunk: int
    accepted: int
    rejected: int
    in_doubt: int
    reference: str | None


@attrs.frozen
class ChunkRejected(JobEvent):
    """The provider refused a chunk of ``rows`` rows: one bad row, as a rule, that stood alone."""

    chunk: int
    rows: int
    reason: str


@attrs.frozen
class ChunkInDoubt(JobEvent):
    """Nothing says whether the provider accepted a chunk of ``rows`` rows: a person must look."""

    chunk: int
    rows: int
    reason: str


@attrs.frozen
class SendingHeld(JobEvent):
    """Nothing is sent until then, and why."""

    until: datetime
    why: str


@attrs.frozen
class JobStopped(JobEvent):
    """The job stopped before its end; ``resume`` continues it once the reason is fixed."""

    reason: str


@attrs.frozen
class JobEnded(JobEvent):
    """Everything was sent, and looked for as long as it had to be."""


JobHook = Callable[[JobEvent], None]
"""Called in the event loop's thread: must return at once. What it raises is logged."""
