"""Which calls the table is about: everything that mails somebody, and nothing forgotten."""

from __future__ import annotations

import pytest

from mailkit.core.call import Route, resource
from mailkit.core.client import Client
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import SmsBy
from mailkit.sandbox import Sandbox

from .calls import CALLS, Call

MAILS_NOBODY = {
    "sendpulse.mailing_lists.create": "an empty list",
    "sendpulse.templates.create": "a template, which letters are made from",
    "sendpulse.tags.create": "a word to pin to contacts",
    "sendpulse.webhooks.create": "an address that is told what happens to letters",
}
"""Calls that must not be repeated, since a second thing would be made; not in the table."""


def routes(client: type[Client]) -> dict[str, Route]:
    """What is declared of each of a client's calls, by the call's name."""
    found: dict[str, Route] = {}
    for place, group in vars(client).items():
        if isinstance(group, resource):
            for kind in group.cls.__mro__:
                for name, one in vars(kind).items():
                    route = getattr(one, "route", None)
                    if isinstance(route, Route):
                        found[f"{client.name}.{place}.{name}"] = route
    return found


ROUTES = {
    name: route for kind in (SmsBy, Devino, SendPulse) for name, route in routes(kind).items()
}


def test_every_call_that_must_not_be_repeated_is_in_the_table_or_mails_nobody() -> None:
    once = {name for name, route in ROUTES.items() if not route.repeatable}
    here = {call.operation for call in CALLS.values()}
    assert once - here == set(MAILS_NOBODY)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_of_the_table_is_as_it_is_declared(call: Call) -> None:
    assert ROUTES[call.operation].repeatable == call.repeatable


def test_no_call_is_overlooked() -> None:
    services = Sandbox().services.values()
    known = {one.operation for service in services for one in service.endpoints}
    assert known - {"sendpulse.auth.token"} == set(ROUTES)
