"""How sms.by's calls write Python's values; most checks before the network are here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol, cast

import attrs

from mailkit.address import Address, normalize
from mailkit.attachment import Attachment
from mailkit.core.fields import FileLike, address, one_line
from mailkit.core.forms import Fields, File
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument

__all__ = [
    "FileLike",
    "SmsByFormat",
    "file",
    "ids",
    "long",
    "moment",
    "one_line",
    "recipient",
    "sender",
]


@attrs.frozen
class SmsByFormat(WireFormat):
    """``text_at_top``: a personal bulk send repeats a subject and a message at its top."""

    text_at_top: bool = False


class HasBody(Protocol):
    """A call that carries a message."""

    @property
    def html(self) -> str: ...


def sender(value: Address | str, wire_format: WireFormat) -> Mapping[str, object]:
    """``Shop <news@shop.by>`` as sender_email and sender_name."""
    return _sender(value)


def recipient(value: Address | str, wire_format: WireFormat) -> str:
    """The bare address of one recipient."""
    if isinstance(value, Address):
        return value.email
    try:
        if value.isprintable() and not value.endswith(
            ">"
        ):  # the common case, without a second look
            return normalize(value)
        return Address.parse(value).email
    except InvalidArgument as error:
        raise InvalidArgument(f"the recipient: {error}") from None


def moment(value: datetime, wire_format: WireFormat) -> str:
    """The minute in the zone of the client, never earlier than requested: seconds round up."""
    if value.utcoffset() is None:
        raise InvalidArgument(
            f"send_at: {value.isoformat()} has no time zone; give one with an offset, "
            "e.g. datetime(2030, 5, 1, 10, tzinfo=ZoneInfo('Europe/Minsk'))"
        )
    try:
        exact = value.astimezone(UTC)
        minute = exact.replace(second=0, microsecond=0)
        if minute < exact:
            minute += timedelta(minutes=1)
        local = minute.astimezone(wire_format.zone).replace(tzinfo=None)
        return local.isoformat(" ", "minutes")
    except OverflowError:
        raise InvalidArgument(f"send_at: {value.isoformat()} is out of reach") from None


def file(value: FileLike, wire_format: WireFormat) -> File:
    """A file part; a Path is read here."""
    name = "attachment" if isinstance(value, bytes) else None
    attachment = Attachment.of(value, name)
    return File(attachment.name, attachment.content_type, attachment.content)


def ids(value: Sequence[int], wire_format: WireFormat) -> str:
    """The lists' ids, separated by commas."""
    if isinstance(cast("object", value), str) or not value:
        # Without ids the service takes the address off every list, which nobody means by [].
        raise InvalidArgument("list_ids: give at least one id; leave it out for every list")
    return ",".join(str(int(one)) for one in value)


def long(call: HasBody, wire_format: WireFormat) -> bool:
    """Long messages go out as multipart, which is read alike and needs no percent-encoding."""
    return wire_format.multipart and len(call.html) > 1000


@lru_cache(maxsize=64)
def _sender(value: Address | str) -> Fields:
    parsed = address(value, "sender")
    fields = {"sender_email": parsed.email}
    if parsed.name:
        fields["sender_name"] = parsed.name
    return Fields(fields)
