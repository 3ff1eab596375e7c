"""Recipients from CSV: a header with a column ``email``, and rows with as many fields.

Quotes are read strictly, since a lenient reader takes a quote that nobody closed for a field of
many lines, and the people in those lines vanish. A row that can't be read keeps its line and a
reason, and reading goes on with the next line. A row with too few fields is one of those: which
of its values is missing can't be known.

A list of addresses alone may do without a header. Each line of it may then have several, and so it
may below the one column ``email``. Columns with another name don't matter; what hides an address
makes a row unreadable.

A first line ``sep=;``, which Excel writes and hides, is the delimiter.

An apostrophe before an address is taken off: programs put it there for a spreadsheet's sake, and
no mailbox begins with one. A report that was saved has them before values, too; of two columns of
one name there, the list's own counts.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from mailkit.bulk.address_line import addresses_in, holds_address
from mailkit.bulk.lines import LONGEST, Lines
from mailkit.bulk.rows import EMAIL_NAMES, Row
from mailkit.bulk.spreadsheets import FACTS, original
from mailkit.errors import InvalidArgument

__all__ = ["CsvRows"]

_row = tuple.__new__  # a third of the cost of Row(…)
_DELIMITERS = ",;\t"
_REREAD = 16_000_000  # characters that misquoted rows may cost, beside the file's own length


class _Reader(Protocol):
    """What csv.reader returns."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


class _Misread(csv.Error):
    """A row of many lines that is wrong in itself: a stray quote may have swallowed others."""


class CsvRows:
    """Lists of rows, one for each block of lines; ``columns``, without the address's, are known
    with the first list. ``addresses``: it is a list of addresses alone.
    """

    def __init__(
        self,
        lines: Lines,
        blocks: Iterator[list[str]],
        delimiter: str | None,
        *,
        addresses: bool = False,
    ) -> None:
        self.columns: tuple[str, ...] = ()
        self._name = lines.name
        self._lines = lines
        self._blocks = blocks
        self._delimiter = delimiter or ","
        self._delimiters = delimiter or (_DELIMITERS + "|" * addresses)
        self._width = 0
        self._email = 0
        self._kept: list[int] = []
        self._is_report = False
        self._addresses = addresses
        self._has_header = True
        self._alone = False  # whole lines are addresses and nothing else
        self._line = 1  # the physical number of the next line to read
        self._open: list[str] = []  # the lines of a row that goes on in the next block
        self._reread = 0

    def __iter__(self) -> Iterator[list[Row]]:
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
                        self._delimiter = self._delimiters = delimiter[1]
                elif line.strip():
                    return block[n:]
                self._line += 1
        raise InvalidArgument(f"{self._name} is empty")

    def _after_header(self, lines: list[str]) -> list[str]:
        """Read the header, with the delimiter that shows a column ``email``, else that which
        shows the most columns; the lines after it.
        """
        header: list[str] = []
        used = 0
        broken = False
        for delimiter in self._delimiters:
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            try:
                names = [name.strip() for name in next(reader)]
            except (csv.Error, StopIteration):
                broken = True
                continue
            if self._clarity(names) > self._clarity(header):
                header, used, self._delimiter = names, reader.line_num, delimiter
        is_long = len(lines[0]) > LONGEST
        if self._addresses and not is_long and not _has_email(header) and addresses_in(lines[0]):
            found = [n for n, cell in enumerate(header) if _may_be_address(cell)]
            self._width, self._email = (len(header), found[0]) if found else (1, 0)
            self._has_header, self._alone = False, True
            return lines
        if not header or (broken and not _has_email(header)) or is_long:
            raise InvalidArgument(
                f"{self._name}, line {self._line}: the header can't be read; "
                "are its quotes closed, is it one line of column names?"
            )
        if self._addresses and not _has_email(header):
            self._set_column(header)
            return lines
        self._set_columns(header)
        self._line += used
        return lines[used:]

    def _clarity(self, names: list[str]) -> tuple[bool, bool, int]:
        """How well a delimiter makes sense of the first line; the greater the better."""
        is_clear = self._addresses and any(map(_may_be_address, names))
        return _has_email(names), is_clear, len(names)

    def _set_column(self, first: list[str]) -> None:
        """The first line is not a header: the address is in the column where this line has one."""
        found = [n for n, cell in enumerate(first) if _may_be_address(cell)]
        if len(found) != 1:
            what = "several addresses" if found else "neither an address nor a column 'email'"
            raise InvalidArgument(
                f"{self._name}, line {self._line} has {what}: put one address a line, or name "
                "their column email in a line above them"
            )
        self._width, self._email = len(first), found[0]
        self._has_header, self._alone = False, True

    def _set_columns(self, header: list[str]) -> None:
        self._is_report = tuple(header[-len(FACTS) :]) == FACTS
        if self._is_report:
            header = [original(name).strip() for name in header]
            if not self._addresses:  # a report of a list that has such columns itself keeps those
                own = set(header[: -len(FACTS)])
                header[-len(FACTS) :] = ["" if name in own else name for name in FACTS]
        emails = [n for n, name in enumerate(header) if name.casefold() in EMAIL_NAMES]
        if not emails:
            found = ", ".join(repr(name) for name in header[:20]) + ", …" * (len(header) > 20)
            remedy = (
                "the first line is an address: put a line with the names of the columns above it"
                if any("@" in name for name in header)
                else "name the column of the addresses email"
            )
            raise InvalidArgument(
                f"{self._name} has no column 'email', but {found[:1000]}; {remedy}"
            )
        spellings = Counter(unicodedata.normalize("NFC", name) for name in header if name)
        twice = [name for name, n in spellings.items() if n > 1]
        if self._addresses:
            twice = []
            if any(map(holds_address, header)):
                raise InvalidArgument(
                    f"{self._name}, line {self._line} has a column 'email' and an address: put the "
                    "names of the columns into a line above the addresses"
                )
        if twice or len(emails) > 1:
            names = twice or [header[n] for n in emails]
            raise InvalidArgument(
                f"{self._name} has more than one column {' or '.join(map(repr, names))}; "
                "rename or remove the others"
            )
        self._width = len(header)
        self._email = emails[0]
        # A column without a name can't be used: its values are left out.
        self._kept = [n for n, name in enumerate(header) if name and n != self._email]
        self._alone = self._addresses and self._width == 1
        self.columns = tuple(header[n] for n in self._kept)

    def _rows(self, lines: list[str], *, last: bool) -> list[Row]:
        """The rows of these lines; those of a row that isn't complete yet stay in ``_open``."""
        self._open = []
        rows: list[Row] = []
        text = "".join(lines)
        if len(text) > LONGEST:
            for n, line in enumerate(lines):
                if len(line) > LONGEST:
                    rows = self._rows(lines[:n], last=True)
                    rows.append(self._unreadable(f"a line of more than {LONGEST:,} characters"))
                    return rows + self._rows(lines[n + 1 :], last=last)
        nul = "\0" in text
        start = 0
        while start < len(lines):
            # Not a copy of the rest: a block may have thousands of rows that can't be read.
            rest = map(lines.__getitem__, range(start, len(lines))) if start else lines
            reader: _Reader = csv.reader(rest, delimiter=self._delimiter, strict=True)
            first = self._line - start
            try:
                self._read(lines, start, reader, rows, nul=nul)
                break
            except csv.Error as error:
                before, after = self._line - first, start + reader.line_num
                seen = lines[before:after]
                length = sum(map(len, seen))
                if after == len(lines) and not last and length <= LONGEST:
                    self._open = seen
                    break
                if found := self._all_addresses(lines[before]):
                    rows += [Row(self._line, address, ()) for address in found]
                    self._line += 1
                else:
                    rows.append(self._unreadable(_reason(error, len(seen))))
                start = before + 1
                self._count_reread(length - len(seen[0]))
        return rows

    def _read(
        self, lines: list[str], start: int, reader: _Reader, rows: list[Row], *, nul: bool
    ) -> None:
        """Append rows until the reader of the lines from ``start`` ends or raises; then ``_line``
        is the line after the last good one.
        """
        first = self._line - start
        width, email = self._width, self._email
        kept = self._kept if len(self._kept) < width - 1 else None
        done = start
        try:
            for fields in reader:
                before, done = done, start + reader.line_num
                if self._addresses:
                    if done - before == 1 and (found := self._all_addresses(lines[before])):
                        rows += [Row(first + before, address, ()) for address in found]
                        continue
                    if self._hides_address(fields):
                        rows.append(Row(first + before, "", (), _SEVERAL))
                        continue
                if len(fields) != width or (nul and any("\0" in field for field in fields)):
                    if lines[before].isspace():
                        continue
                    if done - before == 1 and not nul and self._shows_address(fields):
                        values = tuple([fields[n] for n in self._kept])
                        address = fields[email].removeprefix("'")
                        rows.append(Row(first + before, address, values))
                        continue
                    fault = "NUL bytes" if len(fields) == width else _ragged(len(fields), width)
                    if done - before > 1:
                        done, span = before, done - before
                        raise _Misread(f"{fault}, over {span} lines")
                    rows.append(Row(first + before, "", (), fault))
                    continue
                if self._is_report:
                    fields = list(map(original, fields))
                elif fields[email][:1] == "'":
                    fields[email] = fields[email][1:]
                if kept is not None:
                    values = tuple([fields[n] for n in kept])
                    address = fields[email]
                else:
                    address = fields.pop(email)
                    values = tuple(fields)
                if width > 1 or not lines[before].isspace():
                    rows.append(_row(Row, (first + before, address, values, None)))
        finally:
            self._line = first + done

    def _all_addresses(self, line: str) -> list[str] | None:
        """The addresses of a line that may have several, if it has nothing else."""
        return addresses_in(line) if self._alone and "\0" not in line else None

    def _hides_address(self, fields: list[str]) -> bool:
        """Whether a cell that has no column of a name holds what may be an address."""
        named = {self._email, *self._kept}
        return any(holds_address(cell) for n, cell in enumerate(fields) if n not in named)

    def _shows_address(self, fields: list[str]) -> bool:
        """Whether the address of a row of another width than the first line can be read: it has
        more fields than that, or the list has no header that says how many it should have.
        """
        if not self._addresses or len(fields) <= self._email:
            return False
        return len(fields) > self._width or not self._has_header

    def _unreadable(self, reason: str) -> Row:
        self._line += 1
        return Row(self._line - 1, "", (), reason)

    def _count_reread(self, characters: int) -> None:
        self._reread += characters
        if self._reread > _REREAD + self._lines.bytes_read:
            raise InvalidArgument(
                f"{self._name}: too many rows open a quote that is not closed, up to line "
                f"{self._line - 1}; mend the quotes of this file"
            )


_SEVERAL = (
    "an address outside of the addresses' column; put addresses alone on a line, or name every "
    "column in a line above them"
)
_excel = re.compile(r"""["']?sep=(.)["']?[,;\t ]*[\r\n]*""", re.IGNORECASE).fullmatch
_may_be_address = re.compile(r"(?:[^<>]*<)?[^\s;,|<>@]+@[^\s;,|<>]+>?").fullmatch


def _has_email(names: list[str]) -> bool:
    return any(name.casefold() in EMAIL_NAMES for name in names)


def _ragged(found: int, width: int) -> str:
    return f"{found} {'field' if found == 1 else 'fields'} where the header has {width}"


def _reason(error: csv.Error, lines: int) -> str:
    if isinstance(error, _Misread):
        return str(error)
    if lines > 1 or "end of data" in str(error):
        return "a quote that is not closed"
    if "field limit" in str(error):
        return f"a field of more than {csv.field_size_limit():,} characters"
    return "text after a closing quote"
