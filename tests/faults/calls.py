"""The calls of the table: three that mail people, one that makes something, one that asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from .world import World

PEOPLE = ["anna@mail.by", "boris@mail.by", "chloe@mail.by"]
LETTER: dict[str, Any] = {
    "sender": "Shop <news@shop.by>",
    "subject": "Autumn",
    "html": "<p>Hello</p>",
}

Seen = Callable[[], tuple[float, int]]
"""How often the service has acted upon a call, and how often the call has arrived there."""


@attrs.frozen
class Call:
    """A call, and how often the service has carried it out."""

    path: str
    make: Callable[[World], Awaitable[object]]
    acted: Callable[[World], float]
    repeatable: bool = False


async def _send(world: World) -> object:
    return await world.client.emails.send(to=PEOPLE[0], **LETTER)


async def _send_to_list(world: World) -> object:
    [mailing_list] = world.sandbox.smsby.account.lists
    return await world.client.emails.send_to_list(list_id=mailing_list, **LETTER)


async def _send_bulk(world: World) -> object:
    return await world.client.bulk.send(delivery_list=PEOPLE, **LETTER)


async def _create(world: World) -> object:
    return await world.client.mailing_lists.create("Winter")


async def _ask(world: World) -> object:
    [uuid] = world.sandbox.smsby.account.bulks
    return await world.client.bulk.status(uuid)


CALLS = {
    "emails.send": Call("/api/v2/sendEmail", _send, lambda world: world.sandbox.truth.letters),
    "emails.send_to_list": Call(
        "/api/v2/sendEmailByList", _send_to_list, lambda world: world.sandbox.truth.letters / 3
    ),
    "bulk.send": Call(
        "/api/v2/sendBulkEmail", _send_bulk, lambda world: world.sandbox.truth.letters / 3
    ),
    "mailing_lists.create": Call(
        "/api/v2/createSubscriberList",
        _create,
        lambda world: len(world.sandbox.smsby.account.lists),
    ),
    "bulk.status": Call("/api/v2/statusBulkEmail", _ask, lambda world: 0, repeatable=True),
}


async def before(name: str, world: World) -> Seen:
    """Have at the service what the call needs, and an open connection; then count from here."""
    if name == "emails.send_to_list":
        made = await world.client.mailing_lists.create("Autumn")
        rows = [[one] for one in PEOPLE]
        await world.client.mailing_lists.import_contacts(made, ["email"], rows)
    elif name == "bulk.status":
        await world.client.bulk.send(delivery_list=PEOPLE, **LETTER)
    else:
        await world.client.templates.list()
    world.attempts.clear()
    call, operation = CALLS[name], f"smsby.{name}"
    acted, arrived = call.acted(world), world.arrivals(operation)
    return lambda: (call.acted(world) - acted, world.arrivals(operation) - arrived)
