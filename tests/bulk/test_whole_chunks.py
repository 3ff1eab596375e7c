"""A service that takes a chunk as a whole, and speaks of it as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta

import attrs
import pytest

from mailkit.bulk.journal import Journal, Recorded, RowRecord
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import AuthenticationFailed, MailkitError, Unavailable
from mailkit.events import CampaignEvent, ChunkAccepted, DeliveryStatus, JobEvent
from mailkit.message import Message
from mailkit.provider import (
    ChunkStatus,
    Dispatch,
    PollResult,
    RowStatus,
    Sent,
    Stage,
    Task,
)
from mailkit.testing import FakeClock

from .fakes import MESSAGE, FakeDispatch, FakeProvider, memory_journal, people
from .jobs import until_waiting

STAGES = (Stage("send", carries_rows=False, rows_refusable=False),)
SENT = ChunkStatus(DeliveryStatus.SENT)
IN_DOUBT = ChunkStatus(in_doubt=True, reason="a part of it was sent")
Poll = Callable[[], PollResult]


@attrs.define
class CampaignProvider(FakeProvider):
    """``polls`` are what it says of its chunks, the last of them for ever; ``named`` what it says
    of single people, or raises.
    """

    clock: FakeClock = attrs.field(factory=FakeClock)
    polls: list[Poll | MailkitError] = attrs.field(factory=list)
    named: dict[str, RowStatus | MailkitError] = attrs.field(factory=dict)
    asked: list[str] = attrs.field(factory=list)
    looks: list[float] = attrs.field(factory=list)
    marks: list[str | None] = attrs.field(factory=list)

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        return CampaignDispatch(self)

    def again(self, seconds: float = 300.0) -> Poll:
        """It is in moderation."""
        return lambda: PollResult(
            again=datetime.fromtimestamp(self.clock.now() + seconds, UTC),
            why="the moderators look at it",
            statistics={"queued": self.chunk_rows},
        )

    def ends(self, others: ChunkStatus, **statistics: int) -> Poll:
        """It is over."""
        return lambda: PollResult(others=others, statistics=statistics, ask=self.ask)

    async def ask(self, address: str) -> RowStatus | None:
        self.asked.append(address)
        found = self.named.get(address)
        if isinstance(found, MailkitError):
            raise found
        return found


class CampaignDispatch(FakeDispatch):
    stages: Sequence[Stage] = STAGES

    def __init__(self, provider: CampaignProvider) -> None:
        super().__init__(provider, STAGES)
        self.shop = provider

    async def perform(self, task: Task) -> Sent:
        return attrs.evolve(await super().perform(task), cursor="from the chunk")

    async def poll(self, reference: str, cursor: str | None) -> PollResult:
        shop = self.shop
        shop.looks.append(shop.clock.now())
        shop.marks.append(cursor)
        step = shop.polls[0] if len(shop.polls) == 1 else shop.polls.pop(0)
        if isinstance(step, MailkitError):
            raise step
        return step()


@attrs.frozen
class World:
    clock: FakeClock
    journal: Journal
    shop: CampaignProvider
    events: list[JobEvent]

    async def send(self, count: int = 3, *, track: float = 0.0) -> Report:
        settings = EngineSettings(track=track)
        async with self.sender(settings) as sender:
            job = await sender.start(MESSAGE, read_recipients(people(count)), name="autumn")
            return await job.wait()

    async def resume(self) -> Report:
        async with self.sender() as sender:
            return await (await sender.resume("autumn")).wait()

    def sender(self, settings: EngineSettings = EngineSettings()) -> BulkSender:
        return BulkSender(
            self.shop,
            journal=self.journal,
            clock=self.clock,
            settings=settings,
            hooks=[self.events.append],
        )

    async def rows(self) -> list[RowRecord]:
        record = await self.journal.jobs.get("autumn")
        return [row async for batch in self.journal.reports.rows(record) for row in batch]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = FakeClock()
    async with memory_journal() as journal:
        yield World(clock, journal, CampaignProvider(clock=clock), [])


async def test_what_holds_for_all_needs_no_names(world: World) -> None:
    world.shop.polls = [world.shop.ends(SENT, sent=3, opened=1)]
    report = await world.send(6)
    assert report.complete
    assert (report.unreconciled, report.deliveries) == (0, {DeliveryStatus.SENT: 6})
    assert report.statistics == {"sent": 6, "opened": 2}
    assert world.shop.asked == []
    accepted = [event.accepted for event in world.events if isinstance(event, ChunkAccepted)]
    assert accepted == [3, 3]


async def test_the_first_poll_gets_the_mark_of_the_sending(world: World) -> None:
    world.shop.polls = [world.shop.again(), world.shop.ends(SENT)]
    await world.send()
    assert world.shop.marks == ["from the chunk", None]


async def test_moderation_is_waited_out(world: World) -> None:
    shop = world.shop
    shop.polls = [*[shop.again()] * 200, shop.ends(SENT)]
    report = await world.send()
    assert report.complete
    assert (report.waiting, report.counts.accepted) == (None, 3)
    assert len(shop.looks) == 201
    assert all(row.reason is None for row in await world.rows())


async def test_what_is_waited_for_is_told_to_everybody(world: World) -> None:
    world.shop.polls = [world.shop.again()]
    async with world.sender() as sender:
        job = await sender.start(MESSAGE, read_recipients(people(3)), name="autumn")
        step = await until_waiting(job)
        assert step.waiting is not None
        assert (step.waiting.why, step.waiting.sent) == ("the moderators look at it", True)
        report = await make_report(world.journal, "autumn")
        assert report.waiting is not None
        assert (report.waiting.why, report.waiting.sent) == ("the moderators look at it", True)
        assert report.statistics == {"queued": 3}


async def test_a_campaign_of_which_a_webhook_speaks_is_asked_about_soon(world: World) -> None:
    world.shop.polls = [world.shop.again(3_000.0), world.shop.ends(SENT)]
    async with world.sender() as sender:
        job = await sender.start(MESSAGE, read_recipients(people(3)), name="autumn")
        await until_waiting(job)
        event = CampaignEvent(provider="fake", name="task", reference="1", status="sent")
        recorded = await world.journal.events.record([event], now=world.clock.now())
        assert recorded == Recorded(applied=1)
        assert (await job.wait()).deliveries == {DeliveryStatus.SENT: 3}
    first, second = world.shop.looks
    assert second - first < 3_000


async def test_moderation_is_not_waited_for_longer_than_a_day(world: World) -> None:
    world.shop.polls = [world.shop.again()]
    began = world.clock.now()
    report = await world.send()
    assert timedelta(hours=24) <= timedelta(seconds=world.clock.now() - began)
    assert timedelta(hours=25) > timedelta(seconds=world.clock.now() - began)
    assert (report.counts.accepted, report.counts.in_doubt, report.unreconciled) == (3, 0, 3)
    world.shop.polls = [world.shop.ends(SENT)]
    report = await world.resume()
    assert (report.unreconciled, report.waiting) == (0, None)


async def test_nobody_is_in_doubt_since_the_status_can_not_be_fetched(world: World) -> None:
    shop = world.shop
    shop.polls = [*[Unavailable("down")] * 50, shop.ends(SENT)]
    report = await world.send()
    assert report.complete
    assert report.deliveries == {DeliveryStatus.SENT: 3}
    waits = [b - a for a, b in zip(shop.looks, shop.looks[1:], strict=False)]
    assert (round(waits[0]), round(waits[-1])) == (5, 300)


async def test_wrong_credentials_end_the_questions(world: World) -> None:
    world.shop.polls = [AuthenticationFailed("no")]
    report = await world.send()
    assert "can't be used: no" in (report.stopped or "")


async def test_a_chunk_that_was_not_sent_is_rejected(world: World) -> None:
    rejected = ChunkStatus(rejected=True, reason="no active addresses")
    world.shop.polls = [world.shop.ends(rejected)]
    report = await world.send()
    assert (report.counts.rejected, report.complete, report.stopped) == (3, True, None)
    assert report.rejections == ["chunk 1, 3 rows: no active addresses"]
    world.shop.polls = [world.shop.ends(SENT)]
    async with world.sender() as sender:
        report = await (await sender.resume("autumn", rejected=True)).wait()
    assert (report.counts.accepted, report.counts.rejected) == (3, 0)


async def test_a_chunk_that_the_service_blocks_stops_the_others(world: World) -> None:
    blocked = ChunkStatus(rejected=True, reason="blocked", held=True)
    world.shop.polls = [world.shop.again(), world.shop.ends(blocked)]
    report = await world.send(3)
    assert report.counts.rejected == 3
    assert "blocked; once that is fixed, resume with --rejected" in (report.stopped or "")


async def test_of_whom_something_was_heard_stays_accepted(world: World) -> None:
    async def heard() -> None:
        record = await world.journal.jobs.get("autumn")
        record = await world.journal.workers.join(record)
        named = RowStatus("p1@example.com", DeliveryStatus.OPENED, False, "")
        rows = await world.journal.statuses.some(record, 1, after=0, heard=False, limit=9)
        await world.journal.statuses.reconcile_some(record, 1, [rows[1][0]], [named], now=3.0)
        await world.journal.workers.leave(record)

    world.shop.polls = [world.shop.again()]
    async with world.sender() as sender:
        job = await sender.start(MESSAGE, read_recipients(people(3)), name="autumn")
        await until_waiting(job)
        await heard()
    world.shop.polls = [world.shop.ends(ChunkStatus(rejected=True, reason="cancelled"))]
    await world.resume()
    assert [(row.state, row.delivery) for row in await world.rows()] == [
        ("rejected", None),
        ("accepted", DeliveryStatus.OPENED),
        ("rejected", None),
    ]


async def test_a_part_that_was_sent_is_asked_for_row_by_row(world: World) -> None:
    world.shop.polls = [world.shop.ends(IN_DOUBT)]
    world.shop.named = {
        "p0@example.com": RowStatus("p0@example.com", DeliveryStatus.DELIVERED, False, ""),
        "p1@example.com": RowStatus("p1@example.com", None, True, "not sent"),
    }
    report = await world.send()
    assert [(row.state, row.reason) for row in await world.rows()] == [
        ("accepted", None),
        ("rejected", "not sent"),
        ("in doubt", "a part of it was sent"),
    ]
    assert world.shop.asked == people(3)
    assert (report.counts.in_doubt, report.unreconciled) == (1, 0)


PARTLY = ChunkStatus(in_doubt=True, reason="the balance is used up", held=True, mailed=1, unsent=2)


def named(address: str, delivery: DeliveryStatus | None, reason: str = "") -> RowStatus:
    return RowStatus(address, delivery, delivery is None, reason)


def partly(world: World, others: ChunkStatus = PARTLY) -> Poll:
    """It is over, and asked about again until names and numbers agree."""
    return lambda: attrs.evolve(world.shop.again()(), others=others, ask=world.shop.ask)


async def test_nobody_is_rejected_against_the_numbers(world: World) -> None:
    """Results that come late first say nothing, or that nothing was sent."""
    shop = world.shop
    shop.named = {"p1@example.com": named("p1@example.com", None, "not sent")}
    shop.polls = [*[partly(world)] * 5]

    async with world.sender() as sender:
        job = await sender.start(MESSAGE, read_recipients(people(3)), name="autumn")
        step = await until_waiting(job)
        assert (step.counts.accepted, step.counts.rejected, step.counts.in_doubt) == (3, 0, 0)
        while len(shop.looks) < 3:
            await world.clock.sleep(1.0)
        assert all(row.state == "accepted" for row in await world.rows())
        shop.named["p1@example.com"] = named("p1@example.com", DeliveryStatus.DELIVERED)
        report = await job.wait()
    assert [(row.state, row.reason) for row in await world.rows()] == [
        ("rejected", "the balance is used up"),
        ("accepted", None),
        ("rejected", "the balance is used up"),
    ]
    assert "the balance is used up; once that is fixed" in (report.stopped or "")
    assert (report.held, report.waiting) == ("the balance is used up", None)


async def test_what_never_agrees_with_the_numbers_is_in_doubt_in_the_end(world: World) -> None:
    shop = world.shop
    shop.polls = [partly(world)]
    report = await world.send()
    assert (report.counts.in_doubt, report.unreconciled, report.stopped) == (3, 0, None)
    shop.named = {
        "p0@example.com": named("p0@example.com", DeliveryStatus.OPENED),
        "p2@example.com": named("p2@example.com", None, "unsubscribed before"),
    }
    await world.resume()
    assert [(row.state, row.reason) for row in await world.rows()] == [
        ("accepted", None),
        ("rejected", "the balance is used up"),
        ("rejected", "unsubscribed before"),
    ]


async def test_a_campaign_that_was_not_sent_to_all_is_delivered_to_nobody_in_particular(
    world: World,
) -> None:
    world.shop.polls = [world.shop.ends(attrs.evolve(SENT, mailed=2, unsent=1), sent=2)]
    report = await world.send()
    assert (report.counts.accepted, report.deliveries, report.unreconciled) == (3, {}, 0)
    assert report.statistics == {"sent": 2}
    assert world.shop.asked == []


async def test_who_was_left_out_is_rejected_once_all_others_are_named(world: World) -> None:
    left_out = attrs.evolve(SENT, reason="left out", mailed=2, unsent=1)
    world.shop.polls = [world.shop.ends(left_out, sent=2)]
    world.shop.named = {"p0@example.com": named("p0@example.com", DeliveryStatus.OPENED)}

    async with world.sender(EngineSettings(track=600.0)) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(3)), name="autumn")
        while world.shop.asked.count("p2@example.com") < 2:
            await world.clock.sleep(1.0)
        assert all(row.state == "accepted" for row in await world.rows())
        world.shop.named["p1@example.com"] = named("p1@example.com", DeliveryStatus.SENT)
        report = await job.wait()
    assert (report.counts.accepted, report.counts.rejected, report.stopped) == (2, 1, None)
    assert [row.reason for row in await world.rows()] == [None, None, "left out"]


async def test_a_question_that_failed_goes_on_where_it_was(world: World) -> None:
    shop = world.shop
    shop.chunk_rows = 250
    shop.polls = [shop.ends(IN_DOUBT)]
    for one in people(250):
        shop.named[one] = RowStatus(one, DeliveryStatus.DELIVERED, False, "")
    shop.named["p120@example.com"] = Unavailable("down")

    async def mended() -> None:
        while shop.asked.count("p120@example.com") < 3:
            await world.clock.sleep(1.0)
        shop.named["p120@example.com"] = RowStatus("p120@example.com", None, True, "not sent")

    async with world.sender() as sender:
        job = await sender.start(MESSAGE, read_recipients(people(250)), name="autumn")
        await mended()
        report = await job.wait()
    assert (report.counts.accepted, report.counts.rejected) == (249, 1)
    assert [*dict.fromkeys(shop.asked)] == people(250)
    assert {one for one in people(250) if shop.asked.count(one) > 1} == {"p120@example.com"}
    assert report.unreconciled == 0


async def test_what_was_said_is_kept_though_a_poll_never_comes_to_its_end(world: World) -> None:
    shop = world.shop
    shop.named = {one: named(one, DeliveryStatus.DELIVERED) for one in people(10)}

    def few() -> PollResult:
        left = [*range(3)]

        async def ask(address: str) -> RowStatus | None:
            if not left:
                raise Unavailable("too many questions")
            left.pop()
            return await shop.ask(address)

        return PollResult(others=IN_DOUBT, ask=ask)

    shop.chunk_rows, shop.polls = 10, [few]
    report = await world.send(10)
    assert (report.counts.accepted, report.unreconciled) == (10, 0)
    assert shop.asked == people(10)


async def test_who_is_tracked_is_asked_about(world: World) -> None:
    shop = world.shop
    shop.polls = [shop.ends(SENT)]
    shop.named = {
        "p0@example.com": RowStatus("p0@example.com", DeliveryStatus.OPENED, False, ""),
        "p1@example.com": RowStatus("p1@example.com", None, True, "left out"),
    }
    report = await world.send(track=60.0)
    rows = await world.rows()
    assert [(row.state, row.delivery) for row in rows] == [
        ("accepted", DeliveryStatus.OPENED),
        ("rejected", None),
        ("accepted", DeliveryStatus.SENT),
    ]
    assert shop.asked.count("p0@example.com") == 1
    assert shop.asked.count("p2@example.com") > 2
    assert report.deliveries == {DeliveryStatus.SENT: 1, DeliveryStatus.OPENED: 1}


async def test_a_campaign_that_begins_later_is_not_waited_for(world: World) -> None:
    world.shop.polls = [world.shop.again()]
    message = attrs.evolve(MESSAGE, send_at=datetime.fromtimestamp(world.clock.now() + 7200, UTC))
    async with world.sender() as sender:
        job = await sender.start(message, read_recipients(people(3)), name="autumn")
        report = await job.wait()
    assert len(world.shop.looks) == 1
    assert (report.counts.accepted, report.unreconciled) == (3, 3)
