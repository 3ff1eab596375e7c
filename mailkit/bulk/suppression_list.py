"""Whom a list of suppressions names: all of them, or a sentence about the line that can't be read.

Nobody whose line can't be read may be mailed for that reason, so one such line refuses the list.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import NamedTuple

from mailkit.address import dedupe_key, normalize
from mailkit.bulk.address_line import addresses_in
from mailkit.bulk.lines import REPLACED
from mailkit.bulk.source import RecipientSource, Row
from mailkit.bulk.spreadsheets import original
from mailkit.errors import InvalidArgument
from mailkit.remedies import remedy

__all__ = ["Unwanted", "unwanted"]

_BATCH = 1_000


class Unwanted(NamedTuple):
    """Somebody who must not be mailed: the key of the address, and why, if the list says so."""

    key: str
    reason: str


async def unwanted(source: RecipientSource) -> AsyncGenerator[list[Unwanted], None]:
    """Everybody in the list, in batches; InvalidArgument for a line that can't be read. Addresses
    in other columns are counted in the source's ``ignored``.
    """
    columns = await source.columns()
    source.ignored.clear()
    column = None if columns is None or "reason" not in columns else columns.index("reason")
    async with aclosing(source.batches(_BATCH)) as batches:
        async for batch in batches:
            for row in batch:
                source.ignored.update(_ignored(row, columns or ()))
            yield [
                Unwanted(key, _reason(row, column)) for row in batch for key in _keys(source, row)
            ]


def _keys(source: RecipientSource, row: Row) -> list[str]:
    why, cure = row.reason, "correct or remove the line"
    if why is None:
        try:
            found = addresses_in(row.address) or [row.address]
            return [dedupe_key(normalize(address)) for address in found]
        except InvalidArgument as error:
            why = str(error)
    if REPLACED in row.address:
        why = "the address is not in UTF-8"
        option = remedy("encoding='cp1251'", "mailkit suppress import --encoding cp1251")
        cure = f"save the file as UTF-8, or give its encoding, e.g. {option}"
    raise InvalidArgument(f"{source.shown}, line {row.line}: {why}; {cure}: nobody was suppressed")


def _ignored(row: Row, columns: Sequence[str]) -> Iterator[str]:
    """The columns, besides the address's, that have addresses in this row."""
    cells = row.values
    values = cells.items() if isinstance(cells, dict) else zip(columns, cells, strict=False)
    return (name for name, value in values if "@" in value and addresses_in(value))


def _reason(row: Row, column: int | None) -> str:
    if isinstance(row.values, dict):
        return row.values.get("reason", "").strip()
    has_one = column is not None and column < len(row.values)
    return original(row.values[column]).strip() if has_one and column is not None else ""
