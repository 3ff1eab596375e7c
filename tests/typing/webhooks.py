"""Checked by mypy --strict and pyright, never run: handlers get the events that they ask for.

Each ``type: ignore`` stands for a misuse that the checkers must refuse.
"""

from __future__ import annotations

from typing import assert_type

from mailkit import DeliveryStatus, Journal, WebhookReceiver
from mailkit.events import CampaignEvent, DeliveryEvent, SubscriptionEvent, WebhookEvent
from mailkit.webhooks import WebhookCounts


async def any_event(event: WebhookEvent) -> None: ...


async def delivery(event: DeliveryEvent) -> int:
    return event.status


def not_async(event: DeliveryEvent) -> None: ...


def registered(receiver: WebhookReceiver) -> None:
    receiver.on(WebhookEvent)(any_event)
    receiver.on(DeliveryEvent)(delivery)
    receiver.on(DeliveryEvent)(any_event)
    receiver.on(DeliveryStatus.UNSUBSCRIBED, DeliveryStatus.COMPLAINED, name="left")(delivery)
    receiver.on(CampaignEvent, SubscriptionEvent)(any_event)
    receiver.on(WebhookEvent)(delivery)  # type: ignore[arg-type]
    receiver.on(CampaignEvent)(delivery)  # type: ignore[arg-type]
    receiver.on(DeliveryEvent)(not_async)  # type: ignore[arg-type]
    receiver.on("UNSUBSCRIBED")(delivery)  # type: ignore[call-overload]
    receiver.on()(delivery)  # type: ignore[call-overload]


def made(journal: Journal) -> None:
    assert_type(WebhookReceiver(journal, secret="one").counts, WebhookCounts)
    WebhookReceiver("journal.db", secret=["new", "old"])
    WebhookReceiver(journal)  # type: ignore[call-arg]
