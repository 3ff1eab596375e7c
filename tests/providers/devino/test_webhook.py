"""Devino's callbacks as events: its eleven states, and what was sent along."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from mailkit.errors import InvalidArgument
from mailkit.events import (
    DeliveryEvent,
    DeliveryStatus,
    SubscriptionEvent,
    UnknownEvent,
    WebhookEvent,
)
from mailkit.providers.devino import Devino

from ..parsing import bodies, check

SAMPLE = (Path(__file__).parents[2] / "samples/devino/callbacks.json").read_bytes()
SENT = {"messageId": "gx1", "ts": 1767225600504, "status": "SENT", "email": "ann@shop.by"}


def parse(*items: dict[str, Any]) -> list[WebhookEvent]:
    return list(Devino.parse_webhook(json.dumps(items).encode()))


def token(**more: object) -> str | None:
    [event] = parse({**SENT, **more})
    assert isinstance(event, DeliveryEvent)
    return event.token


def test_every_state_has_its_status() -> None:
    events = Devino.parse_webhook(SAMPLE)
    statuses = {one.name: one.status for one in events if isinstance(one, DeliveryEvent)}
    assert statuses == {
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
    assert [one.name for one in events if isinstance(one, SubscriptionEvent)] == ["SUBSCRIBED"]
    [unknown] = [one for one in events if isinstance(one, UnknownEvent)]
    assert (unknown.name, unknown.address, unknown.raw["for"]) == ("SNOOZED", "ann@shop.by", 5)
    assert all(one.at is not None and one.at.year == 2026 for one in events)


def test_an_event_has_what_the_item_says() -> None:
    [event] = parse({**SENT, "later": {"more": [1]}})
    assert event == DeliveryEvent(
        provider="devino",
        name="SENT",
        at=datetime(2026, 1, 1, 0, 0, 0, 504_000, tzinfo=UTC),
        address="ann@shop.by",
        raw={**SENT, "later": {"more": [1]}},
        status=DeliveryStatus.SENT,
        message_id="gx1",
    )


def test_case_and_kind_of_values_make_no_other_event() -> None:
    odd = {"MESSAGEID": "gx1", "Ts": "1767225600504", "STATUS": "sent", "Email": "Ann@Shop.by"}
    [one], [other] = parse(SENT), parse(odd)
    assert isinstance(other, DeliveryEvent)
    assert other.status is DeliveryStatus.SENT
    assert other.identity == one.identity


@pytest.mark.parametrize(
    "more",
    [
        {"mailkit": "key/1/2"},
        {"Mailkit": " key/1/2 "},
        {"extraData": {"mailkit": "key/1/2"}},
        {"ANYTHING": {"MAILKIT": "key/1/2", "other": 1}},
        {"other": {"a": 1}, "ExtraData": '{"mailkit": "key/1/2"}'},
        {"broken": '{"mailkit', "deep": '{"mailkit":' * 9999, "x": {"mailkit": "key/1/2"}},
    ],
)
def test_what_was_sent_along_is_found_wherever_it_comes_back(more: dict[str, object]) -> None:
    assert token(**more) == "key/1/2"


@pytest.mark.parametrize(
    "more", [{}, {"mailkit": None}, {"mailkit": ["key"]}, {"extraData": ["mailkit"]}]
)
def test_nothing_sent_along_is_none(more: dict[str, object]) -> None:
    assert token(**more) is None


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"status": None}, "status"),
        ({"status": ["SENT"]}, "status"),
        ({"status": " "}, "status"),
    ],
)
def test_an_item_without_what_makes_it_an_event_is_refused(
    changes: dict[str, object], missing: str
) -> None:
    with pytest.raises(InvalidArgument, match=f"item 2 .* {missing}") as caught:
        parse(SENT, {**SENT, **changes})
    assert "ann" not in str(caught.value)


@pytest.mark.parametrize("email", ["", None, {"a": 1}])
def test_an_item_without_an_address_costs_no_other_item(email: object) -> None:
    one, other = parse(SENT, {**SENT, "email": email})
    assert isinstance(one, DeliveryEvent)
    assert isinstance(other, UnknownEvent)
    assert other.address is None


@pytest.mark.parametrize("status", ["SUBSCRIBED", "PRINTED"])
def test_whatever_is_said_of_an_email_has_its_token(status: str) -> None:
    [event] = parse({**SENT, "status": status, "mailkit": "token"})
    assert event.token == "token"


@pytest.mark.parametrize("ts", [None, "soon", -1, 10**30, 1e300, "NaN", 1767225600])
def test_a_time_that_can_t_be_one_is_none(ts: object) -> None:
    [event] = parse({**SENT, "ts": ts})
    assert event.at is None


@given(bodies(SENT, ["SENT", "bounced", "SUBSCRIBED"]))
def test_whatever_comes_is_events_or_refused(body: bytes) -> None:
    check(Devino.parse_webhook, body)


def test_a_sample_s_originals_are_the_same_events() -> None:
    check(Devino.parse_webhook, SAMPLE)
