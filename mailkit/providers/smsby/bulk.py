"""One message to many addresses, or many personal messages, in one request."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from typing import Any

import attrs
import msgspec

from mailkit.address import Address
from mailkit.core.call import Call, Raw, Resource, arg, method, post
from mailkit.core.model import Model
from mailkit.core.reading import Reader, decode, php_list
from mailkit.core.wire import Unreadable
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument
from mailkit.providers.smsby import deliveries, fields
from mailkit.providers.smsby.deliveries import DeliveryList, PersonalMessage, is_personal
from mailkit.providers.smsby.emails import EmailStatus

__all__ = ["Bulk", "BulkError", "BulkStatus", "PersonalMessage", "SendBulkResult"]


@attrs.frozen
class SendBulkResult(Model):
    """The service accepted the request; ``uuid`` identifies it in ``bulk.status``."""

    uuid: str


class BulkError(Model, msgspec.Struct, frozen=True, gc=False):
    """An address that the service did not accept a message for, and why."""

    email: str | None = None
    error: str | None = None
    recipient: str | None = None

    @property
    def address(self) -> str:
        """The address, which some responses call ``recipient`` and some ``email``."""
        return (self.recipient or self.email or "").strip()


@attrs.frozen
class BulkStatus(Model):
    """One message of a bulk request: ``success`` has the accepted emails, ``errors`` the others."""

    message_id: int | None = None
    name: str | None = None
    sender_email: str | None = None
    sender_name: str | None = None
    success: tuple[EmailStatus, ...] = ()
    errors: tuple[BulkError, ...] = ()


def _as_multipart(call: SendBulk, wire_format: WireFormat) -> bool:
    return wire_format.multipart and is_personal(call.delivery_list)


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
    delivery_list: DeliveryList = arg(expand=deliveries.write)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.delivery_list, str) or not self.delivery_list:
            raise InvalidArgument("delivery_list: give a list with at least one address or message")
        common = (self.subject is not None, self.html is not None)
        if is_personal(self.delivery_list):
            if any(common):
                raise InvalidArgument(
                    "leave out subject and html: personal messages have their own"
                )
        elif not all(common):
            raise InvalidArgument("give subject and html for a list of addresses")


def _statuses(_: Call[list[BulkStatus]], raw: Raw) -> list[BulkStatus]:
    """The messages; a row that is null or text tells nothing, and costs none of the others."""
    try:
        return _reader()(raw)
    except Unreadable:
        tree = php_list(decode(raw))
        found = [_without_blanks(one) for one in tree] if isinstance(tree, list) else tree
        return _reader().structure(found)


@cache
def _reader() -> Reader[list[BulkStatus]]:
    return Reader(list[BulkStatus])


def _without_blanks(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    rows = {key: php_list(message[key]) for key in ("success", "errors") if key in message}
    return message | {
        key: [row for row in listed if row is not None and not isinstance(row, str)]
        for key, listed in rows.items()
        if isinstance(listed, list)
    }


@post("/api/v2/statusBulkEmail", repeatable=True, body="form", read=_statuses)
class GetBulkStatus(Call[list[BulkStatus]]):
    """What happened to the addresses of a bulk request; one sending can be several messages.

    ``uuid`` comes from ``bulk.send``.
    """

    uuid: str


class Bulk(Resource):
    """Many addresses in one request."""

    send = method(SendBulk)
    status = method(GetBulkStatus)
