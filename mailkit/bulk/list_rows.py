"""Rows as a list has them become rows as the journal plans them: checked, measured, and written as
JSON. Those that are like most rows go together, at a fraction of the work; the others one by one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import compress
from typing import Any, cast

import msgspec

from mailkit.address import are_common, dedupe_key
from mailkit.bulk.address_line import address_of
from mailkit.bulk.columns import Columns
from mailkit.bulk.journal import InvalidRecord, PlannedRow
from mailkit.bulk.source import Row
from mailkit.core.batch import Batch
from mailkit.core.dispatch import Dispatch, MeasuresMany
from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.template import InvalidRow

__all__ = ["ListRows"]

LONGEST_SHOWN = 500  # characters of a reason, and of what is no address
_encode, _encode_lines = msgspec.json.Encoder().encode, msgspec.json.Encoder().encode_lines


class ListRows:
    """Turns rows as read into rows as planned, and remembers what list it was."""

    def __init__(self, before: int, columns: Columns, dispatch: Dispatch) -> None:
        self._next = before + 1
        self._columns = columns
        self._measure = dispatch.measure
        self._measure_many = dispatch.measure_many if isinstance(dispatch, MeasuresMany) else None
        self._limit = dispatch.limits.size - dispatch.limits.base
        self._hash = hashlib.blake2b(digest_size=16)
        self._count = 0

    def planned(self, batch: Sequence[Row]) -> tuple[Batch[PlannedRow], list[InvalidRecord]]:
        """The rows of a batch: those that can be mailed, and those that can't."""
        lines, given, named, faults = Batch.of(Row, batch).columns
        ids = range(self._next, self._next + len(batch))
        self._next += len(batch)
        self._count += len(batch)
        values, reasons = self._values(named, faults)
        whole = values
        if self._columns.has_addresses:
            whole = list(map(self._columns.with_address, values, given))
        fields = _fields(whole)
        sizes = self._sizes(given, whole, fields, reasons)
        if {*map(type, sizes)} <= {int}:
            rows = Batch(PlannedRow, ids, lines, given, _keys(given), fields, sizes)
            self._say(given, fields)
            return rows, []
        columns: list[list[Any]] = [
            [*column] for column in (ids, lines, given, _keys(given), fields, sizes)
        ]
        odd = [place for place, size in enumerate(sizes) if type(size) is not int]
        fit = [True] * len(batch)
        invalid: list[InvalidRecord] = []
        for place in odd:
            row_id, line, address, size = ids[place], lines[place], given[place], sizes[place]
            row: PlannedRow | InvalidRecord
            if isinstance(size, str):
                row = InvalidRecord(row_id, line, _cut(address), fields[place], _cut(size))
            else:
                row = self._one(row_id, line, address, values[place], reasons[place])
            columns[2][place], columns[4][place] = row.address, row.fields
            if isinstance(row, InvalidRecord):
                invalid.append(row)
                fit[place] = False
            else:
                columns[3][place], columns[5][place] = row.key, row.size
        self._say(columns[2], columns[4])
        return Batch(PlannedRow, *([*compress(column, fit)] for column in columns)), invalid

    def _say(self, addresses: Sequence[str], fields: Sequence[str | None]) -> None:
        """Remember these texts."""
        # Neither an address nor JSON has a NUL, so that lists that differ don't say the same. Each
        # text ends with one: how a stream was cut into batches must not matter.
        said = [""] * (2 * len(addresses) + 1)
        said[:-1:2], said[1::2] = addresses, [text or "" for text in fields]
        self._hash.update("\0".join(said).encode())

    def _values(
        self, named: Sequence[tuple[str, ...] | Mapping[str, str]], faults: Sequence[str | None]
    ) -> tuple[Sequence[Sequence[str]], Sequence[str | None]]:
        """The values of each row in the columns' order, and why it can't be mailed, if that is
        known already.
        """
        if {*map(type, named)} == {tuple}:  # a table's, which are in order
            return cast("Sequence[tuple[str, ...]]", named), faults
        values: list[Sequence[str]] = []
        reasons = list(faults)
        for place, fields in enumerate(named):
            try:
                values.append(self._columns.values(fields))
            except InvalidRow as error:
                values.append(())
                reasons[place] = error.reason
        return values, reasons

    def _sizes(
        self,
        given: Sequence[str],
        values: Sequence[Sequence[str]],
        fields: Sequence[str | None],
        reasons: Sequence[str | None],
    ) -> Sequence[int | str | None]:
        """The bytes of each row, or why it can't be mailed; None for one that is to be looked at by
        itself.
        """
        common = are_common(given)
        is_plain = reasons.count(None) == len(reasons) and "\\u0000" not in "".join(
            filter(None, fields)
        )
        if is_plain and all(common):
            return self._measured(given, values)
        fit = [
            bool(is_common) and reason is None and (text is None or "\\u0000" not in text)
            for is_common, reason, text in zip(common, reasons, fields, strict=True)
        ]
        if not any(fit):
            return [None] * len(fit)
        found = iter(self._measured([*compress(given, fit)], [*compress(values, fit)]))
        return [next(found) if is_fit else None for is_fit in fit]

    def _measured(
        self, addresses: Sequence[str], values: Sequence[Sequence[str]]
    ) -> Sequence[int | str]:
        if self._measure_many is not None:
            with suppress(InvalidArgument, InvalidRow):
                sizes = self._measure_many(addresses, values)
                if max(sizes) <= self._limit:
                    return sizes
        return list(map(self._size, addresses, values))

    def _size(self, address: str, values: Sequence[str]) -> int | str:
        try:
            size = self._measure(address, values)
        except (InvalidArgument, InvalidRow) as error:
            return str(getattr(error, "reason", error))
        if size <= self._limit:
            return size
        return f"the message has {size} bytes, more than a request may have"

    def _one(
        self, row_id: int, line: int, given: str, values: Sequence[str], reason: str | None
    ) -> PlannedRow | InvalidRecord:
        """The row, whatever it is like."""
        address, fields = given, ""
        size: int | str = 0
        if values:
            fields = _encode(values).decode()
        if "\0" in address or ("\\u0000" in fields and "\0" in "".join(values)):
            address, given, reason, fields = "", "", "NUL bytes", ""  # as in a table
        if reason is None:
            try:
                address = address_of(given)
                if self._columns.has_addresses:
                    values = self._columns.with_address(values, address)
                    fields = _encode(values).decode()
            except InvalidArgument as error:
                reason = str(getattr(error, "reason", error))
            else:
                size = self._size(address, values)
        if reason is not None or isinstance(size, str):
            reason = str(size) if reason is None else reason
            return InvalidRecord(row_id, line, _cut(given), fields or None, _cut(reason))
        key = dedupe_key(address)
        other = None if key == address else key
        return PlannedRow(row_id, line, address, other, fields or None, size)

    def check(self) -> None:
        """An empty list, or fields that no row had, raise InvalidArgument."""
        if not self._count:
            raise InvalidArgument("the list has no rows: there is nobody to mail")
        self._columns.check()

    def fingerprint(self, message: Message) -> bytes:
        """What tells this message to this list from others: every word, address and field."""
        self._hash.update(message.fingerprint())
        return self._hash.digest()


def _fields(values: Sequence[Sequence[str]]) -> Sequence[str | None]:
    """The values of each row in JSON; None where there are none."""
    if not any(values):
        return [None] * len(values)
    texts: list[str | None] = [*_encode_lines(values).decode().split("\n")]
    del texts[-1]  # behind the last line's end
    return texts if all(values) else [None if text == "[]" else text for text in texts]


def _keys(addresses: Sequence[str]) -> Sequence[str | None]:
    """What makes two addresses the same, where it is not the address."""
    text = "\n".join(addresses)
    if text == text.lower():
        return [None] * len(addresses)
    return [None if address == (key := address.lower()) else key for address in addresses]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
