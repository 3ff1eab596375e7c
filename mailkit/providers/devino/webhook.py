"""Devino's callbacks: what became of each email, as events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from mailkit.core.webhook_items import WebhookItem, webhook_items
from mailkit.events import (
    DeliveryEvent,
    DeliveryStatus,
    SubscriptionEvent,
    UnknownEvent,
    WebhookEvent,
)
from mailkit.providers.devino.dispatch import TOKEN

__all__ = ["parse_webhook"]

_NAME = "devino"
_SUBSCRIBED = "SUBSCRIBED"
_STATUSES = {
    "ACCEPTED": DeliveryStatus.QUEUED,
    "SENT": DeliveryStatus.SENT,
    "DELIVERED": DeliveryStatus.DELIVERED,
    "EXPIRED": DeliveryStatus.EXPIRED,
    "OPENED": DeliveryStatus.OPENED,
    "CLICKED": DeliveryStatus.CLICKED,
    "BOUNCED": DeliveryStatus.HARD_BOUNCE,
    "REJECTED": DeliveryStatus.REJECTED,
    "UNSUBSCRIBED": DeliveryStatus.UNSUBSCRIBED,
    "COMPLAINED": DeliveryStatus.COMPLAINED,
}


def parse_webhook(body: bytes) -> Sequence[WebhookEvent]:
    """The events in the body of a callback.

    Raises InvalidArgument for a body that is not one, which says where and shows no addresses.
    """
    return [_event(item) for item in webhook_items(body)]


def _event(item: WebhookItem) -> WebhookEvent:
    name = item.need("status")
    at, token = item.time("ts", per_second=1000), _token(item)
    known, address = name.upper(), item.address("email")
    status = _STATUSES.get(known)
    if status is not None and address is not None:
        return DeliveryEvent(
            provider=_NAME,
            name=name,
            at=at,
            address=address,
            raw=item.raw,
            status=status,
            message_id=item.text("messageId"),
            token=token,
        )
    if known == _SUBSCRIBED:
        return SubscriptionEvent(
            provider=_NAME,
            name=name,
            at=at,
            address=address,
            token=token,
            raw=item.raw,
            subscribed=True,
        )
    return UnknownEvent(
        provider=_NAME, name=name, at=at, address=address, token=token, raw=item.raw
    )


def _token(item: WebhookItem) -> str | None:
    """What was sent along; where ExtraData comes back is not documented: in the item itself, or in
    an object in it.
    """
    if token := item.text(TOKEN):
        return token
    found = (WebhookItem(item.n, place).text(TOKEN) for place in _places(item.raw))
    return next(filter(None, found), None)


def _places(raw: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The objects in an item, be they JSON in a text."""
    for value in raw.values():
        place = _decoded(value) if isinstance(value, str) else value
        if isinstance(place, dict):
            yield place


def _decoded(text: str) -> object:
    if not (text.lstrip().startswith("{") and TOKEN in text):
        return None
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None
