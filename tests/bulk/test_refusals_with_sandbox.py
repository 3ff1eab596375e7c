"""Refused requests over a socket: bad addresses, and money that ends, at sms.by and Devino."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mailkit.bulk.journal import RowRecord, RowState
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import AccountRefused
from mailkit.message import Message
from mailkit.provider import Provider
from mailkit.providers import devino, smsby
from mailkit.providers.devino import Devino
from mailkit.providers.smsby import SmsBy
from mailkit.sandbox import Sandbox

MESSAGE = Message("Shop <news@shop.example>", "Autumn", html="<p>Hello</p> {{ unsubscribe }}")
LINK = "https://shop.example/bye"


@pytest.fixture(params=["smsby", "devino"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with Sandbox() as sandbox:
        yield World(sandbox, request.param, tmp_path / "journal.db")


class World:
    def __init__(self, sandbox: Sandbox, provider: str, journal: Path) -> None:
        self.sandbox = sandbox
        self.provider = provider
        self.journal = journal
        self.service = sandbox.services[provider]

    @property
    def requests(self) -> int:
        call = {"smsby": "smsby.bulk.send", "devino": "devino.messages.send"}[self.provider]
        return self.sandbox.requests[call]

    def client(self, rows: int) -> Provider:
        if self.provider == "smsby":
            return SmsBy(
                self.service.settings.token,
                self.sandbox.url,
                limits=smsby.ChunkLimits(bulk_rows=rows),
                unsubscribe_url=LINK,
            )
        limits = devino.ChunkLimits(rows=rows)
        return Devino(self.service.settings.api_key, self.sandbox.url, limits=limits)

    @asynccontextmanager
    async def sender(self, rows: int = 500) -> AsyncIterator[BulkSender]:
        settings = EngineSettings(concurrency=4)
        client = self.client(rows)
        async with client, BulkSender(client, journal=self.journal, settings=settings) as sender:  # type: ignore[attr-defined]
            yield sender


async def rejected(sender: BulkSender, name: str) -> list[RowRecord]:
    record = await sender.journal.jobs.get(name)
    found = sender.journal.reports.rows(record, states=[RowState.REJECTED])
    return [row async for rows in found for row in rows]


def addresses(count: int, bad: Sequence[int] = ()) -> list[str]:
    return [f"{'invalid' if n in bad else 'p'}{n}@example.com" for n in range(count)]


@pytest.mark.parametrize("at", [0, 321, 499])
async def test_one_bad_address_in_500_costs_itself_alone(world: World, at: int) -> None:
    world.service.settings.strict = True
    async with world.sender() as sender:
        job = await sender.start(MESSAGE, read_recipients(addresses(500, [at])), name="a")
        report = await job.wait()
        assert (report.counts.accepted, report.counts.rejected) == (499, 1)
        assert report.complete
        [row] = await rejected(sender, "a")
    assert row.address == f"invalid{at}@example.com"
    assert row.reason is not None
    assert "ddress" in row.reason
    assert world.requests <= 24
    assert dict(world.sandbox.truth.mailed) == dict.fromkeys(
        set(addresses(500, [at])) - {row.address}, 1
    )


async def test_money_that_ends_rejects_nobody_and_after_the_top_up_resume_sends_the_rest(
    world: World,
) -> None:
    world.service.settings.balance = 430
    async with world.sender(rows=50) as sender:
        job = await sender.start(MESSAGE, read_recipients(addresses(1000)), name="a")
        report = await job.wait()
        assert (report.counts.accepted, report.counts.rejected) == (400, 0)
        assert report.counts.unsent == 600
        assert report.stopped is not None
        assert job.error is not None
        world.service.settings.balance = None
        report = await (await sender.resume("a")).wait()
        assert report.complete
    assert dict(world.sandbox.truth.mailed) == dict.fromkeys(addresses(1000), 1)


async def test_a_service_that_says_in_known_words_that_the_money_has_ended_is_asked_no_more() -> (
    None
):
    async with Sandbox() as sandbox, SmsBy(sandbox.smsby.settings.token, sandbox.url) as client:
        sandbox.smsby.settings.balance = 0
        with pytest.raises(AccountRefused, match="Insufficient funds"):
            await client.bulk.send(
                sender="a@b.by", subject="Hi", html="<p>Hi</p>", delivery_list=["p@example.com"]
            )
