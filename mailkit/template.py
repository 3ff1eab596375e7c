"""Placeholders: ``{{ field }}`` and ``{{ field | 'default' }}``, and nothing more.

The text between them is never changed. A value is HTML-escaped in an html body and plain in a
text body and in the subject, where control characters are refused. A value that is empty or all
white space is replaced by the default; without one its row is invalid. ``{{ unsubscribe }}`` is
reserved for the service's own link.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import attrs

from mailkit.address import control_character
from mailkit.errors import InvalidArgument
from mailkit.message import Message

__all__ = ["InvalidRow", "Placeholder", "Renderer", "Template", "check_columns", "rewrite"]

Renderer = Callable[[Sequence[str]], tuple[str, str]]
"""Takes a row's values in the order of the columns, returns subject and body; or InvalidRow."""

UNSUBSCRIBE = "unsubscribe"

_NAME = r"[\w.\-\u0300-\u036f]+(?:[ ]+[\w.\-\u0300-\u036f]+)*+"  # U+0300…: accents set apart
_placeholder = re.compile(
    rf"""\{{\{{ \s*+ ({_NAME}) \s*+ (?: \| \s*+ (?: '([^']*+)' | "([^"]*+)" ) \s*+ )? \}}\}}""",
    re.VERBOSE,
).match
_must_escape = re.compile(r"""[&<>"']""").search


class InvalidRow(ValueError):
    """A row that this letter can't be made for; ``reason`` says why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Placeholder(NamedTuple):
    """One placeholder: the column's name, and the default if it has one."""

    name: str
    default: str | None

    def blank(self) -> str:
        """What stands in for a blank value: the default, or InvalidRow if there is none."""
        if self.default is None:
            raise InvalidRow(f"no value for {{{{ {self.name} }}}}")
        return self.default


def _split(text: str, place: str) -> Iterator[str | Placeholder]:
    """The text as it is, and the placeholders between; InvalidArgument names line and column."""
    end = 0
    while (start := text.find("{{", end)) >= 0:
        found = _placeholder(text, start)
        if found is None:
            raise InvalidArgument(_complaint(text, start, place))
        if start > end:
            yield text[end:start]
        name, single, double = found.groups()
        yield Placeholder(unicodedata.normalize("NFC", name), double if single is None else single)
        end = found.end()
    if end < len(text):
        yield text[end:]


def _complaint(text: str, start: int, place: str) -> str:
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    end = text.find("}}", start)
    excerpt = text[start : end + 2 if 0 <= end < start + 60 else start + 30]
    fault = "has no end" if end < 0 else "is not a placeholder"
    return (
        f"{place}, line {line}, column {column}: {excerpt!r} {fault}; write {{{{ field }}}} or "
        "{{ field | 'default' }}, and braces that are meant as such as &#123;&#123; in html"
    )


@attrs.frozen
class Template:
    """Subject and body of a message, cut at their placeholders.

    ``fields`` are the names used, each once, in order, subject first; ``unsubscribe`` tells
    whether the reserved placeholder is used; ``static``, that there are no placeholders at all.
    """

    subject: tuple[str | Placeholder, ...]
    body: tuple[str | Placeholder, ...]
    html: bool
    fields: tuple[str, ...]
    unsubscribe: bool

    @classmethod
    def parse(cls, message: Message) -> Template:
        """Cut a message; InvalidArgument names line and column of what is no placeholder."""
        subject = tuple(_split(message.subject, "subject"))
        body = tuple(_split(message.body, "text" if message.html is None else "html"))
        holes = [piece for piece in subject + body if isinstance(piece, Placeholder)]
        if any(name == UNSUBSCRIBE and default is not None for name, default in holes):
            raise InvalidArgument("{{ unsubscribe }} is the service's own link; it has no default")
        if all(_may_be_blank(piece) for piece in subject):
            raise InvalidArgument(
                "subject: it may come out empty; give one of its placeholders a default text"
            )
        names = dict.fromkeys(hole.name for hole in holes)
        return cls(
            subject,
            body,
            message.html is not None,
            tuple(name for name in names if name != UNSUBSCRIBE),
            UNSUBSCRIBE in names,
        )

    @property
    def static(self) -> bool:
        """Whether every recipient gets the same letter."""
        return not self.fields and not self.unsubscribe

    def compile(self, columns: Sequence[str], *, unsubscribe: str | None = None) -> Renderer:
        """A renderer for rows with these columns. ``unsubscribe`` is the link that stands in for
        the reserved placeholder. InvalidArgument for a placeholder without a column.
        """
        check_columns(self, columns)
        if self.unsubscribe and unsubscribe is None:
            raise InvalidArgument(
                "the message has {{ unsubscribe }}, and there is no link to put there"
            )
        link = unsubscribe or ""
        places = {unicodedata.normalize("NFC", name): n for n, name in enumerate(columns)}
        subject = _filler(self.subject, places, link, _one_line)
        body = _filler(self.body, places, link, _escaped if self.html else _plain)
        return lambda values: (subject(values), body(values))

    def render(
        self, values: Mapping[str, str], *, unsubscribe: str | None = None
    ) -> tuple[str, str]:
        """Subject and body for one recipient's values; `compile` is for many. A field that is not
        among the values counts as empty. Raises InvalidRow.
        """
        named = {unicodedata.normalize("NFC", name): value for name, value in values.items()}
        row = [named.get(name, "") for name in self.fields]
        return self.compile(self.fields, unsubscribe=unsubscribe)(row)


def check_columns(template: Template, columns: Sequence[str]) -> None:
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


def _plain(value: str, name: str) -> str:
    return value


def _escaped(value: str, name: str) -> str:
    return html.escape(value) if _must_escape(value) else value


def _one_line(value: str, name: str) -> str:
    if fault := control_character(value):
        raise InvalidRow(f"the value of {{{{ {name} }}}} has {fault}, and stands in the subject")
    return value


def _filler(
    pieces: Sequence[str | Placeholder],
    places: Mapping[str, int],
    link: str,
    fit: Callable[[str, str], str],
) -> Callable[[Sequence[str]], str]:
    """A function from values to text: the literal pieces are copied, the holes filled."""
    mould: list[str] = []
    holes: list[tuple[int, int, Placeholder]] = []
    for piece in pieces:
        if isinstance(piece, str):
            mould.append(piece)
        elif piece.name == UNSUBSCRIBE:
            mould.append(fit(link, UNSUBSCRIBE))
        else:
            holes.append((len(mould), places[piece.name], piece))
            mould.append("")
    if not holes:
        whole = "".join(mould)
        return lambda values: whole

    def fill(values: Sequence[str]) -> str:
        parts = mould.copy()
        for at, place, hole in holes:
            value = values[place]
            if not value or value.isspace():
                value = hole.blank()
            parts[at] = fit(value, hole.name)
        return "".join(parts)

    return fill
