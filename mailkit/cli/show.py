"""What the commands print: the report, the table of jobs."""

from __future__ import annotations

import io
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailkit.bulk.journal import RowState
from mailkit.bulk.reasons import ReasonGroup, first_of
from mailkit.bulk.report import Doubt, Report
from mailkit.bulk.report.advice import (
    Advice,
    checking,
    grouped,
    listing,
    next_steps,
    remarks,
    settling,
)
from mailkit.bulk.report.attendance import is_attended
from mailkit.core.moments import moment
from mailkit.text import counted, plain

__all__ = [
    "SHOWN",
    "as_utf8",
    "jobs_table",
    "moment_of",
    "print_json",
    "report_text",
]

SHOWN = 10
NAMED = 100
"""So many chunks in doubt are named in one command."""


def as_utf8() -> None:
    """From here on stdout holds what machines read: UTF-8 and bare line ends, on every system.

    A terminal keeps the encoding that it has.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8", newline="")


def print_json(text: str) -> None:
    """One line of JSON on stdout; what might steer a terminal is escaped, as JSON allows."""
    as_utf8()
    print(text if text.isprintable() else "".join(map(_escaped, text)))


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def report_text(report: Report, *, commands: bool = True) -> Iterator[str]:
    """The report, line by line, with the ``commands`` that say more or do what is left to do."""
    counts = report.counts
    yield plain(f"{report.job} over {report.provider}: {report.subject}")
    yield f"  {'rows read':<12}{counts.read:>14,}"
    for state in RowState:
        yield f"  {state:<12}{counts.of(state):>14,}"
    agrees = "= rows read" if counts.accounted == counts.read else "≠ ROWS READ"
    yield f"  {'sum':<12}{counts.accounted:>14,}  {agrees}"
    if not report.without_anybody:
        others = [f"{rows:,} {plain(why)}" for why, rows in report.elsewhere.items()]
        yield from _some(others, "  of the duplicates: ")
    if report.deliveries:
        heard = (
            f"{status.name.lower().replace('_', ' ')} {rows:,}"
            for status, rows in report.deliveries.items()
        )
        yield f"  delivery: {', '.join(heard)}"
    if report.statistics:
        counted = (
            f"{plain(name).replace('_', ' ')} {n:,}" for name, n in report.statistics.items()
        )
        yield f"  counted by {report.provider}: {', '.join(counted)}"
    for state, groups in grouped(report):
        yield f"{state}{_looked_at(report, state, groups) if commands else ''}:"
        yield from _some([plain(_group(group)) for group in groups], "  ")
        if commands:
            yield f"  full list: {listing(report, state)}"
    if not commands:
        if report.stopped:
            yield plain(report.stopped)
        return
    yield from map(_sentence, remarks(report, moment_of))
    if report.doubts:
        yield "in doubt:"
        yield from _some([_doubt(doubt) for doubt in report.doubts], "  ")
        yield str(checking(report))
        yield from (f"  {command}" for command in settling(report, *report.doubts[:NAMED]))
    yield from map(_sentence, next_steps(report, moment_of))


def _sentence(advice: Advice) -> str:
    text = str(advice)
    return text[:1].upper() + text[1:]


def _looked_at(report: Report, state: RowState, groups: Sequence[ReasonGroup]) -> str:
    rows, of = sum(group.rows for group in groups), report.counts.of(state)
    if rows == of:
        return ""
    command = f"mailkit report {shlex.quote(plain(report.job))}"
    return f" (the reasons of {rows:,} of {of:,} rows; {command} has all)"


def _group(group: ReasonGroup) -> str:
    reason = f"{group.rows:,} {group.reason or 'no reason given'}"
    if not group.examples:
        return reason
    such, first = "" if group.rows == 1 else "e.g. ", group.examples[0]
    line = f"line {first.line:,}: " if first.line else ""
    return f"{reason} ({such}{line}{first.address or 'no address'})"


def _doubt(doubt: Doubt) -> str:
    people = doubt.first if doubt.rows == 1 else f"{doubt.first} … {doubt.last}"
    rows = counted(doubt.rows, "row")
    return plain(f"chunk {doubt.chunk} ({doubt.label}, {rows}, {people}): {doubt.reason}")


def _some(lines: Sequence[str], indent: str) -> Iterator[str]:
    shown = first_of(lines, SHOWN)
    for line in shown:
        yield indent + line
    if more := len(lines) - len(shown):
        yield f"{indent}and {more:,} more: see --json"


def moment_of(at: datetime) -> str:
    """The local time, with the date unless that is today's."""
    return moment(at.timestamp(), time.time())


def _state(report: Report) -> str:
    """How far a job is, in a few words."""
    until = report.waiting and report.waiting.until
    if until and until.timestamp() > time.time():
        return f"waiting until {moment_of(until)}"
    if report.running:
        return "running" if is_attended(report) else "not heard from"
    if report.complete:
        return "nobody accepted" if report.without_anybody else "done"
    if report.cancelled and report.counts.unsent:
        return "cancelled"
    if report.stopped:
        return "stopped"
    if report.counts.unsent:
        return "not running"
    return "in doubt" if report.counts.in_doubt else "left to other jobs"


def jobs_table(reports: Sequence[Report]) -> None:
    """Every job in a line."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("job", overflow="fold")
    table.add_column("provider", no_wrap=True)
    table.add_column("started", no_wrap=True)
    states = (RowState.ACCEPTED, RowState.REJECTED, RowState.IN_DOUBT, RowState.UNSENT)
    for heading in ("rows", *states):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for report in reports:
        counts = report.counts
        numbers = (counts.read, *map(counts.of, states))
        table.add_row(
            Text(plain(report.job)),
            Text(plain(report.provider)),
            f"{report.created.astimezone():%Y-%m-%d}",
            *(f"{number:,}" for number in numbers),
            _state(report),
        )
    width = None if sys.stdout.isatty() else 1000  # lines of a pipe or a file are not folded
    Console(file=sys.stdout, highlight=False, width=width).print(table)
