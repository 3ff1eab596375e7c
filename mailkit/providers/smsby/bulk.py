"""One message to many addresses, or many personal messages, in one request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, cast

import attrs
import msgspec

from mailkit.address import Address
from mailkit.core.call import Call, Raw, Resource, arg, method, post
from mailkit.core.model import Model
from mailkit.core.reading import decode
from mailkit.core.wire import Unreadable
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument
from mailkit.providers.smsby import fields
from mailkit.providers.smsby.emails import EmailStatus
from mailkit.text import header_text

__all__ = ["Bulk", "BulkError", "BulkStatus", "PersonalMessage", "SendBulkResult"]


class PersonalMessage(NamedTuple):
    """A message of its own for one address; ``message`` is HTML, or plain text, and bytes are the
    same in UTF-8.
    """

    email: str
    subject: str
    message: str | bytes


@attrs.frozen
class SendBulkResult(Model):
    """The service accepted the request; ``uuid`` identifies it in ``bulk.status``."""

    uuid: str


class BulkError(Model, msgspec.Struct, frozen=True, gc=False):
    """An address that the service did not accept a message for, and why."""

    email: str = ""
    error: str | None = None

    @property
    def address(self) -> str:
        """The address without white space around it."""
        return self.email.strip()


@attrs.frozen
class BulkStatus(Model):
    """One message of a bulk request: ``success`` has the accepted emails, ``errors`` the others."""

    message_id: int | None = None
    name: str | None = None
    sender_email: str | None = None
    sender_name: str | None = None
    success: tuple[EmailStatus, ...] = ()
    errors: tuple[BulkError, ...] = ()


def _deliveries(
    value: Sequence[str | Address] | Sequence[PersonalMessage], wire_format: WireFormat
) -> Mapping[str, object]:
    if _personal(value):
        messages = cast("Sequence[PersonalMessage]", value)
        top = isinstance(wire_format, fields.SmsByFormat) and wire_format.text_at_top
        return {**(_text_at_top(messages[0]) if top else {}), **_messages_form(messages)}
    return _addresses(cast("Sequence[str | Address]", value))


def _addresses(addresses: Iterable[str | Address]) -> Mapping[str, object]:
    form: dict[str, object] = {"message_type": "bulk"}
    for place, address in enumerate(addresses):
        email = address.email if isinstance(address, Address) else address
        if not (type(email) is str and email.isprintable()):  # quick; the next line is exact
            header_text(email, f"delivery_list[{place}]")
        form[f"delivery_list[{place}]"] = email
    return form


def _messages_form(messages: Iterable[PersonalMessage]) -> Mapping[str, object]:
    form: dict[str, object] = {"message_type": "personal"}
    for place, message in enumerate(messages):
        if not isinstance(message, PersonalMessage):
            raise InvalidArgument(
                f"delivery_list[{place}]: give addresses or personal messages, not both"
            )
        in_email, in_subject, in_message = _keys(place)
        email, subject, form[in_message] = message
        if not (email.isprintable() and subject.isprintable()):  # quick; the next lines are exact
            header_text(email, in_email)
            header_text(subject, in_subject)
        form[in_email] = email
        form[in_subject] = subject
    return form


def _text_at_top(message: PersonalMessage) -> Mapping[str, object]:
    return {"subject": header_text(message.subject, "subject"), "message": message.message}


@lru_cache(maxsize=4096)
def _keys(place: int) -> tuple[str, str, str]:
    start = f"delivery_list[{place}]"
    return f"{start}[email]", f"{start}[subject]", f"{start}[message]"


def _personal(value: Sequence[object]) -> bool:
    return isinstance(value[0], PersonalMessage)


def _as_multipart(call: SendBulk, wire_format: WireFormat) -> bool:
    return wire_format.multipart and _personal(call.delivery_list)


def _taken(call: Call[SendBulkResult], raw: Raw) -> SendBulkResult:
    tree = decode(raw)
    uuid = tree.get("uuid") if isinstance(tree, dict) else None
    if not isinstance(uuid, str) or not _uuid(uuid):
        raise Unreadable("no uuid in the response")
    return SendBulkResult(uuid)


_uuid = re.compile(r"[!-~]{1,200}").fullmatch


@post(
    "/api/v2/sendBulkEmail",
    repeatable=False,
    body="form",
    multipart=_as_multipart,
    read=_taken,
)
class SendBulk(Call[SendBulkResult], kw_only=True):
    """Send one message to many addresses, or a personal message to each.

    ``delivery_list`` holds addresses, with ``subject`` and ``html`` for all of them, or
    PersonalMessages, which have their own. Wrong addresses don't refuse the request: they are named
    in the status. ``name`` names the sending in the dashboard. How many addresses a request may
    have is unpublished.
    """

    sender: Address | str = arg(expand=fields.sender)
    subject: str | None = arg(default=None, write=fields.one_line("subject"))
    html: str | None = arg(default=None, wire="message")
    name: str | None = arg(default=None, write=fields.one_line("name"))
    send_at: datetime | None = arg(default=None, wire="d_schedule", write=fields.moment)
    track_opens: bool | None = arg(default=None, wire="track_open")
    track_clicks: bool | None = arg(default=None, wire="track_click")
    delivery_list: Sequence[str | Address] | Sequence[PersonalMessage] = arg(expand=_deliveries)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.delivery_list, str) or not self.delivery_list:
            raise InvalidArgument("delivery_list: give a list with at least one address or message")
        common = (self.subject is not None, self.html is not None)
        if _personal(self.delivery_list):
            if any(common):
                raise InvalidArgument(
                    "leave out subject and html: personal messages have their own"
                )
        elif not all(common):
            raise InvalidArgument("give subject and html for a list of addresses")


@post("/api/v2/statusBulkEmail", repeatable=True, body="form")
class GetBulkStatus(Call[list[BulkStatus]]):
    """What happened to the addresses of a bulk request; one sending can be several messages.

    ``uuid`` comes from ``bulk.send``.
    """

    uuid: str


class Bulk(Resource):
    """Many addresses in one request."""

    send = method(SendBulk)
    status = method(GetBulkStatus)
