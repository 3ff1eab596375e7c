"""Events of webhooks in the journal: what is counted, what is known again, whose they are."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from mailkit.bulk.journal import HandlerCall, Journal, Recorded
from mailkit.events import (
    CampaignEvent,
    DeliveryEvent,
    DeliveryStatus,
    SubscriptionEvent,
    UnknownEvent,
    WebhookEvent,
)
from mailkit.provider import Sent

from .fakes import memory_journal, people
from .jobs import at, planned, snapshot, states, take

AT = datetime(2026, 10, 1, 12, tzinfo=UTC)
OPENED = DeliveryEvent(
    provider="fake", name="open", at=AT, status=DeliveryStatus.OPENED, raw={"word": "open"}
)


def about(token: str | None, address: str, *, reference: str | None = None) -> DeliveryEvent:
    return attrs.evolve(OPENED, token=token, address=address, reference=reference)


async def record(journal: Journal, *events: WebhookEvent, now: float = 5.0) -> Recorded:
    return await journal.events.record(events, now=now)


async def test_events_find_their_rows_by_the_token_that_went_with_them() -> None:
    async with memory_journal() as journal:
        job = await planned(journal, people(4))
        taken = await take(journal, job)
        tokens = [taken.task.token(row) for row in taken.task.rows]
        await journal.chunks.accept(job, taken.ticket, 3.0, Sent(None))
        assert await record(journal, about(tokens[1], "P1@example.com ")) == Recorded(applied=1)
        assert (await snapshot(journal, job)).deliveries == {DeliveryStatus.OPENED: 1}


async def test_events_find_their_rows_by_reference_and_address() -> None:
    async with memory_journal() as journal:
        job = await planned(journal, people(4))
        await journal.chunks.accept(job, (await take(journal, job)).ticket, 3.0, Sent("77"))
        event = about(None, "p1@example.com", reference="77")
        strange = about(None, "p2@example.com", reference="77")  # of another chunk
        assert await record(journal, event, strange) == Recorded(applied=1, foreign=1)
        assert (await snapshot(journal, job)).deliveries == {DeliveryStatus.OPENED: 1}


async def test_a_repeat_counts_once_and_no_more_after_some_days() -> None:
    async with memory_journal() as journal:
        job = await planned(journal, people(4))
        taken = await take(journal, job)
        event = about(taken.task.token(taken.task.rows[0]), "p0@example.com")
        now = AT.timestamp()
        assert await record(journal, event, event, now=now) == Recorded(applied=1, repeated=1)
        assert await record(journal, event, now=now + 60) == Recorded(repeated=1)
        later = now + 8 * 24 * 3600
        assert await record(journal, attrs.evolve(event, link="a"), now=later) == Recorded(
            applied=1
        )
        assert await record(journal, event, now=later) == Recorded(applied=1)  # harmless by then
        assert (await snapshot(journal, job)).deliveries == {DeliveryStatus.OPENED: 1}


async def test_events_of_others_change_nothing() -> None:
    async with memory_journal() as journal, memory_journal() as other:
        job = await planned(journal, people(4))
        taken = await take(journal, job)
        await journal.chunks.accept(job, taken.ticket, 3.0, Sent("77"))
        token = taken.task.token(taken.task.rows[0])
        theirs = await take(other, await planned(other, people(4)))
        before = await snapshot(journal, job)
        strangers = [
            about(None, "p0@example.com"),
            about(None, "p0@example.com", reference="78"),
            attrs.evolve(about(None, "p0@example.com", reference="77"), provider="other"),
            attrs.evolve(about(token, "p0@example.com"), provider="other"),
            about(token, "p1@example.com"),
            attrs.evolve(about(token, ""), address=None),
            about(token + "0", "p0@example.com"),
            about(theirs.task.token(theirs.task.rows[0]), "p0@example.com"),
            about("autumn/1/1", "p0@example.com"),
            about("", "p0@example.com"),
        ]
        assert await record(journal, *strangers) == Recorded(foreign=len(strangers))
        assert await snapshot(journal, job) == before


async def test_what_is_not_about_a_message_is_counted_apart() -> None:
    async with memory_journal() as journal:
        job = await planned(journal, people(4))
        await journal.chunks.accept(job, (await take(journal, job)).ticket, 3.0, Sent("77"))
        events = [
            UnknownEvent(provider="fake", name="strange", at=AT),
            SubscriptionEvent(provider="fake", name="new", at=AT, subscribed=True),
            CampaignEvent(provider="fake", name="task", at=AT, reference="77", status="sent"),
            CampaignEvent(provider="fake", name="task", at=AT, reference="78", status="sent"),
        ]
        recorded = await record(journal, *events)
        assert recorded == Recorded(applied=1, foreign=1, other=2)
        assert recorded.new == 4


# handlers


def handlers(event: WebhookEvent) -> list[str]:
    return ["first", "second"] if event.name == "open" else []


async def called(journal: Journal, *, now: float = 6.0) -> list[HandlerCall]:
    return await journal.handler_calls.claim(["first"], now=now, lease=60.0)


async def test_handlers_are_called_for_what_is_new() -> None:
    async with memory_journal() as journal:
        unknown = UnknownEvent(provider="fake", name="strange", at=AT)
        batch = [about(None, "a@example.com"), unknown, about(None, "A@example.com")]
        for _ in range(2):
            await journal.events.record(batch, now=5.0, handlers=handlers)
        [call] = await called(journal)
        assert (call.handler, call.provider, call.tries) == ("first", "fake", 1)
        assert call.event == '{"word":"open"}'
        assert await journal.handler_calls.waiting() == {"first": 1, "second": 1}
        await journal.handler_calls.done(call)
        assert await called(journal) == []
        assert await journal.handler_calls.waiting() == {"second": 1}


async def test_a_call_that_is_lost_or_fails_is_made_again_by_nobody_else_meanwhile() -> None:
    async with memory_journal() as journal:
        await journal.events.record([about(None, "a@example.com")], now=5.0, handlers=handlers)
        [lost] = await called(journal)
        assert await called(journal, now=65.0) == []
        assert await journal.handler_calls.next_due(["first", "second"]) == 5.0
        assert await journal.handler_calls.next_due(["first"]) == 66.0
        assert await journal.handler_calls.next_due(["third"]) is None
        [again] = await called(journal, now=66.0)
        assert again == attrs.evolve(lost, tries=2)
        await journal.handler_calls.done(lost)  # too late: another one has it
        await journal.handler_calls.failed(lost, "late", due=70.0)
        assert await called(journal, now=125.0) == []
        await journal.handler_calls.failed(again, "no answer", due=200.0)
        assert await called(journal, now=199.0) == []
        assert [one.tries for one in await called(journal, now=200.0)] == [3]


@pytest.mark.parametrize("count", [0, 11])
async def test_batches_of_any_size(count: int) -> None:
    async with memory_journal() as journal:
        job = await planned(journal, people(1_200), chunk=100)
        tasks = [(await take(journal, job)).task for _ in range(12)]
        events = [
            about(task.token(row), row.address) for task in tasks[:count] for row in task.rows
        ]
        assert await record(journal, *events) == Recorded(applied=100 * count)
        accepted = [one for one in (await states(journal, job)).values() if one == "accepted"]
        assert len(accepted) == 100 * count


async def test_of_two_receivers_one_writes_an_event_down(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with at(path) as first, at(path) as second:
        job = await planned(first, people(20), chunk=20)
        taken = await take(first, job)
        events = [about(taken.task.token(row), row.address) for row in taken.task.rows]
        batches = [events[n : n + 5] for n in range(0, 20, 5)]
        found = await asyncio.gather(
            *(record(first, *batch) for batch in batches),
            *(record(second, *batch) for batch in reversed(batches)),
        )
        assert sum(one.applied for one in found) == sum(one.repeated for one in found) == 20
        assert (await first.reports.counts(job)).accepted == 20
