"""What became of each email by the sandbox's truth, in mailkit's words: what a journal that has
heard everything must say, row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mailkit.events import DeliveryStatus
from mailkit.sandbox import Outcome

__all__ = ["SUPPRESSING", "truth_of"]

_STATUSES = {
    "queued": DeliveryStatus.QUEUED,
    "sent": DeliveryStatus.SENT,
    "deferred": DeliveryStatus.SOFT_BOUNCE,
    "delivered": DeliveryStatus.DELIVERED,
    "opened": DeliveryStatus.OPENED,
    "clicked": DeliveryStatus.CLICKED,
    "undelivered": DeliveryStatus.HARD_BOUNCE,
    "expired": DeliveryStatus.EXPIRED,
    "rejected": DeliveryStatus.REJECTED,
    "unsubscribed": DeliveryStatus.UNSUBSCRIBED,
    "complained": DeliveryStatus.COMPLAINED,
}
_OTHERS = {
    ("smsby", "undelivered"): DeliveryStatus.UNDELIVERED,  # it has no word for why
    ("smsby", "expired"): DeliveryStatus.UNDELIVERED,
    ("sendpulse", "expired"): DeliveryStatus.SOFT_BOUNCE,  # nor has it one for the end of it
}
SUPPRESSING = (
    DeliveryStatus.HARD_BOUNCE,
    DeliveryStatus.UNSUBSCRIBED,
    DeliveryStatus.COMPLAINED,
)
"""Whoever came to one of these gets no other message."""


def truth_of(outcomes: Iterable[Outcome]) -> Mapping[str, DeliveryStatus]:
    """How far the email to each address got; without those that were refused or never sent."""
    found: dict[str, DeliveryStatus] = {}
    for one in outcomes:
        status = _OTHERS.get((one.service, one.state), _STATUSES.get(one.state))
        if status is not None:
            found[one.address] = max(status, found.get(one.address, status))
    return found
