"""What can become of a letter after a provider took it: one vocabulary for three providers."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["FINAL", "DeliveryStatus"]


class DeliveryStatus(IntEnum):
    """How far a letter got; ordered, so that reports arriving in any order merge alike.

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
        """Whether polling may stop: the letter arrived, or will not."""
        return self >= DeliveryStatus.DELIVERED


FINAL = frozenset(status for status in DeliveryStatus if status.final)
"""The statuses that are ``final``, for loops over many."""
