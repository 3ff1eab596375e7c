"""The engine and SendPulse's client against the sandbox, over a socket, in a time they share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from mailkit import Quota
from mailkit.bulk.journal import Journal, RowRecord
from mailkit.bulk.report import Report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import Item, read_recipients
from mailkit.cli.show import report_text
from mailkit.events import DeliveryStatus
from mailkit.message import Message
from mailkit.providers.sendpulse import ChunkLimits, SendPulse
from mailkit.providers.sendpulse.chunk_list import ChunkList
from mailkit.sandbox import Sandbox
from mailkit.testing import FakeClock
from mailkit.testing.watched import WatchedProvider
from mailkit.testing.wire import Killed, Strike, Trouble, Wire

from .fakes import memory_journal, people

SENDER = "Shop <news@shop.by>"
COMMON = Message(SENDER, "Autumn", html="<p>Hello</p>")
PERSONAL = Message(
    SENDER, "Hi {{ first name }}", html="<p>Hello {{ first name }}, {{ city | 'you' }}</p>"
)
FEW = ChunkLimits(rows=20, part_rows=5)
LIST, LOAD = "sendpulse.mailing_lists.create", "sendpulse.mailing_lists.add_contacts"
LOOK_UP, SEND = "sendpulse.contacts.get_many", "sendpulse.campaigns.create"


@attrs.frozen
class World:
    """A sandbox, a time and a journal; every run has a client of its own."""

    sandbox: Sandbox
    clock: FakeClock
    journal: Journal

    def client(self, limits: ChunkLimits, **options: Any) -> SendPulse:
        own = self.sandbox.sendpulse.settings
        return SendPulse(
            own.client_id,
            own.client_secret,
            self.sandbox.url,
            account="shop",
            limits=limits,
            clock=self.clock,
            **options,
        )

    @asynccontextmanager
    async def sender(
        self, settings: EngineSettings = EngineSettings(), limits: ChunkLimits = FEW
    ) -> AsyncIterator[BulkSender]:
        async with (
            self.client(limits, hooks=[self.clock.hook]) as provider,
            BulkSender(
                provider, journal=self.journal, settings=settings, clock=self.clock
            ) as sender,
        ):
            yield sender

    @asynccontextmanager
    async def killed(self, trouble: Trouble, stage: str) -> AsyncIterator[BulkSender]:
        """A sender that is killed at a request of this stage."""
        wire = Wire(self.clock, [Strike(trouble, stage)])
        async with self.client(ChunkLimits(), transport=wire) as client:
            provider = WatchedProvider(client, self.clock)
            async with BulkSender(provider, journal=self.journal, clock=self.clock) as sender:
                yield sender

    async def send(
        self,
        recipients: Sequence[Item],
        message: Message = COMMON,
        settings: EngineSettings = EngineSettings(),
        limits: ChunkLimits = FEW,
    ) -> Report:
        async with self.sender(settings, limits) as sender:
            job = await sender.start(message, read_recipients(recipients), name="autumn")
            return await job.wait()

    async def resume(self, settings: EngineSettings = EngineSettings()) -> Report:
        async with self.sender(settings) as sender:
            return await (await sender.resume("autumn")).wait()

    def blacklist(self, *addresses: str) -> None:
        for address in addresses:
            self.sandbox.sendpulse.account.blacklist[address] = ""

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
        sandbox.sendpulse.settings.open_share = 0.0
        # In made-up time a second of the sandbox can be shorter by a rounding error.
        sandbox.sendpulse.settings.requests_per_second = 11
        clock = FakeClock(sandbox.clock.now(), moved=sandbox.clock.advance)
        yield World(sandbox, clock, journal)


async def test_each_chunk_gets_a_list_and_a_campaign(world: World) -> None:
    report = await world.send(people(45))
    assert report.complete
    requests = world.sandbox.requests
    assert (requests[LIST], requests[LOOK_UP], requests[LOAD], requests[SEND]) == (3, 9, 9, 3)
    assert report.counts.accepted == 45
    assert report.deliveries == {DeliveryStatus.SENT: 45}
    assert report.statistics["sent"] == 45
    assert await world.agrees()


async def test_one_request_in_ten_seconds_is_enough(world: World) -> None:
    """Some campaigns need a new token first, and one is looked for until it is certain that it was
    turned away, and once more before it is asked for again.
    """
    world.sandbox.sendpulse.settings.token_lifetime = 100.0  # good for 50 seconds
    wire = Wire(world.clock, [Strike(Trouble.TURNED_AWAY, "send")])
    one = Quota(1, 10.0)
    async with world.client(FEW, requests=one, transport=wire) as client:
        provider = WatchedProvider(client, world.clock)
        async with BulkSender(provider, journal=world.journal, clock=world.clock) as sender:
            job = await sender.start(COMMON, read_recipients(people(45)), name="autumn")
            ended = asyncio.ensure_future(job.wait())
            too_long = asyncio.ensure_future(world.clock.sleep(6 * 3600))
            await asyncio.wait([ended, too_long], return_when=asyncio.FIRST_COMPLETED)
            too_long.cancel()
            assert ended.done()
    report = ended.result()
    assert report is not None
    assert report.complete
    assert world.sandbox.requests["sendpulse.mailing_lists.campaigns"] == 4
    assert world.sandbox.requests[SEND] == 3
    assert await world.agrees()


async def test_whoever_may_have_got_a_campaign_is_in_doubt(world: World) -> None:
    """A gateway's page says that it was turned away; others must not send to them meanwhile."""
    wire = Wire(world.clock, [Strike(Trouble.TURNED_AWAY, "send")])
    async with world.client(FEW, transport=wire) as client:
        provider = WatchedProvider(client, world.clock)
        async with BulkSender(provider, journal=world.journal, clock=world.clock) as sender:
            job = await sender.start(COMMON, read_recipients(people(20)), name="autumn")
            async for step in job.progress():
                if step.counts.in_doubt:
                    job.stop()
            report = await job.wait()
    assert (report.counts.in_doubt, report.counts.unsent) == (20, 0)
    assert "403" in report.doubts[0].reason
    assert "To have mailkit ask the provider: mailkit resume autumn; or check in" in "\n".join(
        report_text(report)
    )
    assert world.sandbox.truth.emails == 0
    report = await world.resume()
    assert report.complete
    assert await world.agrees()


async def test_five_hundred_people_are_two_requests(world: World) -> None:
    report = await world.send(people(1500), limits=ChunkLimits())
    assert report.complete
    requests = world.sandbox.requests
    assert (requests[LIST], requests[LOOK_UP], requests[LOAD], requests[SEND]) == (1, 3, 3, 1)
    assert requests["sendpulse.blacklist.list"] == 1
    assert await world.agrees()


async def test_everybody_gets_a_message_of_their_own(world: World) -> None:
    rows: list[Item] = [
        ("anna@example.com", {"first name": "Anna & Co", "city": "Minsk"}),
        ("boris@example.com", {"first name": "Boris", "city": " "}),
        ("clara@example.com", {"first name": "", "city": "Brest"}),
    ]
    report = await world.send(rows, PERSONAL)
    assert (report.counts.accepted, report.counts.invalid) == (2, 1)
    assert {one.address: (one.subject, one.body) for one in world.sandbox.truth.kept} == {
        "anna@example.com": ("Hi Anna & Co", "<p>Hello Anna &amp; Co, Minsk</p>"),
        "boris@example.com": ("Hi Boris", "<p>Hello Boris, you</p>"),
    }


async def test_bad_addresses_cost_nobody_else(world: World) -> None:
    bad = ["invalid-a@example.com", "invalid-b@example.com"]
    report = await world.send([*people(20), bad[0], *people(40)[20:], bad[1]])
    assert report.complete
    rows = await world.rows()
    assert {rows[one].state for one in bad} == {"rejected"}
    assert {rows[one].reason for one in bad} == {"Argument email is invalid"}
    assert (report.counts.accepted, report.counts.rejected) == (40, 2)
    assert await world.agrees()


async def test_who_can_not_be_mailed_is_left_out(world: World) -> None:
    world.blacklist("p3@example.com")
    report = await world.send([*people(6), "unsubscribed-u@example.com", "missing-m@example.com"])
    assert report.complete
    rows = await world.rows()
    assert (rows["p3@example.com"].state, rows["p3@example.com"].reason) == (
        "suppressed",
        "in SendPulse's blacklist",
    )
    assert rows["unsubscribed-u@example.com"].state == "suppressed"
    assert rows["missing-m@example.com"].state == "rejected"
    assert report.counts.accepted == 5
    assert await world.agrees()


async def test_a_list_of_people_who_left_needs_no_campaign(world: World) -> None:
    world.blacklist(*people(5))
    report = await world.send(people(5))
    assert (report.counts.suppressed, report.complete) == (5, True)
    assert world.sandbox.requests[SEND] == 0


async def test_the_first_campaign_is_moderated_and_waited_for(world: World) -> None:
    own = world.sandbox.sendpulse.settings
    own.moderation = 8 * 3600.0
    async with world.sender() as sender:
        job = await sender.start(COMMON, read_recipients(people(20)), name="autumn")
        async for step in job.progress(60.0):
            why = step.waiting.why if step.waiting else ""
            if "SendPulse's moderators look at the campaign" in why:
                report = await sender.report("autumn")
                assert report.waiting is not None
                assert report.waiting.sent
                assert (report.counts.accepted, report.unreconciled) == (20, 20)
                break
        report = await job.wait()
    assert (report.unreconciled, report.waiting) == (0, None)
    assert world.sandbox.requests["sendpulse.campaigns.get"] < 120
    assert await world.agrees()


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("rejected", "has blocked the campaign"), ("need_edit", "to be edited")],
)
async def test_a_campaign_that_moderation_refuses_stops_the_job(
    world: World, verdict: Any, words: str
) -> None:
    world.sandbox.sendpulse.settings.verdict = verdict
    report = await world.send(people(25))
    assert words in (report.stopped or "")
    assert report.counts.rejected >= 20
    assert not [one for one in (await world.rows()).values() if one.state == "in doubt"]
    world.sandbox.sendpulse.settings.verdict = "approve"
    async with world.sender() as sender:
        report = await (await sender.resume("autumn", rejected=True)).wait()
    assert (report.complete, report.counts.accepted) == (True, 25)
    assert not world.sandbox.truth.mailed_twice


async def test_what_can_not_be_paid_stops_before_the_first_campaign(world: World) -> None:
    own = world.sandbox.sendpulse.settings
    own.tariff_emails, own.balance = 30, 0.0
    report = await world.send(people(45))
    assert (report.counts.unsent, report.counts.accepted) == (45, 0)
    assert "45 emails, and the tariff has 30 left: top up the account" in (report.stopped or "")
    assert world.sandbox.requests[SEND] == 0
    own.tariff_emails = 45
    report = await world.resume()
    assert (report.complete, report.counts.accepted) == (True, 45)
    account = world.sandbox.sendpulse.account
    assert (len(account.lists), len(account.campaigns)) == (3, 3)
    assert await world.agrees()


async def test_opens_are_tracked_where_that_is_asked_for(world: World) -> None:
    people = ["opens-a@example.com", "bounce-b@example.com", "slow-c@example.com"]
    report = await world.send(people, settings=EngineSettings(track=2 * 3600.0))
    assert report.complete
    rows = await world.rows()
    assert {one: rows[one].delivery for one in people} == {
        "opens-a@example.com": DeliveryStatus.OPENED,
        "bounce-b@example.com": DeliveryStatus.HARD_BOUNCE,
        "slow-c@example.com": DeliveryStatus.DELIVERED,
    }


async def test_four_campaigns_an_hour(world: World) -> None:
    began = world.clock.now()
    report = await world.send(people(100), limits=ChunkLimits(rows=10, part_rows=10))
    assert (report.complete, report.counts.accepted) == (True, 100)
    assert world.sandbox.requests[SEND] == 10
    assert 2 * 3600 < world.clock.now() - began < 3 * 3600
    assert await world.agrees()


async def test_the_names_of_the_variables_are_in_the_journal(world: World) -> None:
    rows: list[Item] = [("anna@example.com", {"first name": "Anna", "city": "Minsk"})]
    await world.send(rows, PERSONAL)
    record = await world.journal.jobs.get("autumn")
    (due,) = await world.journal.statuses.due(await world.journal.workers.join(record), track=True)
    assert ChunkList.of(due.cursor).variables == {
        "firstname": "first name",
        "firstnameA": "first name",
        "city": "city",
    }


KILLS = [
    (Trouble.KILLED_AFTER, "list"),
    (Trouble.KILLED_BEFORE, "load"),
    (Trouble.KILLED_AFTER, "ready"),
    (Trouble.KILLED_AFTER, "afford"),
    (Trouble.KILLED_AFTER, "send"),
    (Trouble.KILLED_BEFORE, "send"),
    (Trouble.KILLED_AFTER, "poll"),
    (Trouble.KILLED_AFTER, "send"),
]


async def test_twelve_campaigns_of_a_small_tariff_killed_in_between(world: World) -> None:
    world.sandbox.sendpulse.settings.max_emails_per_task = 100
    began = world.clock.now()
    for at, kill in enumerate(KILLS):
        async with world.killed(*kill) as sender:
            if at:
                job = await sender.resume("autumn")
            else:
                job = await sender.start(COMMON, read_recipients(people(1200)), name="autumn")
            with pytest.raises(Killed):
                await job.wait()
    report = await world.resume()
    assert (report.complete, report.counts.accepted) == (True, 1200)
    campaigns = world.sandbox.sendpulse.account.campaigns.values()
    assert [len(one.copied) for one in campaigns] == [100] * 12
    times = sorted(one.created_at for one in campaigns)
    assert min(b - a for a, b in zip(times, times[4:], strict=False)) >= 3600
    assert world.clock.now() - began < 5 * 3600
    assert await world.agrees()
