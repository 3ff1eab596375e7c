"""The rows of a report as a table: each with what became of it, or as a list to send to again."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import UnionType
from typing import TextIO

from mailkit.bulk.journal import JobRecord, Journal, RowRecord, RowState
from mailkit.bulk.journal.pseudonyms import MARK
from mailkit.bulk.spreadsheets import FACTS, harmless, is_plain
from mailkit.core.arguments import checked
from mailkit.errors import InvalidArgument
from mailkit.events import DeliveryStatus

__all__ = ["cells_of", "check_file", "csv_report", "header_of", "read_states"]

_DELIVERIES = {None: ""} | {status: status.name.lower() for status in DeliveryStatus}


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
    line ends alone (``newline=""``). InvalidArgument if there is no such job or state, and for a
    list of a job that was pruned.
    """
    check_file(file, io.TextIOBase, "open('report.csv', 'w', newline='')")
    job = await journal.jobs.get(name)
    if as_recipients and job.pruned is not None:
        raise InvalidArgument(
            f"the job {job.name} was pruned: its addresses are removed, so there is no list of them"
        )
    some = read_states(states)
    written = Counter[RowState]()
    lines = _Lines()
    out = csv.writer(lines, lineterminator="\n")
    quoted = csv.writer(lines, lineterminator="\n", quoting=csv.QUOTE_ALL)
    header = ["email", *job.columns] if as_recipients else [*map(harmless, header_of(job))]
    # Quoted, names can't be taken for several of another delimiter when the list is read again.
    names = quoted if any(char in name for name in header for char in ";\t\r") else out
    names.writerow(map(shown, header))
    async for rows in journal.reports.rows(job, states=some):
        if as_recipients:  # nobody whose address is gone can be sent to
            rows = [row for row in rows if not row.address.startswith(MARK)]
        written.update([row.state for row in rows])
        for row in rows:
            cells = _as_recipient(job, row) if as_recipients else cells_of(job, row)
            if shown is str and is_plain(cells, line := ",".join(cells)):
                lines.append(line + "\n")
                continue
            # A CR needs quotes too, which not every version of the csv module gives it, and so
            # does white space alone, which would be a blank line.
            blank = len(cells) == 1 and cells[0].isspace()
            writer = quoted if blank or any("\r" in cell for cell in cells) else out
            writer.writerow(map(shown, cells if as_recipients else map(harmless, cells)))
        file.write("".join(lines))
        lines.clear()
    file.write("".join(lines))
    return written


class _Lines(list[str]):
    """What a CSV writer has written."""

    write = list[str].append


def header_of(job: JobRecord) -> Sequence[str]:
    """The names of the columns of a row's cells."""
    return ["email", *job.columns, *FACTS]


def cells_of(job: JobRecord, row: RowRecord) -> Sequence[str]:
    """What the list had in the row, and what became of it."""
    _, line, address, fields, state, reason, chunk, delivery = row
    facts = (str(line), state, reason or "", str(chunk or ""), _DELIVERIES[delivery])
    return [address, *_filled(job, fields), *facts]


def _as_recipient(job: JobRecord, row: RowRecord) -> Sequence[str]:
    # Whoever reads a list takes one apostrophe off an address.
    address = "'" + row.address if row.address.startswith("'") else row.address
    return [address, *_filled(job, row.fields)]


def _filled(job: JobRecord, fields: Sequence[str]) -> Sequence[str]:
    missing = len(job.columns) - len(fields)
    return [*fields, *[""] * missing] if missing else fields
