"""The engine and SendPulse's client against the sandbox, over a socket, in a time they share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import attrs
import pytest

from mailkit.bulk.journal import Journal, RowRecord
from mailkit.bulk.report import Report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import Item, read_recipients
from mailkit.events import DeliveryStatus
from mailkit.message import Message
from mailkit.providers.sendpulse import ChunkLimits, SendPulse
from mailkit.sandbox import Sandbox
from mailkit.testing import FakeClock

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

    @asynccontextmanager
    async def sender(
        self, settings: EngineSettings = EngineSettings(), limits: ChunkLimits = FEW
    ) -> AsyncIterator[BulkSender]:
        clock = self.clock
        own = self.sandbox.sendpulse.settings
        async with (
            SendPulse(
                own.client_id,
                own.client_secret,
                self.sandbox.url,
                account="shop",
                limits=limits,
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
        limits: ChunkLimits = FEW,
    ) -> Report:
        async with self.sender(settings, limits) as sender:
            job = await sender.start(message, read_recipients(recipients), name="autumn")
            return await job.wait()

    async def resume(self, settings: EngineSettings = EngineSettings()) -> Report:
        async with self.sender(settings) as sender:
            return await (await sender.resume("autumn")).wait()

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
        clock = FakeClock(sandbox.clock.now(), moved=sandbox.clock.advance)
        yield World(sandbox, clock, journal)


async def test_each_chunk_gets_a_list_and_a_campaign(world: World) -> None:
    report = await world.send(people(45))
    assert report.complete, report
    requests = world.sandbox.requests
    assert (requests[LIST], requests[LOOK_UP], requests[LOAD], requests[SEND]) == (3, 9, 9, 3)
    assert report.counts.accepted == 45
    assert await world.agrees()
    assert report.deliveries == {DeliveryStatus.SENT: 45}
