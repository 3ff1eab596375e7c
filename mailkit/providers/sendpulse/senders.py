"""Addresses that messages may come from."""

from __future__ import annotations

import re

import attrs

from mailkit.address import Address
from mailkit.core.call import Call, Resource, arg, delete, get, method, post
from mailkit.core.model import Model
from mailkit.providers.sendpulse import fields
from mailkit.providers.sendpulse.envelope import confirmed
from mailkit.providers.sendpulse.error_codes import GONE

__all__ = ["Sender", "Senders", "inactive"]

inactive = re.compile(r"(?i)not.?active|inactive|wait|pending|не.?актив|ожида").search
"""Whether a sender's status, in the service's words, means that it can't be used."""


@attrs.frozen
class Sender(Model):
    """An address that messages may come from, and its status in the service's words."""

    email: str
    name: str = ""
    status: str = ""
    is_allowed_for_smtp: bool | None = None


@get("/senders", repeatable=True)
class ListSenders(Call[list[Sender]]):
    """All senders of the account."""


@post("/senders", repeatable=False, pick=confirmed)
class AddSender(Call[None]):
    """Add a sender, which then has to be activated."""

    email: Address | str = arg(write=fields.address)
    name: str = arg(write=fields.one_line("name"))


@delete("/senders", repeatable=True, pick=confirmed, gone=GONE)
class RemoveSender(Call[None]):
    """Remove a sender."""

    email: Address | str = arg(write=fields.address)


@post("/senders/{email}/code", repeatable=True, pick=confirmed)
class ActivateSender(Call[None]):
    """Activate a sender with the code from the message that ``request_code`` sent."""

    email: str
    code: str


@get("/senders/{email}/code", repeatable=False, pick=confirmed)
class RequestCode(Call[None]):
    """Have a message with the activation code sent to the sender; each call sends one.

    RateLimited if one was sent in the last 15 minutes.
    """

    email: str


class Senders(Resource):
    """Senders and their activation."""

    list = method(ListSenders)
    add = method(AddSender)
    remove = method(RemoveSender)
    activate = method(ActivateSender)
    request_code = method(RequestCode)
