"""The report as a workbook for Excel and its kin: the numbers on one sheet, the rows on others.

A real workbook, and no CSV with a mark and semicolons: which separator, encoding and date a
spreadsheet takes for granted in CSV depends on the country, and it makes numbers of what looks like
one. Here every cell is text, and stays what it was: nothing is run, no zero is lost.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import anyio
import anyio.to_thread
import attrs

from mailkit.bulk.journal import JobRecord, Journal, RowRecord, RowState
from mailkit.bulk.report.advice import grouped, listing
from mailkit.bulk.report.summary import Report, make_report
from mailkit.bulk.report.table import cells_of, check_file, header_of, read_states
from mailkit.bulk.scratch import temporary_folder
from mailkit.bulk.spreadsheets import FACTS
from mailkit.core.arguments import checked
from mailkit.errors import InvalidArgument
from mailkit.extras import needed

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

__all__ = ["WorkbookResult", "excel_report"]

SHOWN = 50
"""The reasons of each state that the first sheet has at most."""

ROWS, COLUMNS, CHARACTERS = 1_048_576, 16_384, 32_767  # of a sheet, and of a cell
WIDTHS = {"email": 32, "line": 9, "state": 11, "reason": 48, "chunk": 9, "delivery": 13}


@attrs.frozen
class WorkbookResult:
    """What was written: so many ``rows``, and ``cut`` cells that are longer than Excel allows."""

    rows: int
    cut: int


@checked
async def excel_report(
    journal: Journal, name: str, file: BinaryIO, *, states: Iterable[str] = ()
) -> WorkbookResult:
    """Write the job's report as an .xlsx workbook: its numbers, and its rows, on as many sheets as
    they need. ``states`` leaves out all other rows.

    Needs the extra ``excel``. InvalidArgument without it, if there is no such job or state, or if
    the list has more columns than a sheet.
    """
    with needed("excel", "a workbook needs", InvalidArgument):
        from xlsxwriter import Workbook
        from xlsxwriter.exceptions import FileCreateError
    check_file(file, io.RawIOBase | io.BufferedIOBase, "open('report.xlsx', 'wb')")
    some = read_states(states)
    job = await journal.jobs.get(name)
    header = header_of(job)
    if len(header) > COLUMNS:
        raise InvalidArgument(
            f"the list has {len(job.columns):,} columns, and a sheet has at most {COLUMNS:,}: "
            "use --csv"
        )
    report = await make_report(journal, name)
    with temporary_folder("mailkit-") as folder:
        place = Path(folder, "report.xlsx")
        book = Workbook(place, {"constant_memory": True, "tmpdir": folder, "use_zip64": True})
        try:
            _summary(book, report)
            table = _Table(book, job)
            async for rows in journal.reports.rows(job, states=some):
                await anyio.to_thread.run_sync(partial(table.write, rows))
            table.end()
        finally:
            with anyio.CancelScope(shield=True):
                try:
                    await anyio.to_thread.run_sync(book.close)
                except FileCreateError as error:  # the OSError, in its wrapping
                    raise error.args[0] from None
        await anyio.to_thread.run_sync(_copy, place, file)
    return WorkbookResult(table.rows, table.cut)


def _copy(place: Path, file: BinaryIO) -> None:
    with place.open("rb") as packed:
        shutil.copyfileobj(packed, file)


def _summary(book: Workbook, report: Report) -> None:
    """The sheet with the numbers."""
    sheet = book.add_worksheet("Summary")
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 1, 60)
    bold, number = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0"})
    left = book.add_format({"align": "left", "text_wrap": True, "valign": "top"})
    counts, deliveries = report.counts, report.deliveries
    facts: Sequence[tuple[str, str | int | None]] = [
        ("job", report.job),
        ("provider", report.provider),
        ("subject", report.subject),
        ("created", _moment(report.created)),
        ("rows read", counts.read),
        *((state, counts.of(state)) for state in RowState),
        ("sum", counts.accounted),
        *_reasons(report),
        *((f"delivery: {status.name.lower()}", rows) for status, rows in deliveries.items()),
        *((f"counted by {report.provider}: {what}", n) for what, n in report.statistics.items()),
        ("not yet found in the status lists", report.unreconciled or None),
        ("stopped", report.stopped),
        ("cancelled", None if report.cancelled is None else _moment(report.cancelled)),
        ("held", report.held),
    ]
    numbers = count()
    for what, value in facts:
        if value is None:
            continue
        at = next(numbers)
        sheet.write_string(at, 0, _text(what.replace("_", " ")), bold)
        if isinstance(value, int):
            sheet.write_number(at, 1, value, number)
        else:
            sheet.write_string(at, 1, _text(value), left)


def _reasons(report: Report) -> Iterator[tuple[str, str | int]]:
    """Why rows were left out or rejected, and the command that lists those."""
    for state, groups in grouped(report):
        for group in groups[:SHOWN]:
            yield f"{state}: {group.reason or 'no reason given'}", group.rows
        yield f"full list of {state} rows", listing(report, state)


class _Table:
    """The sheets with the rows."""

    def __init__(self, book: Workbook, job: JobRecord) -> None:
        self.rows = 0
        self.cut = 0
        self._job = job
        self._book = book
        self._header = header_of(job)
        self._numbers = {
            len(self._header) - len(FACTS) + FACTS.index(name) for name in ("line", "chunk")
        }
        self._bold = book.add_format({"bold": True, "bottom": 1})
        self._sheets = 0
        self._sheet = self._begin()

    def write(self, rows: Iterable[RowRecord]) -> None:
        """These rows, too."""
        for row in rows:
            if self._at == ROWS:
                self.end()
                self._sheet = self._begin()
            for n, cell in enumerate(cells_of(self._job, row)):
                if cell and n in self._numbers:
                    self._sheet.write_number(self._at, n, int(cell))
                elif cell and self._sheet.write_string(self._at, n, _text(cell)):
                    self.cut += 1
            self._at += 1
            self.rows += 1

    def end(self) -> None:
        """The sheet has its rows."""
        self._sheet.autofilter(0, 0, max(self._at - 1, 1), len(self._header) - 1)

    def _begin(self) -> Worksheet:
        self._sheets += 1
        sheet = self._book.add_worksheet(f"Rows {self._sheets}" if self._sheets > 1 else "Rows")
        sheet.freeze_panes(1, 1)
        sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{ROWS}"})
        for n, name in enumerate(self._header):
            sheet.set_column(n, n, WIDTHS.get(name, 18))
            sheet.write_string(0, n, _text(name), self._bold)
        self._at = 1
        return sheet


def _text(cell: str) -> str:
    """The cell without what XML can't hold. Control characters are escaped by whoever writes it;
    but what looks to it as its own markup would be taken for that.
    """
    if cell.startswith("<r>"):
        cell = "'" + cell
    if cell.isprintable():
        return cell
    return "".join("\ufffd" if char in "\ufffe\uffff" else char for char in cell)


def _moment(at: datetime) -> str:
    return at.astimezone().isoformat(" ", "seconds")
