"""The engine and sms.by's client against the sandbox, over a socket, in a time that both share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import attrs
import pytest

from mailkit.bulk.journal import Journal, RowRecord
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.report.advice import remarks
from mailkit.bulk.resolve import resolve
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import Item, read_recipients
from mailkit.core.quota import Quota
from mailkit.events import DeliveryStatus
from mailkit.message import Message
from mailkit.providers.smsby import ChunkLimits, SmsBy
from mailkit.sandbox import Fault, Sandbox
from mailkit.testing import FakeClock

from .fakes import memory_journal, people

SENDER = "Shop <news@shop.example>"
COMMON = Message(SENDER, "Autumn", html="<p>Hello</p>")
PERSONAL = Message(SENDER, "Hi {{ name }}", html="<p>Hello {{ name }}</p>")
LIMITS = ChunkLimits()
SEND, STATUS, LIST = "smsby.bulk.send", "smsby.bulk.status", "smsby.emails.delivery_list"


@attrs.frozen
class World:
    """A sandbox, a time and a journal; every run has a client of its own."""

    sandbox: Sandbox
    clock: FakeClock
    journal: Journal

    @asynccontextmanager
    async def sender(
        self,
        settings: EngineSettings = EngineSettings(),
        *,
        limits: ChunkLimits = LIMITS,
        requests: Quota | None = None,
    ) -> AsyncIterator[BulkSender]:
        clock = self.clock
        async with (
            SmsBy(
                self.sandbox.smsby.settings.token,
                self.sandbox.url,
                account="shop",
                limits=limits,
                requests=requests,
                hooks=[clock.hook],
                clock=clock,
            ) as provider,
            BulkSender(provider, journal=self.journal, settings=settings, clock=clock) as sender,
        ):
            yield sender

    async def send(
        self,
        recipients: Sequence[Item],
        message: Message = COMMON,
        settings: EngineSettings = EngineSettings(),
        *,
        limits: ChunkLimits = LIMITS,
        requests: Quota | None = None,
    ) -> Report:
        async with self.sender(settings, limits=limits, requests=requests) as sender:
            job = await sender.start(message, read_recipients(recipients), name="autumn")
            return await job.wait()

    async def resume(self, settings: EngineSettings = EngineSettings()) -> Report:
        async with self.sender(settings) as sender:
            return await (await sender.resume("autumn")).wait()

    async def follow(self, seconds: float = 7200.0) -> Report:
        async with self.sender() as sender:
            return await (await sender.follow("autumn", seconds)).wait()

    async def rows(self) -> dict[str, RowRecord]:
        record = await self.journal.jobs.get("autumn")
        found = self.journal.reports.rows(record)
        return {row.address: row async for batch in found for row in batch}

    async def agrees(self) -> bool:
        """Whether exactly those were mailed, once, whom the journal counts as accepted."""
        rows = await self.rows()
        believed = [address for address, row in rows.items() if row.state == "accepted"]
        return self.sandbox.truth.compare(believed).agrees


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Sandbox(speed=0, seed=1) as sandbox, memory_journal() as journal:
        sandbox.smsby.settings.open_share = 0.0
        clock = FakeClock(sandbox.clock.now(), moved=sandbox.clock.advance)
        yield World(sandbox, clock, journal)


def named(count: int) -> list[Item]:
    return [(address, {"name": f"Name {n}"}) for n, address in enumerate(people(count))]


async def test_a_common_letter_is_one_request_a_chunk(world: World) -> None:
    report = await world.send(people(1201))
    assert report.complete
    assert world.sandbox.requests[SEND] == 3
    assert [len(mailing.addresses) for mailing in world.sandbox.truth.mailings] == [500, 500, 201]
    assert {seen.form.text("message_type") for seen in world.sandbox.requests.last} >= {"bulk"}
    assert await world.agrees()


async def test_a_personal_letter_is_rendered_for_each(world: World) -> None:
    report = await world.send(named(301), PERSONAL)
    assert report.complete
    assert world.sandbox.requests[SEND] == 2
    letters = world.sandbox.truth.kept
    assert [(letter.address, letter.subject, letter.body) for letter in letters] == [
        (f"p{n}@example.com", f"Hi Name {n}", f"<p>Hello Name {n}</p>") for n in range(301)
    ]
    assert await world.agrees()


async def test_a_chunk_is_cut_where_its_request_would_be_too_large(world: World) -> None:
    long = attrs.evolve(PERSONAL, html="<p>{{ name }}</p>" + "x" * 20_000)
    report = await world.send(named(20), long, limits=ChunkLimits(size=100_000))
    assert report.complete
    assert world.sandbox.requests[SEND] == 5
    assert await world.agrees()


async def test_addresses_of_other_alphabets_are_found_under_their_wire_names(
    world: World,
) -> None:
    addresses = ["anna@почта.example", "BORIS@Bücher.example", "anna@xn--80a1acny.example"]
    report = await world.send(addresses)
    assert (report.counts.accepted, report.counts.duplicate, report.unreconciled) == (2, 1, 0)
    assert set(world.sandbox.truth.mailed) == {
        "anna@xn--80a1acny.example",
        "boris@xn--bcher-kva.example",
    }


# what the service says of single addresses


async def test_an_address_that_the_service_names_as_wrong_is_rejected(world: World) -> None:
    world.sandbox.smsby.account.unsubscribed.add("left@example.com")
    report = await world.send([*people(3), "invalid-x@example.com", "left@example.com"])
    assert (report.counts.accepted, report.counts.rejected) == (3, 2)
    rows = await world.rows()
    assert rows["invalid-x@example.com"].reason == "Incorrect recipient address"
    assert rows["left@example.com"].reason == "Recipient has unsubscribed"
    assert await world.agrees()


async def test_a_chunk_of_nothing_but_wrong_addresses_is_rejected_row_by_row(
    world: World,
) -> None:
    report = await world.send([f"invalid{n}@example.com" for n in range(3)])
    assert (report.counts.rejected, report.complete) == (3, True)
    assert world.sandbox.truth.emails == 0


async def test_a_bounce_is_a_delivery_of_an_accepted_row(world: World) -> None:
    await world.send([*people(2), "bounce@example.com"])
    world.clock.advance(60)
    report = await world.follow()
    assert report.counts.accepted == 3
    assert report.deliveries == {DeliveryStatus.DELIVERED: 2, DeliveryStatus.UNDELIVERED: 1}
    bounced = (await world.rows())["bounce@example.com"]
    assert (bounced.state, bounced.reason) == ("accepted", "550 mailbox does not exist")


async def test_whoever_was_refused_stays_rejected_while_others_are_followed(world: World) -> None:
    await world.send([*people(2), "slow@example.com", "invalid@example.com"])
    report = await world.follow()
    assert (report.counts.accepted, report.counts.rejected) == (3, 1)
    assert (await world.rows())["invalid@example.com"].delivery is None
    assert await world.agrees()


async def test_an_address_that_was_taken_and_forgotten_is_in_doubt_after_the_deadline(
    world: World,
) -> None:
    began = world.clock.now()
    report = await world.send([*people(3), "missing@example.com"])
    assert 600 <= world.clock.now() - began < 700
    assert (report.counts.accepted, report.counts.in_doubt) == (3, 1)
    [doubt] = report.doubts
    assert (doubt.chunk, doubt.rows, doubt.first) == (1, 1, "missing@example.com")
    assert doubt.reason == "accepted with its chunk, but missing from the provider's status list"
    assert await world.agrees()

    await resolve(world.journal, "autumn", 1, accepted=False)
    report = await world.resume(EngineSettings(reconcile=30))
    assert [doubt.chunk for doubt in report.doubts] == [2]  # forgotten again, as the chunk it got
    assert world.sandbox.truth.mailed_twice == []


# the status list


async def test_rows_that_appear_late_are_waited_for(world: World) -> None:
    world.sandbox.smsby.settings.status_delay = 300.0
    report = await world.send(people(700))
    assert (report.counts.accepted, report.unreconciled) == (700, 0)
    assert world.sandbox.requests[STATUS] > 2
    assert await world.agrees()


async def test_rows_that_appear_after_the_deadline_are_in_doubt_no_more(world: World) -> None:
    world.sandbox.smsby.settings.status_delay = 300.0
    report = await world.send(people(100), settings=EngineSettings(reconcile=30))
    assert report.counts.in_doubt > 50
    assert report.counts.accounted == 100
    world.clock.advance(300)
    report = await world.resume()
    assert (report.counts.accepted, report.counts.in_doubt) == (100, 0)
    assert world.sandbox.requests[SEND] == 1
    assert await world.agrees()


async def test_a_partial_status_list_in_another_order_is_asked_for_again(world: World) -> None:
    world.sandbox.faults.add(Fault("partial", on=STATUS, times=2))
    report = await world.send(people(600))
    assert world.sandbox.faults.struck["partial"] == 2
    assert (report.counts.accepted, report.unreconciled) == (600, 0)
    assert await world.agrees()


async def test_a_row_that_every_status_list_leaves_out_is_in_doubt_and_strangers_are_nobody(
    world: World,
) -> None:
    world.sandbox.faults.add(Fault("partial", on=STATUS))
    report = await world.send(people(5))
    assert (report.counts.accepted, report.counts.in_doubt, report.counts.read) == (4, 1, 5)
    assert [doubt.first for doubt in report.doubts] == ["p0@example.com"]


@pytest.mark.parametrize("kind", ["reset_after_acting", "server_error", "cut_json", "html_200"])
async def test_a_status_that_can_not_be_had_is_asked_for_again(world: World, kind: str) -> None:
    world.sandbox.faults.add(Fault(kind, on=STATUS, times=7))
    report = await world.send(people(5))
    assert (report.counts.accepted, report.unreconciled) == (5, 0)


async def test_what_is_stopped_while_rows_are_missing_is_looked_for_in_the_whole_list(
    world: World,
) -> None:
    """The messages of a chunk that are delivered are asked about again, too."""
    world.sandbox.smsby.settings.message_size = 100
    quick = [f"p{n}@example.com" for n in range(100)]
    async with world.sender() as sender:
        everybody = [*quick, "slow@example.com", "missing@example.com"]
        job = await sender.start(COMMON, read_recipients(everybody), name="autumn")
        async for progress in job.progress(every=30):
            if progress.seconds > 120:
                job.stop()
        report = await job.wait()
    assert (report.counts.accepted, report.unreconciled) == (102, 1)
    advice = [str(one) for one in remarks(report, str)]
    assert any(one.startswith("1 accepted row is not in the status lists yet") for one in advice)
    world.clock.advance(600)
    report = await world.resume()
    assert report.counts.in_doubt == 1
    assert [doubt.first for doubt in report.doubts] == ["missing@example.com"]


async def test_a_token_that_is_refused_later_stops_the_questions_and_rejects_nobody(
    world: World,
) -> None:
    world.sandbox.faults.add(Fault("token_refused", on=STATUS, times=1))
    report = await world.send(people(5))
    assert report.stopped is not None
    assert report.stopped.startswith("the provider can't be used: smsby.bulk.status")
    assert (report.counts.accepted, report.unreconciled) == (5, 5)
    report = await world.resume()
    assert (report.counts.accepted, report.unreconciled, report.stopped) == (5, 0, None)


# the request itself


@pytest.mark.parametrize("message", [COMMON, PERSONAL], ids=["common", "personal"])
async def test_a_service_that_drops_the_end_of_a_long_form_refuses_it_as_a_whole(
    world: World, message: Message
) -> None:
    """The token stands last, so that a form that is cut loses it, and not recipients."""
    world.sandbox.smsby.settings.max_input_vars = 250
    report = await world.send(named(300), message)
    assert world.sandbox.truth.emails == 0
    assert (report.counts.unsent, report.counts.rejected) == (300, 0)
    assert report.stopped is not None
    assert "Wrong or missing token" in report.stopped
    world.sandbox.smsby.settings.max_input_vars = 1000
    assert (await world.resume()).complete
    assert await world.agrees()


@pytest.mark.parametrize("retry_after", ["7", None])
async def test_a_rate_limit_is_waited_out_and_nobody_is_mailed_twice(
    world: World, retry_after: str | None
) -> None:
    world.sandbox.faults.add(Fault("rate_limited", on=SEND, times=3, retry_after=retry_after))
    began = world.clock.now()
    report = await world.send(people(1500), settings=EngineSettings(concurrency=1))
    assert report.complete
    assert world.clock.now() - began > (21 if retry_after else 3)
    assert world.sandbox.requests[SEND] == 6
    assert await world.agrees()


async def test_an_account_with_few_requests_a_second_gets_everything_through(
    world: World,
) -> None:
    world.sandbox.smsby.settings.requests_per_second = 2.0
    limits = ChunkLimits(bulk_rows=10)
    report = await world.send(people(200), limits=limits)
    assert (report.complete, report.unreconciled) == (True, 0)
    assert await world.agrees()


async def test_a_quota_of_the_client_keeps_it_below_the_limit(world: World) -> None:
    world.sandbox.smsby.settings.requests_per_second = 2.0
    limits = ChunkLimits(bulk_rows=10)
    report = await world.send(people(100), limits=limits, requests=Quota(2, 1.0))
    assert (report.complete, report.unreconciled) == (True, 0)
    assert world.sandbox.requests[SEND] == 10
    assert await world.agrees()


@pytest.mark.parametrize(
    ("kind", "mailed"),
    [
        ("reset_before_reading", False),
        ("reset_after_reading", False),
        ("reset_after_acting", True),
        ("cut_answer", True),
        ("cut_json", True),
        ("html_200", True),
        ("empty_200", True),
        ("wrong_types", True),
        ("server_error", False),
        ("redirect", False),
    ],
)
async def test_an_outcome_that_nobody_can_know_is_in_doubt_whatever_the_truth(
    world: World, kind: str, mailed: bool
) -> None:
    world.sandbox.faults.add(Fault(kind, on=SEND, times=1))
    report = await world.send(people(501), settings=EngineSettings(concurrency=1))
    assert (report.counts.in_doubt, report.counts.accepted) == (500, 1)
    assert world.sandbox.truth.count("p0@example.com") == mailed
    assert world.sandbox.requests[SEND] == 2
    await resolve(world.journal, "autumn", 1, accepted=mailed)
    assert (await world.resume()).complete
    assert await world.agrees()


# tracking


async def test_track_asks_until_every_delivery_is_final(world: World) -> None:
    recipients = [*people(3), "bounce@example.com", "slow@example.com"]
    began = world.clock.now()
    report = await world.send(recipients, settings=EngineSettings(track=7200))
    assert report.deliveries == {DeliveryStatus.DELIVERED: 4, DeliveryStatus.UNDELIVERED: 1}
    assert 3600 < world.clock.now() - began < 4200
    assert world.sandbox.requests[LIST] > 10
    assert world.sandbox.requests[LIST] < 40
    assert await world.agrees()


async def test_track_ends_after_its_time_whatever_is_still_on_its_way(world: World) -> None:
    began = world.clock.now()
    report = await world.send(["slow@example.com"], settings=EngineSettings(track=600))
    assert report.deliveries == {DeliveryStatus.SENT: 1}
    assert 300 < world.clock.now() - began < 700


async def test_a_later_run_follows_what_an_earlier_one_sent(world: World) -> None:
    report = await world.send([*people(700), "slow@example.com"])
    assert report.deliveries == {DeliveryStatus.SENT: 701}
    report = await world.follow()
    assert report.deliveries == {DeliveryStatus.DELIVERED: 701}
    asked = world.sandbox.requests[LIST]
    assert (await world.follow()).deliveries == {DeliveryStatus.DELIVERED: 701}
    assert world.sandbox.requests[LIST] == asked  # nothing was left to ask about


# send_at


async def test_a_scheduled_letter_is_handed_over_now_and_delivered_then(world: World) -> None:
    at = world.clock.utc.replace(second=0, microsecond=0)
    at += timedelta(hours=3)
    message = attrs.evolve(COMMON, send_at=at)
    report = await world.send(people(3), message)
    assert report.complete
    assert world.clock.now() < at.timestamp() - 3600
    assert report.deliveries == {DeliveryStatus.QUEUED: 3}
    world.clock.advance(at.timestamp() - world.clock.now())
    assert (await world.follow()).deliveries == {DeliveryStatus.DELIVERED: 3}
    assert await world.agrees()


async def test_track_counts_from_send_at(world: World) -> None:
    at = world.clock.utc + timedelta(hours=5)
    message = attrs.evolve(COMMON, send_at=at)
    report = await world.send(people(3), message, EngineSettings(track=600))
    assert report.deliveries == {DeliveryStatus.DELIVERED: 3}
    assert world.sandbox.requests[STATUS] + world.sandbox.requests[LIST] < 10


async def test_a_scheduled_letter_that_is_not_found_yet_is_looked_for_by_resume(
    world: World,
) -> None:
    at = world.clock.utc + timedelta(hours=1)
    world.sandbox.smsby.settings.status_delay = 1800.0
    report = await world.send(people(3), attrs.evolve(COMMON, send_at=at))
    assert (report.counts.accepted, report.counts.in_doubt, report.unreconciled) == (3, 0, 3)
    world.clock.advance(3600)
    report = await world.resume()
    assert (report.counts.accepted, report.unreconciled) == (3, 0)
    assert report == await make_report(world.journal, "autumn")
