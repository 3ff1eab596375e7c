"""The events of Listmail's webhooks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from listmail import Listmail
from mailkit.errors import InvalidArgument
from mailkit.events import DeliveryEvent, DeliveryStatus, UnknownEvent
from mailkit.provider import WebhookProviderClass

ARRIVED = {"event": "arrived", "email": "ann@shop.by", "campaign": 7, "at": 1767225600}


def test_events_have_statuses_and_the_campaign() -> None:
    items: list[dict[str, Any]] = [ARRIVED, {"event": "printed", "at": "1767225600"}]
    arrived, printed = Listmail.parse_webhook(json.dumps(items).encode())
    assert isinstance(arrived, DeliveryEvent)
    assert (arrived.status, arrived.reference) == (DeliveryStatus.DELIVERED, "7")
    assert isinstance(printed, UnknownEvent)
    assert printed.at == arrived.at


def test_what_is_not_an_event_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="campaign"):
        Listmail.parse_webhook(json.dumps({**ARRIVED, "campaign": None}).encode())


def test_the_class_says_that_it_has_webhooks() -> None:
    assert isinstance(Listmail, WebhookProviderClass)
