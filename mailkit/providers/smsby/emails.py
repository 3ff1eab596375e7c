"""Single messages, messages to a mailing list, and what happened to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import attrs
import msgspec

from mailkit.address import Address
from mailkit.core.call import Call, Resource, arg, method, post
from mailkit.core.model import Model
from mailkit.events import DeliveryStatus
from mailkit.providers.smsby import fields

__all__ = ["EmailStatus", "Emails", "SendEmailResult", "SendToListResult", "by_delivery"]

_DELIVERY = {
    "NEW": DeliveryStatus.QUEUED,
    "PENDING": DeliveryStatus.QUEUED,
    "QUEUED": DeliveryStatus.QUEUED,
    "SCHEDULED": DeliveryStatus.QUEUED,
    "SENT": DeliveryStatus.SENT,
    "DELIVERED": DeliveryStatus.DELIVERED,
    "OPEN": DeliveryStatus.OPENED,
    "OPENED": DeliveryStatus.OPENED,
    "CLICK": DeliveryStatus.CLICKED,
    "CLICKED": DeliveryStatus.CLICKED,
    "UNDELIVERED": DeliveryStatus.UNDELIVERED,
    "EXPIRED": DeliveryStatus.EXPIRED,
    "REJECTED": DeliveryStatus.REJECTED,
    "UNSUBSCRIBED": DeliveryStatus.UNSUBSCRIBED,
    "SPAM": DeliveryStatus.COMPLAINED,
}


@attrs.frozen
class SendEmailResult(Model):
    """The service took the message; ``email_id`` is its number there."""

    email_id: int

    def __attrs_post_init__(self) -> None:  # a third of a validator's time
        if self.email_id <= 0:
            raise ValueError(f"'email_id' must be > 0: {self.email_id}")


@attrs.frozen
class SendToListResult(Model):
    """The service accepted the message to a list: its number, and how many addresses get it."""

    message_id: int = attrs.field(validator=attrs.validators.gt(0))
    count_emails: int | None = None


class EmailStatus(
    Model, msgspec.Struct, frozen=True, gc=False
):  # lists of it are long: read at once
    """What happened to the message to one address.

    ``status`` is the service's own word: DELIVERED, UNDELIVERED and OPEN have been seen, the full
    list is unpublished. ``error`` is its reason, empty or None if there is none.
    """

    email_id: int | None = None
    status: str = ""
    error: str | None = None
    email: str | None = None
    recipient: str | None = None

    @property
    def address(self) -> str:
        """The recipient, which some responses call ``recipient`` and some ``email``."""
        return (self.recipient or self.email or "").strip()

    @property
    def delivery(self) -> DeliveryStatus | None:
        """The status in mailkit's words, None for one that is not known."""
        return _delivery(self.status)


def by_delivery(
    found: Iterable[EmailStatus],
) -> Mapping[tuple[DeliveryStatus | None, str], Sequence[str]]:
    """The addresses of these, by what happened to them and the service's reason."""
    listed: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in found:  # not one.address: calling it takes as long as all the rest
        listed[one.status, one.error or ""].append(one.recipient or one.email or "")
    alike: dict[tuple[DeliveryStatus | None, str], list[str]] = defaultdict(list)
    for (status, error), addresses in listed.items():
        alike[_delivery(status), error] += addresses
    return alike


def _delivery(status: str) -> DeliveryStatus | None:
    return _DELIVERY.get(status) or _DELIVERY.get(status.strip().upper())


@post("/api/v2/sendEmail", repeatable=False, body="form", multipart=fields.long)
class SendEmail(Call[SendEmailResult], kw_only=True):
    """Send one message to one address.

    ``sender`` is an Address or ``Shop <news@shop.by>``. ``html`` may be plain text as well.
    ``attachment`` is one Attachment, Path or bytes. ``send_at`` is an aware datetime, rounded up
    to the minute; without it the message goes at once. ``track_opens`` and ``track_clicks`` are on
    unless False.
    """

    sender: Address | str = arg(expand=fields.sender)
    to: Address | str = arg(wire="email", write=fields.recipient)
    subject: str = arg(write=fields.one_line("subject"))
    html: str = arg(wire="message")
    attachment: fields.FileLike | None = arg(default=None, write=fields.file, file=True)
    send_at: datetime | None = arg(default=None, wire="d_schedule", write=fields.moment)
    track_opens: bool | None = arg(default=None, wire="track_open")
    track_clicks: bool | None = arg(default=None, wire="track_click")


@post("/api/v2/sendEmailByList", repeatable=False, body="form", multipart=fields.long)
class SendToList(Call[SendToListResult], kw_only=True):
    """Send one message to all addresses of a mailing list.

    ``name`` names the sending in the dashboard; the service makes one up otherwise. The other
    arguments are those of ``emails.send``.
    """

    list_id: int
    sender: Address | str = arg(expand=fields.sender)
    subject: str = arg(write=fields.one_line("subject"))
    html: str = arg(wire="message")
    name: str | None = arg(default=None, write=fields.one_line("name"))
    attachment: fields.FileLike | None = arg(default=None, write=fields.file, file=True)
    send_at: datetime | None = arg(default=None, wire="d_schedule", write=fields.moment)
    track_opens: bool | None = arg(default=None, wire="track_open")
    track_clicks: bool | None = arg(default=None, wire="track_click")


@post("/api/v2/getEmailDeliveryList", repeatable=True, body="form")
class DeliveryList(Call[list[EmailStatus]]):
    """The recipients of a sending with their statuses.

    ``message_id`` comes from ``emails.send_to_list`` or ``bulk.status``.
    """

    message_id: int


class Emails(Resource):
    """Single messages and messages to a mailing list."""

    send = method(SendEmail)
    send_to_list = method(SendToList)
    delivery_list = method(DeliveryList)
