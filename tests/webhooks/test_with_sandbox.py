"""A job, and what the sandbox's services post about it, over sockets: the rows are the truth."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest

from mailkit.bulk.journal import Journal, RowState
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import read_recipients
from mailkit.errors import JournalError
from mailkit.events import DeliveryEvent, DeliveryStatus
from mailkit.message import Message
from mailkit.provider import Provider
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.sendpulse.codes import WebhookAction
from mailkit.sandbox import Fault, Posting, Sandbox
from mailkit.testing import FakeClock
from mailkit.webhooks import WebhookReceiver
from mailkit.webhooks.aiohttp_app import listening

from .posting import SECRET

BODY = '<a href="https://shop.by">Look</a> {{ unsubscribe }}'
LETTER = Message("Shop <news@shop.by>", "Hi", html=BODY)
POSTING = Posting(
    batch=7, repeated=0.3, late=0.5, late_by=3600, shuffled=True, retries=(60, 600, 6000)
)
EXPECTED = {
    "bounce": DeliveryStatus.HARD_BOUNCE,
    "complaint": DeliveryStatus.COMPLAINED,
    "unsubscribes": DeliveryStatus.UNSUBSCRIBED,
    "opens": DeliveryStatus.OPENED,
    "clicks": DeliveryStatus.CLICKED,
    "slow": DeliveryStatus.DELIVERED,
    "plain": DeliveryStatus.DELIVERED,
}
PEOPLE = [f"{kind}-{n}@example.com" for n in range(6) for kind in EXPECTED]
LEFT = {name for name in PEOPLE if name.startswith(("bounce", "complaint", "unsubscribes"))}


def kind_of(name: str) -> str:
    return name.partition("-")[0]


@attrs.frozen
class World:
    sandbox: Sandbox
    clock: FakeClock
    journal: Journal
    receiver: WebhookReceiver
    url: str

    async def send(self, provider: Provider, message: Message = LETTER) -> None:
        """Send to all people, as far as the service answers."""
        async with BulkSender(provider, journal=self.journal, clock=self.clock) as sender:
            job = await sender.start(message, read_recipients(PEOPLE), name="autumn")
            await job.wait()

    async def days_pass(self) -> None:
        """The services post all that happens in two days, and again what was not taken."""
        for _ in range(48):
            self.sandbox.clock.advance(3600)
            await self.sandbox.deliver()

    async def rows(self) -> dict[str, tuple[RowState, DeliveryStatus | None]]:
        record = await self.journal.jobs.get("autumn")
        found = self.journal.reports.rows(record)
        return {row.address: (row.state, row.delivery) async for some in found for row in some}

    async def check(self) -> None:
        """Each row is what the service did with its email, and who left is suppressed."""
        expected = {name: (RowState.ACCEPTED, EXPECTED[kind_of(name)]) for name in PEOPLE}
        assert await self.rows() == expected
        assert {one.address async for one in self.journal.suppressions.list()} == LEFT
        counts = self.receiver.counts
        assert (counts.foreign, counts.broken, counts.strangers) == (0, 0, 0)
        assert counts.repeated > 0


@pytest.fixture
async def world(journal: Journal) -> AsyncIterator[World]:
    async with Sandbox(speed=0, seed=1) as sandbox:
        sandbox.devino.settings.posting = sandbox.sendpulse.settings.posting = POSTING
        sandbox.devino.settings.open_share = sandbox.sendpulse.settings.open_share = 0.0
        clock = FakeClock(sandbox.clock.now(), moved=sandbox.clock.advance)
        receiver = WebhookReceiver(journal, secret=SECRET, clock=clock)
        async with listening(receiver, "127.0.0.1", 0) as url:
            sandbox.devino.settings.callback_url = f"{url}/webhooks/devino/{SECRET}"
            yield World(sandbox, clock, journal, receiver, url)


@asynccontextmanager
async def devino(world: World) -> AsyncIterator[Devino]:
    key = world.sandbox.devino.settings.api_key
    async with Devino(key, world.sandbox.url, clock=world.clock, hooks=[world.clock.hook]) as one:
        yield one


async def test_a_job_over_devino(world: World) -> None:
    async with devino(world) as provider:
        await world.send(provider)
    await world.days_pass()
    await world.check()


async def test_a_job_over_devino_whose_answer_is_lost_is_settled_by_callbacks_alone(
    world: World,
) -> None:
    world.sandbox.devino.settings.posting = attrs.evolve(POSTING, batch=1000, every=3600)
    world.sandbox.faults.add(Fault("reset_after_acting", on="devino.messages.send", times=1))
    async with devino(world) as provider:
        await world.send(provider)
    assert {state for state, _ in (await world.rows()).values()} == {RowState.IN_DOUBT}
    await world.days_pass()
    await world.check()


async def test_what_the_journal_could_not_take_is_posted_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, failures = world.journal.events.record, [1, 2, 3]

    async def full(*given: object, **more: object) -> object:
        if failures:
            failures.pop()
            raise JournalError("the disk is full")
        return await record(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(world.journal.events, "record", full)
    async with devino(world) as provider:
        await world.send(provider)
    await world.days_pass()
    assert world.receiver.counts.unwritten == 3
    await world.check()


async def test_a_job_over_sendpulse(world: World) -> None:
    own = world.sandbox.sendpulse.settings
    async with SendPulse(
        own.client_id,
        own.client_secret,
        world.sandbox.url,
        clock=world.clock,
        hooks=[world.clock.hook],
    ) as provider:
        await provider.webhooks.create(
            url=f"{world.url}/webhooks/sendpulse/{SECRET}", actions=list(WebhookAction)
        )
        await world.send(provider, attrs.evolve(LETTER, track_opens=True, track_clicks=True))
    await world.days_pass()
    await world.check()


async def test_handlers_hear_of_who_left(journal: Journal, world: World) -> None:
    heard: list[str | None] = []
    receiver = WebhookReceiver(journal, secret=SECRET, clock=world.clock)

    @receiver.on(DeliveryStatus.UNSUBSCRIBED, DeliveryStatus.COMPLAINED)
    async def left(event: DeliveryEvent) -> None:
        heard.append(event.address)

    async with listening(receiver, "127.0.0.1", 0) as url:
        world.sandbox.devino.settings.callback_url = f"{url}/devino/{SECRET}"
        async with devino(world) as provider:
            await world.send(provider)
        await world.days_pass()
    expected = {name for name in LEFT if not name.startswith("bounce")}
    assert {*heard} == expected
