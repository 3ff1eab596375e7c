"""SendPulse's webhooks as events: ten of them, and eight states of a campaign."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from mailkit.errors import InvalidArgument
from mailkit.events import (
    CampaignEvent,
    DeliveryEvent,
    DeliveryStatus,
    SubscriptionEvent,
    UnknownEvent,
    WebhookEvent,
)
from mailkit.providers.sendpulse import SendPulse, WebhookAction

from ..parsing import bodies, check

SAMPLE = (Path(__file__).parents[2] / "samples/sendpulse/webhook.json").read_bytes()
OPEN = {"timestamp": "1767225600", "event": "open", "task_id": "36681", "email": "ann@shop.by"}


def parse(*items: dict[str, Any]) -> list[WebhookEvent]:
    return list(SendPulse.parse_webhook(json.dumps(items).encode()))


def test_every_event_has_its_kind_and_status() -> None:
    events = SendPulse.parse_webhook(SAMPLE)
    statuses = {one.name: one.status for one in events if isinstance(one, DeliveryEvent)}
    lists = [one for one in events if isinstance(one, SubscriptionEvent)]
    assert statuses == {
        "delivered": DeliveryStatus.DELIVERED,
        "open": DeliveryStatus.OPENED,
        "redirect": DeliveryStatus.CLICKED,
        "soft_bounces": DeliveryStatus.SOFT_BOUNCE,
        "hard_bounces": DeliveryStatus.HARD_BOUNCE,
        "spam": DeliveryStatus.COMPLAINED,
        "unsubscribe": DeliveryStatus.UNSUBSCRIBED,
    }
    assert [(one.name, one.subscribed, one.list_id) for one in lists] == [
        ("new_emails", True, "490686"),
        ("delete", False, "490686"),
    ]
    [campaign] = [one for one in events if isinstance(one, CampaignEvent)]
    assert (campaign.reference, campaign.status) == ("36682", "need_edit")
    assert campaign.explanation == "Rejected: edit the body"
    [unknown] = [one for one in events if isinstance(one, UnknownEvent)]
    assert (unknown.name, unknown.raw["to"]) == ("forwarded", 3)
    assert {one.name for one in events} - {"forwarded"} == set(WebhookAction)


def test_an_open_and_a_click_say_with_what() -> None:
    _, opened, clicked, *_ = SendPulse.parse_webhook(SAMPLE)
    assert isinstance(opened, DeliveryEvent)
    assert isinstance(clicked, DeliveryEvent)
    assert opened.device == {
        "device": "Desktop",
        "platform": "Windows",
        "browser": "Firefox",
        "browser_version": "11.0",
    }
    assert clicked.device == {
        "device": "Desktop",
        "platform": "Linux",
        "browser": "Chrome",
        "browser_version": "58",
    }
    assert (opened.link, clicked.link) == (None, "https://shop.by/autumn")


def test_bounces_and_unsubscribers_say_why() -> None:
    reasons = {
        (one.name, one.address, one.reference): one.reason
        for one in SendPulse.parse_webhook(SAMPLE)
        if isinstance(one, DeliveryEvent) and one.reason
    }
    assert reasons == {
        ("soft_bounces", "bob@shop.by", "36681"): "450 mailbox busy",
        ("hard_bounces", "eve@shop.by", "36681"): "550 no such user",
        ("unsubscribe", "bob@shop.by", None): "too many",
    }


def test_an_event_has_what_the_item_says() -> None:
    [event] = SendPulse.parse_webhook(json.dumps({**OPEN, "later": 1}).encode())
    assert event == DeliveryEvent(
        provider="sendpulse",
        name="open",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        address="ann@shop.by",
        raw={**OPEN, "later": 1},
        status=DeliveryStatus.OPENED,
        reference="36681",
    )


def test_numbers_and_text_make_no_other_event() -> None:
    [one], [other] = parse(OPEN), parse({**OPEN, "timestamp": 1767225600, "task_id": 36681})
    assert one.identity == other.identity


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"event": None}, "event"),
        ({"event": {"name": "open"}}, "event"),
        ({"event": "task_status_update", "task_id": "", "status": "sending"}, "task_id"),
        ({"event": "task_status_update", "status": None}, "status"),
    ],
)
def test_an_item_without_what_makes_it_an_event_is_refused(
    changes: dict[str, object], missing: str
) -> None:
    with pytest.raises(InvalidArgument, match=f"item 2 .* {missing}") as caught:
        parse(OPEN, {**OPEN, **changes})
    assert "ann" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"email": None}, UnknownEvent),
        ({"event": "delete", "email": " "}, SubscriptionEvent),
        ({"event": "new_emails", "email": None, "phone": "375291112233"}, SubscriptionEvent),
    ],
)
def test_an_item_without_an_address_costs_no_other_item(
    changes: dict[str, object], kind: type[WebhookEvent]
) -> None:
    one, other = parse(OPEN, {**OPEN, **changes})
    assert isinstance(one, DeliveryEvent)
    assert isinstance(other, kind)
    assert other.address is None


@pytest.mark.parametrize("at", [None, "soon", -1, 10**30, 1e300, "NaN", 1767225600000])
def test_a_time_that_can_t_be_one_is_none(at: object) -> None:
    [event] = parse({**OPEN, "timestamp": at})
    assert event.at is None


@given(bodies(OPEN, [*WebhookAction, "later"]))
def test_whatever_comes_is_events_or_refused(body: bytes) -> None:
    check(SendPulse.parse_webhook, body)


def test_a_sample_s_originals_are_the_same_events() -> None:
    check(SendPulse.parse_webhook, SAMPLE)
