"""Recipients from CSV: a header with the address column, and rows with as many fields.

Quotes are read strictly: a lenient reader takes an unclosed quote for a field of many lines, and
the people in those lines vanish. An unreadable row keeps its line and a reason, and reading
continues with the next line. White space around a field, and around its quotes, is removed.

A first line ``sep=;``, which Excel writes and hides, is the delimiter.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, repeat
from typing import Protocol

from mailkit.bulk.address_line import address_shown, addresses_in, holds_address
from mailkit.bulk.blanks import Edges
from mailkit.bulk.headers import Naming
from mailkit.bulk.lines import LONGEST, REPLACED, Lines
from mailkit.bulk.rows import Row
from mailkit.bulk.table import Ragged, Table
from mailkit.core.batch import Batch
from mailkit.errors import InvalidArgument
from mailkit.text import BLANKS, column_name, stripped

__all__ = ["CsvRows"]

_row = tuple.__new__  # a third of the cost of Row(…)
_DELIMITERS = ",;\t|"
_TITLES = 30  # lines below the first one among which the header may be
_REREAD = 16_000_000  # characters that misquoted rows may cost, beside the file's own length


class _Reader(Protocol):
    """What csv.reader returns."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


class _Misread(csv.Error):
    """A row of many lines that is wrong in itself: a stray quote may have swallowed others."""


class _BlankBeforeQuote(csv.Error):
    """A field that begins with blanks and a quote, which may be that of a quoted field."""


class CsvRows:
    """Lists of rows, one for each block of lines; what ``table`` says is known with the first list.

    ``addresses``: it is a list of addresses alone. ``delimiters``: those that it may have, besides
    the usual ones.
    """

    def __init__(
        self,
        lines: Lines,
        blocks: Iterator[list[str]],
        delimiter: str | None,
        naming: Naming,
        *,
        addresses: bool = False,
        delimiters: str = "",
    ) -> None:
        self.table = Table(lines.name, naming, addresses=addresses)
        self._name = lines.name
        self._lines = lines
        self._blocks = blocks
        usual = _DELIMITERS + delimiters
        self._delimiters = delimiter or "".join(dict.fromkeys(usual))
        self._delimiter = self._delimiters[0]
        self._edges = Edges(self._delimiter)
        self._strip: Callable[[str], str] = str.strip
        self._line = 1  # the physical number of the next line to read
        self._literal = 0  # the number of a line whose quotes count as they stand
        self._open: list[str] = []  # the lines of a row that goes on in the next block
        self._reread = 0
        self._any_long = False  # a row of several lines was seen

    def __iter__(self) -> Iterator[Sequence[Row]]:
        yield self._rows(self._after_header(self._from_first_text()), last=False)
        for block in self._blocks:
            yield self._rows(self._open + block, last=False)
        yield self._rows(self._open, last=True)

    def _from_first_text(self) -> list[str]:
        told = False
        for block in self._blocks:
            for n, line in enumerate(block):
                if not told and (delimiter := _excel(line)):
                    told = True
                    if len(self._delimiters) > 1:
                        self._delimiters = delimiter[1]
                elif line.replace('""', "").strip(BLANKS + self._delimiters):
                    return block[n:]
                self._line += 1
        raise InvalidArgument(f"{self._name} is empty")

    def _after_header(self, lines: list[str]) -> list[str]:
        """Read the header, with the delimiter that shows the addresses' column, else that which
        shows the most columns; the lines after it.
        """
        table = self.table
        header: list[str] = []
        used = 0
        broken = False
        for delimiter in self._delimiters:
            if delimiter == "|" and len(header) > 1 and table.has_address_column(header):
                continue  # it is in the name of a column
            edges = Edges(delimiter)
            first = edges.quoted(lines[0])
            reader = csv.reader([first, *lines[1:]], delimiter=delimiter, strict=True)
            try:
                names = next(reader)
                if len(names) == 1 and delimiter in names[0]:  # a line that was quoted as a whole
                    names = next(csv.reader([names[0]], delimiter=delimiter, strict=True))
            except (csv.Error, StopIteration):
                broken = True
                continue
            names = list(map(column_name, names))
            if not header or table.clarity(names) > table.clarity(header):
                header, used, self._delimiter, self._edges = (
                    names,
                    reader.line_num,
                    delimiter,
                    edges,
                )
        table.delimiter = self._delimiter
        is_long = len(lines[0]) > LONGEST
        has_address = table.has_address_column(header)
        is_row = table.addresses and not is_long and not has_address and addresses_in(lines[0])
        if not is_row and not has_address and REPLACED in lines[0] and self._lines.fault:
            raise InvalidArgument(self._lines.fault)
        if not is_row and (not header or (broken and not has_address) or is_long):
            raise InvalidArgument(
                f"{self._name}, line {self._line}: the header can't be read; "
                "are its quotes closed, is it one line of column names?"
            )
        if not table.addresses and not has_address:
            self._check_titles(lines[used : used + _TITLES], self._line + used)
        if not table.begin(header, lines[0], self._line):
            return lines
        self._line += used
        return lines[used:]

    def _check_titles(self, lines: Sequence[str], first: int) -> None:
        """No later line is the header, as below the titles of a report."""
        for number, line in enumerate(lines, first):
            for delimiter in self._delimiters:
                names = [column_name(name) for name in line.replace('"', "").split(delimiter)]
                if len(names) > 1 and self.table.has_address_column(names):
                    raise InvalidArgument(
                        f"{self._name} has its header in line {number}: remove the lines above it"
                    )

    def _rows(self, lines: list[str], *, last: bool) -> Sequence[Row]:
        """The rows of these lines; those of a row that isn't complete yet stay in ``_open``."""
        self._open = []
        text = "".join(lines)
        if len(text) > LONGEST:
            for n, line in enumerate(lines):
                if len(line) > LONGEST:
                    before = self._rows(lines[:n], last=True)
                    row = self._unreadable(line, f"a line longer than {LONGEST:,} characters")
                    return [*before, row, *self._rows(lines[n + 1 :], last=last)]
        rare = self._lines.rare_blanks or self._edges.have_controls(text)
        blanks = self._edges.have_blanks(text, rare=rare)
        self._strip = stripped if self._lines.rare_blanks or "\x1a" in text else str.strip
        table = self.table
        is_odd = bool(table.addresses or table.is_report or table.twins or "\0" in text)
        is_odd = is_odd or len(text) > csv.field_size_limit()
        if '"' not in text and not is_odd:
            return self._rows_of_text(text, blanks=blanks)
        is_odd = is_odd or self._edges.have_quoted_lines(text)
        check_quotes = blanks and self._edges.have_blanks_before_quotes(text, rare=rare)
        if not (is_odd or check_quotes or self._any_long) and (cells := self._quoted(lines)):
            if blanks:  # which may stand next to a delimiter within quotes, and at no end
                values = list(chain.from_iterable(cells))
                blanks = list(map(self._strip, values)) != values
            columns = [*zip(*cells, strict=True)] if {*map(len, cells)} == {table.width} else None
            return self._rows_of_cells(lines, columns, cells, blanks=blanks)
        return self._rows_by_reader(
            lines, last=last, blanks=blanks, check_quotes=check_quotes, is_odd=is_odd
        )

    def _rows_of_text(self, text: str, *, blanks: bool) -> Sequence[Row]:
        """The rows of a text without quotes."""
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if text and not text.endswith("\n"):
            text += "\n"
        delimiter, width = self._delimiter, self.table.width
        count = text.count("\n")
        even = ((width - 1) * delimiter + "\n") * count
        if count and delimiter.isascii() and _marks(text, delimiter) == even.encode():
            cells = text[:-1].replace("\n", delimiter).split(delimiter)
            columns = [cells[n::width] for n in range(width)]
            if (rows := self._rows_of_columns(columns, blanks=blanks)) is not None:
                self._line += count
                return rows
        lines = text.split("\n")
        del lines[-1]
        all_cells = map(str.split, lines, repeat(delimiter))
        return self._rows_of_cells(lines, None, all_cells, blanks=blanks)

    def _quoted(self, lines: list[str]) -> list[list[str]] | None:
        """The cells of each line, if each of them is a row."""
        try:
            cells = list(csv.reader(lines, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return None
        self._any_long = len(cells) < len(lines)
        return None if self._any_long else cells

    def _rows_of_cells(
        self,
        lines: list[str],
        columns: Sequence[Sequence[str]] | None,
        all_cells: Iterable[list[str]],
        *,
        blanks: bool,
    ) -> Sequence[Row]:
        """The rows of lines each of which is a row, by column, where every row is as wide as the
        header, and by row.
        """
        rows = None if columns is None else self._rows_of_columns(columns, blanks=blanks)
        if rows is None:
            rows = self._rows_one_by_one(lines, all_cells, blanks=blanks)
        self._line += len(lines)
        return rows

    def _rows_of_columns(
        self, columns: Sequence[Sequence[str]], *, blanks: bool
    ) -> Sequence[Row] | None:
        """The rows, unless one has no address, or an apostrophe before it."""
        table = self.table
        addresses, *kept = [
            [*map(self._strip, columns[n])] if blanks else columns[n]
            for n in (table.email, *table.kept)
        ]
        if not all(addresses) or "\n'" in "\n".join(["", *addresses]):
            return None
        count = len(addresses)
        values = [*zip(*kept, strict=True)] if kept else [()] * count
        numbers = range(self._line, self._line + count)
        return Batch(Row, numbers, addresses, values, [None] * count)

    def _rows_one_by_one(
        self, lines: list[str], all_cells: Iterable[list[str]], *, blanks: bool
    ) -> list[Row]:
        table = self.table
        width, email, kept = table.width, table.email, self.table.kept
        picked = kept if len(kept) < width - 1 else None
        strip = self._strip
        rows: list[Row] = []
        for number, cells in enumerate(all_cells, self._line):
            if len(cells) != width:
                rows += self._by_table(number, cells, lines[number - self._line])
                continue
            address = strip(cells[email]) if blanks else cells[email]
            if not address or address[0] == "'":
                rows += self._by_table(number, cells, lines[number - self._line])
                continue
            if picked is None:
                del cells[email]
            else:
                cells = [cells[n] for n in picked]
            values = tuple(map(strip, cells)) if blanks else tuple(cells)
            rows.append(_row(Row, (number, address, values, None)))
        return rows

    def _by_table(self, number: int, cells: list[str], line: str) -> list[Row]:
        try:
            return self.table.rows(number, cells, line)
        except Ragged as fault:
            return [Row(number, address_shown(line), (), str(fault))]

    def _rows_by_reader(
        self, lines: list[str], *, last: bool, blanks: bool, check_quotes: bool, is_odd: bool
    ) -> list[Row]:
        """The rows of lines that may have anything."""
        rows: list[Row] = []
        start = 0
        as_given: dict[int, str] = {}  # the lines of a row that is tried without blanks at quotes
        while start < len(lines):
            # Not a copy of the rest: a block may have thousands of rows that can't be read.
            rest = map(lines.__getitem__, range(start, len(lines))) if start else lines
            reader: _Reader = csv.reader(rest, delimiter=self._delimiter, strict=True)
            first = self._line - start
            try:
                self._read(
                    lines,
                    start,
                    reader,
                    rows,
                    blanks=blanks,
                    check_quotes=check_quotes,
                    is_odd=is_odd,
                )
                break
            except csv.Error as error:
                before, after = self._line - first, start + reader.line_num
                if as_given and min(as_given) != before:  # that row was read
                    _put_back(lines, as_given)
                seen = lines[before:after]
                length = sum(map(len, seen))
                start = before
                if after == len(lines) and not last and length <= LONGEST:
                    _put_back(lines, as_given)
                    self._open = lines[before:after]
                    break
                self._count_reread(length - len(seen[0]))
                if self._literal != self._line:
                    named = self._edges.with_names(seen[0])
                    tidy = [named, *seen[1:]]
                    if blanks:
                        tidy = _split(self._edges.quoted("".join(tidy)))
                    if tidy != seen:
                        for n, line in enumerate(tidy, before):
                            as_given.setdefault(n, lines[n])
                            lines[n] = line
                        continue
                    if as_given or isinstance(error, _BlankBeforeQuote):
                        _put_back(lines, as_given)
                        self._literal = self._line
                        continue
                if found := self.table.all_addresses(lines[before]):
                    rows += [Row(self._line, address, ()) for address in found]
                    self._line += 1
                else:
                    rows.append(self._unreadable(lines[before], _reason(error, len(seen))))
                start = before + 1
        return rows

    def _read(
        self,
        lines: list[str],
        start: int,
        reader: _Reader,
        rows: list[Row],
        *,
        blanks: bool,
        check_quotes: bool,
        is_odd: bool,
    ) -> None:
        """Append rows until the reader of the lines from ``start`` ends or raises; then ``_line``
        is the line after the last good one.
        """
        first = self._line - start
        table = self.table
        width, email = table.width, table.email
        kept = table.kept if len(table.kept) < width - 1 else None
        strip = self._strip
        done = start
        try:
            for cells in reader:
                before, done = done, start + reader.line_num
                if check_quotes and first + before != self._literal:
                    for cell in cells:
                        if cell[:1] != '"' and cell.strip(BLANKS)[:1] == '"':
                            done = before
                            raise _BlankBeforeQuote
                if len(cells) == width and not is_odd:
                    has_blanks = blanks or done - before > 1  # a line's end may be one
                    address = strip(cells[email]) if has_blanks else cells[email]
                    if address and address[0] != "'":
                        if kept is None:
                            del cells[email]
                        else:
                            cells = [cells[n] for n in kept]
                        values = tuple(map(strip, cells)) if has_blanks else tuple(cells)
                        rows.append(_row(Row, (first + before, address, values, None)))
                        continue
                try:
                    rows += table.rows(first + before, cells, "".join(lines[before:done]))
                except Ragged as fault:
                    span = done - before
                    if span > 1 and len(cells) < width and self._are_rows(lines[before:done]):
                        done = before  # which a stray quote has taken into a cell
                        raise _Misread(f"{fault}, over {span} lines") from None
                    shown, why = address_shown(lines[before]), str(fault)
                    if span > 1:  # whatever its first line has of the others
                        why += f", over {span} lines"
                        shown = address_shown("".join(cells[email : email + 1]))
                    rows.append(Row(first + before, shown, (), why))
        finally:
            self._line = first + done

    def _are_rows(self, lines: Sequence[str]) -> bool:
        """Whether each of the lines has an address, and as many cells as the header."""
        between = self.table.width - 1
        return all(line.count(self._delimiter) >= between and holds_address(line) for line in lines)

    def _unreadable(self, line: str, reason: str) -> Row:
        self._line += 1
        return Row(self._line - 1, address_shown(line), (), reason)

    def _count_reread(self, characters: int) -> None:
        self._reread += characters
        if self._reread > _REREAD + self._lines.bytes_read:
            raise InvalidArgument(
                f"{self._name}: too many rows open a quote that is not closed, up to line "
                f"{self._line - 1}; fix the quotes in this file"
            )


_excel = re.compile(r"""["']?sep=(.)["']?[,;\t ]*[\r\n]*""", re.IGNORECASE).fullmatch


def _marks(text: str, delimiter: str) -> bytes:
    """The delimiters and line ends of a text; both are ASCII, which is in no other character."""
    return text.encode().translate(None, _all_but(delimiter))


@cache
def _all_but(delimiter: str) -> bytes:
    return bytes({*range(256)} - {*f"{delimiter}\n".encode()})


def _split(text: str) -> list[str]:
    return list(io.StringIO(text, newline=""))


def _put_back(lines: list[str], as_given: dict[int, str]) -> None:
    for n, line in as_given.items():
        lines[n] = line
    as_given.clear()


def _reason(error: csv.Error, lines: int) -> str:
    if isinstance(error, _Misread):
        return str(error)
    if lines > 1 or "end of data" in str(error):
        return "a quote that is not closed"
    if "field limit" in str(error):
        return f"a field longer than {csv.field_size_limit():,} characters"
    return "text after a closing quote"
