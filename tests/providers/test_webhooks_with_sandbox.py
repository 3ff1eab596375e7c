"""What the sandbox posts, read by the clients, is what has become of each email."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mailkit.events import DeliveryEvent, DeliveryStatus, WebhookEvent
from mailkit.providers.devino import Devino, MessageRecipient
from mailkit.providers.sendpulse import NewContact, SendPulse, WebhookAction
from mailkit.sandbox import Posting, Sandbox

WORDS = ("bounce", "expires", "complaint", "unsubscribes", "leaves", "returns", "opens", "clicks")
PEOPLE = [f"{word}{n}@b.by" for n in range(10) for word in (*WORDS, "slow", "person")]
STATES = {
    "undelivered": DeliveryStatus.HARD_BOUNCE,
    "expired": DeliveryStatus.EXPIRED,
    "complained": DeliveryStatus.COMPLAINED,
    "unsubscribed": DeliveryStatus.UNSUBSCRIBED,
    "opened": DeliveryStatus.OPENED,
    "clicked": DeliveryStatus.CLICKED,
    "delivered": DeliveryStatus.DELIVERED,
    "rejected": DeliveryStatus.REJECTED,
}


@attrs.define
class Customer:
    """Takes posts, every third of them without saying so."""

    url: str
    bodies: list[bytes] = attrs.field(factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        return web.Response(status=500 if len(self.bodies) % 3 == 0 else 200)

    def events(self, parse: Callable[[bytes], Sequence[WebhookEvent]]) -> list[WebhookEvent]:
        return [event for body in self.bodies for event in parse(body)]


@pytest.fixture
async def customer() -> AsyncIterator[Customer]:
    made = Customer("")
    app = web.Application()
    app.router.add_post("/hook", made.take)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/hook"))
        yield made


def harsh() -> Posting:
    """Late, twice and in any order."""
    again = (60.0,) * 20
    return Posting(batch=7, repeated=0.2, late=0.3, late_by=86400.0, shuffled=True, retries=again)


async def delivered(sandbox: Sandbox) -> None:
    """Let three days pass."""
    for _ in range(72):
        sandbox.clock.advance(3600)
        await sandbox.deliver()
    while sandbox.scheduler.backlog.waiting:
        sandbox.clock.advance(3600)
        await sandbox.deliver()


def ends(events: Sequence[WebhookEvent]) -> dict[str, DeliveryStatus]:
    """The last status of each address, whatever the order."""
    last: dict[str, DeliveryStatus] = {}
    for event in events:
        if isinstance(event, DeliveryEvent) and event.address:
            last[event.address] = max(event.status, last.get(event.address, event.status))
    return last


@pytest.mark.parametrize("key", [None, "extraData"])
async def test_devino_s_callbacks(key: str | None, customer: Customer) -> None:
    people = [*PEOPLE, "unsubscribed@b.by"]
    async with Sandbox(speed=0, seed=7) as sandbox:
        settings = sandbox.devino.settings
        settings.callback_url, settings.mixed_case = customer.url, True
        settings.extra_data_key, settings.posting = key, harsh()
        recipients = [
            MessageRecipient(one, extra_data={"mailkit": f"key/1/{n}"})
            for n, one in enumerate(people)
        ]
        async with Devino(settings.api_key, sandbox.url) as client:
            await client.messages.send(
                recipients=recipients,
                sender="news@shop.by",
                subject="Autumn",
                html="<p>Hello</p>[Unsubscribe]",
                check_unsubscription=True,
            )
        await delivered(sandbox)
        truth = {one.address: one for one in sandbox.outcomes()}
    events = customer.events(Devino.parse_webhook)
    assert ends(events) == {one.address: STATES[one.state] for one in truth.values()}
    for event in events:
        assert event.at is not None
        if isinstance(event, DeliveryEvent):
            assert event.address is not None
            assert event.token == f"key/1/{people.index(event.address)}"
            assert event.message_id == truth[event.address].reference
    different = {(one.address, one.name) for one in events}
    assert len(events) > len({one.identity for one in events}) == len(different)


@pytest.mark.parametrize("numbers", ["documented", "text", "number", "mixed"])
async def test_sendpulse_s_webhooks(numbers: Any, customer: Customer) -> None:
    async with Sandbox(speed=0, seed=7) as sandbox:
        settings = sandbox.sendpulse.settings
        settings.webhook_numbers, settings.posting = numbers, harsh()
        settings.moderated_first = 0
        async with SendPulse(api_key=settings.api_key, url=sandbox.url) as client:
            await client.webhooks.create(url=customer.url, actions=[*WebhookAction])
            book = await client.mailing_lists.create("Autumn")
            await client.mailing_lists.add_contacts(book, [NewContact(one) for one in PEOPLE])
            made = await client.campaigns.create(
                sender="Shop <news@shop.by>",
                subject="Autumn",
                html='<a href="https://shop.by">Hello</a>',
                list_id=book,
            )
        await delivered(sandbox)
        truth = sandbox.outcomes()
    events = customer.events(SendPulse.parse_webhook)
    states = {**STATES, "expired": DeliveryStatus.SOFT_BOUNCE}
    assert ends(events) == {one.address: states[one.state] for one in truth}
    deliveries = [one for one in events if isinstance(one, DeliveryEvent)]
    assert {one.reference for one in deliveries} == {str(made.id)}
    assert len(events) > len({one.identity for one in events})
    assert {one.name for one in events} == {*WebhookAction} - {"delete"}
