"""A bulk send in a world of faults: ten people, two in a chunk, one request at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import attrs

from mailkit.bulk.journal import InlineExecutor, Journal
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import MailkitError
from mailkit.message import Message

from .calls import CALLS, Call
from .table import Row, patience
from .world import World, open_world

PEOPLE = [f"p{n}@mail.by" for n in range(10)]
SMSBY, DEVINO = CALLS["smsby.bulk.send"], CALLS["devino.messages.send"]
SENDPULSE = CALLS["sendpulse.campaigns.create"]
MESSAGES = {
    SMSBY: Message(sender="Shop <news@shop.by>", subject="Autumn", html="<p>Hello</p>"),
    DEVINO: Message(
        sender="Shop <news@shop.by>", subject="Autumn", html="<p>Hello</p>{{ unsubscribe }}"
    ),
    SENDPULSE: Message(sender="Shop <news@shop.by>", subject="Autumn", html="<p>Hello</p>"),
}
"""Who sends in chunks, and what."""

ONE_BY_ONE = EngineSettings(concurrency=1, pollers=1)

States = tuple[int, int, int, int]
"""Rows that are accepted, rejected, in doubt, unsent."""


@attrs.frozen
class Run:
    """A job in a world, sent by ``call``, and what the journal and the service say of it."""

    world: World
    journal: Journal
    call: Call
    message: Message

    async def start(
        self, settings: EngineSettings = ONE_BY_ONE, people: Sequence[str] = PEOPLE
    ) -> tuple[Report, MailkitError | None]:
        async with self._sender(settings) as sender:
            job = await sender.start(self.message, read_recipients(people), name="autumn")
            return await job.wait(), job.error

    async def resume(self, *, rejected: bool = False) -> Report:
        async with self._sender(ONE_BY_ONE) as sender:
            return await (await sender.resume("autumn", rejected=rejected)).wait()

    async def report(self) -> Report:
        return await make_report(self.journal, "autumn")

    @property
    def requests(self) -> int:
        """How many chunks have arrived."""
        return self.world.sandbox.requests[self.call.operation]

    def _sender(self, settings: EngineSettings) -> BulkSender:
        return BulkSender(
            getattr(self.world, self.call.provider),
            journal=self.journal,
            settings=settings,
            clock=self.world.clock,
        )

    async def check(self, report: Report, states: States, people: Sequence[str] = PEOPLE) -> None:
        """The report says so, the sum holds, and row by row the service's truth agrees."""
        counts = report.counts
        assert counts.accounted == counts.read == len(people)
        assert (counts.accepted, counts.rejected, counts.in_doubt, counts.unsent) == states, report
        assert self.world.letters <= len(people)
        truth = self.world.sandbox.truth
        assert truth.mailed_twice == []
        assert self.world.strangers == 0
        job = await self.journal.jobs.get("autumn")
        seen = []
        async for rows in self.journal.reports.rows(job):
            for row in rows:
                seen.append(row.address)
                if row.state != "in doubt":
                    assert truth.count(row.address) == (row.state == "accepted"), row
        assert seen == people

    def doubts(self, report: Report) -> list[str]:
        assert all(doubt.reason for doubt in report.doubts)
        return [doubt.label for doubt in report.doubts]


@asynccontextmanager
async def open_run(row: Row | None = None, call: Call = SMSBY) -> AsyncIterator[Run]:
    journal = await Journal.open(":memory:", executor=InlineExecutor)
    try:
        async with open_world(moves=call is SENDPULSE) as world:
            if row is not None:
                world.gate.patience = patience(row, again=True)
            yield Run(world, journal, call, MESSAGES[call])
    finally:
        await journal.close()
