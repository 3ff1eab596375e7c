"""What is sent and to whom: Message and Recipient, checked when they are made."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timezone
from pathlib import Path
from typing import Any, ClassVar, cast

import attrs

from mailkit.address import Address
from mailkit.attachment import Attachment
from mailkit.errors import InvalidArgument
from mailkit.text import header_text, utf8

__all__ = ["Message", "Recipient"]

_header_name = re.compile(r"[!-9;-~]++").fullmatch
_OWN = frozenset({"from", "to", "cc", "bcc", "subject", "reply-to", "sender", "date"})


def _sender(value: Address | str) -> Address:
    try:
        return Address.parse(value)
    except InvalidArgument as error:
        raise InvalidArgument(f"sender: {error}") from None


def _reply_to(value: Address | str | None) -> Address | None:
    try:
        return None if value is None else Address.parse(value)
    except InvalidArgument as error:
        raise InvalidArgument(f"reply_to: {error}") from None


def _headers(values: Mapping[str, str]) -> Mapping[str, str]:
    if not isinstance(cast("object", values), Mapping):
        raise InvalidArgument(f"headers: give names and texts, not {type(values).__name__}")
    for name, text in values.items():
        if not isinstance(cast("object", name), str) or not _header_name(name):
            raise InvalidArgument(f"headers: {name!r} is not a valid header name")
        if name.lower() in _OWN:
            raise InvalidArgument(f"headers: {name} is set from the other parts of the message")
        if "{{" in header_text(text, f"headers: {name}"):
            raise InvalidArgument(f"headers: {name} has a placeholder, and headers can't have any")
    return {_text(name): _text(text) for name, text in values.items()}


def _text(value: Any) -> Any:
    """Text of a subclass, as template engines have, as Python's own."""
    return str.__str__(value) if isinstance(value, str) else value


def _subject(value: str) -> str:
    return header_text(value, "subject")


def _attachments(values: Iterable[Attachment | Path | str]) -> tuple[Attachment, ...]:
    if isinstance(values, str | bytes | Path | Attachment):
        raise InvalidArgument("attachments: give a list, even for one item")
    if not isinstance(cast("object", values), Iterable):
        raise InvalidArgument(f"attachments: give a list, not {type(values).__name__}")
    return tuple(map(Attachment.of, values))


def _fixed_offset(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise InvalidArgument(f"send_at: give a datetime, not {type(value).__name__}")
    offset = value.utcoffset()
    if offset is None:
        raise InvalidArgument(
            f"send_at: {value.isoformat()} has no time zone, so it is ambiguous; "
            "give one with an offset, e.g. 2030-05-01T10:00:00+03:00"
        )
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise InvalidArgument(f"send_at: {value.isoformat()} is out of reach") from None
    return value.replace(tzinfo=timezone(offset))


@attrs.frozen
class Message:
    """A message to one or to many: sender, subject and a body, ``html`` or ``text``.

    ``sender`` and ``reply_to`` are an Address, or text such as ``Shop <news@shop.by>``. ``headers``
    maps names, such as ``List-Unsubscribe``, to texts. ``attachments`` are Attachments or paths.
    ``send_at`` is a datetime with an offset, which it keeps; None sends at once. ``track_opens``
    and ``track_clicks`` are True, False, or None for the service's own default. Subject and body
    may hold placeholders, ``{{ field }}``.

    Whatever can't be sent raises InvalidArgument here, with the place and the remedy. Services that
    don't support a part, such as reply_to, headers or both bodies, refuse it before anything is
    sent.
    """

    __how__: ClassVar = "Message(sender=…, subject=…, html=…)"

    sender: Address = attrs.field(converter=_sender)
    subject: str = attrs.field(converter=_subject)
    html: str | None = attrs.field(default=None, converter=_text, kw_only=True)
    text: str | None = attrs.field(default=None, converter=_text, kw_only=True)
    attachments: tuple[Attachment, ...] = attrs.field(
        default=(), converter=_attachments, kw_only=True
    )
    send_at: datetime | None = attrs.field(default=None, converter=_fixed_offset, kw_only=True)
    track_opens: bool | None = attrs.field(default=None, kw_only=True)
    track_clicks: bool | None = attrs.field(default=None, kw_only=True)
    reply_to: Address | None = attrs.field(default=None, converter=_reply_to, kw_only=True)
    headers: Mapping[str, str] = attrs.field(
        factory=dict[str, str], converter=_headers, kw_only=True, eq=dict, hash=False
    )

    def __attrs_post_init__(self) -> None:
        if not self.subject.strip():
            raise InvalidArgument("subject: it is empty; give the message one")
        if self.html is None and self.text is None:
            raise InvalidArgument("give the message a body, html or text; it has neither")
        for place, body in (("html", self.html), ("text", self.text)):
            if body is None:
                continue
            if not isinstance(cast("object", body), str):
                raise InvalidArgument(f"{place}: give text, not {type(body).__name__}")
            if not utf8(body, place).strip():
                raise InvalidArgument(f"{place}: it is empty; give the message a body")
        for word in ("track_opens", "track_clicks"):
            if not isinstance(value := getattr(self, word), bool | None):
                raise InvalidArgument(f"{word}: give True, False or None, not {value!r}")

    @property
    def body(self) -> str:
        """``html``, or ``text`` if that is the only one."""
        return cast("str", self.text if self.html is None else self.html)

    @classmethod
    def from_toml(cls, path: str | Path) -> Message:
        """The message in a TOML file, which has the words of this class, or ``html_file`` and
        ``text_file`` in place of the body; paths are relative to that file, and lead to files in
        its folder or below.
        """
        from mailkit.message_file import read_fields  # TOML, which many never need

        fields = read_fields(Path(path))
        try:
            return cls(**fields)
        except InvalidArgument as error:
            raise InvalidArgument(f"{path}: {error}") from None

    def to_json(self) -> dict[str, Any]:
        """Plain values for a journal: attachments in base64, ``send_at`` as ISO 8601."""
        more: dict[str, Any] = {}  # which older journals don't have: fingerprints stay the same
        if self.reply_to is not None:
            more["reply_to"] = {"email": self.reply_to.email, "name": self.reply_to.name}
        if self.headers:
            more["headers"] = dict(self.headers)
        return more | {
            "sender": {"email": self.sender.email, "name": self.sender.name},
            "subject": self.subject,
            "html": self.html,
            "text": self.text,
            "attachments": [
                {
                    "name": file.name,
                    "content_type": file.content_type,
                    "content": base64.b64encode(file.content).decode("ascii"),
                }
                for file in self.attachments
            ],
            "send_at": None if self.send_at is None else self.send_at.isoformat(),
            "track_opens": self.track_opens,
            "track_clicks": self.track_clicks,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Message:
        """The message that `to_json` wrote; InvalidArgument if it is damaged."""
        try:
            return cls(
                **{
                    **data,
                    "sender": Address(**data["sender"]),
                    "reply_to": data.get("reply_to") and Address(**data["reply_to"]),
                    "attachments": [
                        Attachment(
                            file["name"],
                            base64.b64decode(file["content"], validate=True),
                            file["content_type"],
                        )
                        for file in data["attachments"]
                    ],
                    "send_at": data["send_at"] and datetime.fromisoformat(data["send_at"]),
                }
            )
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise InvalidArgument(f"not a message written by to_json: {error}") from None

    def fingerprint(self) -> bytes:
        """16 bytes that are the same for equal messages in every process and on every machine:
        attachments count by name and content, ``send_at`` as an instant in UTC.
        """
        canonical = self.to_json() | {
            "attachments": [
                [file.name, hashlib.blake2b(file.content, digest_size=16).hexdigest()]
                for file in self.attachments  # without the type: guesses change with Python
            ],
            "send_at": self.send_at and self.send_at.astimezone(UTC).isoformat(),
        }
        text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _check_recipient(recipient: Recipient, field: attrs.Attribute[Any], value: object) -> None:
    kind, words = _RECIPIENT[field.name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InvalidArgument(f"{field.name}: give {words}, not {type(value).__name__}")


_RECIPIENT: Mapping[str, tuple[Any, str]] = {
    "address": (str, "text"),
    "fields": (Mapping, "names and values"),
    "line": (int | None, "a whole number"),
}


@attrs.frozen
class Recipient:
    """Whom to write to: an address as it was given, the fields that fill the placeholders, and
    its line, if it was read from a file.
    """

    address: str = attrs.field(converter=_text, validator=_check_recipient)
    fields: Mapping[str, str] = attrs.field(factory=dict, validator=_check_recipient)
    line: int | None = attrs.field(default=None, validator=_check_recipient)
