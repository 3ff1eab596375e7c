"""Row: one recipient as a source gave it, readable or not; and rows made from a caller's items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from numbers import Number
from typing import Any, NamedTuple
from uuid import UUID

from mailkit.address import Address
from mailkit.bulk.headers import Naming, address_columns, called, look_alike, shown_names
from mailkit.errors import InvalidArgument
from mailkit.message import Recipient
from mailkit.text import column_name, stripped, with_article

__all__ = ["Item", "Keys", "Partial", "Row", "checked", "row_of", "text_of"]

Item = Recipient | Address | str | Mapping[str, Any] | tuple[str, Mapping[str, Any]]
"""What an iterable may give: a Recipient, an address (text or an Address), a mapping with
``email``, or a pair of an address and a mapping. Database rows with ``keys()``,
as sqlite3.Row, count as mappings.
"""

_SCALARS = (Number, date, time, UUID)
_SHAPES = 1_000  # rows' keys, in their order, that are remembered
_row = tuple.__new__  # a third of the cost of Row(…)
_MISSING = frozenset({"nan", "snan"})
_INFINITE = frozenset({"inf", "infinity"})


class Row(NamedTuple):
    """One row of a source, not validated yet.

    ``line`` is the physical line it begins on, or for iterables the item's number, from 1.
    ``values`` are in the order of the source's columns (a tuple, for tables), or under their names
    (a dict, for everything else), stripped. An unreadable row has a ``reason``, no values, and the
    address only if it has exactly one.
    """

    line: int
    address: str
    values: tuple[str, ...] | dict[str, str]
    reason: str | None = None


class Partial(dict[str, str]):
    """The values of a row some of which are no text. They are empty here; ``faults`` says of which
    fields and why, which matters only to a message that uses one of them.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.faults: dict[str, str] = {}

    def leave_out(self, name: str, why: str) -> None:
        """The field has no text."""
        self[name] = ""
        self.faults[name] = why


class Keys:
    """Which key of a row has the address, and which keys get other names. An address of another
    name than ``email`` is a field of that name, too. ``missing`` are those of the caller's own
    names that no row had so far.
    """

    def __init__(self, naming: Naming) -> None:
        self.missing = {*naming.renamed, *([] if naming.email is None else [naming.email])}
        self._naming = naming
        self._is_plain = not self.missing and naming.likely is None
        self._fault = ""  # the first reason why keys had no address
        self._shapes: dict[tuple[str, ...], _Shape] = {}

    def row(self, line: int, fields: dict[str, str]) -> Row:
        """The row of fields that are text, or left out as none."""
        if self._is_plain and "email" in fields:
            address, faults = fields.pop("email"), getattr(fields, "faults", None)
            if faults and "email" in faults:
                return Row(line, "", (), f"the address is {faults['email']}")
            return _row(Row, (line, address, fields, None))
        shape = self._shape(tuple(fields))
        if shape.email is None:
            return Row(line, "", (), shape.reason)
        if isinstance(fields, Partial) and shape.email in fields.faults:
            return Row(line, "", (), f"the address is {fields.faults[shape.email]}")
        address = fields[shape.email]
        if column_name(shape.email).casefold() == "email":
            del fields[shape.email]
        return Row(line, address, self.renamed(fields))

    def rows(self, first: int, objects: Iterable[dict[str, str]]) -> list[Row]:
        """The rows of fields that are text, one a line."""
        is_plain = self._is_plain
        return [
            _row(Row, (line, fields.pop("email"), fields, None))
            if is_plain and "email" in fields
            else self.row(line, fields)
            for line, fields in enumerate(objects, first)
        ]

    def renamed(self, fields: dict[str, str]) -> dict[str, str]:
        """The fields by their new names."""
        if not self._naming.renamed:
            return fields
        names = self._shape(tuple(fields)).names
        changed = Partial((names.get(name, name), value) for name, value in fields.items())
        if not isinstance(fields, Partial):
            return dict(changed)
        changed.faults = {names.get(name, name): why for name, why in fields.faults.items()}
        return changed

    def check(self, shown: str, *, any_readable: bool) -> None:
        """Every name that the caller knows was there, and an address: else InvalidArgument."""
        if self._fault and not any_readable and not self.missing:
            raise InvalidArgument(f"{shown}: no row has an address: {self._fault}")
        if self.missing:
            names = ", ".join(map(repr, sorted(self.missing)))
            raise InvalidArgument(f"no row of {shown} has the key {names}: check the spelling")

    def _shape(self, keys: tuple[str, ...]) -> _Shape:
        shape = self._shapes.get(keys)
        if shape is None:
            if len(self._shapes) >= _SHAPES:
                self._shapes.clear()
            shape = self._shapes[keys] = self._new_shape(keys)
        return shape

    def _new_shape(self, keys: tuple[str, ...]) -> _Shape:
        names: dict[str, str] = {}
        for old, new in self._naming.renamed.items():
            for key in _keys_called(old, keys):
                names[key] = new
                self.missing.discard(old)
        wanted = self._naming.email
        if wanted is not None:
            found = _keys_called(wanted, keys) or [key for key in keys if names.get(key) == wanted]
            if not found:
                return _Shape(None, f"no key {wanted!r}", names)
            self.missing.discard(wanted)
            return _Shape(found[0], "", names)
        new_names = [column_name(names.get(key, key)) for key in keys]
        found = [] if self._naming.likely is None else _keys_called(self._naming.likely, keys)
        found = found or [key for key, name in zip(keys, new_names, strict=True) if name == "email"]
        found = found or [keys[n] for n in address_columns(new_names)]
        if len(found) == 1:
            return _Shape(found[0], "", names)
        if found:
            several = " and ".join(repr(key[:80]) for key in found[:20])
            return self._without(f"the keys {several} may all be the address", names)
        odd = look_alike(new_names)
        has = f", only {shown_names(new_names[:3])}{', …' * (len(new_names) > 3)}" if keys else ""
        return self._without(f"no key 'email'{f': {odd}' if odd else has}", names)

    def _without(self, fault: str, names: Mapping[str, str]) -> _Shape:
        self._fault = self._fault or f"{fault}; choose the key with {self._naming.choice}"
        return _Shape(None, fault, names)


class _Shape(NamedTuple):
    """What rows with certain keys are like: the address's key or the reason why there is none, and
    the keys that have new names.
    """

    email: str | None
    reason: str
    names: Mapping[str, str]


def _keys_called(name: str, keys: Sequence[str]) -> list[str]:
    return [keys[n] for n in called(name, keys)]


def row_of(item: Item, number: int, keys: Keys) -> Row:
    """The row of a caller's item; InvalidArgument if it is none of the kinds in `Item`."""
    match item:
        case str():
            return _addressed(number, item, {})
        case Address():
            return _addressed(number, item.email, {})
        case Recipient():
            line, address, given = item.line or number, item.address, item.fields
        case (str() as address, Mapping() as given):
            line = number
        case _ if hasattr(item, "keys"):
            return keys.row(number, _fields({key: item[key] for key in item.keys()}))  # noqa: SIM118 - sqlite3.Row
        case _:
            kind = with_article(type(item).__name__)
            raise InvalidArgument(
                f"item {number} of the recipients is {kind}; give a Recipient, an "
                "address, a mapping with 'email', or a pair of an address and a mapping"
            )
    fields = _fields(given)
    if fields.get("email") == stripped(address):  # once more
        del fields["email"]
    return _addressed(line, address, keys.renamed(fields))


def _addressed(line: int, address: str, fields: dict[str, str]) -> Row:
    try:
        return Row(line, checked(stripped(address)), fields)
    except ValueError as error:
        return Row(line, "", (), f"the address is {error}")


def _fields(given: Mapping[Any, Any]) -> dict[str, str]:
    fields: dict[str, str] = {}
    faults: dict[str, str] = {}
    for key, value in given.items():
        try:
            name = checked(key) if type(key) is str else text_of(key)
        except ValueError:
            continue  # no placeholder can use it
        try:
            fields[name] = text_of(value)
        except ValueError as error:
            faults[name] = str(error)
    if not faults:
        return fields
    partial = Partial(fields)
    for name, why in faults.items():
        partial.leave_out(name, why)
    return partial


def text_of(value: object) -> str:
    """The value as text without blanks at its ends; ValueError says what it is instead. A value
    that is missing, None or pandas' kinds of it, is empty.
    """
    match value:
        case str():
            return checked(stripped(value))
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            text = value.isoformat()
            return "" if text == "NaT" else text
        case _ if isinstance(value, _SCALARS):
            try:
                text = str(value)
            except ValueError:  # sys.set_int_max_str_digits
                raise ValueError("a number with too many digits; give it as text") from None
            digits = text.lstrip("+-").lower()
            if digits in _MISSING:
                return ""
            if digits in _INFINITE:
                raise ValueError(f"{text}; give text or a number")
            return text
        case bytes() | bytearray() | memoryview():
            raise ValueError(f"{type(value).__name__}; decode them, or give text")
        case _:
            name = type(value).__name__
            if name == "NAType":  # its comparisons have no truth
                return ""
            raise ValueError(f"{with_article(name)}; give text or a number")


def checked(text: str) -> str:
    """The text, unless it can't be stored or sent: then ValueError says what it has."""
    if "\0" in text:
        raise ValueError("text with NUL bytes")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"text with an unpaired surrogate: {text[:40]!r}") from None
    return text
