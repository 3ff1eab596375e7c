"""Every call that sends, made by a client whose credential is the canary."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import attrs
import pytest

from mailkit.attachment import Attachment
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import PersonalMessage, SmsBy

from .canary import CANARY

Call = Callable[[Any], Awaitable[object]]
Make = Callable[..., Any]
"""A provider's class with the canary in its place; it takes what else that does."""

HOSTS = {"smsby": "app.sms.by", "devino": "api.devino.online", "sendpulse": "api.sendpulse.com"}
"""Where a client turns to that is given no address."""
FREE: dict[str, Any] = {"requests": None, "campaigns": None, "tests": None}
"""A SendPulse client without quotas."""

CLIENTS: dict[str, Make] = {
    "smsby": partial(SmsBy, CANARY),
    "devino": partial(Devino, CANARY),
    "sendpulse": partial(SendPulse, api_key=CANARY, **FREE),
    "sendpulse with a token": partial(SendPulse, "client-id", "client-secret", **FREE),
}
"""The canary is the token, the key, the key, and the token that the service gives."""

LETTER: dict[str, Any] = {
    "sender": "Shop <news@shop.by>",
    "subject": "Autumn",
    "html": "<p>Hello</p>[Unsubscribe]",
}
PERSONAL = [PersonalMessage("c@d.by", "Autumn", "<p>Hello</p>")]
FILE = Attachment("price.pdf", b"%PDF")
HOOK = f"https://shop.by/{CANARY}"

CALLS: dict[str, Call] = {
    "smsby.emails.send": lambda c: c.emails.send(to="c@d.by", **LETTER),
    "smsby.emails.send with a file": lambda c: c.emails.send(
        to="c@d.by", attachment=FILE, **LETTER
    ),
    "smsby.emails.send_to_list": lambda c: c.emails.send_to_list(list_id=7, **LETTER),
    "smsby.bulk.send": lambda c: c.bulk.send(delivery_list=["c@d.by"], **LETTER),
    "smsby.bulk.send of personal letters": lambda c: c.bulk.send(
        sender="news@shop.by", delivery_list=PERSONAL
    ),
    "devino.messages.send": lambda c: c.messages.send(recipients=["c@d.by"], **LETTER),
    "devino.files.upload": lambda c: c.files.upload(FILE),
    "sendpulse.campaigns.create": lambda c: c.campaigns.create(
        list_id=7, attachments=[FILE], **LETTER
    ),
    "sendpulse.campaigns.create of a test": lambda c: c.campaigns.create(
        list_id=7, is_test=True, **LETTER
    ),
    "sendpulse.campaigns.send_test": lambda c: c.campaigns.send_test(
        list_id=7, to=["c@d.by"], **LETTER
    ),
    "sendpulse.mailing_lists.add_contacts_double_opt_in": (
        lambda c: c.mailing_lists.add_contacts_double_opt_in(7, ["c@d.by"], "news@shop.by", "en")
    ),
    "sendpulse.senders.add": lambda c: c.senders.add("news@shop.by", "Shop"),
    "sendpulse.senders.request_code": lambda c: c.senders.request_code("news@shop.by"),
    "sendpulse.webhooks.create": lambda c: c.webhooks.create("https://shop.by/hook", "open"),
}
"""By the call's name, which may have a few words about the arguments after it."""

OTHERS: dict[str, tuple[Make, Call]] = {
    "smsby.templates.list, the token in the query": (
        CLIENTS["smsby"],
        lambda c: c.templates.list(),
    ),
    "sendpulse.webhooks.create, the canary in the address": (
        partial(SendPulse, api_key="another-key", **FREE),
        lambda c: c.webhooks.create(HOOK, "open"),
    ),
    "sendpulse.webhooks.update, the canary in the address": (
        partial(SendPulse, api_key="another-key", **FREE),
        lambda c: c.webhooks.update(162, HOOK),
    ),
}
"""What doesn't send, or has the canary elsewhere."""

ONLY_MAKE = {
    "smsby.mailing_lists.create",
    "sendpulse.mailing_lists.create",
    "sendpulse.templates.create",
    "sendpulse.tags.create",
}
"""Calls that must not be repeated since they would make a second thing, but mail nobody."""


@attrs.frozen
class Act:
    """A call, and whose."""

    name: str
    client: Make
    call: Call

    @property
    def provider(self) -> str:
        return self.name.partition(".")[0]


def _acts() -> Iterator[Act]:
    for name, call in CALLS.items():
        for client, make in CLIENTS.items():
            if client.split()[0] == name.partition(".")[0]:
                yield Act(name + client.removeprefix(client.split()[0]), make, call)
    for name, (make, call) in OTHERS.items():
        yield Act(name, make, call)


ACTS = list(_acts())

each_act = pytest.mark.parametrize("act", ACTS, ids=[act.name for act in ACTS])
each_client = pytest.mark.parametrize("make", CLIENTS.values(), ids=CLIENTS)
