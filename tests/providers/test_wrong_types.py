"""Every call with every one of its arguments of a wrong type, one at a time: InvalidArgument names
the argument, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from typing import Any

import pytest

from mailkit.core.client import Client
from mailkit.errors import InvalidArgument
from mailkit.providers.devino import Devino, MessageRecipient
from mailkit.providers.sendpulse import NewContact, SendPulse, Stats
from mailkit.providers.smsby import PersonalMessage, SmsBy

from ..core.doubles import Script, response
from .devino.arguments import ARGUMENTS as OF_DEVINO
from .sendpulse.arguments import ARGUMENTS as OF_SENDPULSE
from .sendpulse.test_every_call import BEYOND
from .smsby.arguments import ARGUMENTS as OF_SMSBY

CALLS: dict[str, list[Any]] = {
    **{name: list(calls) for name, calls in {**OF_SMSBY, **OF_DEVINO, **OF_SENDPULSE}.items()},
    **{name: [(args, {})] for name, args in BEYOND.items()},
}
NEVER: list[Any] = [object(), 1.5, [object()], {"a": object()}, [[object()]], b"\xff", SmsBy]
"""Wrong for every argument that has a type, or as good as that."""
FITTING: dict[str, tuple[object, ...]] = {
    "sendpulse.mailing_lists.find_by_variable value": (1.5,),
    "devino.files.upload file": (b"\xff",),
    "smsby.emails.send attachment": (b"\xff",),
    "smsby.emails.send_to_list attachment": (b"\xff",),
}
"""What is not wrong there."""


def clients(script: Script) -> dict[str, Client]:
    made: tuple[Client, ...] = (
        SmsBy("t", transport=script),
        Devino("k", transport=script),
        SendPulse(api_key="k", transport=script, zone="UTC"),
    )
    return {client.name: client for client in made}


def each_argument() -> Iterator[tuple[Any, str, dict[str, Any], str, Any]]:
    """The method, its name, its right arguments, the one that will be wrong, and a wrong value."""
    for name, calls in CALLS.items():
        provider, group, last = name.split(".")
        method = getattr(getattr(CLIENTS[provider], group), last)
        for args, kwargs in calls:
            right = signature(method).bind(*args, **kwargs).arguments
            for argument in right:
                for value in NEVER:
                    if value not in FITTING.get(f"{name} {argument}", ()):
                        yield method, name, right, argument, value


SCRIPT = Script()
CLIENTS = clients(SCRIPT)


async def test_every_argument_of_every_call_is_checked() -> None:
    tried = set()
    for method, name, right, argument, value in each_argument():
        with pytest.raises(InvalidArgument, match=rf"\b{argument}\b"):
            await method(**{**right, argument: value})
        tried.add(name)
    without = {name for name, [(args, kwargs), *_] in CALLS.items() if not (args or kwargs)}
    assert tried | without == {*CALLS}
    assert not SCRIPT.requests


NESTED: list[tuple[str, dict[str, Any], str]] = [
    ("smsby.bulk.send", {"delivery_list": [PersonalMessage("a@b.by", None, "x")]}, "0].subject"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ("smsby.bulk.send", {"delivery_list": PersonalMessage("a@b.by", "s", "x")}, "delivery_list"),
    ("devino.messages.send", {"recipients": [MessageRecipient(None)]}, "recipients[0].address"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    (
        "devino.messages.send",
        {"recipients": [MessageRecipient("a@b.by", merge_fields={"n": 5})]},  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
        "recipients[0].merge_fields['n']",
    ),
    ("sendpulse.campaigns.create", {"stats": Stats(opens="yes")}, "stats.opens"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ("sendpulse.mailing_lists.add_contacts", {"emails": [NewContact(5)]}, "emails[0].email"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
]


async def test_what_is_inside_an_argument_is_checked() -> None:
    for name, wrong, place in NESTED:
        provider, group, last = name.split(".")
        method = getattr(getattr(CLIENTS[provider], group), last)
        args, kwargs = CALLS[name][-1]
        right = signature(method).bind(*args, **kwargs).arguments
        with pytest.raises(InvalidArgument) as caught:
            await method(**{**right, **wrong})
        assert place in str(caught.value), (name, place)


async def test_recipients_that_can_be_read_only_once_are_mailed_and_reported() -> None:
    said = {
        "result": [{"index": 0, "address": "a@b.by", "messageId": "7", "code": "ok"}],
        "description": "ok",
    }
    script = Script(response(200, said))
    sent = await Devino("k", transport=script).messages.send(
        recipients=(address for address in ["a@b.by"]),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        sender="Shop <news@shop.by>",
        subject="Autumn",
        html="<p>Hi</p>[Unsubscribe]",
    )
    assert [one.address for one in sent.accepted] == ["a@b.by"]
