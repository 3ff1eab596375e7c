"""The rows of a report as a table: each with what became of it, or as a list to send to again."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from types import UnionType
from typing import TextIO

from mailkit.bulk.journal import JobRecord, Journal, RowRecord, RowState
from mailkit.bulk.spreadsheets import FACTS, harmless
from mailkit.core.arguments import checked
from mailkit.errors import InvalidArgument

__all__ = ["cells_of", "check_file", "csv_report", "header_of", "read_states", "selected"]


def read_states(names: Iterable[str]) -> Sequence[RowState]:
    """The states of these names, as they are spelled or with underscores."""
    given = [name.strip().replace("_", " ") for name in names]
    for state in given:
        if state not in list(RowState):
            raise InvalidArgument(f"unknown state {state!r}: use {', '.join(RowState)}")
    return [RowState(state) for state in given]


def check_file(file: object, kind: type | UnionType, example: str) -> None:
    """InvalidArgument for what is not an open file, or one of another kind."""
    if not hasattr(file, "write") or (isinstance(file, io.IOBase) and not isinstance(file, kind)):
        raise InvalidArgument(f"file: give an open file, as from {example}")


@checked
async def csv_report(
    journal: Journal,
    name: str,
    file: TextIO,
    *,
    states: Iterable[str] = (),
    as_recipients: bool = False,
    shown: Callable[[str], str] = str,
) -> Counter[RowState]:
    """Write the job's rows as CSV, in the order of the list; how many there are in each state.

    ``states`` leaves out all others. Each row ends with its line, state, reason, chunk and
    delivery, and a cell that a spreadsheet would run begins with an apostrophe. ``as_recipients``
    writes a list instead, exact to the character, that can be sent to as it is. The file must leave
    line ends alone (``newline=""``). InvalidArgument if there is no such job or state.
    """
    check_file(file, io.TextIOBase, "open('report.csv', 'w', newline='')")
    job = await journal.jobs.get(name)
    some = read_states(states)
    written = Counter[RowState]()
    out = csv.writer(file, lineterminator="\n")
    quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    header = ["email", *job.columns] if as_recipients else [*map(harmless, header_of(job))]
    # Quoted, names can't be taken for several of another delimiter when the list is read again.
    names = quoted if any(char in name for name in header for char in ";\t\r") else out
    names.writerow(map(shown, header))
    async for row in selected(journal, job, some):
        written[row.state] += 1
        cells = _as_recipient(job, row) if as_recipients else cells_of(job, row)
        # A CR needs quotes too, which not every version of the csv module gives it, and so
        # does white space alone, which would be a blank line.
        blank = len(cells) == 1 and cells[0].isspace()
        writer = quoted if blank or any("\r" in cell for cell in cells) else out
        writer.writerow(map(shown, cells if as_recipients else map(harmless, cells)))
    return written


async def selected(
    journal: Journal, job: JobRecord, states: Sequence[RowState]
) -> AsyncIterator[RowRecord]:
    """The job's rows in these states, or all, in the order of the list."""
    async for rows in journal.reports.rows(job, states=states):
        for row in rows:
            yield row


def header_of(job: JobRecord) -> Sequence[str]:
    """The names of the columns of a row's cells."""
    return ["email", *job.columns, *FACTS]


def cells_of(job: JobRecord, row: RowRecord) -> Sequence[str]:
    """What the list had in the row, and what became of it."""
    delivery = "" if row.delivery is None else row.delivery.name.lower()
    facts = (str(row.line), row.state, row.reason or "", str(row.chunk or ""), delivery)
    return [row.address, *_fields(job, row), *facts]


def _as_recipient(job: JobRecord, row: RowRecord) -> Sequence[str]:
    # Whoever reads a list takes one apostrophe off an address.
    address = "'" + row.address if row.address.startswith("'") else row.address
    return [address, *_fields(job, row)]


def _fields(job: JobRecord, row: RowRecord) -> Sequence[str]:
    return [*row.fields, *[""] * (len(job.columns) - len(row.fields))]
