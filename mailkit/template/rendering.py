"""Messages made of templates and rows: one by one, or those of many rows column by column."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, repeat
from operator import add

from mailkit.template.placeholders import UNSUBSCRIBE, InvalidRow, Piece, Placeholder
from mailkit.text import control_character

__all__ = ["Renderer"]


def _as_it_is(value: str, name: str) -> str:
    return value


def _escaped(value: str, name: str) -> str:
    return html.escape(value)


def _one_line(value: str, name: str) -> str:
    if fault := control_character(value):
        raise InvalidRow(f"the value of {{{{ {name} }}}} has {fault}, and is part of the subject")
    return value


def _nothing_to_escape(text: str) -> bool:
    return not any(map(text.__contains__, "&<>\"'"))


def _always(text: str) -> bool:
    return True


_Way = tuple[Callable[[str], object], Callable[[str, str], str], Callable[[str], object]]
"""How values are written: a quick check that is true for most that need no change (and never
for a blank one), what makes the others safe, and the quick check of many values, one after the
other in one text, of which none is blank."""

_SUBJECT: _Way = (
    re.compile(r"[\w,.!?-]++(?: [\w,.!?-]++)*").fullmatch,
    _one_line,
    str.isprintable,
)
_HTML: _Way = (
    re.compile(r"[^\s&<>\"'][^&<>\"']*+").fullmatch,
    _escaped,
    _nothing_to_escape,
)
_TEXT: _Way = (re.compile(r"\S").match, _as_it_is, _always)
_IN_URL = {
    "": re.compile(r"[A-Za-z0-9._~-]++").fullmatch,
    "/": re.compile(r"[A-Za-z0-9._~/-]++").fullmatch,
}
"""What needs no percent-encoding, by the characters that are kept."""


_Slot = tuple[int, int, Callable[[str], object], Callable[[str], str], Callable[[str], object]]
"""The part that it fills, the value's place, whether a value is safe, what makes it so, and whether
many values are."""


class _CompiledTemplate:
    """A text with slots, and the columns whose values fill them."""

    def __init__(
        self,
        pieces: Sequence[Piece],
        link: Sequence[Piece],
        way: _Way,
    ) -> None:
        self._parts: list[str] = []
        self.slots: list[_Slot] = []
        for piece in pieces:
            if isinstance(piece, str):
                self._parts.append(piece)
            elif piece.name != UNSUBSCRIBE:
                self._add(piece, way)
            else:
                for part in link:
                    if isinstance(part, str):
                        self._parts.append(way[1](part, UNSUBSCRIBE))
                    else:
                        self._add(part, way)
        # Encoded once: the text between the slots is most of a message.
        self._encoded = [part.encode() for part in self._parts]
        self.size = sum(map(len, self._encoded))  # without what fills the slots

    def _add(self, slot: Placeholder, way: _Way) -> None:
        is_safe, make_safe, all_safe = way
        made_safe: Callable[[str], str] = partial(_made_safe, slot, make_safe)
        if slot.keeps is not None:
            is_safe, made_safe = _IN_URL.get(slot.keeps, _never), slot.fill
            all_safe = is_safe
        self.slots.append((len(self._parts), slot.place, is_safe, made_safe, all_safe))
        self._parts.append("")

    def text(self, values: Sequence[str]) -> str:
        parts = self._parts.copy()
        for at, place, is_safe, made_safe, _ in self.slots:
            value = values[place]
            parts[at] = value if is_safe(value) else made_safe(value)
        return "".join(parts)

    def encoded(self, values: Sequence[str]) -> bytes:
        parts = self._encoded.copy()
        for at, place, is_safe, made_safe, _ in self.slots:
            value = values[place]
            parts[at] = (value if is_safe(value) else made_safe(value)).encode()
        return b"".join(parts)

    def columns(self, values: Sequence[Sequence[str]]) -> list[bytes | Sequence[str]]:
        columns: list[bytes | Sequence[str]] = [*self._encoded]
        for at, place, is_safe, made_safe, all_safe in self.slots:
            column = values[place]
            if not (_none_blank(column) and all_safe("".join(column))):
                column = [value if is_safe(value) else made_safe(value) for value in column]
            columns[at] = column
        return columns


def _none_blank(values: Sequence[str]) -> bool:
    return all(values) and not any(map(str.isspace, values))


def _made_safe(slot: Placeholder, make_safe: Callable[[str, str], str], value: str) -> str:
    return make_safe(slot.fill(value), slot.name)


def _never(value: str) -> bool:
    return False


class Renderer:
    """Makes messages of rows' values, given in the order of the columns; raises InvalidRow."""

    def __init__(
        self,
        subject: Sequence[Piece],
        body: Sequence[Piece],
        link: Sequence[Piece],
        *,
        html: bool,
    ) -> None:
        line = _CompiledTemplate(subject, link, _SUBJECT)
        text = _CompiledTemplate(body, link, _HTML if html else _TEXT)
        self._subject = line.text
        self._body = text.text
        self._encoded = text.encoded
        self._columns = (line.columns, text.columns)
        self._size = line.size + text.size
        self._slots = [*line.slots, *text.slots]

    def __call__(self, values: Sequence[str]) -> tuple[str, str]:
        """Subject and body."""
        return self._subject(values), self._body(values)

    def encoded(self, values: Sequence[str]) -> tuple[str, bytes]:
        """Subject, and the body in UTF-8, for a fraction of the time of encoding it each time."""
        return self._subject(values), self._encoded(values)

    def columns(
        self, values: Sequence[Sequence[str]]
    ) -> tuple[list[bytes | Sequence[str]], list[bytes | Sequence[str]]]:
        """The subjects and the bodies of many rows, in pieces that follow each other: what is
        the same in all of them, in UTF-8, or what each has there. ``values`` has those of each
        column. It takes a fraction of the time of one row after the other.
        """
        subject, body = self._columns
        return subject(values), body(values)

    def size(self, values: Sequence[str]) -> int:
        """The bytes of both in UTF-8, without making them."""
        size = self._size
        for _, place, is_safe, made_safe, _ in self._slots:
            value = values[place]
            if not is_safe(value):
                value = made_safe(value)
            size += len(value) if value.isascii() else len(value.encode())
        return size

    def sizes(self, values: Sequence[Sequence[str]]) -> list[int]:
        """The bytes of the messages of many rows; ``values`` has those of each column."""
        sizes: Iterable[int] = repeat(self._size, len(values[0]))
        for piece in chain.from_iterable(self.columns(values)):
            if not isinstance(piece, bytes):
                encoded = piece if "".join(piece).isascii() else map(str.encode, piece)
                sizes = map(add, sizes, map(len, encoded))
        return list(sizes)
