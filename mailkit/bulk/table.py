"""A table's header and rows: what all kinds of tables have in common.

Empty cells at the end of a row may be missing, since spreadsheets leave them out, and extra ones
are ignored; a row of empty cells is skipped. A row with a value in an extra cell keeps its line, a
reason, and its address if it has exactly one; so does a short row without a valid address, because
another delimiter or a stray line break may be the cause.

A list of addresses alone needs no header, and a line of it may have several addresses, also below a
header with one column. Other columns are ignored; an address outside the address column makes a row
unreadable.

An apostrophe before an address is removed: programs put it there for spreadsheets, and no mailbox
begins with one. A saved report has them before values, too; of two columns with one name there, the
list's own counts.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from mailkit.address import InvalidAddress, dedupe_key
from mailkit.bulk.address_line import (
    address_of,
    address_shown,
    addresses_in,
    holds_address,
    may_be_address,
)
from mailkit.bulk.headers import Naming, address_columns
from mailkit.bulk.rows import Partial, Row
from mailkit.bulk.spreadsheets import FACTS, original
from mailkit.errors import InvalidArgument
from mailkit.text import BLANKS, column_name, stripped

__all__ = ["Ragged", "Table"]

_inner_break = re.compile(r"[\r\n](?![\r\n]*\Z)").search
_SEVERAL = (
    "an address outside the address column; put nothing but addresses on a line, or add a header "
    "line that names every column"
)


class Ragged(Exception):
    """A row whose number of cells is not the header's, and it can't be said why."""


class Table:
    """Makes rows of cells. ``columns``, without the address's, and ``address_column``, the name of
    that one in the list (None: there is no header), are known once the header is read, and
    ``repeated``, the names that several columns have: no value can be told by such a name.
    ``addresses``: it is a list of addresses alone.
    """

    def __init__(self, name: str, naming: Naming, *, addresses: bool = False) -> None:
        self.name = name
        self.columns: tuple[str, ...] = ()
        self.address_column: str | None = None
        self.addresses = addresses
        self.delimiter = ","
        self.width = 0
        self.email = 0
        self.kept: list[int] = []
        self.is_report = False
        self.alone = False  # whole lines are addresses and nothing else
        self.repeated: frozenset[str] = frozenset()  # names that are those of several columns
        self.twins: Sequence[int] = ()  # other columns that are called as the addresses'
        self._naming = naming

    def clarity(self, names: Sequence[str]) -> tuple[bool, bool, int]:
        """How well a delimiter makes sense of the first line; the greater the better."""
        is_clear = self.addresses and any(map(may_be_address, names))
        return self.has_address_column(names), is_clear, len(names)

    def has_address_column(self, names: Sequence[str]) -> bool:
        """Whether these are the names of columns, one of which has the addresses."""
        return self._naming.knows(names) or bool(address_columns(names))

    def begin(self, header: Sequence[str], first: str, line: int) -> bool:
        """Take the names of the columns; False if the first line, of this number, is a row."""
        if self.addresses and not self.has_address_column(header):
            found = [n for n, cell in enumerate(header) if may_be_address(cell)]
            if len(found) != 1 and not addresses_in(first):
                what = "several addresses" if found else "neither an address nor a column 'email'"
                raise InvalidArgument(
                    f"{self.name}, line {line} has {what}: put one address on each line, "
                    "or add a header line with the column email"
                )
            self.width, self.email = (len(header), found[0]) if found else (1, 0)
            self.alone = True
            return False
        self._set_columns(list(header), line)
        return True

    def _set_columns(self, header: list[str], line: int) -> None:
        self.is_report = tuple(header[-len(FACTS) :]) == FACTS
        if self.is_report:
            header = [column_name(original(name)) for name in header]
            if not self.addresses:  # a report of a list that has such columns itself keeps those
                own = set(header[: -len(FACTS)])
                header[-len(FACTS) :] = ["" if name in own else name for name in FACTS]
        names = self._naming.rename(header, self.name)
        if not address_columns(names) and any(map(may_be_address, names)):
            raise InvalidArgument(
                f"{self.name} has no column 'email': the first line is an address; add a header "
                "line with the names of the columns"
            )
        emails = self._naming.address_columns(header, names, self.name)
        email, self.twins = emails[0], emails[1:]
        if self.addresses and any(map(holds_address, names)):
            raise InvalidArgument(
                f"{self.name}, line {line} has a column 'email' and an address: put the "
                "names of the columns on a line above the addresses"
            )
        if not self.addresses:
            self.repeated = frozenset(name for name, n in Counter(names).items() if name and n > 1)
        self.width, self.email = len(names), email
        # A column without a name of its own can't be used, nor one whose name means the address:
        # their values are left out.
        self.kept = [
            n
            for n, name in enumerate(names)
            if name and n not in emails and name not in self.repeated and name.casefold() != "email"
        ]
        self.alone = self.addresses and not any(names[1:])
        self.columns = tuple(names[n] for n in self.kept)
        self.address_column = names[email]

    def rows(
        self, number: int, cells: list[str], line: str, faults: Mapping[int, str] | None = None
    ) -> list[Row]:
        """The rows of cells that stand in the line of this number; usually one. ``faults`` says
        which cells are no text, and why. Raises Ragged.
        """
        if self.addresses:
            if found := self.all_addresses(line):
                return [Row(number, address, ()) for address in found]
            if self._hides_address(cells):
                return [Row(number, "", (), _SEVERAL)]
        if self.is_report:
            cells = list(map(original, cells))
        cells = [cell.strip(BLANKS) for cell in cells]
        if not any(cells) and not faults:
            return []
        cells = self._fitted(cells)
        address = cells[self.email].removeprefix("'")
        for twin in filter(None, map(cells.__getitem__, self.twins)):
            if self.addresses:
                return [Row(number, one, ()) for one in (address, twin) if one]
            if address and _same(address) != _same(twin):
                raise InvalidArgument(
                    f"{self.name}, line {number}: two columns {self.address_column!r} have "
                    "different addresses; rename one of them in the file"
                )
            address = address or twin.removeprefix("'")
        values = tuple([cells[n] for n in self.kept])
        if faults or ("\0" in line and "\0" in "".join((address, *values))):
            return [self._partial(number, address, values, faults or {})]
        return [Row(number, address, values)]

    def _fitted(self, cells: list[str]) -> list[str]:
        """As many cells as the header has."""
        if self.delimiter in cells[0] and self.width > 1 and not any(cells[1:]):
            # The line was quoted as a whole, if it has an address where one belongs.
            whole = _cells_of(cells[0], self.delimiter) or []
            cells = whole if any(map(holds_address, whole[self.email : self.email + 1])) else cells
        found, width = len(cells), self.width
        if found < width:
            if found <= max((self.email, *self.kept)):  # not only nameless columns are missing
                self._check_short(cells)
            return cells + [""] * (width - found)
        if any(cells[width:]) and not self.addresses:
            raise Ragged(f"{found} fields where the header has {width}")
        return cells[:width]

    def _check_short(self, cells: Sequence[str]) -> None:
        """The cells that are missing are empty ones at the end: else the address is none, or rows
        stand in a cell that a stray quote began.
        """
        found = len(cells)
        few = f"{found} {'field' if found == 1 else 'fields'} where the header has {self.width}"
        if any(holds_address(cell) and _inner_break(cell) for cell in cells):
            raise Ragged(few)
        address = cells[self.email] if self.email < found else ""
        if not (self.addresses and addresses_in(address)):
            try:
                address_of(address)
            except InvalidAddress as error:
                raise Ragged(f"{error.reason}; only {few}") from None

    def _partial(
        self, number: int, address: str, values: tuple[str, ...], faults: Mapping[int, str]
    ) -> Row:
        if "\0" in address:
            return Row(number, address_shown(address), (), "NUL bytes")
        if self.email in faults:
            return Row(number, "", (), f"the address is {faults[self.email]}")
        fields = Partial(zip(self.columns, values, strict=True))
        for place, name in zip(self.kept, self.columns, strict=True):
            if "\0" in fields[name]:
                fields.leave_out(name, "text with NUL bytes")
            elif place in faults:
                fields.leave_out(name, faults[place])
        return Row(number, address, fields)

    def all_addresses(self, line: str) -> list[str] | None:
        """The addresses of a line that may have several, if it has nothing else."""
        if not self.alone or _inner_break(line) or "\0" in line:
            return None
        return addresses_in(line)

    def _hides_address(self, cells: Sequence[str]) -> bool:
        """Whether a cell that has no column of a name holds what may be an address."""
        named = {self.email, *self.twins, *self.kept}
        return any(holds_address(cell) for n, cell in enumerate(cells) if n not in named)


def _same(address: str) -> str:
    """What two spellings of an address share."""
    return dedupe_key(stripped(address.removeprefix("'")))


def _cells_of(line: str, delimiter: str) -> list[str] | None:
    """The cells of a line that stands in one cell; None if it is none."""
    if addresses_in(line):
        return None  # it is several addresses
    try:
        [cells] = csv.reader([line], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):  # ValueError: several lines
        return None
    return [cell.strip(BLANKS) for cell in cells]
