"""Placeholders: ``{{ field }}`` and ``{{ field | 'default' }}``, and nothing more.

The text between them is never changed. A value is HTML-escaped in an html body and plain in a
text body and in the subject, where control characters are refused. A value that is empty or all
white space is replaced by the default; without one its row is invalid. ``{{ unsubscribe }}`` is
reserved for the service's own link, or for an address that may hold placeholders itself, which are
filled in percent-encoded.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

import attrs

from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.text import control_character, header_text

__all__ = [
    "InvalidRow",
    "LinkTemplate",
    "Placeholder",
    "Renderer",
    "Template",
    "check_columns",
    "rewrite",
]

UNSUBSCRIBE = "unsubscribe"

# No possessive quantifier after a group: before Python 3.11.5 it matches and captures wrongly.
_WORD = r"[\w.\-\u0300-\u036f]++"  # U+0300…: accents set apart
_NAME = rf"{_WORD}(?:[ ]++{_WORD})*"
_odd = re.compile(r"[^\w.\-\s\u0300-\u036f'\"]").search  # in a name
_placeholder = re.compile(
    rf"""\{{\{{ \s*+ ({_NAME}) \s*+ (?: \| \s*+ (?: '([^']*+)' | "([^"]*+)" ) \s*+ )? \}}\}}""",
    re.VERBOSE,
).match


class InvalidRow(ValueError):
    """A row that this message can't be made for; ``reason`` says why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Placeholder(NamedTuple):
    """One placeholder: the column's name, and the default if it has one."""

    name: str
    default: str | None

    def blank(self) -> str:
        """The text for a blank value: the default, or InvalidRow if there is none."""
        if self.default is None:
            raise InvalidRow(f"no value for {{{{ {self.name} }}}}")
        return self.default


def _split(
    text: str, place: str, braces: str = "&#123;&#123; in html"
) -> Iterator[str | Placeholder]:
    """The text as it is, and the placeholders between; InvalidArgument names line and column."""
    end = 0
    while (start := text.find("{{", end)) >= 0:
        found = _placeholder(text, start)
        if found is None:
            raise InvalidArgument(_complaint(text, start, place, braces))
        if start > end:
            yield text[end:start]
        name, single, double = found.groups()
        yield Placeholder(unicodedata.normalize("NFC", name), double if single is None else single)
        end = found.end()
    if end < len(text):
        yield text[end:]


def _complaint(text: str, start: int, place: str, braces: str) -> str:
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    end = text.find("}}", start)
    excerpt = text[start : end + 2 if 0 <= end < start + 60 else start + 30]
    fault = "has no end" if end < 0 else "is not a placeholder"
    if end >= 0 and (odd := _odd(text[start + 2 : end].partition("|")[0].strip())):
        fault += f": a field's name can't have {odd.group()!r}, so that its column must be renamed"
    return (
        f"{place}, line {line}, column {column}: {excerpt!r} {fault}; write {{{{ field }}}} or "
        f"{{{{ field | 'default' }}}}, and braces that are meant as such as {braces}"
    )


@attrs.frozen
class LinkTemplate:
    """An http(s) address, cut at its placeholders. ``place`` is the setting that it comes from."""

    pieces: tuple[str | Placeholder, ...]
    place: str
    fields: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, place: str) -> LinkTemplate:
        """Cut an address; InvalidArgument names the place."""
        if not header_text(text, place).lower().startswith(("https://", "http://")):
            raise InvalidArgument(f"{place}: not an http(s) address; write it as https://host/page")
        pieces = tuple(_split(text, place, "%7B%7B"))
        names = dict.fromkeys(piece.name for piece in pieces if isinstance(piece, Placeholder))
        if UNSUBSCRIBE in names:
            raise InvalidArgument(f"{place}: {{{{ unsubscribe }}}} is this address itself")
        return cls(pieces, place, tuple(names))

    def check(self, columns: Sequence[str]) -> None:
        """Raise InvalidArgument if a placeholder has no column."""
        try:
            check_columns(self, columns)
        except InvalidArgument as error:
            raise InvalidArgument(f"{self.place}: {error}") from None


@attrs.frozen
class Template:
    """Subject and body of a message, cut at their placeholders.

    ``fields`` are the names used, each once, in order, subject first; ``unsubscribe`` says
    whether the reserved placeholder is used.
    """

    subject: tuple[str | Placeholder, ...]
    body: tuple[str | Placeholder, ...]
    html: bool
    fields: tuple[str, ...]
    unsubscribe: bool

    @classmethod
    def parse(cls, message: Message) -> Template:
        """Cut a message; InvalidArgument names line and column of what is not a placeholder."""
        subject = tuple(_split(message.subject, "subject"))
        body = tuple(_split(message.body, "text" if message.html is None else "html"))
        slots = [piece for piece in subject + body if isinstance(piece, Placeholder)]
        if any(name == UNSUBSCRIBE and default is not None for name, default in slots):
            raise InvalidArgument("{{ unsubscribe }} is the service's own link; it has no default")
        if all(_may_be_blank(piece) for piece in subject):
            raise InvalidArgument(
                "subject: it may come out empty; give one of its placeholders a default text"
            )
        names = dict.fromkeys(slot.name for slot in slots)
        return cls(
            subject,
            body,
            message.html is not None,
            tuple(name for name in names if name != UNSUBSCRIBE),
            UNSUBSCRIBE in names,
        )

    def compile(
        self, columns: Sequence[str], *, unsubscribe: str | LinkTemplate | None = None
    ) -> Renderer:
        """A renderer for rows with these columns. ``unsubscribe`` is the link that replaces the
        reserved placeholder. InvalidArgument for a placeholder without a column.
        """
        check_columns(self, columns)
        if self.unsubscribe and unsubscribe is None:
            raise InvalidArgument("the message has {{ unsubscribe }}, and there is no link for it")
        link: Sequence[str | Placeholder]
        if isinstance(unsubscribe, LinkTemplate):
            link = unsubscribe.pieces
            if self.unsubscribe:
                unsubscribe.check(columns)
        else:
            link = (unsubscribe or "",)
        places = {unicodedata.normalize("NFC", name): n for n, name in enumerate(columns)}
        way = _HTML if self.html else _TEXT
        return Renderer(
            _CompiledTemplate(self.subject, places, link, _SUBJECT),
            _CompiledTemplate(self.body, places, link, way),
        )

    def render(
        self, values: Mapping[str, str], *, unsubscribe: str | None = None
    ) -> tuple[str, str]:
        """Subject and body for one recipient's values; `compile` is for many. A field that is not
        among the values counts as empty. Raises InvalidRow.
        """
        named = {unicodedata.normalize("NFC", name): value for name, value in values.items()}
        row = [named.get(name, "") for name in self.fields]
        return self.compile(self.fields, unsubscribe=unsubscribe)(row)


def check_columns(template: Template | LinkTemplate, columns: Sequence[str]) -> None:
    """Raise InvalidArgument if a placeholder has no column, naming both and the nearest name."""
    known = [unicodedata.normalize("NFC", name) for name in columns]
    among = frozenset(known)
    missing = next((name for name in template.fields if name not in among), None)
    if missing is None:
        return
    from difflib import get_close_matches  # an import that only an error needs

    folded = {column.casefold(): column for column in known[:1000]}
    near = get_close_matches(missing.casefold(), folded, 1)
    hint = f"; did you mean {{{{ {folded[near[0]]} }}}}?" if near else ";"
    shown = ", ".join(name[:80] for name in known[:20]) + (", …" if len(known) > 20 else "")
    raise InvalidArgument(
        f"{{{{ {missing} }}}}: the list has no column of that name{hint} "
        f"it has {shown or 'none but the address'}"
    )


def rewrite(text: str, by: Callable[[str, str | None], str]) -> str:
    """``text`` with every placeholder replaced by what ``by(name, default)`` returns, for a
    service that fills in its own; all else stays as it is.
    """
    return "".join(
        piece if isinstance(piece, str) else by(*piece) for piece in _split(text, "template")
    )


def _may_be_blank(piece: str | Placeholder) -> bool:
    text = piece if isinstance(piece, str) else piece.default
    return text is not None and not text.strip()


def _as_it_is(value: str, name: str) -> str:
    return value


def _escaped(value: str, name: str) -> str:
    return html.escape(value)


def _one_line(value: str, name: str) -> str:
    if fault := control_character(value):
        raise InvalidRow(f"the value of {{{{ {name} }}}} has {fault}, and is part of the subject")
    return value


def _percent_encoded(value: str, name: str) -> str:
    return quote(value, safe="")


_Way = tuple[Callable[[str], object], Callable[[str, str], str]]
"""How values are written: a quick check that is true for most that need no change (and never
for a blank one), and what makes the others safe."""

_SUBJECT: _Way = (re.compile(r"[\w,.!?-]++(?: [\w,.!?-]++)*").fullmatch, _one_line)
_HTML: _Way = (re.compile(r"[^\s&<>\"'][^&<>\"']*+").fullmatch, _escaped)
_TEXT: _Way = (re.compile(r"\S").match, _as_it_is)
_LINK: _Way = (re.compile(r"[A-Za-z0-9._~-]++").fullmatch, _percent_encoded)


_Slot = tuple[int, int, Callable[[str], object], Callable[[str], str]]
"""The part that it fills, the value's place, whether a value is safe, and what makes it so."""


class _CompiledTemplate:
    """A text with slots, and the columns whose values fill them."""

    def __init__(
        self,
        pieces: Sequence[str | Placeholder],
        places: Mapping[str, int],
        link: Sequence[str | Placeholder],
        way: _Way,
    ) -> None:
        self._parts: list[str] = []
        self.slots: list[_Slot] = []
        for piece in pieces:
            if isinstance(piece, str):
                self._parts.append(piece)
            elif piece.name != UNSUBSCRIBE:
                self._add(piece, places, way)
            else:
                for part in link:
                    if isinstance(part, str):
                        self._parts.append(way[1](part, UNSUBSCRIBE))
                    else:
                        self._add(part, places, _LINK)
        # Encoded once: the text between the slots is most of a message.
        self._encoded = [part.encode() for part in self._parts]
        self.size = sum(map(len, self._encoded))  # without what fills the slots

    def _add(self, slot: Placeholder, places: Mapping[str, int], way: _Way) -> None:
        is_safe, make_safe = way
        made_safe = partial(_made_safe, slot, make_safe)
        self.slots.append((len(self._parts), places[slot.name], is_safe, made_safe))
        self._parts.append("")

    def text(self, values: Sequence[str]) -> str:
        parts = self._parts.copy()
        for at, place, is_safe, made_safe in self.slots:
            value = values[place]
            parts[at] = value if is_safe(value) else made_safe(value)
        return "".join(parts)

    def encoded(self, values: Sequence[str]) -> bytes:
        parts = self._encoded.copy()
        for at, place, is_safe, made_safe in self.slots:
            value = values[place]
            parts[at] = (value if is_safe(value) else made_safe(value)).encode()
        return b"".join(parts)


def _made_safe(slot: Placeholder, make_safe: Callable[[str, str], str], value: str) -> str:
    if not value or value.isspace():
        value = slot.blank()
    return make_safe(value, slot.name)


class Renderer:
    """Makes messages of rows' values, given in the order of the columns; raises InvalidRow."""

    def __init__(self, subject: _CompiledTemplate, body: _CompiledTemplate) -> None:
        self._subject = subject.text
        self._body = body.text
        self._encoded = body.encoded
        self._size = subject.size + body.size
        self._slots = [*subject.slots, *body.slots]

    def __call__(self, values: Sequence[str]) -> tuple[str, str]:
        """Subject and body."""
        return self._subject(values), self._body(values)

    def encoded(self, values: Sequence[str]) -> tuple[str, bytes]:
        """Subject, and the body in UTF-8, for a fraction of the time of encoding it each time."""
        return self._subject(values), self._encoded(values)

    def size(self, values: Sequence[str]) -> int:
        """The bytes of both in UTF-8, without making them."""
        size = self._size
        for _, place, is_safe, made_safe in self._slots:
            value = values[place]
            if not is_safe(value):
                value = made_safe(value)
            size += len(value) if value.isascii() else len(value.encode())
        return size
