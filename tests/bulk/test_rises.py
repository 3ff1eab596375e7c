"""When deliveries rose: each row once in each status that it reached, in the minute it happened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkit.bulk.journal import Details, JobRecord, Journal, Taken
from mailkit.core.dispatch import ChunkStatus
from mailkit.events import DeliveryEvent, DeliveryStatus
from mailkit.provider import PollResult, RowStatus, Sent

from .counted import checked
from .fakes import memory_journal, people
from .jobs import planned, take

DELIVERED, OPENED, CLICKED = (
    DeliveryStatus.DELIVERED,
    DeliveryStatus.OPENED,
    DeliveryStatus.CLICKED,
)
NOW = 100_000.0
Rise = tuple[float, int, int, int]


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


def event(row: int, status: DeliveryStatus, at: float | None = NOW) -> DeliveryEvent:
    return DeliveryEvent(
        provider="fake",
        name=status.name,
        at=None if at is None else datetime.fromtimestamp(at, UTC),
        address=f"p{row}@example.com",
        status=status,
        reference="77",
        raw={"row": row, "status": status.name},
    )


async def accepted(journal: Journal, rows: int = 3) -> tuple[JobRecord, Taken]:
    job = await planned(journal, people(rows), chunk=rows)
    taken = await take(journal, job)
    await journal.chunks.accept(job, taken.ticket, 3.0, Sent("77"))
    return job, taken


async def rises(journal: Journal) -> Sequence[Rise]:
    await checked(journal)

    def look(_: object, details: Details) -> Sequence[Rise]:
        return [*details.rises()]

    return await journal.reports.details("a", look) or []


async def test_each_event_counts_at_its_own_time(journal: Journal) -> None:
    await accepted(journal)
    told = [
        event(0, OPENED, 1_300.0),
        event(0, DELIVERED, 1_200.0),
        event(1, DELIVERED, 1_259.9),
        event(2, CLICKED, 1_260.0),
    ]
    await journal.events.record(told, now=NOW)
    assert await rises(journal) == [
        (1_200, 0, DELIVERED, 2),
        (1_260, 0, CLICKED, 1),
        (1_260, DELIVERED, OPENED, 1),
    ]


@pytest.mark.parametrize(
    ("at", "minute"), [(None, 99_960), (-5.0, 0), (0.0, 0), (5e9, 99_960), (120.0, 120)]
)
async def test_no_event_is_before_its_job_or_in_the_future(
    journal: Journal, at: float | None, minute: int
) -> None:
    await accepted(journal)
    await journal.events.record([event(0, OPENED, at)], now=NOW)
    assert await rises(journal) == [(minute, 0, OPENED, 1)]


async def test_an_event_that_came_before_its_chunk_keeps_its_time(journal: Journal) -> None:
    job = await planned(journal, people(2))
    taken = await take(journal, job)
    await journal.events.record([event(0, OPENED, 300.0), event(1, OPENED, None)], now=400.0)
    assert await rises(journal) == []
    await journal.chunks.accept(job, taken.ticket, NOW, Sent("77"))
    assert await rises(journal) == [(300, 0, OPENED, 1), (99_960, 0, OPENED, 1)]


async def test_a_repeat_and_a_late_word_count_nothing(journal: Journal) -> None:
    await accepted(journal)
    for told in (event(0, CLICKED), event(0, CLICKED), event(0, OPENED), event(0, DELIVERED)):
        await journal.events.record([told], now=NOW)
    assert await rises(journal) == [(99_960, 0, CLICKED, 1)]


async def test_what_a_poll_finds_adds_a_line_for_however_many_rows(journal: Journal) -> None:
    job, _ = await accepted(journal, 100)
    found = [RowStatus(address, DELIVERED, False, "") for address in people(99)]
    await journal.statuses.reconcile(job, 1, PollResult(found), now=NOW)
    assert await rises(journal) == [(99_960, 0, DELIVERED, 99)]
    await journal.statuses.reconcile(job, 1, PollResult(found), now=NOW + 600)
    assert len(await rises(journal)) == 1


async def test_what_is_said_of_a_whole_chunk_counts_who_was_not_so_far(journal: Journal) -> None:
    job, _ = await accepted(journal, 100)
    await journal.events.record([event(0, OPENED), event(1, DeliveryStatus.SENT)], now=NOW)
    whole = PollResult(others=ChunkStatus(delivery=DELIVERED))
    for _ in range(2):
        await journal.statuses.reconcile(job, 1, whole, now=NOW + 60)
    assert await rises(journal) == [
        (99_960, 0, DeliveryStatus.SENT, 1),
        (99_960, 0, OPENED, 1),
        (100_020, 0, DELIVERED, 98),
        (100_020, DeliveryStatus.SENT, DELIVERED, 1),
    ]


async def test_who_is_found_to_be_refused_goes_back(journal: Journal) -> None:
    job, taken = await accepted(journal)
    whole = PollResult(others=ChunkStatus(delivery=DeliveryStatus.SENT))
    await journal.statuses.reconcile(job, 1, whole, now=NOW)
    refused = [RowStatus("p0@example.com", None, True, "no")]
    ids = [job.ids[0] + row.n for row in taken.task.rows]
    await journal.statuses.reconcile_some(job, 1, ids, refused, now=NOW + 60)
    assert await rises(journal) == [
        (99_960, 0, DeliveryStatus.SENT, 3),
        (100_020, DeliveryStatus.SENT, 0, 1),
    ]


said = st.tuples(st.integers(0, 3), st.sampled_from(DeliveryStatus), st.floats(0, 1e5))


@settings(max_examples=50, deadline=None)
@given(told=st.lists(said, max_size=12), order=st.randoms(use_true_random=False))
async def test_in_whatever_order_and_batches_no_row_counts_twice(
    told: list[tuple[int, DeliveryStatus, float]], order: Random
) -> None:
    """Of those that come in the order of their ranks, each new one counts at its own time."""
    events = [event(*one) for one in {one[:2]: one for one in told}.values()]
    by_rank = sorted(events, key=lambda one: one.status)
    async with memory_journal() as journal:
        await accepted(journal, 4)
        await journal.events.record(by_rank, now=NOW)
        at_once = await rises(journal)
    minutes = sorted((one.at.timestamp() // 60 * 60, one.status) for one in events if one.at)
    assert sorted((at, after) for at, _, after, n in at_once for _ in range(n)) == minutes
    async with memory_journal() as journal:
        await accepted(journal, 4)
        for one in order.sample(events, len(events)):
            await journal.events.record([one], now=NOW)
        mixed = await rises(journal)
    for status in DeliveryStatus:
        reached = sum(n for _, before, after, n in mixed if before < status <= after)
        assert reached == sum(n for _, before, after, n in at_once if before < status <= after)
