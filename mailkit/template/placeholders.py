"""Where the placeholders of a text are, and what they say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote

from mailkit.errors import InvalidArgument
from mailkit.text import column_name

__all__ = ["UNSUBSCRIBE", "InvalidRow", "Piece", "Placeholder", "is_filter", "rewrite", "split"]

UNSUBSCRIBE = "unsubscribe"

_LONGEST = 1_000  # characters of a column's name
_mark = re.compile(r"\{\{|\}\}|\|").search
# No possessive quantifier after a group: before Python 3.11.5 it matches and captures wrongly.
_end = re.compile(
    r"""
    (?: \| \s*+ (url) \s*+ )?
    (?: \| \s*+ (?: '([^']*+)' | "([^"]*+)" ) \s*+ )?
    (?: \| \s*+ (url) \s*+ )?
    \}\}
    """,
    re.VERBOSE,
).match
_quotes = re.compile(
    r"""
    ['"‘’‚“”„«»]
    | & (?: quot | apos | \#x?\d\d | laquo | raquo | ldquo | rdquo | lsquo | rsquo ) ;
    """,
    re.VERBOSE,
).match


class InvalidRow(ValueError):
    """A row that this message can't be made for; ``reason`` says why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Placeholder(NamedTuple):
    """One placeholder: the column's name, and the default if it has one.

    ``keeps``: its value is percent-encoded, except letters, digits, ``._~-`` and these characters;
    None: it is not. ``place`` is that of its column, once that is known.
    """

    name: str
    default: str | None = None
    keeps: str | None = None
    place: int = -1

    def blank(self) -> str:
        """The text for a blank value: the default, or InvalidRow if there is none."""
        if self.default is None:
            raise InvalidRow(f"no value for {{{{ {self.name} }}}}")
        return self.default

    def fill(self, value: str) -> str:
        """The text for a row's value, which is still to be escaped where that is due; InvalidRow
        if it is blank and there is no default.
        """
        if not value or value.isspace():
            value = self.blank()
        return value if self.keeps is None else quote(value, safe=self.keeps)

    def fill_all(self, values: Sequence[str]) -> Sequence[str]:
        """The same for those of many rows."""
        if self.keeps is None and all(values) and not any(map(str.isspace, values)):
            return values
        return [self.fill(value) for value in values]


Piece = str | Placeholder
"""Text as it is, or a placeholder."""


def split(text: str, place: str, braces: str = "&#123;&#123; in html") -> Iterator[Piece]:
    """The text as it is, and the placeholders between; InvalidArgument names line and column."""
    end = 0
    while (start := text.find("{{", end)) >= 0:
        if start > end:
            yield text[end:start]
        slot, end = _read(text, start, place, braces)
        yield slot
    if end < len(text):
        yield text[end:]


def rewrite(pieces: Iterable[Piece], by: Callable[[Placeholder], str]) -> str:
    """The text with every placeholder replaced by what ``by`` returns, for a service that fills in
    its own; all else stays as it is.
    """
    return "".join(piece if isinstance(piece, str) else by(piece) for piece in pieces)


def is_filter(text: str) -> bool:
    """Whether this, from a bar on, can follow the name in a placeholder."""
    return _end(f"{text}}}}}") is not None


def _read(text: str, start: int, place: str, braces: str) -> tuple[Placeholder, int]:
    """The placeholder that begins there, and where it ends. Whatever its filters leave is the
    column's name.
    """
    at = start + 2
    while (mark := _mark(text, at)) and mark.start() - start <= _LONGEST:
        at = mark.end()
        found = _end(text, mark.start())
        if found is None and mark[0] == "|":
            continue
        given = text[start + 2 : mark.start()]
        name = column_name(given)
        if found is None or not name or given.startswith("{"):
            break
        if "|" in name and _quotes(name.rpartition("|")[2].lstrip()):
            break
        before, single, double, behind = found.groups()
        return Placeholder(
            UNSUBSCRIBE if name.casefold() == UNSUBSCRIBE else name,
            double if single is None else single,
            "" if before or behind else None,
        ), found.end()
    raise InvalidArgument(_complaint(text, start, place, braces))


def _complaint(text: str, start: int, place: str, braces: str) -> str:
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    end = text.find("}}", start)
    excerpt = text[start : end + 2 if 0 <= end < start + 60 else start + 30]
    fault = "is not closed" if end < 0 else "is not a placeholder"
    return (
        f"{place}, line {line}, column {column}: {excerpt!r} {fault}; write {{{{ field }}}}, "
        f"{{{{ field | 'default' }}}} with straight quotes, or {{{{ field | url }}}}; for literal "
        f"braces, write {braces}"
    )
