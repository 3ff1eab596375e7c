"""SendPulse's webhooks: what became of each email, of lists and of campaigns, as events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailkit.core.webhook_items import WebhookItem, webhook_items
from mailkit.events import (
    CampaignEvent,
    DeliveryEvent,
    DeliveryStatus,
    SubscriptionEvent,
    UnknownEvent,
    WebhookEvent,
)
from mailkit.providers.sendpulse.codes import WebhookAction

__all__ = ["parse_webhook"]

_NAME = "sendpulse"
_STATUSES: Mapping[str, DeliveryStatus] = {
    WebhookAction.DELIVERED: DeliveryStatus.DELIVERED,
    WebhookAction.OPEN: DeliveryStatus.OPENED,
    WebhookAction.REDIRECT: DeliveryStatus.CLICKED,
    WebhookAction.SOFT_BOUNCES: DeliveryStatus.SOFT_BOUNCE,
    WebhookAction.HARD_BOUNCES: DeliveryStatus.HARD_BOUNCE,
    WebhookAction.UNSUBSCRIBE: DeliveryStatus.UNSUBSCRIBED,
    WebhookAction.SPAM: DeliveryStatus.COMPLAINED,
}
_DEVICE = {
    "open_device": "device",
    "open_platform": "platform",
    "browser_name": "browser",
    "browser_ver": "browser_version",
}


def parse_webhook(body: bytes) -> Sequence[WebhookEvent]:
    """The events in the body of a post.

    Raises InvalidArgument for a body that is not one, which says where and shows no addresses.
    """
    return [_event(item) for item in webhook_items(body)]


def _event(item: WebhookItem) -> WebhookEvent:
    name, at = item.need("event"), item.time("timestamp")
    known, address = name.lower(), item.address("email")
    status = _STATUSES.get(known)
    if status is not None and address is not None:
        return DeliveryEvent(
            provider=_NAME,
            name=name,
            at=at,
            address=address,
            raw=item.raw,
            status=status,
            reference=item.text("task_id"),
            reason=item.text("smtp_server_response") or item.text("reason") or "",
            link=item.text("link_url"),
            device=item.texts(_DEVICE),
        )
    if known in (WebhookAction.NEW_EMAILS, WebhookAction.DELETE):
        return SubscriptionEvent(
            provider=_NAME,
            name=name,
            at=at,
            address=address,  # a contact may have a phone number alone
            raw=item.raw,
            subscribed=known == WebhookAction.NEW_EMAILS,
            list_id=item.text("book_id"),
        )
    if known == WebhookAction.TASK_STATUS_UPDATE:
        return CampaignEvent(
            provider=_NAME,
            name=name,
            at=at,
            raw=item.raw,
            reference=item.need("task_id"),
            status=item.need("status"),
            explanation=item.text("status_explain") or "",
        )
    return UnknownEvent(provider=_NAME, name=name, at=at, address=address, raw=item.raw)
