"""What Listmail posts about each email, as events."""

from __future__ import annotations

from collections.abc import Sequence

from mailkit.events import DeliveryEvent, DeliveryStatus, UnknownEvent, WebhookEvent
from mailkit.provider import WebhookItem, webhook_items

__all__ = ["parse_webhook"]

_STATUSES = {
    "arrived": DeliveryStatus.DELIVERED,
    "bounced": DeliveryStatus.HARD_BOUNCE,
    "opted_out": DeliveryStatus.UNSUBSCRIBED,
}


def parse_webhook(body: bytes) -> Sequence[WebhookEvent]:
    """The events in the body of a post; InvalidArgument for a body that is not one."""
    return [_event(item) for item in webhook_items(body)]


def _event(item: WebhookItem) -> WebhookEvent:
    name, at = item.need("event"), item.time("at")
    if name not in _STATUSES:
        return UnknownEvent(provider="listmail", name=name, at=at, raw=item.raw)
    return DeliveryEvent(
        provider="listmail",
        name=name,
        at=at,
        address=item.need_address("email"),
        raw=item.raw,
        status=_STATUSES[name],
        reference=item.need("campaign"),
    )
