"""A message's placeholders as Devino's macros.

``{{ name }}`` becomes ``[name]``, and each recipient gets a merge field of that name. A blank
value is replaced by the placeholder's default here, since the service has no defaults; the same
field with two defaults is two macros. In an html body the values are escaped, as in every other
message of mailkit, and their opening brackets too, so that no value can hold a macro. Where nothing
is escaped, as in a text body, a row whose value holds a macro of the message is invalid.

Macros get names of ASCII letters, digits and underscores: the column's own where it is of these,
else ``field``, with a number where that is taken. Other brackets in the body, as ``[if mso]`` or
a selector, stay as they are: no macro ever gets their word for a name.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from mailkit.core.fields import in_columns, named_rows
from mailkit.errors import InvalidArgument, Unsupported
from mailkit.message import Message
from mailkit.providers.devino.fields import MACROS
from mailkit.template import (
    UNSUBSCRIBE,
    InvalidRow,
    Placeholder,
    Template,
    rewrite,
)

__all__ = ["Macros"]

_bracketed = re.compile(r"\[([^\[\]\n]*)\]").findall
_fit = re.compile(r"[A-Za-z][A-Za-z0-9_]*").fullmatch


class Macros:
    """The ``body`` of a message with macros, and the merge fields that fill them.

    Raises Unsupported for placeholders in the subject, InvalidArgument for one without a column,
    for a body without ``{{ unsubscribe }}`` or ``[Unsubscribe]``, and for ``[word]`` where the
    word is a column's name or a misspelt macro of the service: the text says what to write.
    """

    def __init__(self, message: Message, columns: Sequence[str], *, escape: bool = True) -> None:
        template = Template.parse(message)
        if any(isinstance(piece, Placeholder) for piece in template.subject):
            raise Unsupported(
                "Devino fills fields into the body alone, not into the subject: take the "
                "placeholders out of the subject"
            )
        template = template.resolved(columns)
        self._columns = columns
        self._taken = {*MACROS, *self._literal(template)}
        self._names: dict[Placeholder, str] = {}
        self._numbers: dict[str, int] = {}
        self.body = rewrite(template.body, self._macro)
        if MACROS["unsubscribe"] not in self.body:
            raise InvalidArgument(
                "the body has no {{ unsubscribe }}, and Devino sends nothing without it: put it "
                "where the link to unsubscribe belongs"
            )
        self._escape = escape and message.html is not None
        self._filled = {*MACROS, *(macro.casefold() for macro in self._names.values())}
        self._slots = [
            (macro, slot.place, slot, slot.keeps is not None) for slot, macro in self._names.items()
        ]

    @property
    def names(self) -> list[str]:
        """The names of the merge fields."""
        return [*self._names.values()]

    def values(self, row: Sequence[str]) -> dict[str, str]:
        """The merge fields for a recipient's values, in the order of the columns; or InvalidRow."""
        filled = {}
        for macro, place, slot, encoded in self._slots:
            value = row[place]
            if encoded or not value or value.isspace():
                value = slot.fill(value)
            if self._escape:
                value = _escaped(value)
            elif "[" in value:
                self._check(slot.name, value)
            filled[macro] = value
        return filled

    def values_of(self, rows: Sequence[Sequence[str]]) -> list[dict[str, str]]:
        """The same for many rows, column by column."""
        given = in_columns(rows)
        filled = []
        for _, place, slot, _ in self._slots:
            column = slot.fill_all(given[place])
            text = "".join(column)
            if self._escape:
                if any(map(text.__contains__, "&<>\"'[")):
                    column = [_escaped(value) for value in column]
            elif "[" in text:
                for value in column:
                    self._check(slot.name, value)
            filled.append(column)
        return named_rows(self.names, filled, len(rows))

    def render(self, row: Sequence[str]) -> str:
        """The body with these values, as the service fills them in; or InvalidRow."""
        body = self.body
        for macro, value in self.values(row).items():
            body = body.replace(f"[{macro}]", value)
        return body

    def _check(self, name: str, value: str) -> None:
        for word in _bracketed(value):
            if word.strip().casefold() in self._filled:
                raise InvalidRow(
                    f"the value of {{{{ {name} }}}} has [{word}], which Devino may take for a macro"
                )

    def _macro(self, slot: Placeholder) -> str:
        if slot.name == UNSUBSCRIBE:
            return MACROS["unsubscribe"]
        if slot not in self._names:
            self._names[slot] = self._free(slot.name if _fit(slot.name) else "field")
        return f"[{self._names[slot]}]"

    def _free(self, base: str) -> str:
        """The base, else the base with the first number that makes a name which is not taken."""
        key = base.casefold()
        macro, number = base, self._numbers.get(key, 1)
        while macro.casefold() in self._taken:
            number += 1
            macro = f"{base}_{number}"
        self._numbers[key] = number
        self._taken.add(macro.casefold())
        return macro

    def _literal(self, template: Template) -> set[str]:
        """The words in brackets that are not our macros, in lower case."""
        columns = {name.casefold(): name for name in self._columns}
        words = set()
        text = "\n".join(piece for piece in template.body if isinstance(piece, str))
        for word in _bracketed(text):
            key = word.strip().casefold()
            if key in MACROS and f"[{word}]" != MACROS[key]:
                raise InvalidArgument(f"the body has [{word}]: Devino's macro is {MACROS[key]}")
            if key in columns:
                raise InvalidArgument(
                    f"the body has [{word}], and the list a column of that name: write "
                    f"{{{{ {columns[key]} }}}} for its value, or rename the column"
                )
            words.add(key)
        return words


def _escaped(value: str) -> str:
    return html.escape(value).replace("[", "&#91;")
