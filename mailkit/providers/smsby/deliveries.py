"""The delivery list of a bulk send: addresses, or a message of its own for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, NamedTuple, cast

from mailkit.address import Address
from mailkit.core.fields import in_columns
from mailkit.core.form_rows import FormRows, Piece
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument
from mailkit.providers.smsby.fields import SmsByFormat
from mailkit.template import Renderer
from mailkit.text import control_character, header_text

__all__ = ["DeliveryList", "PersonalMessage", "RenderedMessages", "is_personal", "write"]

_KEY = "delivery_list"
_EMAIL, _SUBJECT, _MESSAGE = "[email]", "[subject]", "[message]"


class PersonalMessage(NamedTuple):
    """A message of its own for one address; ``message`` is HTML, or plain text, and bytes are the
    same in UTF-8.
    """

    email: str
    subject: str
    message: str | bytes


class RenderedMessages:
    """The messages that a template makes of rows, one for each address; ``values`` are those of
    the renderer's columns that come after the address.

    They are rendered while they are written, all at once, which takes a fraction of the time.
    """

    def __init__(
        self, render: Renderer, emails: Sequence[str], values: Sequence[Sequence[str]]
    ) -> None:
        self.render = render
        self.emails = emails
        self.values = values

    def __len__(self) -> int:
        return len(self.emails)

    def __iter__(self) -> Iterator[PersonalMessage]:
        encoded = self.render.encoded
        for email, values in zip(self.emails, self.values, strict=True):
            yield PersonalMessage(email, *encoded((email, *values)))

    def fields(self) -> Mapping[str, Sequence[Piece]] | None:
        """All fields at once; None where something is wrong, or may be: one by one, they tell."""
        try:
            columns = [self.emails, *in_columns(self.values)]
            subjects, messages = self.render.columns(columns)
        except ValueError:  # InvalidRow
            return None
        if not all(map(_fit_headers, (self.emails, *subjects))):
            return None
        return {_MESSAGE: messages, _EMAIL: (self.emails,), _SUBJECT: subjects}


DeliveryList = (
    Sequence[str | Address] | Sequence[PersonalMessage] | Annotated[RenderedMessages, "a list"]
)


def is_personal(value: DeliveryList) -> bool:
    """Whether these are messages, not addresses."""
    return isinstance(value, RenderedMessages) or isinstance(value[0], PersonalMessage)


def write(value: DeliveryList, wire_format: WireFormat) -> Mapping[str, object]:
    """The list as it travels; InvalidArgument for what can't."""
    if not is_personal(value):
        emails = _addresses(cast("Sequence[str | Address]", value))
        return {"message_type": "bulk", _KEY: FormRows(_KEY, len(emails), {"": (emails,)})}
    messages = cast("Sequence[PersonalMessage] | RenderedMessages", value)
    fields = messages.fields() if isinstance(messages, RenderedMessages) else None
    rows = FormRows(_KEY, len(messages), fields or _fields(tuple(messages)))
    top = isinstance(wire_format, SmsByFormat) and wire_format.text_at_top
    first = _text_at_top(next(iter(messages))) if top else {}
    return {**first, "message_type": "personal", _KEY: rows}


def _addresses(addresses: Sequence[str | Address]) -> Sequence[str]:
    if {*map(type, addresses)} == {str}:
        emails = cast("Sequence[str]", addresses)
        if _fit_headers(emails):
            return emails
    return [
        header_text(one.email if isinstance(one, Address) else one, f"{_KEY}[{n}]")
        for n, one in enumerate(addresses)
    ]


def _fields(messages: Sequence[PersonalMessage]) -> Mapping[str, Sequence[Piece]]:
    for n, message in enumerate(messages):
        if not isinstance(message, PersonalMessage):
            raise InvalidArgument(f"{_KEY}[{n}]: give addresses or personal messages, not both")
    emails, subjects, texts = zip(*messages, strict=True)
    if not (_fit_headers(emails) and _fit_headers(subjects)):
        for n, (email, subject, _) in enumerate(messages):
            header_text(email, f"{_KEY}[{n}]{_EMAIL}")
            header_text(subject, f"{_KEY}[{n}]{_SUBJECT}")
    return {_MESSAGE: (texts,), _EMAIL: (emails,), _SUBJECT: (subjects,)}


def _fit_headers(piece: bytes | Sequence[str]) -> bool:
    """Whether none of these has a character that can't be in a header."""
    text = piece.decode() if isinstance(piece, bytes) else "".join(piece)
    return text.isprintable() or control_character(text) is None


def _text_at_top(message: PersonalMessage) -> Mapping[str, object]:
    text = message.message
    try:
        text = text if isinstance(text, str) else text.decode()
    except UnicodeDecodeError:
        raise InvalidArgument("message: bytes that are not UTF-8") from None
    return {"subject": header_text(message.subject, "subject"), "message": text}
