"""What a webhook's event is equal to when it is delivered again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.events import (
    CampaignEvent,
    DeliveryEvent,
    DeliveryStatus,
    SubscriptionEvent,
    UnknownEvent,
    WebhookEvent,
)

AT = datetime(2026, 9, 1, 12, tzinfo=UTC)
OPENED = DeliveryEvent(
    provider="sendpulse",
    name="open",
    at=AT,
    address="Ann@shop.by",
    raw={"event": "open", "email": "Ann@shop.by"},
    status=DeliveryStatus.OPENED,
    reference="7",
    device={"platform": "Linux"},
)
KINDS: tuple[WebhookEvent, ...] = (
    OPENED,
    SubscriptionEvent(provider="sendpulse", name="delete", at=AT, subscribed=False, list_id="3"),
    CampaignEvent(provider="sendpulse", name="task", at=AT, reference="7", status="sending"),
    UnknownEvent(provider="sendpulse", name="snoozed", at=AT, raw={"event": "snoozed"}),
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    SCALARS, lambda one: st.lists(one) | st.dictionaries(st.text(), one), max_leaves=8
)


@pytest.mark.parametrize("event", KINDS, ids=lambda event: type(event).__name__)
def test_an_event_is_a_value_whose_original_is_not_shown(event: WebhookEvent) -> None:
    same = attrs.evolve(event)
    assert same == event
    assert hash(same) == hash(event)
    assert same.identity == event.identity
    assert "raw" not in repr(event)


@pytest.mark.parametrize(
    "other",
    [
        attrs.evolve(OPENED, name="delivered"),
        attrs.evolve(OPENED, provider="devino"),
        attrs.evolve(OPENED, address="bob@shop.by"),
        attrs.evolve(OPENED, at=AT + timedelta(milliseconds=1)),
        attrs.evolve(OPENED, reference="8"),
        attrs.evolve(OPENED, reference=None, message_id="7"),
        attrs.evolve(OPENED, token="7"),
        attrs.evolve(OPENED, link="https://shop.by"),
    ],
)
def test_another_event_has_another_identity(other: DeliveryEvent) -> None:
    assert other.identity != OPENED.identity


def test_spelling_and_order_of_keys_make_no_other_event() -> None:
    again = attrs.evolve(OPENED, name="OPEN", address="ann@shop.by", raw={})
    assert again.identity == OPENED.identity


def test_other_kinds_are_told_apart_by_what_they_are_about() -> None:
    _, left, campaign, _ = KINDS
    assert isinstance(left, SubscriptionEvent)
    assert isinstance(campaign, CampaignEvent)
    assert attrs.evolve(left, list_id="4").identity != left.identity
    assert attrs.evolve(campaign, status="approve").identity != campaign.identity


@pytest.mark.parametrize(
    "make",
    [
        lambda raw: attrs.evolve(OPENED, at=None, raw=raw),
        lambda raw: UnknownEvent(provider="sendpulse", name="snoozed", at=AT, raw=raw),
    ],
    ids=["without a time", "unknown"],
)
def test_what_has_no_time_or_no_known_name_is_compared_whole(
    make: Callable[[dict[str, object]], WebhookEvent],
) -> None:
    first = make({"id": 5, "at": "never", "more": [{"a": 1, "b": None}]})
    again = make({"at": "never", "more": [{"b": None, "a": "1"}], "id": "5"})
    other = make({"id": 5, "at": "never", "more": [{"a": 2, "b": None}]})
    assert first.identity == again.identity
    assert first.identity != other.identity


@given(st.dictionaries(st.text(), JSON))
def test_whatever_an_unknown_event_holds_it_has_an_identity(raw: dict[str, object]) -> None:
    event = UnknownEvent(provider="devino", name="LATER", raw=raw)
    again = attrs.evolve(event, raw=dict(reversed(raw.items())))
    assert event.identity == again.identity
    assert event.identity.encode()


def test_half_of_a_surrogate_pair_is_told_apart_too() -> None:
    first, other = (attrs.evolve(OPENED, link=f"https://shop.by/{half}") for half in "\ud800\udfff")
    assert first.identity == attrs.evolve(first).identity
    assert first.identity != other.identity
    assert first.identity.encode()
