"""Placeholders: ``{{ field }}``, with ``| 'default'``, ``| url`` or both, and nothing more.

A field is a column of the list, by its name letter for letter, or else in any case. The text
between placeholders is never changed. A value is HTML-escaped in an html body and plain in a
text body and in the subject, where control characters are refused; with ``url``, and by itself in
what follows the host in ``href`` and ``src``, it is percent-encoded. A value that is empty or all
white space is replaced by the default; without one its row is invalid. ``{{ unsubscribe }}`` is
reserved for the service's own link, or for an address that may hold placeholders itself, which are
filled in percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import attrs

from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.template.names import ColumnNames, foreign_tags, readings
from mailkit.template.placeholders import (
    UNSUBSCRIBE,
    InvalidRow,
    Piece,
    Placeholder,
    rewrite,
    split,
)
from mailkit.template.rendering import Renderer
from mailkit.template.urls import encoded_in_urls
from mailkit.text import header_text

__all__ = [
    "UNSUBSCRIBE",
    "InvalidRow",
    "LinkTemplate",
    "Piece",
    "Placeholder",
    "Renderer",
    "Template",
    "readings",
    "rewrite",
]

_TAGS = 5  # of other services, in an error


@attrs.frozen
class LinkTemplate:
    """An http(s) address, cut at its placeholders. ``place`` is the setting that it comes from."""

    pieces: tuple[Piece, ...]
    place: str
    fields: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, place: str) -> LinkTemplate:
        """Cut an address; InvalidArgument names the place."""
        text = header_text(text, place).strip()
        if not _address(text):
            raise InvalidArgument(f"{place}: not an http(s) URL; write it as https://host/page")
        pieces = tuple(_encoded(split(text, place, "%7B%7B")))
        if any(isinstance(one, str) and _not_in_address(one) for one in pieces):
            raise InvalidArgument(f"{place}: a URL can't contain spaces, quotes or angle brackets")
        fields = _fields(pieces)
        if UNSUBSCRIBE in fields:
            raise InvalidArgument(f"{place}: {{{{ unsubscribe }}}} is this URL itself")
        return cls(pieces, place, fields)

    def resolved(self, columns: Iterable[str]) -> LinkTemplate:
        """The same with the columns' own names; InvalidArgument for a placeholder without a column,
        and for another service's tag that names one.
        """
        names = ColumnNames(columns)
        _check_tags([(self.place, self.pieces)], names)
        try:
            pieces = _resolved(self.pieces, names)
        except InvalidArgument as error:
            raise InvalidArgument(f"{self.place}: {error}") from None
        return attrs.evolve(self, pieces=pieces, fields=_fields(pieces))


@attrs.frozen
class Template:
    """Subject and body of a message, cut at their placeholders.

    ``text`` is the second body of a message that has both, which no renderer makes. ``fields`` are
    the names used, each once, in order, subject first; ``unsubscribe`` says whether the reserved
    placeholder is used.
    """

    subject: tuple[Piece, ...]
    body: tuple[Piece, ...]
    html: bool
    fields: tuple[str, ...]
    unsubscribe: bool
    text: tuple[Piece, ...] = ()

    @classmethod
    def parse(cls, message: Message) -> Template:
        """Cut a message; InvalidArgument names line and column of what is not a placeholder."""
        subject = tuple(split(message.subject, "subject"))
        html = tuple(encoded_in_urls(split(message.html or "", "html")))
        text = tuple(split(message.text or "", "text"))
        slots = [piece for piece in subject + html + text if isinstance(piece, Placeholder)]
        for slot in slots:
            if slot.name == UNSUBSCRIBE and slot != Placeholder(UNSUBSCRIBE):
                raise InvalidArgument(
                    "{{ unsubscribe }} is a whole URL, often the service's own: it takes no "
                    "default, and can't be part of another URL"
                )
        if all(_may_be_blank(piece) for piece in subject):
            raise InvalidArgument(
                "subject: it may come out empty; give one of its placeholders a default text"
            )
        fields = _fields(slots)
        return cls(
            subject,
            text if message.html is None else html,
            message.html is not None,
            tuple(name for name in fields if name != UNSUBSCRIBE),
            UNSUBSCRIBE in fields,
            () if message.html is None else text,
        )

    def resolved(self, columns: Iterable[str]) -> Template:
        """The same with the columns' own names. InvalidArgument for a placeholder without a column,
        and for another service's tag that names one.
        """
        names = ColumnNames(columns)
        parts = [("subject", self.subject), ("html" if self.html else "text", self.body)]
        _check_tags([*parts, ("text", self.text)], names)
        subject, body, text = (
            _resolved(part, names) for part in (self.subject, self.body, self.text)
        )
        fields = tuple(name for name in _fields(subject + body + text) if name != UNSUBSCRIBE)
        return attrs.evolve(self, subject=subject, body=body, text=text, fields=fields)

    def compile(
        self, columns: Sequence[str], *, unsubscribe: str | LinkTemplate | None = None
    ) -> Renderer:
        """A renderer for rows with these columns. ``unsubscribe`` is the link that replaces the
        reserved placeholder. InvalidArgument as by `resolved`.
        """
        template = self.resolved(columns)
        if self.unsubscribe and unsubscribe is None:
            raise InvalidArgument("the message has {{ unsubscribe }}, but there is no link for it")
        link: Sequence[Piece] = ()
        if self.unsubscribe and isinstance(unsubscribe, LinkTemplate):
            link = unsubscribe.resolved(columns).pieces
        elif isinstance(unsubscribe, str):
            link = (unsubscribe,)
        return Renderer(template.subject, template.body, link, html=self.html)

    def render(
        self, values: Mapping[str, str], *, unsubscribe: str | None = None
    ) -> tuple[str, str]:
        """Subject and body for one recipient's values; `compile` is for many. A field that is not
        among the values counts as empty. Raises InvalidRow.
        """
        names = ColumnNames(values)
        columns = {**dict.fromkeys(name for name in self.fields if not names.find(name)), **values}
        row = [value or "" for value in columns.values()]
        return self.compile(list(columns), unsubscribe=unsubscribe)(row)


_address = re.compile(r"https?://[^\s/?#]+", re.IGNORECASE).match
_not_in_address = re.compile(r"[\s<>\"]").search
# Style sheets and scripts, whose braces and brackets are their own.
_code = re.compile(
    r"<(?:style|script)\b.*?(?:</(?:style|script)\b|\Z)", re.IGNORECASE | re.DOTALL
).sub


def _encoded(pieces: Iterable[Piece]) -> Iterable[Piece]:
    return (one if isinstance(one, str) else one._replace(keeps="") for one in pieces)


def _fields(pieces: Iterable[Piece]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.name for one in pieces if isinstance(one, Placeholder)))


def _may_be_blank(piece: Piece) -> bool:
    text = piece if isinstance(piece, str) else piece.default
    return text is not None and not text.strip()


def _resolved(pieces: Iterable[Piece], names: ColumnNames) -> tuple[Piece, ...]:
    return tuple(
        one if isinstance(one, str) or one.name == UNSUBSCRIBE else _placed(one, names)
        for one in pieces
    )


def _placed(slot: Placeholder, names: ColumnNames) -> Placeholder:
    place = names.place(slot.name, filtered=slot.default is not None or slot.keeps == "")
    return slot._replace(name=names.columns[place], place=place)


def _check_tags(parts: Iterable[tuple[str, Iterable[Piece]]], names: ColumnNames) -> None:
    found: dict[str, str] = {}
    for part, pieces in parts:
        texts = [one if isinstance(one, str) else f"\n{one.default or ''}\n" for one in pieces]
        text = "".join(texts)
        for tag, remedy in foreign_tags(_code("", text) if part == "html" else text, names):
            found.setdefault(tag, f"{part} has {tag}: {remedy}")
    if found:
        more = "; …" * (len(found) > _TAGS)
        raise InvalidArgument(
            f"{'; '.join(list(found.values())[:_TAGS])}{more} (other services' placeholders are "
            "sent as they are; if that is what you want, rename the column)"
        )
