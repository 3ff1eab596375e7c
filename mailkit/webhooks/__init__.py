"""Takes what providers post about messages: ``WebhookReceiver``, an ASGI app and an aiohttp app."""

from mailkit.webhooks.counts import WebhookCounts
from mailkit.webhooks.receiver import WebhookReceiver

__all__ = ["WebhookCounts", "WebhookReceiver"]
