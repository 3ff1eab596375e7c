"""How SendPulse's calls write Python's values; most checks before the network are here."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, cast

from mailkit.address import Address, normalize
from mailkit.attachment import Attachment
from mailkit.core import fields as core_fields
from mailkit.core.secret import Secret
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument
from mailkit.remedies import remedy
from mailkit.text import control_character, header_text, utf8

__all__ = [
    "Attachments",
    "Language",
    "address",
    "addresses",
    "attachments",
    "base64_text",
    "checked_page",
    "exactly_one",
    "joined",
    "moment",
    "one_line",
    "plain_addresses",
    "secret_line",
    "sender",
    "some",
]

Language = Literal["ru", "en", "ua", "tr", "es", "pt"]
"""The languages of templates and confirmation messages."""

Attachments = Sequence[Attachment | Path] | Mapping[str, str | bytes | Path]
"""Attachments and paths, or a map from a file's name to its text, bytes or path."""

_PAGE = 100  # records
_FILES = 5


def sender(value: Address | str, wire_format: WireFormat) -> Mapping[str, object]:
    """``Shop <news@shop.by>`` as sender_name and sender_email; the service requires both."""
    parsed = core_fields.address(value, "sender")
    if not parsed.name:
        raise InvalidArgument(
            f"sender: SendPulse requires a name too; write it as Shop <{parsed.email}>"
        )
    return {"sender_name": parsed.name, "sender_email": parsed.email}


def address(value: Address | str, wire_format: WireFormat | None = None) -> str:
    """The bare address."""
    if isinstance(value, Address):
        return value.email
    if type(value) is not str or not value.isprintable():  # quick; the next line is exact
        value = header_text(value, "the address")
    return normalize(value.strip())


def plain_addresses(values: Sequence[Address | str], place: str = "emails") -> list[str]:
    """The bare addresses; InvalidArgument names the place of a wrong one."""
    found = []
    for number, value in enumerate(some(values, place)):
        try:
            found.append(address(value))
        except InvalidArgument as error:
            raise InvalidArgument(f"{place}[{number}]: {error}") from None
    return found


def addresses(values: Sequence[Address | str], wire_format: WireFormat) -> list[str]:
    """The bare addresses of a call."""
    return plain_addresses(values)


def joined(values: Sequence[Address | str], wire_format: WireFormat) -> str:
    """The addresses, separated by commas and in base64, as the blacklist requires."""
    return _base64(",".join(plain_addresses(values)).encode())


def some(values: Sequence[object], place: str) -> Sequence[Address | str]:
    """The values, if they are a list with something in it."""
    if isinstance(values, str | Mapping) or not values:
        raise InvalidArgument(f"{place}: give a list with at least one item")
    return cast("Sequence[Address | str]", values)


def base64_text(place: str) -> Callable[[str, WireFormat], str]:
    """A writer of text in base64."""

    def write(value: str, wire_format: WireFormat) -> str:
        if not isinstance(cast("object", value), str) or not value.strip():
            raise InvalidArgument(f"{place}: give a text that is not empty")
        return _base64(utf8(value, place))

    return write


def one_line(place: str) -> Callable[[str, WireFormat], str]:
    """A writer of text that must hold something and no line break."""

    def write(value: str, wire_format: WireFormat) -> str:
        if not header_text(value, place).strip():
            raise InvalidArgument(f"{place}: it is empty")
        return value

    return write


def secret_line(value: str | Secret, place: str) -> Secret:
    """The text, which must hold something and no line break, as a Secret."""
    secret = Secret(value)
    del value  # what follows may raise, and tracebacks can show the names of a frame
    if not isinstance(cast("object", secret.reveal()), str) or not secret.reveal().strip():
        raise InvalidArgument(f"{place}: give a text that is not empty")
    if fault := control_character(secret.reveal()):
        raise InvalidArgument(f"{place} has {fault}: remove it")
    return secret


def moment(value: datetime, wire_format: WireFormat) -> str:
    """The second in the account's zone, never earlier than requested: fractions round up."""
    if not isinstance(cast("object", value), datetime) or value.utcoffset() is None:
        raise InvalidArgument(
            f"send_at: {value} is not a datetime with a time zone; give one with an offset, "
            "e.g. datetime(2030, 5, 1, 10, tzinfo=ZoneInfo('Europe/Minsk'))"
        )
    if wire_format.zone is None:
        raise InvalidArgument(
            "send_at: SendPulse reads dates in the account's own zone, which is not known here; "
            + remedy(
                "give it, such as Europe/Minsk, as zone=… or MAILKIT_SENDPULSE_ZONE",
                "set MAILKIT_SENDPULSE_ZONE to it, such as Europe/Minsk",
            )
        )
    try:
        exact = value.astimezone(UTC)
        second = exact.replace(microsecond=0)
        if second < exact:
            second += timedelta(seconds=1)
        local = second.astimezone(wire_format.zone).replace(tzinfo=None)
        return local.isoformat(" ", "seconds")
    except OverflowError:
        raise InvalidArgument(f"send_at: {value.isoformat()} is out of reach") from None


def attachments(values: Attachments, wire_format: WireFormat) -> Mapping[str, object]:
    """Texts under ``attachments`` as they are, all else under ``attachments_binary`` in base64."""
    texts: dict[str, str] = {}
    others: dict[str, str] = {}
    if isinstance(values, Mapping):
        for name, content in values.items():
            file = Attachment(name, content)
            if isinstance(content, str):
                texts[file.name] = content
            else:
                others[file.name] = _base64(file.content)
    elif isinstance(cast("object", values), str | bytes | Path | Attachment):
        raise InvalidArgument("attachments: give a list, even for one item")
    else:
        for source in values:
            file = Attachment.of(source)
            if file.name in others:
                raise InvalidArgument(f"attachments: two files are called {file.name!r}")
            others[file.name] = _base64(file.content)
    if len(texts) + len(others) > _FILES:
        raise InvalidArgument(
            f"attachments: SendPulse takes {_FILES}, not {len(texts) + len(others)}"
        )
    kinds = {"attachments": texts, "attachments_binary": others}
    return {key: files for key, files in kinds.items() if files}


def exactly_one(**options: object) -> None:
    """InvalidArgument unless one of the options is given and the others are None."""
    given = [name for name, value in options.items() if value is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise InvalidArgument(f"give exactly one of {' and '.join(options)}; given: {found}")


def checked_page(limit: int | None, offset: int | None) -> None:
    """InvalidArgument for a page that the service would refuse."""
    if limit is not None and not 1 <= limit <= _PAGE:
        raise InvalidArgument(f"limit: give 1 to {_PAGE}, not {limit}")
    if offset is not None and offset < 0:
        raise InvalidArgument(f"offset: {offset} is below zero")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
