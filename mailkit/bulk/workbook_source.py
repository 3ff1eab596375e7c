"""Recipients from an Excel workbook, .xlsx: a sheet with a header, and rows below it.

A cell has the text that a person sees, unless its format depends on a language: numbers without
spurious digits, dates in the cell's format, a formula's saved value. Rows are read one by one, so
memory stays flat except for the workbook's table of texts.
"""

from __future__ import annotations

import csv
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from mailkit.bulk.address_line import address_shown
from mailkit.bulk.cells import CellError, cell_text
from mailkit.bulk.headers import Naming
from mailkit.bulk.lines import Readable
from mailkit.bulk.rows import Row
from mailkit.bulk.table import Ragged, Table
from mailkit.errors import InvalidArgument
from mailkit.extras import install
from mailkit.remedies import remedy
from mailkit.text import BLANKS, column_name

__all__ = ["WorkbookRows"]

_ROWS = 1_000  # in a list
_MOST_ROWS = 1_048_576  # of a sheet, in Excel
_LARGEST = 2 << 30  # bytes of all parts, unpacked
_LARGEST_TEXTS = 400 << 20  # bytes of what is held in memory
_HEAD = 50  # rows in which a sheet's header is looked for
_OPEN_DOCUMENT = "an OpenDocument file; save the list as .xlsx or CSV"
_KINDS = (
    ("xl/workbook.bin", "a binary Excel workbook; save it as .xlsx or CSV"),
    ("content.xml", _OPEN_DOCUMENT),
    ("word/", "a Word document; put the list into a table of its own, and save it as CSV"),
    ("Index/Document.iwa", "a Numbers document; export it as .xlsx or CSV"),
)


class WorkbookRows:
    """Lists of rows; what ``table`` says is known with the first list."""

    def __init__(
        self,
        file: Path | Readable,
        name: str,
        naming: Naming,
        *,
        sheet: str | None,
        addresses: bool,
    ) -> None:
        self.table = Table(name, naming, addresses=addresses)
        self._file = file
        self._name = name
        self._sheet = sheet
        self._delimiter = ""  # of rows that are lines of CSV in one column

    def __iter__(self) -> Iterator[list[Row]]:
        try:
            from openpyxl.reader.excel import ExcelReader
        except ImportError:
            raise InvalidArgument(
                f"{self._name} is an Excel workbook; to read it, "
                f"{install('excel')}, or save it as CSV"
            ) from None
        opened = self._file.open("rb") if isinstance(self._file, Path) else nullcontext(self._file)
        with opened as file:
            self._check(cast("BinaryIO", file))
            with self._trouble_told(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about styles, which don't matter here
                reader = ExcelReader(
                    cast("BinaryIO", file),
                    read_only=True,
                    keep_vba=False,
                    data_only=True,
                    keep_links=False,
                )
                _find_parts_in_any_case(reader.archive)
                reader.read()
            with closing(reader.wb) as workbook:
                yield from self._lists(self._chosen(workbook))

    @contextmanager
    def _trouble_told(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever the library says of others' files
            said = str(error.args[0] if isinstance(error, KeyError) else error)[:200]
            why = said or type(error).__name__
            raise InvalidArgument(
                f"{self._name} can't be read as a workbook ({why}); open it in "
                "Excel or LibreOffice, and save it as .xlsx or CSV"
            ) from None

    def _check(self, file: BinaryIO) -> None:
        """It is a workbook that fits into the memory."""
        try:
            parts = zipfile.ZipFile(file).infolist()
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            file.seek(0)
            if b"vnd.oasis" in file.read(200):
                raise InvalidArgument(f"{self._name} is {_OPEN_DOCUMENT}") from None
            raise InvalidArgument(
                f"{self._name} is a damaged Excel workbook or zip archive: {error}"
            ) from None
        names = [part.filename for part in parts]
        if "xl/workbook.xml" not in map(str.lower, names):
            for begin, kind in _KINDS:
                if any(name.startswith(begin) for name in names):
                    raise InvalidArgument(f"{self._name} is {kind}")
            if "[Content_Types].xml" not in names:
                raise InvalidArgument(f"{self._name} is a zip archive; unpack it first")
        sheets = sum(part.file_size for part in parts if "/worksheets/" in part.filename.lower())
        size = sum(part.file_size for part in parts)
        if size > _LARGEST or size - sheets > _LARGEST_TEXTS:
            raise InvalidArgument(
                f"{self._name} unpacks to {size >> 20:,} MB, too much to read; save it as CSV"
            )

    def _chosen(self, workbook: Any) -> Any:
        """The sheet that is asked for, or the only one that may be meant."""
        sheets = list(workbook.worksheets)
        for sheet in sheets:
            sheet.reset_dimensions()  # which files of other programs have wrong
        if not sheets:
            raise InvalidArgument(f"{self._name} is a workbook without worksheets")
        if self._sheet is not None:
            wanted = column_name(self._sheet).casefold()
            found = [one for one in sheets if column_name(one.title).casefold() == wanted]
            if not found:
                names = ", ".join(repr(one.title) for one in sheets)
                raise InvalidArgument(f"{self._name} has no sheet {self._sheet!r}, only {names}")
            return found[0]
        seen = [one for one in sheets if one.sheet_state == "visible"] or sheets
        heads = [(one, self._head(one)) for one in seen] if len(seen) > 1 else [(seen[0], [])]
        full = [(one, head) for one, head in heads if head] or heads
        likely = [one for one, head in full if self.table.has_address_column(head)]
        if len(likely) == 1 or len(full) == 1:
            return (likely or [one for one, _ in full])[0]
        names = " and ".join(repr(one.title) for one in likely or [one for one, _ in full])
        raise InvalidArgument(
            f"{self._name} has several sheets, {names}: choose one with "
            + remedy("sheet=…", "--sheet NAME")
        )

    def _head(self, sheet: Any) -> list[str]:
        """The names in the first row that isn't empty."""
        for _, cells, _ in islice(self._rows_of(sheet), _HEAD):
            if any(cell.strip(BLANKS) for cell in cells):
                return self._names(cells)[0]
        return []

    def _rows_of(self, sheet: Any) -> Iterator[tuple[int, list[str], dict[int, str]]]:
        """Each row's number, its cells, and what is no text among them."""
        from mailkit.bulk.sheet_rows import rows_of

        rows = rows_of(sheet)
        while True:
            with self._trouble_told():
                number, row = next(rows, (0, ()))
            if not number:
                return
            if number > _MOST_ROWS:
                raise InvalidArgument(
                    f"{self._name} has more rows than Excel's limit of {_MOST_ROWS:,}"
                )
            faults: dict[int, str] = {}
            cells: list[str] = []
            for n, cell in enumerate(row):
                try:
                    cells.append(cell_text(cell))
                except CellError as error:
                    cells.append("")
                    faults[n] = str(error)
            yield number, cells, faults

    def _names(self, cells: Sequence[str]) -> tuple[list[str], str]:
        """The names of columns; if they stand in one cell as a line of CSV, also its delimiter."""
        names = list(map(column_name, cells))
        filled = [name for name in names if name]
        if len(filled) == 1 and names[0]:
            for delimiter in ";,\t":
                try:
                    [split] = csv.reader([names[0]], delimiter=delimiter, strict=True)
                except (csv.Error, ValueError):  # ValueError: several lines
                    continue
                split = list(map(column_name, split))
                if len(split) > 1 and self.table.has_address_column(split):
                    return split, delimiter
        return names, ""

    def _lists(self, sheet: Any) -> Iterator[list[Row]]:
        rows: list[Row] = []
        begun = False
        for number, cells, faults in self._rows_of(sheet):
            if not any(cells) and not faults:
                continue
            if begun:
                self._fit(cells)
            line = "\t".join(cells)
            if not begun:
                if not any(cell.strip(BLANKS) for cell in cells):
                    continue
                begun = True
                names, self._delimiter = self._names(cells)
                self.table.delimiter = self._delimiter or self.table.delimiter
                if self.table.begin(names, line, number):
                    yield rows
                    continue
            try:
                rows += self.table.rows(number, cells, line, faults)
            except Ragged as fault:
                rows.append(Row(number, address_shown(line), (), str(fault)))
            if len(rows) >= _ROWS:
                yield rows
                rows = []
        if not begun:
            raise InvalidArgument(f"{self._name} is empty")
        yield rows

    def _fit(self, cells: list[str]) -> None:
        """As wide as the header: a sheet has no empty last cells, and may have notes beside the
        table.
        """
        if not self._delimiter:
            cells += [""] * (self.table.width - len(cells))
        if not self.table.addresses:
            del cells[self.table.width :]


def _find_parts_in_any_case(archive: zipfile.ZipFile) -> None:
    """As Excel does: 1C, for one, writes xl/SharedStrings.xml and calls it xl/sharedStrings.xml."""
    for name in ("xl/sharedStrings.xml", "xl/workbook.xml", "xl/styles.xml"):
        if name not in archive.NameToInfo:
            for part in archive.infolist():
                if part.filename.lower() == name.lower():
                    archive.NameToInfo[name] = part
