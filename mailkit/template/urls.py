"""Which placeholders of an html text are part of an address, in ``href`` or ``src``.

Whatever stands between ``<`` and ``>`` is read as browsers read it, also in a comment, since those
of Outlook hold links. A placeholder that begins an address is that address, or its host: only
behind these, a value is one piece of it, and has to be percent-encoded.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from mailkit.template.placeholders import Piece

__all__ = ["encoded_in_urls"]

_LINKS = frozenset({"href", "src"})
_LONGEST = 2_000  # characters that decide
_SLOT = "\0"  # what a placeholder counts as in an address

_tag = re.compile(r"<[A-Za-z][^\s/>]*+").search
_in_tag = re.compile(r"[\s/]++|(>)|(=)\s*+|([^\s/>=]++)").match
_unquoted = re.compile(r"[^\s>]*+").match
_host = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*+:)?//[^/?#]++([/?#])").match


def encoded_in_urls(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces of an html text; placeholders in addresses percent-encode their values."""
    reader = _Reader()
    for piece in pieces:
        if isinstance(piece, str):
            reader.read(piece)
            yield piece
        else:
            keeps = reader.placeholder()
            yield piece if keeps is None or piece.keeps is not None else piece._replace(keeps=keeps)


class _Reader:
    """Where in the html a text ends that comes in pieces."""

    def __init__(self) -> None:
        self._inside = False  # of a tag
        self._name = ""  # of the last attribute
        self._begins = False  # a value, next
        self._quote = ""
        self._value: list[str] | None = None  # the attribute's, as far as it matters

    def read(self, text: str) -> None:
        at = 0
        while at < len(text):
            if self._value is not None:
                at = self._read_value(text, at, self._value)
            elif self._inside:
                at = self._read_tag(text, at)
            else:
                found = _tag(text, at)
                if found is None:
                    return
                self._inside, self._name, at = True, "", found.end()

    def placeholder(self) -> str | None:
        """What its value may keep when it is percent-encoded; None: it is not encoded here."""
        if self._begins:
            self._begins, self._quote, self._value = False, "", []
        if self._value is None:
            return None
        before = "".join(self._value)[:_LONGEST]
        self._value = [before, _SLOT]
        return _kept(before) if self._name in _LINKS else None

    def _read_value(self, text: str, at: int, value: list[str]) -> int:
        if self._quote:
            end = text.find(self._quote, at)
            end = len(text) if end < 0 else end
        else:
            found = _unquoted(text, at)
            end = at if found is None else found.end()
        value.append(text[at:end])
        if end < len(text):
            self._value = None
        return end + len(self._quote)

    def _read_tag(self, text: str, at: int) -> int:
        if self._begins:
            self._begins, self._value = False, []
            self._quote = text[at] if text[at] in "\"'" else ""
            return at + len(self._quote)
        found = _in_tag(text, at)
        if found is None:
            return len(text)
        end, equals, name = found.groups()
        if end:
            self._inside = False
        elif equals:
            self._begins = True
        elif name:
            self._name = name.lower()
        return found.end()


def _kept(before: str) -> str | None:
    before = html.unescape(before).strip()
    host = _host(before)
    if "?" in before or "&" in before or (host and "#" in before):
        return ""
    return "/" if host else None
