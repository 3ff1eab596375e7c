"""How calls of more than one service write Python's values; see `mailkit.core.call.arg`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from pathlib import Path

from mailkit.address import Address
from mailkit.attachment import Attachment
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument
from mailkit.text import header_text

__all__ = ["FileLike", "address", "in_columns", "named_rows", "one_line"]

FileLike = Attachment | Path | bytes


def one_line(place: str) -> Callable[[str, WireFormat], str]:
    """A writer of text that must hold no line break and no other control character."""

    def write(value: str, wire_format: WireFormat) -> str:
        if type(value) is str and value.isprintable():  # quick; the next line is exact
            return value
        return header_text(value, place)

    return write


def address(value: Address | str, place: str) -> Address:
    """The address, also from ``Shop <news@shop.by>``; InvalidArgument names the place."""
    try:
        return Address.parse(value)
    except InvalidArgument as error:
        raise InvalidArgument(f"{place}: {error}") from None


def in_columns(rows: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    """The values of rows, column by column. A row that was read before a later one had a new field
    is shorter: what it lacks is empty.
    """
    return [*zip_longest(*rows, fillvalue="")]


def named_rows(
    names: Sequence[str], columns: Sequence[Sequence[str]], count: int
) -> list[dict[str, str]]:
    """The rows of a table, each by the names of its columns."""
    if not columns:
        return [{} for _ in range(count)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
