"""Row: one recipient as a source gave it, readable or not; and rows made from a caller's items."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from numbers import Number
from typing import Any, NamedTuple
from uuid import UUID

from mailkit.errors import InvalidArgument
from mailkit.message import Recipient

__all__ = ["EMAIL_NAMES", "Item", "Row", "email_key", "row_of"]

EMAIL_NAMES = frozenset({"email", "e-mail"})
"""What the address's column or key is called, in any case."""

Item = Recipient | str | Mapping[str, Any] | tuple[str, Mapping[str, Any]]
"""What an iterable may give: a Recipient, an address, a mapping with ``email``, or a pair of an
address and a mapping. Database rows with ``keys()``, as sqlite3.Row, count as mappings.
"""

_SCALARS = (Number, date, time, UUID)
_NO_NUMBERS = frozenset({"nan", "snan", "inf", "infinity"})


class Row(NamedTuple):
    """One row of a source, not validated yet.

    ``line`` is the physical line it begins in, or for iterables the item's number, from 1.
    ``values`` stand in the order of the source's columns (a tuple, CSV), or under their names (a
    dict, all else). A row that can't be read has a ``reason``, and neither address nor values.
    """

    line: int
    address: str
    values: tuple[str, ...] | dict[str, str]
    reason: str | None = None


def row_of(item: Item, number: int) -> Row:
    """The row of a caller's item; InvalidArgument if it is none of the kinds in `Item`."""
    line = number
    fields: Any
    match item:
        case str():
            address, fields = item, {}
        case Recipient():
            address, fields, line = item.address, _besides(item), item.line or number
        case (str() as address, Mapping() as fields):
            fields = _besides(Recipient(address, fields))
        case _ if hasattr(item, "keys"):
            fields = {key: item[key] for key in item.keys()}  # noqa: SIM118 - sqlite3.Row
            key = email_key(fields)
            if key is None:
                return Row(line, "", (), "no key 'email'")
            address = fields.pop(key)
        case _:
            raise InvalidArgument(
                f"item {number} of the recipients is a {type(item).__name__}; give a Recipient, an "
                "address, a mapping with 'email', or a pair of an address and a mapping"
            )
    try:
        return Row(line, _text(address), {_text(key): _text(fields[key]) for key in fields})
    except ValueError as error:
        return Row(line, "", (), str(error))


def email_key(fields: Mapping[Any, Any]) -> str | None:
    """The key that holds the address, or None."""
    if "email" in fields:
        return "email"
    return next((k for k in fields if isinstance(k, str) and k.casefold() in EMAIL_NAMES), None)


def _besides(item: Recipient) -> Mapping[str, Any]:
    """The fields; without ``email``, if that is the address once more."""
    if item.fields.get("email") != item.address:
        return item.fields
    return {key: value for key, value in item.fields.items() if key != "email"}


def _text(value: object) -> str:
    match value:
        case str():
            text = value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
        case _ if isinstance(value, _SCALARS):
            text = str(value)
            if text.lstrip("+-").lower() in _NO_NUMBERS:
                raise ValueError(f"{text} for a value; give text or a number")
            return text
        case _:
            raise ValueError(f"a {type(value).__name__} for a value; give text or a number")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"half a surrogate pair in {text[:40]!r}") from None
    return text
