"""A message's placeholders as SendPulse's variables.

``{{ name }}`` becomes ``{{name}}``, and each contact gets a variable of that name. The service has
no defaults, so a blank value is replaced here; the same field with two defaults is two variables.
Values are escaped for an html body, as in every other message of mailkit, and so that none can hold
a variable; a field that stands in the subject too is another variable there, which is plain.

Variables get names of letters only, the one kind of characters that the service's page allows for
certain: the column's own letters, and more behind them where the name is taken.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count, product
from string import ascii_uppercase

from mailkit.core.fields import in_columns, named_rows
from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.template import (
    UNSUBSCRIBE,
    InvalidRow,
    Placeholder,
    Template,
    rewrite,
)
from mailkit.text import control_character

__all__ = ["Placeholders"]

_RESERVED = ("email", "phone", "unsubscribe", "webversion")
"""What the service may fill in by itself, or keep elsewhere than among a contact's variables."""

_LOADED_OTHERWISE = (
    "the contacts of this job were loaded by another version of mailkit, with fewer variables than "
    "the message has now: finish the job with that version, or cancel it and start it again"
)

_Way = Callable[[str, str], str]
"""Writes a value; its second argument is the field's name."""


class Placeholders:
    """Subject and html as SendPulse takes them, and each contact's variables.

    ``names`` are those that the variables had when the contacts were loaded; else they are made.
    ``unsubscribe`` is what stands for the service's own link. Raises InvalidArgument for a
    placeholder without a column.
    """

    def __init__(
        self,
        message: Message,
        columns: Sequence[str],
        *,
        unsubscribe: str,
        escape: bool = True,
        names: Iterable[str] | None = None,
    ) -> None:
        template = Template.parse(message).resolved(columns)
        subject = (piece for piece in template.subject if not isinstance(piece, str))
        if any(slot.name == UNSUBSCRIBE for slot in subject):
            raise InvalidArgument("the subject has {{ unsubscribe }}: a link belongs into the html")
        self._link = unsubscribe
        self._given = None if names is None else iter(names)
        self._taken = {name.casefold() for name in _RESERVED}
        self._longer: dict[str, Iterator[str]] = {}
        self._names: dict[tuple[Placeholder, _Way], str] = {}
        self.subject = rewrite(template.subject, partial(self._variable, _in_subject))
        self.html = rewrite(template.body, partial(self._variable, _in_html if escape else _plain))
        self._slots = [
            (variable, slot.place, slot, slot.keeps is not None, write)
            for (slot, write), variable in self._names.items()
        ]

    @property
    def names(self) -> dict[str, str]:
        """The names of the variables, in the order in which the message uses them, and of the
        columns that they stand for.
        """
        return {variable: slot.name for (slot, _), variable in self._names.items()}

    def values(self, row: Sequence[str]) -> dict[str, str]:
        """The variables for a recipient's values, in the order of the columns; or InvalidRow."""
        filled = {}
        for variable, place, slot, encoded, write in self._slots:
            value = row[place]
            if encoded or not value or value.isspace():
                value = slot.fill(value)
            filled[variable] = write(value, slot.name)
        return filled

    def values_of(self, rows: Sequence[Sequence[str]]) -> list[dict[str, str]]:
        """The same for many rows, column by column."""
        given = in_columns(rows)
        filled = []
        for _, place, slot, _, write in self._slots:
            column = slot.fill_all(given[place])
            if not _is_plain[write]("".join(column)):
                column = [write(value, slot.name) for value in column]
            filled.append(column)
        return named_rows([*self._names.values()], filled, len(rows))

    def render(self, row: Sequence[str]) -> tuple[str, str]:
        """Subject and html with these values, as the service fills them in; or InvalidRow."""
        subject, body = self.subject, self.html
        for variable, value in self.values(row).items():
            subject = subject.replace(_braced(variable), value)
            body = body.replace(_braced(variable), value)
        return subject, body

    def _variable(self, write: _Way, placeholder: Placeholder) -> str:
        if placeholder.name == UNSUBSCRIBE:
            return self._link
        slot = placeholder, write
        if slot not in self._names:
            name = self._free(placeholder.name) if self._given is None else next(self._given, None)
            if name is None:
                raise InvalidArgument(_LOADED_OTHERWISE)
            self._names[slot] = name
        return _braced(self._names[slot])

    def _free(self, column: str) -> str:
        """A name that is not taken, from the column's letters."""
        base = "".join(filter(str.isalpha, column)) or "field"
        longer = self._longer.setdefault(base.casefold(), _longer(base))
        name = next(name for name in longer if name.casefold() not in self._taken)
        self._taken.add(name.casefold())
        return name


def _braced(variable: str) -> str:
    return f"{{{{{variable}}}}}"


def _longer(base: str) -> Iterator[str]:
    """The base by itself, then with A, B, … Z, AA, AB, … behind it."""
    yield base
    for length in count(1):
        for letters in product(ascii_uppercase, repeat=length):
            yield base + "".join(letters)


def _in_html(value: str, name: str) -> str:
    escaped = html.escape(value)
    return escaped.replace("{", "&#123;") if "{{" in escaped else escaped


def _plain(value: str, name: str) -> str:
    if "{{" in value:
        raise InvalidRow(
            f"the value of {{{{ {name} }}}} has {{{{, which SendPulse may take for a variable"
        )
    return value


def _in_subject(value: str, name: str) -> str:
    if fault := control_character(value):
        raise InvalidRow(f"the value of {{{{ {name} }}}} has {fault}, and is part of the subject")
    return _plain(value, name)


_is_plain: Mapping[_Way, Callable[[str], bool]] = {
    _in_html: lambda text: not any(map(text.__contains__, "&<>\"'{")),
    _plain: lambda text: "{" not in text,
    _in_subject: lambda text: "{" not in text and text.isprintable(),
}
"""Whether a text, or many in a row, is written as it is."""
