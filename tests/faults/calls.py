"""The calls of the table: all that mail people, one that makes something, some that only ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import attrs

from .world import World

PEOPLE = ["anna@mail.by", "boris@mail.by", "chloe@mail.by"]
LETTER: dict[str, Any] = {
    "sender": "Shop <news@shop.by>",
    "subject": "Autumn",
    "html": "<p>Hello</p>",
}
SENDER = "news@shop.by"

Step = Callable[[World], Awaitable[object]]
Seen = Callable[[], tuple[float, int]]
"""How often the service has acted upon a call, and how often the call has arrived there."""


def _a_letter(world: World) -> float:
    return world.letters


def _three_letters(world: World) -> float:
    return world.letters / 3


async def _connect(world: World) -> object:
    """Open a connection: the services share a host."""
    return await world.smsby.templates.list()


@attrs.frozen
class Call:
    """A call; ``acted`` tells how often the service has carried it out, ``before`` has at the
    service what the call needs, and opens a connection.
    """

    name: str
    path: str
    make: Step
    acted: Callable[[World], float] = _a_letter
    before: Step = _connect
    repeatable: bool = False

    @property
    def operation(self) -> str:
        """The name without what tells two uses of one call apart."""
        return self.name.partition(" ")[0]

    @property
    def provider(self) -> str:
        return self.name.partition(".")[0]

    async def watched(self, world: World) -> Seen:
        """Have at the service what the call needs; then count from here."""
        await self.before(world)
        world.attempts.clear()
        acted, arrived = self.acted(world), world.arrivals(self.operation)
        return lambda: (self.acted(world) - acted, world.arrivals(self.operation) - arrived)


def _only(numbers: Iterable[Any]) -> Any:
    [number] = numbers
    return number


# sms.by


async def _send(world: World) -> object:
    return await world.smsby.emails.send(to=PEOPLE[0], **LETTER)


async def _send_to_list(world: World) -> object:
    number = _only(world.sandbox.smsby.account.lists)
    return await world.smsby.emails.send_to_list(list_id=number, **LETTER)


async def _smsby_list(world: World) -> object:
    number = await world.smsby.mailing_lists.create("Autumn")
    rows = [[one] for one in PEOPLE]
    return await world.smsby.mailing_lists.import_contacts(number, ["email"], rows)


async def _send_bulk(world: World) -> object:
    return await world.smsby.bulk.send(delivery_list=PEOPLE, **LETTER)


async def _create(world: World) -> object:
    return await world.smsby.mailing_lists.create("Winter")


async def _status(world: World) -> object:
    return await world.smsby.bulk.status(_only(world.sandbox.smsby.account.bulks))


# Devino


async def _message(world: World) -> object:
    letter = {**LETTER, "html": "<p>Hello</p>[Unsubscribe]"}
    return await world.devino.messages.send(recipients=PEOPLE, **letter)


async def _upload(world: World) -> object:
    return await world.devino.files.upload(world.folder / "prices.txt")


async def _file(world: World) -> object:
    """A file that is read, and sent, in three pieces."""
    (world.folder / "prices.txt").write_bytes(b"x" * 600_000)
    return await _connect(world)


# SendPulse


async def sendpulse_list(world: World) -> None:
    number = await world.sendpulse.mailing_lists.create("Autumn")
    await world.sendpulse.mailing_lists.add_contacts(number, PEOPLE)


async def campaign(world: World, **options: Any) -> object:
    number = _only(world.sandbox.sendpulse.account.lists)
    return await world.sendpulse.campaigns.create(list_id=number, **LETTER, **options)


async def _campaign_as_test(world: World) -> None:
    await campaign(world, is_test=True)


async def _send_test(world: World) -> None:
    number = _only(world.sandbox.sendpulse.account.lists)
    await world.sendpulse.campaigns.send_test(to=PEOPLE, list_id=number, **LETTER)


async def _double_opt_in(world: World) -> None:
    number = _only(world.sandbox.sendpulse.account.lists)
    lists = world.sendpulse.mailing_lists
    await lists.add_contacts_double_opt_in(number, PEOPLE, SENDER, "en")


async def _empty_list(world: World) -> object:
    return await world.sendpulse.mailing_lists.create("Autumn")


async def _rename(world: World) -> None:
    await world.sendpulse.mailing_lists.rename(
        _only(world.sandbox.sendpulse.account.lists), "Winter"
    )


async def _block(world: World) -> None:
    await world.sendpulse.blacklist.add(PEOPLE)


async def _unblock(world: World) -> None:
    await world.sendpulse.blacklist.remove(PEOPLE)


async def _request_code(world: World) -> None:
    await world.sendpulse.senders.request_code(SENDER)


async def _add_sender(world: World) -> None:
    await world.sendpulse.senders.add("new@shop.by", "Shop")


async def _lists(world: World) -> object:
    return await world.sendpulse.mailing_lists.list()


def _call(name: str, path: str, make: Step, **more: Any) -> tuple[str, Call]:
    return name, Call(name, path, make, **more)


CALLS = dict(
    [
        _call("smsby.emails.send", "/api/v2/sendEmail", _send),
        _call(
            "smsby.emails.send_to_list",
            "/api/v2/sendEmailByList",
            _send_to_list,
            acted=_three_letters,
            before=_smsby_list,
        ),
        _call("smsby.bulk.send", "/api/v2/sendBulkEmail", _send_bulk, acted=_three_letters),
        _call(
            "smsby.mailing_lists.create",
            "/api/v2/createSubscriberList",
            _create,
            acted=lambda world: len(world.sandbox.smsby.account.lists),
        ),
        _call(
            "smsby.bulk.status",
            "/api/v2/statusBulkEmail",
            _status,
            before=_send_bulk,
            repeatable=True,
        ),
        _call("devino.messages.send", "/email/messages", _message, acted=_three_letters),
        _call("devino.files.upload", "/files/files", _upload, before=_file, repeatable=True),
        _call(
            "sendpulse.campaigns.create",
            "/campaigns",
            campaign,
            acted=_three_letters,
            before=sendpulse_list,
        ),
        _call(
            "sendpulse.campaigns.create as a test",
            "/campaigns",
            _campaign_as_test,
            before=sendpulse_list,
        ),
        _call(
            "sendpulse.campaigns.send_test",
            "/campaigns",
            _send_test,
            acted=_three_letters,
            before=sendpulse_list,
        ),
        _call(
            "sendpulse.mailing_lists.add_contacts_double_opt_in",
            "/addressbooks/*/emails",
            _double_opt_in,
            acted=_three_letters,
            before=_empty_list,
        ),
        _call("sendpulse.senders.request_code", "/senders/*/code", _request_code),
        _call(
            "sendpulse.senders.add",
            "/senders",
            _add_sender,
            acted=lambda world: len(world.sandbox.sendpulse.account.senders),
        ),
        _call(
            "sendpulse.mailing_lists.list",
            "/addressbooks",
            _lists,
            before=sendpulse_list,
            repeatable=True,
        ),
        _call(
            "sendpulse.mailing_lists.rename",
            "/addressbooks/*",
            _rename,
            before=_empty_list,
            repeatable=True,
        ),
        _call("sendpulse.blacklist.remove", "/blacklist", _unblock, before=_block, repeatable=True),
    ]
)

SHAPES = [
    CALLS[name]
    for name in (
        "smsby.emails.send",  # a form
        "devino.messages.send",  # JSON
        "devino.files.upload",  # a file
        "sendpulse.campaigns.create",  # another form, and a token's header
        "sendpulse.mailing_lists.list",  # GET
        "sendpulse.mailing_lists.rename",  # PUT
        "sendpulse.blacklist.remove",  # DELETE
    )
]
"""One call of each kind of request; what differs otherwise is decided after the wire."""

SENDS = SHAPES[0], SHAPES[1], SHAPES[3]
"""One call of each service that must not be repeated."""
